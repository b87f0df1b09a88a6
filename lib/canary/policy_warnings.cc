#include <algorithm>
#include <cmath>

#include "convergence/simulate.h"
#include "fmt/format.h"
#include "lib/canary/seconds.h"
#include "lib/canary/words.h"

namespace convergence {
namespace {

// A request slower than this is one in a hundred: of a log-normal latency.
double percentile_99(const Scenario& scenario) {
  constexpr double kNormal99 = 2.3263478740408408;
  return scenario.median_ms * std::exp(kNormal99 * scenario.sigma);
}

// As much time with all the traffic as the canary has of it until max_time, if every weight is raised after its dwell.
double most_canary_seconds(const RampPolicy& ramp) {
  double sum = 0;
  double left = seconds_of(ramp.max_time);
  for (std::int32_t weight : ramp.ladder) {
    const double here = weight == ramp.ladder.back() ? left : std::min(left, seconds_of(ramp.dwell));
    sum += here * weight / 10000.0;
    left -= here;
  }
  return sum;
}

void warn_of_evidence(const SimulatedPolicy& policy, const Scenario& scenario, std::vector<std::string>& out) {
  const double margin = smallest_excluded(policy, scenario);
  const double requests = scenario.rps * most_canary_seconds(policy.evidence.ramp);
  const double needed = (std::log(1 / policy.evidence.analysis.beta) + 1.5) / margin;
  if (requests < needed) {
    out.push_back(fmt::format(
        "at {:g} requests a second the canary gets at most {:.0f} requests until max_time; to exclude a rise of {} it "
        "needs {:.0f} without a failure: every rollout ends by on_deadline",
        scenario.rps, requests, points_text(margin), needed));
  } else if (margin >= 0.05) {
    out.push_back(
        fmt::format("at {:g} requests a second no rise below {} can be excluded in the target's time; a longer "
                    "target finds smaller ones",
                    scenario.rps, points_text(margin)));
  }
  if (policy.evidence.ramp.min_time < policy.evidence.analysis.interval * 4) {
    out.push_back("min_time is shorter than four intervals: faults that come late are not seen");
  }
}

void warn_of_thresholds(const SimulatedPolicy& policy, const Scenario& scenario, std::vector<std::string>& out) {
  const ThresholdRule& rule = policy.threshold;
  if (1 - scenario.error_rate <= rule.min_success_rate) {
    out.push_back(fmt::format("the service itself fails {} of its requests, the limit is {}: every canary fails",
                              share_text(scenario.error_rate), share_text(1 - rule.min_success_rate)));
  }
  if (percentile_99(scenario) >= rule.max_latency_ms) {
    out.push_back(fmt::format("the service's own 99th percentile is {:.0f} ms, the limit is {:g}: every canary fails",
                              percentile_99(scenario), rule.max_latency_ms));
  }
  const double requests = scenario.rps * rule.steps.front() / 10000.0 * seconds_of(rule.interval);
  if (requests < 20 && policy.rule != SimulatedRule::kArgo) {
    out.push_back(
        fmt::format("a check sees {:.1f} requests of the canary; one without any counts as failed", requests));
  }
  if (rule.interval < std::chrono::seconds(4)) out.push_back("the interval is shorter than what four scrapes take");
}

}  // namespace

double smallest_excluded(const SimulatedPolicy& policy, const Scenario& scenario) {
  const double requests = scenario.rps * seconds_of(scenario.before);
  return plan_analysis(policy.evidence.analysis, {requests, requests * scenario.error_rate}, scenario.rps).margin;
}

std::vector<std::string> warnings(const SimulatedPolicy& policy, const Scenario& scenario) {
  std::vector<std::string> out;
  if (scenario.rps <= 0) {
    out.push_back("the service has no traffic: nothing can be found out about a canary");
  } else if (policy.rule == SimulatedRule::kEvidence) {
    warn_of_evidence(policy, scenario, out);
  } else {
    warn_of_thresholds(policy, scenario, out);
  }
  return out;
}

}  // namespace convergence
