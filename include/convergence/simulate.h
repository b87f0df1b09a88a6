#ifndef CONVERGENCE_SIMULATE_H_
#define CONVERGENCE_SIMULATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/time.h"

namespace convergence {

// What a policy does with a canary, before it is let near users: rollouts against a made-up service, many times. Equal
// arguments give equal results, on every machine.

// ---- the policy -----------------------------------------------------------------------------------------------

// Ours, or the rule of a peer with its own defaults (statistics.md 9).
enum class SimulatedRule { kEvidence, kFlagger, kConsecutive, kArgo };
std::string_view to_string(SimulatedRule rule);

// A peer's rule: checks at an interval, each against fixed limits.
struct ThresholdRule {
  Duration interval = std::chrono::seconds(60);
  std::vector<std::int32_t> steps{};  // weights, hundredths of a percent; after the last comes the promotion
  std::int32_t checks_per_step = 1;   // good ones
  std::int32_t threshold = 5;         // bad ones that end it
  double min_success_rate = 0.99;
  double max_latency_ms = 500;  // of the 99th percentile
  friend bool operator==(const ThresholdRule&, const ThresholdRule&) = default;
};

struct SimulatedPolicy {
  SimulatedRule rule = SimulatedRule::kEvidence;
  EvidencePolicy evidence{};  // without bounds it judges those of the scenario
  ThresholdRule threshold{};  // of the others
  friend bool operator==(const SimulatedPolicy&, const SimulatedPolicy&) = default;
};
// The peers' defaults: Flagger 10 % a minute up to 50 %; consul-release-controller 10 % and 20 % more each 30 s; Argo
// 20, 40, 60, 80 % for two minutes each.
SimulatedPolicy simulated_policy(SimulatedRule rule);

// ---- the service ----------------------------------------------------------------------------------------------

struct CanaryFault {
  double error_times = 1;
  double error_add = 0;
  double latency_times = 1;
  double tail_share = 0;  // of requests that take tail_ms
  double tail_ms = 2000;
  Duration start{0};  // after the rollout's
  friend bool operator==(const CanaryFault&, const CanaryFault&) = default;
};
struct Incident {  // of both arms
  Duration start{0};
  Duration length{0};
  double error_rate = 0.05;
  double latency_times = 3;
  friend bool operator==(const Incident&, const Incident&) = default;
};
struct Drift {  // of the base error rate: between it and `peak`, as a sine
  double peak = 0;
  Duration period = std::chrono::minutes(10);
  friend bool operator==(const Drift&, const Drift&) = default;
};
struct Stall {        // an instance, of either arm
  double share = 0;   // of intervals
  double slow = 0.3;  // of its requests then
  friend bool operator==(const Stall&, const Stall&) = default;
};

struct Scenario {
  double rps = 50;
  double error_rate = 0.001;
  double median_ms = 80;  // of a log-normal latency
  double sigma = 0.6;
  double slow_ms = 500;  // slower requests are harmed
  CanaryFault canary{};
  std::optional<Incident> incident{};
  std::optional<Drift> drift{};
  std::int32_t retries = 0;      // of a failed attempt, in the same arm
  bool counts_attempts = false;  // instead of what the user sees
  std::int32_t burst = 1;        // failures come in bursts of 1 to this, each within one arm
  std::optional<Stall> stall{};
  double extrapolation = 1;                    // counts are too big by this, as increase() makes them
  Duration scrape_offset{0};                   // the canary is read so much later
  Duration before = std::chrono::minutes(10);  // that the primary was watched before the start
  Duration horizon = std::chrono::hours(2);    // a bad canary that was promoted does harm until then
  std::int32_t primary_instances = 4;
  std::int32_t canary_instances = 2;
  std::vector<double> bounds = {25, 50, 100, 250, 500, 1000, 2500, 5000};  // milliseconds
  friend bool operator==(const Scenario&, const Scenario&) = default;
};

// INVALID_ARGUMENT kind "validate" naming the field.
absl::Status validate(const SimulatedPolicy& policy);
absl::Status validate(const Scenario& scenario);

// ---- what came of it ------------------------------------------------------------------------------------------

enum class RolloutOutcome { kPromoted, kRolledBack, kInconclusive };
std::string_view to_string(RolloutOutcome outcome);

struct SimulatedRun {
  RolloutOutcome outcome = RolloutOutcome::kInconclusive;  // inconclusive: the time was over, whatever was done then
  bool promoted = false;                                   // also one that was by its deadline
  Duration took{0};
  double harmed = 0;  // requests that would not have failed or been slow with the old version alone
  std::vector<std::pair<Duration, std::int32_t>> weights{};  // each change
  std::string why{};
  friend bool operator==(const SimulatedRun&, const SimulatedRun&) = default;
};

struct Spread {
  double p10 = 0, p50 = 0, p90 = 0;
  friend bool operator==(const Spread&, const Spread&) = default;
};
struct Simulation {
  std::int64_t runs = 0;
  std::int64_t promoted = 0;  // of the runs that came to a conclusion
  std::int64_t rolled_back = 0;
  std::int64_t inconclusive = 0;  // ended by the deadline or the horizon
  std::optional<Spread> seconds_to_rollback{};
  std::optional<Spread> seconds_to_promotion{};  // those by the deadline too
  double harmed_mean = 0;
  double harmed_p90 = 0;
  SimulatedRun first{};  // an example: the first run
  friend bool operator==(const Simulation&, const Simulation&) = default;
};

// The smallest rise of the failure rate that a promotion by evidence excludes at this traffic; a share.
double smallest_excluded(const SimulatedPolicy& policy, const Scenario& scenario);
// Why a policy cannot work with a service's traffic, in sentences; none when it can.
std::vector<std::string> warnings(const SimulatedPolicy& policy, const Scenario& scenario);

SimulatedRun simulate_run(const SimulatedPolicy& policy, const Scenario& scenario, std::uint64_t seed,
                          std::uint64_t run);
absl::StatusOr<Simulation> simulate(const SimulatedPolicy& policy, const Scenario& scenario, std::int64_t runs,
                                    std::uint64_t seed);

}  // namespace convergence

#endif  // CONVERGENCE_SIMULATE_H_
