#include "lib/canary/weigh_evidence.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/canary/seconds.h"

namespace convergence {
namespace {

Interval interval_of(const Measurement& measured) {
  const auto arm = [](const RequestCount& count, const std::vector<double>& buckets) {
    return ArmCount{static_cast<double>(count.requests), static_cast<double>(count.errors), buckets};
  };
  Interval interval;
  interval.canary = arm(measured.candidate, measured.candidate_buckets);
  interval.primary = arm(measured.stable, measured.stable_buckets);
  interval.primary_instances = measured.stable_instances;
  return interval;
}

}  // namespace

AnalysisOptions analysis_of(const CanaryPolicy& policy) {
  AnalysisOptions options = policy.evidence->analysis;
  options.interval = policy.interval;
  return options;
}

RampPolicy ramp_of(const CanaryPolicy& policy) {
  RampPolicy ramp = policy.evidence->ramp;
  // Without weights there is one rung, and the rollout stands on it.
  ramp.ladder = policy.strategy == CanaryStrategy::kWeights ? policy.steps : std::vector<std::int32_t>{10000};
  ramp.free = false;
  return ramp;
}

absl::StatusOr<Weighed> weigh_evidence(const CanaryState& state, const Measurement& measured, Time at) {
  const AnalysisOptions options = analysis_of(state.policy);
  AnalysisState before = state.analysis.value_or(AnalysisState{});
  const std::int64_t refused = before.refused;
  Weighed out;
  CVG_ASSIGN_OR_RETURN(out.analysis, add_interval(options, std::move(before), interval_of(measured)));
  out.usable = out.analysis.refused == refused;
  RampState ramp;
  ramp.weight = state.policy.strategy == CanaryStrategy::kWeights ? state.weight : 10000;
  ramp.elapsed = at - state.started_at;
  ramp.at_weight = at - state.step_started_at;
  const double measured_for = seconds_of(options.interval * out.analysis.intervals);
  if (measured_for > 0) ramp.rate = (out.analysis.canary_requests + out.analysis.primary_requests) / measured_for;
  out.judgement = judge(options, out.analysis, {ramp.elapsed, state.weight / 100.0});
  out.decision = ramp_step(ramp_of(state.policy), ramp, out.judgement);
  return out;
}

}  // namespace convergence
