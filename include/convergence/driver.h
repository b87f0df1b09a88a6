#ifndef CONVERGENCE_DRIVER_H_
#define CONVERGENCE_DRIVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/codec.h"
#include "convergence/consul_client.h"
#include "convergence/desired.h"
#include "convergence/executor.h"
#include "convergence/plan.h"

namespace convergence {

// The loops that a host may take or leave. They decide nothing: they read, ask a pure function, carry out. All are
// asynchronous on the client's executor and have no thread.

// Default prefix of our keys in KV.
inline constexpr std::string_view kDefaultPrefix = "convergence";

// ---- reading ---------------------------------------------------------------------------------------------------

// What is wanted, from KV below `prefix`. The index is that of the recurse read, for the next blocking query.
void read_desired(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                  ConsulClient::Callback<Answer<DesiredRead>> done);

// What is there: nodes with their checks, the services named (all, when empty), and every config entry of
// every kind. The reads are not one snapshot; each object carries its own index, and every write is compared with
// it.
void read_catalog(ConsulClient& client, std::vector<std::string> services, const ReadOptions& options,
                  ConsulClient::Callback<CatalogState> done);

// The rollouts below `prefix`, whatever their phase, by service name.
void read_rollouts(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                   ConsulClient::Callback<std::vector<CanaryState>> done);

// ---- planning --------------------------------------------------------------------------------------------------

struct ConvergeOptions {
  std::string prefix = std::string(kDefaultPrefix);
  PlanOptions plan{};                     // its owner is the prefix, unless the host names another
  std::optional<DesiredState> desired{};  // in place of what stands below the prefix
  ReadOptions read{};
  std::int32_t max_rounds = 20;  // of read, plan, apply, before a conflict is given up on
};

struct PlannedRound {
  Plan plan{};
  CatalogState catalog{};              // that it was made from
  std::uint64_t desired_index = 0;     // of the read of the desired state, for the next blocking query
  std::vector<absl::Status> broken{};  // desired documents that could not be read
};

// Reads what is wanted, what is there and the rollouts, and plans: converge() on entries_for() of the desired entries.
void plan_now(ConsulClient& client, const ConvergeOptions& options, ConsulClient::Callback<PlannedRound> done);

// ---- applying a plan -------------------------------------------------------------------------------------------

enum class StepOutcome { kDone, kConflict, kFailed, kSkipped };
std::string_view to_string(StepOutcome outcome);

struct StepReport {
  std::string step{};
  StepOutcome outcome = StepOutcome::kDone;
  absl::Status status{};
};

struct ApplyReport {
  std::vector<StepReport> steps{};  // in the plan's order; skipped: needs a step that was not done
  bool conflict = false;            // a lost race: read and plan again
};

// Carries out the steps one after the other, each by compare-and-set on the index it was decided on. After a conflict
// or failure the steps that need it are skipped and the rest is still done, since every prefix and every subset closed
// under `needs` is safe.
void apply_plan(ConsulClient& client, Plan plan, std::function<void(const StepReport&)> progress,
                ConsulClient::Callback<ApplyReport> done);

struct ConvergeProgress {
  std::int32_t round = 0;
  Plan plan{};                       // of this round
  std::optional<StepReport> step{};  // empty: the plan was just made
  std::size_t done = 0;              // steps of this round
};

struct ConvergeReport {
  std::int32_t rounds = 0;
  std::size_t steps_done = 0;
  std::size_t conflicts = 0;
  Plan last_plan{};                    // empty steps: converged
  std::vector<absl::Status> broken{};  // desired documents that could not be read
};

// plan_now() and apply_plan() until the plan has no step left. An error only where reading fails or a step is refused;
// what was done until then stays done, safely.
void converge_once(ConsulClient& client, ConvergeOptions options, std::function<void(const ConvergeProgress&)> progress,
                   ConsulClient::Callback<ConvergeReport> done);

// ---- rollouts --------------------------------------------------------------------------------------------------

struct MeasureRequest {
  std::string service{};
  std::string stable_subset{};
  std::string candidate_subset{};
  Measure window{};
  std::vector<double> bounds{};  // milliseconds, rising: of the policy's evidence, when it judges latency
};

// Where evidence comes from. The answer may come at any time later, on the executor; a driver that has given up on it
// ignores it.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  // Before a rollout starts: whether the stable subset is counted, over a window like those to come; an error refuses
  // the start.
  virtual void check(const MeasureRequest& request, std::function<void(absl::Status)> done) {
    static_cast<void>(request);
    done(absl::OkStatus());
  }
  // The window begins, or a driver takes it up: who has to read at both ends reads now.
  virtual void begin(const MeasureRequest& request) { static_cast<void>(request); }
  // The window is over.
  virtual void measure(const MeasureRequest& request, std::function<void(Measurement)> done) = 0;
};

struct RolloutOptions {
  std::string prefix = std::string(kDefaultPrefix);   // the state stands at P/rollouts/<service>
  std::function<void(const CanaryState&)> on_change;  // after each state that was written
  // Asks who answers at a gate's url; the answer may come later, on the executor. Without it only `approve` opens
  // gates.
  std::function<void(const AskGate&, std::function<void(bool open, std::string said)>)> ask_gate;
  // Puts the candidate's version into the stable subset, at least once, and says when it runs there. Without it a
  // policy with promotion "copy" is refused at the start.
  std::function<void(const CopyToStable&, std::function<void(absl::Status)>)> copy_to_stable;
  // A journal: each step of this driver that stands in KV, and what it took over (rollout_replay.h). One JSON text
  // each.
  std::function<void(const std::string& record)> on_record;
  // For tests: called before and after each effect on the world with its name; may end the process.
  std::function<void(std::string_view point)> probe;
};

// Takes one service's rollout from event to event. The state stands in KV, written by compare-and-set before its
// effects are carried out; each effect is idempotent and carries the state's index, so that a driver killed anywhere,
// or two at once, do no harm: the next one reads the state and goes on. Ends when the phase is terminal.
class RolloutDriver {
 public:
  RolloutDriver(ConsulClient& client, MetricsSource& metrics, std::string service, RolloutOptions options);
  ~RolloutDriver();

  // Writes a new rollout (refused, FAILED_PRECONDITION, while another is not terminal), then runs it.
  void start(const CanaryPolicy& policy, const StartRollout& start, ConsulClient::Callback<CanaryState> done);
  // Takes up what stands in KV; NOT_FOUND where there is none.
  void resume(ConsulClient::Callback<CanaryState> done);
  // Hands a command in; the callback runs when it is durable. Works from any process: the running driver sees it.
  void command(const Command& command, ConsulClient::Callback<CanaryState> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_DRIVER_H_
