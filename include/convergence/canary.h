#ifndef CONVERGENCE_CANARY_H_
#define CONVERGENCE_CANARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/analysis.h"
#include "convergence/json.h"
#include "convergence/ramp.h"
#include "convergence/time.h"

namespace convergence {

// How a new version earns its traffic: a pure state machine. Time comes with the events; what it wants done leaves as
// effects, each with an id; a driver carries them out and reports back with events. docs/canary.md draws the table.

// ---- policy --------------------------------------------------------------------------------------------------

// A rollout by evidence: both arms compared interval by interval (docs/canary-analysis.md). The ladder of its ramp are
// the policy's steps, the interval of its analysis is the policy's.
struct EvidencePolicy {
  AnalysisOptions analysis{};
  RampPolicy ramp{};
  friend bool operator==(const EvidencePolicy&, const EvidencePolicy&) = default;
};

struct CanaryPolicy {
  std::string service{};
  std::string stable_subset{};
  std::string candidate_subset{};
  std::vector<std::int32_t> steps = {500, 2000, 5000};  // candidate's weight, hundredths of a percent, rising, 1..10000
  Duration interval = std::chrono::seconds(10);         // one measurement
  Duration settle = std::chrono::seconds(2);            // after a change of weight, before measuring
  std::optional<EvidencePolicy> evidence{};             // decides; without it the threshold of the next four does
  std::int32_t intervals_per_step = 2;                  // good measurements a step needs
  std::int64_t min_requests = 50;                       // of the candidate, in one measurement; fewer are no evidence
  double min_success_rate = 0.99;                       // share of requests without a server error, 0..1
  std::int32_t max_failures = 2;                        // bad measurements in all before the rollback
  Duration no_evidence_deadline = std::chrono::minutes(10);  // without good or bad evidence: roll back
  Duration step_deadline = std::chrono::minutes(30);         // in one step, whatever happens: roll back
  Json::Object unknown{};
  friend bool operator==(const CanaryPolicy&, const CanaryPolicy&) = default;
};

// INVALID_ARGUMENT kind "validate" naming the field.
absl::Status validate(const CanaryPolicy& policy);

// ---- state ---------------------------------------------------------------------------------------------------

enum class CanaryPhase {
  kIdle,         // no rollout
  kSettling,     // a weight is being written, or was and needs time to arrive
  kObserving,    // waits for measurements at a step's weight
  kPromoting,    // writes all traffic to the candidate
  kRollingBack,  // writes all traffic to the stable subset
  kSucceeded,
  kFailed,
};
std::string_view to_string(CanaryPhase phase);
constexpr bool is_terminal(CanaryPhase phase) {
  return phase == CanaryPhase::kIdle || phase == CanaryPhase::kSucceeded || phase == CanaryPhase::kFailed;
}

// Why a transition happened. Closed.
enum class CanaryReason {
  kNone,
  kStarted,
  kWeightWritten,
  kGoodEvidence,
  kBadEvidence,
  kTooFewRequests,
  kSourceBroken,
  kStepPassed,
  kAllStepsPassed,
  kFailureBudget,
  kNoEvidenceDeadline,
  kStepDeadline,
  kAborted,
  kPromotedByHand,
  kPaused,
  kResumed,
  kConflict,  // somebody else wrote the splitter; read again
  kCandidateUnhealthy,
  kSuperseded,
  kWriteFailed,  // an effect could not be carried out; it is tried again
};
std::string_view to_string(CanaryReason reason);

// What a driver is to do. Carrying one out twice does no harm.
struct WriteWeights {
  std::int32_t stable = 10000;
  std::int32_t candidate = 0;
  friend bool operator==(const WriteWeights&, const WriteWeights&) = default;
};
// Measure both subsets from `from` to `to`, then send a Measurement with this epoch.
struct Measure {
  std::int64_t epoch = 0;
  Time from{};
  Time to{};
  friend bool operator==(const Measure&, const Measure&) = default;
};
struct WakeAt {
  Time at{};
  friend bool operator==(const WakeAt&, const WakeAt&) = default;
};
struct Effect {
  std::string id{};  // "<rollout>/<number>", never used again
  std::variant<WriteWeights, Measure, WakeAt> body{};
  friend bool operator==(const Effect&, const Effect&) = default;
};

// One decision, as the page and the log show it.
struct CanaryRecord {
  Time at{};
  CanaryPhase phase = CanaryPhase::kIdle;
  CanaryReason reason = CanaryReason::kNone;
  std::int32_t weight = 0;  // candidate's, after the decision
  std::int64_t stable_requests = 0;
  std::int64_t stable_errors = 0;
  std::int64_t candidate_requests = 0;
  std::int64_t candidate_errors = 0;
  std::string why{};  // one line with the numbers
  friend bool operator==(const CanaryRecord&, const CanaryRecord&) = default;
};

struct CanaryState {
  std::string rollout{};   // id given by the Start event
  std::string revision{};  // what is being rolled out: the candidate's version
  CanaryPolicy policy{};   // as it was at the start: a later edit does not change a running rollout
  CanaryPhase phase = CanaryPhase::kIdle;
  bool paused = false;
  std::int32_t step = -1;                   // index into policy.steps
  std::int32_t weight = 0;                  // candidate's, last wanted
  std::int64_t epoch = 0;                   // counts measuring windows; a Measurement of another epoch is not evidence
  std::int32_t good = 0;                    // good measurements in this step
  std::int32_t failures = 0;                // bad ones in all
  std::optional<AnalysisState> analysis{};  // of a rollout by evidence
  Time started_at{};
  Time step_started_at{};
  Time evidence_at{};      // last good or bad measurement, or the step's start
  Time deadline = kNever;  // when the state moves by itself
  Time last_event_at{};    // events never go back in time
  std::int64_t next_effect = 1;
  std::vector<Effect> outbox{};  // effects not yet reported done, in order
  std::vector<CanaryRecord> history{};
  Json::Object unknown{};
  friend bool operator==(const CanaryState&, const CanaryState&) = default;
};

// Meta keys of the splitter by which a driver knows its own write again: the effect's id, the ModifyIndex of the state
// that it came from, and the candidate's weight. They belong to the rollout, whatever a desired entry says.
inline constexpr std::string_view kStampEffect = "convergence-rollout";
inline constexpr std::string_view kStampStateIndex = "convergence-state-index";
inline constexpr std::string_view kStampWeight = "convergence-weight";

// ---- events --------------------------------------------------------------------------------------------------

enum class EvidenceKind { kCounted, kNone, kBrokenSource };
std::string_view to_string(EvidenceKind kind);

struct RequestCount {
  std::int64_t requests = 0;
  std::int64_t errors = 0;
  friend bool operator==(const RequestCount&, const RequestCount&) = default;
};

struct StartRollout {
  std::string rollout{};
  std::string revision{};
  std::string actor{};
  friend bool operator==(const StartRollout&, const StartRollout&) = default;
};
struct Tick {
  friend bool operator==(const Tick&, const Tick&) = default;
};
struct Measurement {
  std::int64_t epoch = 0;
  EvidenceKind kind = EvidenceKind::kCounted;
  RequestCount stable{};
  RequestCount candidate{};
  // For a rollout by evidence, each empty when it is not known: requests not slower than each bound of its analysis,
  // and the stable subset's instances apart.
  std::vector<double> stable_buckets{};
  std::vector<double> candidate_buckets{};
  std::vector<ArmCount> stable_instances{};
  std::string problem{};  // of a broken source
  friend bool operator==(const Measurement&, const Measurement&) = default;
};
enum class WriteOutcome { kDone, kConflict, kError };
std::string_view to_string(WriteOutcome outcome);
struct EffectDone {
  std::string effect{};
  WriteOutcome outcome = WriteOutcome::kDone;
  std::string problem{};
  friend bool operator==(const EffectDone&, const EffectDone&) = default;
};
struct CandidateHealth {
  std::int32_t passing = 0;
  std::int32_t total = 0;
  friend bool operator==(const CandidateHealth&, const CandidateHealth&) = default;
};
enum class CanaryVerb { kAbort, kPromote, kPause, kResume };
std::string_view to_string(CanaryVerb verb);
struct Command {
  CanaryVerb verb = CanaryVerb::kAbort;
  std::string actor{};
  std::string reason{};
  friend bool operator==(const Command&, const Command&) = default;
};

struct CanaryEvent {
  Time at{};
  std::variant<Tick, StartRollout, Measurement, EffectDone, CandidateHealth, Command> body{};
  friend bool operator==(const CanaryEvent&, const CanaryEvent&) = default;
};

// ---- the step ------------------------------------------------------------------------------------------------

struct CanaryStep {
  CanaryState state{};
  std::vector<Effect> effects{};  // new ones; they are in state.outbox too, where a driver that resumes finds them
  friend bool operator==(const CanaryStep&, const CanaryStep&) = default;
};

// Total: every event is legal in every phase (what makes no sense there changes nothing). INVALID_ARGUMENT kind
// "validate" only for a policy, state or event that contradicts itself: negative counts, more errors than requests,
// weights outside 0..10000; the state is then unchanged.
absl::StatusOr<CanaryStep> canary_step(const CanaryPolicy& policy, const CanaryState& state, const CanaryEvent& event);

}  // namespace convergence

#endif  // CONVERGENCE_CANARY_H_
