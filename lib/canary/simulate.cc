#include "convergence/simulate.h"

#include <algorithm>
#include <cmath>

#include "lib/base/status_macros.h"
#include "lib/canary/random.h"
#include "lib/canary/seconds.h"
#include "lib/canary/threshold_rule.h"
#include "lib/canary/world.h"

namespace convergence {
namespace {

void move_to(SimulatedRun& run, Duration at, std::int32_t weight) {
  if (run.weights.empty() || run.weights.back().second != weight) run.weights.push_back({at, weight});
}

// What a canary with all the traffic does until somebody notices without us.
void harm_until_the_horizon(const World& world, const Scenario& scenario, SimulatedRun& run) {
  constexpr Duration kStep = std::chrono::seconds(10);
  for (Duration at = run.took; at < scenario.horizon; at += kStep) {
    run.harmed += scenario.rps * seconds_of(kStep) * world.extra_harm(at);
  }
}

SimulatedRun run_evidence(const SimulatedPolicy& policy, const Scenario& scenario, Random& random) {
  AnalysisOptions options = policy.evidence.analysis;
  const Duration interval = options.interval;
  World world(scenario, interval, random);
  if (options.bounds.empty()) options.bounds = scenario.bounds;
  if (scenario.counts_attempts) options.least_phi = std::max(options.least_phi, 1.0 + scenario.retries);
  if (scenario.extrapolation != 1) options.least_phi = std::max(options.least_phi, 4.0 / 3);
  std::vector<Interval> before;
  for (Duration at = -scenario.before; at < Duration(0); at += interval) before.push_back(world.measure(at, 0));
  AnalysisState state = *begin_analysis(options, before);

  SimulatedRun run;
  RampState ramp{policy.evidence.ramp.ladder.front()};
  move_to(run, Duration(0), ramp.weight);
  while (run.took < scenario.horizon) {
    const Interval counted = world.measure(run.took, ramp.weight);
    run.harmed += counted.canary.requests / scenario.extrapolation * world.extra_harm(run.took);
    run.took += interval;
    ramp.elapsed = run.took;
    ramp.at_weight += interval;
    state = *add_interval(options, std::move(state), counted);
    ramp.rate = (state.canary_requests + state.primary_requests) / seconds_of(run.took);
    const Judgement judgement = judge(options, state, {run.took, ramp.weight / 100.0});
    RampDecision decision = ramp_step(policy.evidence.ramp, ramp, judgement);
    move_to(run, run.took, decision.weight);
    if (decision.weight != ramp.weight) ramp.at_weight = Duration(0);
    ramp.weight = decision.weight;
    if (decision.move == RampMove::kStay || decision.move == RampMove::kRaise) continue;
    run.promoted = decision.move == RampMove::kPromote;
    run.outcome = decision.at_deadline ? RolloutOutcome::kInconclusive
                  : run.promoted       ? RolloutOutcome::kPromoted
                                       : RolloutOutcome::kRolledBack;
    run.why = std::move(decision.why);
    break;
  }
  if (run.promoted) harm_until_the_horizon(world, scenario, run);
  return run;
}

SimulatedRun run_threshold(const SimulatedPolicy& policy, const Scenario& scenario, Random& random) {
  World world(scenario, policy.threshold.interval, random);
  SimulatedRun run;
  ThresholdState state = start_threshold(policy.threshold);
  move_to(run, Duration(0), state.weight);
  while (run.took < scenario.horizon && !state.ended) {
    const Interval counted = world.measure(run.took, state.weight);
    run.harmed += counted.canary.requests / scenario.extrapolation * world.extra_harm(run.took);
    run.took += policy.threshold.interval;
    check_threshold(policy.rule, policy.threshold, scenario.bounds, counted.canary, state);
    move_to(run, run.took, state.weight);
  }
  run.promoted = state.weight == 10000;
  if (state.ended) run.outcome = run.promoted ? RolloutOutcome::kPromoted : RolloutOutcome::kRolledBack;
  run.why = std::move(state.why);
  if (run.promoted) harm_until_the_horizon(world, scenario, run);
  return run;
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.1), at(0.5), at(0.9)};
}

}  // namespace

SimulatedRun simulate_run(const SimulatedPolicy& policy, const Scenario& scenario, std::uint64_t seed,
                          std::uint64_t run) {
  Random random(seed, run);
  return policy.rule == SimulatedRule::kEvidence ? run_evidence(policy, scenario, random)
                                                 : run_threshold(policy, scenario, random);
}

absl::StatusOr<Simulation> simulate(const SimulatedPolicy& policy, const Scenario& scenario, std::int64_t runs,
                                    std::uint64_t seed) {
  CVG_RETURN_IF_ERROR(validate(policy));
  CVG_RETURN_IF_ERROR(validate(scenario));
  CVG_RETURN_IF_ERROR(check_runs(runs));
  Simulation out;
  out.runs = runs;
  std::vector<double> promotions;
  std::vector<double> rollbacks;
  std::vector<double> harmed;
  for (std::int64_t i = 0; i < runs; ++i) {
    SimulatedRun run = simulate_run(policy, scenario, seed, static_cast<std::uint64_t>(i));
    out.promoted += run.outcome == RolloutOutcome::kPromoted;
    out.rolled_back += run.outcome == RolloutOutcome::kRolledBack;
    out.inconclusive += run.outcome == RolloutOutcome::kInconclusive;
    if (run.promoted) promotions.push_back(seconds_of(run.took));
    if (run.outcome == RolloutOutcome::kRolledBack) rollbacks.push_back(seconds_of(run.took));
    harmed.push_back(run.harmed);
    out.harmed_mean += run.harmed / static_cast<double>(runs);
    if (i == 0) out.first = std::move(run);
  }
  if (!promotions.empty()) out.seconds_to_promotion = spread_of(std::move(promotions));
  if (!rollbacks.empty()) out.seconds_to_rollback = spread_of(std::move(rollbacks));
  out.harmed_p90 = spread_of(std::move(harmed)).p90;
  return out;
}

}  // namespace convergence
