#include "convergence/analysis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/counts.h"
#include "lib/canary/evidence.h"
#include "lib/canary/seconds.h"
#include "lib/canary/weigh.h"

namespace convergence {
namespace {

constexpr double kNoStake = -std::numeric_limits<double>::infinity();
// What the dispersion is taken to be where the primary's instances are not known apart (statistics.md 7.1).
constexpr double kUnknownPhi = 2;
constexpr double kPhiPrior = 20;
constexpr std::size_t kMostBoundaries = 12;

double requests_of(const Interval& interval) { return interval.canary.requests + interval.primary.requests; }

// ---- what is fixed before the first request --------------------------------------------------------------------

// The smallest rise that the traffic can exclude in the target's time (5.1).
double margin_for(const AnalysisOptions& options, double share, double rate) {
  const double n = 0.3 * rate * seconds_of(options.target);
  const double l = std::log(1 / options.beta) + 1.5;
  return n > 0 ? l / n + std::sqrt(2 * l * share * (1 - share) * 1.43 / n) : std::numeric_limits<double>::infinity();
}

// Boundaries that next to no request is slower than, or next to every one, tell nothing (3). What was not seen among a
// few requests is not rare for that.
std::vector<std::int64_t> judged_bounds(const AnalysisOptions& options, const ArmCount& primary) {
  std::vector<std::int64_t> judged;
  for (std::size_t j = 0; j < options.bounds.size() && j < primary.buckets.size(); ++j) {
    const double beyond = primary.requests - primary.buckets[j];
    const double most = (beyond + 1) / (primary.requests + 2);
    const bool tells = most >= 0.0001 && beyond <= 0.99 * primary.requests;
    if (tells || !(options.choose_bounds || options.bounds.size() > kMostBoundaries)) {
      judged.push_back(static_cast<std::int64_t>(j));
    }
  }
  if (judged.size() <= kMostBoundaries) return judged;
  std::vector<std::int64_t> spread;
  for (std::size_t i = 0; i < kMostBoundaries; ++i) {
    spread.push_back(judged[i * (judged.size() - 1) / (kMostBoundaries - 1)]);
  }
  return spread;
}

void make_room(AnalysisState& state) {
  state.errors.worse.assign(kErrorBets.size(), kNoStake);
  state.errors.fine.assign(kFineBets.size(), kNoStake);
  for (auto* sums : {&state.upper_a, &state.upper_g}) sums->assign(kFineBets.size(), 0);
  for (auto* sums : {&state.lower_a, &state.lower_g}) sums->assign(kErrorBets.size(), 0);
  MetricEvidence boundary;
  boundary.worse.assign(kLatencyBets.size(), kNoStake);
  boundary.fine.assign(kFineBets.size() + kBoundedBets.size(), kNoStake);
  state.latency.assign(state.plan->boundaries.size(), boundary);
}

// ---- dispersion --------------------------------------------------------------------------------------------------

double slower(const ArmCount& count, std::int64_t bound) {
  return count.requests - count.buckets[static_cast<std::size_t>(bound)];
}

// Conditional on what failed in all instances together, so that an incident they share does not count (7.1).
template <typename Failures>
void add_dispersion(const std::vector<ArmCount>& instances, Failures failures, MetricEvidence& metric) {
  double requests = 0;
  double failed = 0;
  for (const ArmCount& instance : instances) {
    requests += instance.requests;
    failed += failures(instance);
  }
  if (requests <= 0) return;
  for (const ArmCount& instance : instances) {
    const double share = instance.requests / requests;
    const double off = failures(instance) - failed * share;
    metric.squares += off * off;
    metric.expected += failed * (1 - failed / requests) * share * (1 - share);
  }
}

template <typename Each>
void for_each_metric(AnalysisState& state, Each each) {
  each(state.errors);
  for (MetricEvidence& metric : state.latency) each(metric);
}

void turn_window(const AnalysisOptions& options, AnalysisState& state) {
  if (++state.in_window * options.interval < options.phi_window) return;
  state.in_window = 0;
  for_each_metric(state, [](MetricEvidence& metric) {
    metric.squares_before = std::exchange(metric.squares, 0);
    metric.expected_before = std::exchange(metric.expected, 0);
  });
}

void estimate_phi(const AnalysisOptions& options, AnalysisState& state, const std::vector<ArmCount>& instances) {
  if (instances.size() >= 2) {
    state.two_instances = true;
    add_dispersion(
        instances, [](const ArmCount& count) { return count.failures; }, state.errors);
    for (std::size_t j = 0; j < state.latency.size(); ++j) {
      const std::int64_t bound = state.plan->boundaries[j].bound;
      add_dispersion(
          instances, [bound](const ArmCount& count) { return slower(count, bound); }, state.latency[j]);
    }
  }
  const bool known = state.two_instances;
  for_each_metric(state, [&](MetricEvidence& metric) {
    const double squares = metric.squares + metric.squares_before;
    const double expected = metric.expected + metric.expected_before;
    const double estimate = known ? std::max(1.0, (squares + kPhiPrior) / (expected + kPhiPrior)) : kUnknownPhi;
    metric.phi = options.phi ? *options.phi : std::max(estimate, options.least_phi);
  });
  turn_window(options, state);
}

// ---- evidence ----------------------------------------------------------------------------------------------------

Tolerance tolerance_of(const AnalysisOptions& options, std::int64_t interval) {
  if (interval <= options.warm_up.intervals) return {options.warm_up.rho0, options.warm_up.delta0};
  return {options.rho0, options.delta0};
}

// No interval may decide alone (7.2).
double cap(double level) { return std::log(2 / std::sqrt(level)); }

struct Stakes {
  double stake;      // log of what is placed on this interval as the first bad one
  double worse_cap;  // log
  double fine_cap;
  Tolerance tolerance;
};

void add_worse(const Stakes& stakes, const Counts& counts, std::span<const double> bets, MetricEvidence& metric) {
  std::array<double, kErrorBets.size()> log_e{};
  worse_evidence(counts, bets, stakes.tolerance, std::span(log_e).first(bets.size()));
  for (std::size_t k = 0; k < bets.size(); ++k) {
    metric.worse[k] = log_add(metric.worse[k], stakes.stake) + std::min(log_e[k] / metric.phi, stakes.worse_cap);
  }
}

void add_fine(const Stakes& stakes, const LinearBet& bet, double margin, const MetricEvidence& metric, double& sum) {
  sum = log_add(sum, stakes.stake) + std::min((bet.a + margin * bet.g) / metric.phi, stakes.fine_cap);
}

void add_errors(const Stakes& stakes, const Counts& counts, AnalysisState& state) {
  MetricEvidence& metric = state.errors;
  add_worse(stakes, counts, kErrorBets, metric);
  for (std::size_t k = 0; k < kFineBets.size(); ++k) {
    const LinearBet bet = fine_bet(counts, kFineBets[k], 1);
    add_fine(stakes, bet, state.plan->margin, metric, metric.fine[k]);
    state.upper_a[k] += bet.a / metric.phi;
    state.upper_g[k] += bet.g / metric.phi;
  }
  for (std::size_t k = 0; k < kErrorBets.size(); ++k) {
    const LinearBet bet = lower_bet(counts, kErrorBets[k]);
    state.lower_a[k] += bet.a / metric.phi;
    state.lower_g[k] += bet.g / metric.phi;
  }
  metric.canary += counts.x_c;
  metric.primary += counts.x_p;
}

void add_boundary(const Stakes& stakes, const Counts& counts, const Boundary& boundary, MetricEvidence& metric) {
  add_worse(stakes, counts, kLatencyBets, metric);
  for (std::size_t k = 0; k < kFineBets.size(); ++k) {
    add_fine(stakes, fine_bet(counts, kFineBets[k], 1), boundary.margin, metric, metric.fine[k]);
  }
  for (std::size_t k = 0; k < kBoundedBets.size(); ++k) {
    const LinearBet bet = bounded_bet(counts, kBoundedBets[k]);
    add_fine(stakes, bet, boundary.margin, metric, metric.fine[kFineBets.size() + k]);
  }
  metric.canary += counts.x_c;
  metric.primary += counts.x_p;
}

// A state comes back from documents, and what follows indexes without asking.
bool fits(const AnalysisOptions& options, const AnalysisState& state) {
  for (const auto* sums : {&state.upper_a, &state.upper_g}) {
    if (sums->size() != kFineBets.size()) return false;
  }
  for (const auto* sums : {&state.lower_a, &state.lower_g}) {
    if (sums->size() != kErrorBets.size()) return false;
  }
  if (state.errors.worse.size() != kErrorBets.size() || state.errors.fine.size() != kFineBets.size()) return false;
  if (state.latency.size() != state.plan->boundaries.size()) return false;
  for (const MetricEvidence& metric : state.latency) {
    if (metric.worse.size() != kLatencyBets.size()) return false;
    if (metric.fine.size() != kFineBets.size() + kBoundedBets.size()) return false;
  }
  const auto bounds = static_cast<std::int64_t>(options.bounds.size());
  return std::all_of(state.plan->boundaries.begin(), state.plan->boundaries.end(),
                     [bounds](const Boundary& boundary) { return boundary.bound >= 0 && boundary.bound < bounds; });
}

absl::Status check_state(const AnalysisOptions& options, const AnalysisState& state) {
  if (!state.plan || fits(options, state)) return absl::OkStatus();
  return make_error(ErrorKind::kValidate, "analysis state: its evidence is not that of its plan and of the bounds");
}

Counts error_counts(const Interval& interval) {
  return {interval.canary.requests, interval.primary.requests, interval.canary.failures, interval.primary.failures};
}

}  // namespace

AnalysisPlan plan_analysis(const AnalysisOptions& options, const ArmCount& primary, double rate) {
  AnalysisPlan plan;
  const double failing = primary.requests > 0 ? primary.failures / primary.requests : 0;
  plan.margin = options.margin.value_or(
      std::clamp(margin_for(options, failing, rate), std::min(0.1, std::max(0.001, 0.1 * failing)), 0.1));
  for (std::int64_t bound : judged_bounds(options, primary)) {
    const double q = primary.requests > 0 ? slower(primary, bound) / primary.requests : 0;
    const double least = std::max(0.01, 0.1 * std::sqrt(q * (1 - q)));
    plan.boundaries.push_back({bound, std::clamp(margin_for(options, q, rate), least, 0.3), q <= 0.6});
  }
  return plan;
}

std::optional<AnalysisPlan> plan_of(const AnalysisOptions& options, const std::vector<Interval>& before) {
  ArmCount primary;
  double requests = 0;
  std::int64_t usable = 0;
  for (const Interval& interval : before) {
    if (!check_interval(options, interval).ok()) continue;
    add_count(interval.primary, primary);
    requests += requests_of(interval);
    ++usable;
  }
  if (usable == 0) return std::nullopt;
  return plan_analysis(options, primary, requests / seconds_of(usable * options.interval));
}

AnalysisState start_with(AnalysisPlan plan) {
  AnalysisState state;
  state.plan = std::move(plan);
  make_room(state);
  return state;
}

std::vector<double> error_evidence(const AnalysisOptions& options, std::int64_t number, const Interval& interval) {
  std::vector<double> log_e(kErrorBets.size());
  worse_evidence(error_counts(interval), kErrorBets, tolerance_of(options, number), log_e);
  return log_e;
}

absl::StatusOr<AnalysisState> begin_analysis(const AnalysisOptions& options, const std::vector<Interval>& before) {
  CVG_RETURN_IF_ERROR(validate(options));
  std::optional<AnalysisPlan> plan = plan_of(options, before);
  if (!plan) return AnalysisState{};
  AnalysisState state = start_with(*std::move(plan));
  for (const Interval& interval : before) {
    if (check_interval(options, interval).ok()) estimate_phi(options, state, interval.primary_instances);
  }
  return state;
}

absl::StatusOr<AnalysisState> add_interval(const AnalysisOptions& options, AnalysisState state,
                                           const Interval& interval) {
  CVG_RETURN_IF_ERROR(validate(options));
  CVG_RETURN_IF_ERROR(check_state(options, state));
  if (absl::Status usable = check_interval(options, interval); !usable.ok()) {
    ++state.refused;
    ++state.refused_in_row;
    state.refusal = std::string(usable.message());
    return state;
  }
  state.refused_in_row = 0;
  if (!state.plan) {
    const double rate = requests_of(interval) / seconds_of(options.interval);
    state.plan = plan_analysis(options, interval.primary, rate);
    make_room(state);
  }
  estimate_phi(options, state, interval.primary_instances);
  ++state.intervals;
  const Stakes stakes{log_stake(static_cast<double>(state.intervals)), cap(options.alpha), cap(options.beta),
                      tolerance_of(options, state.intervals)};
  const ArmCount& canary = interval.canary;
  const ArmCount& primary = interval.primary;
  state.canary_requests += canary.requests;
  state.primary_requests += primary.requests;
  add_errors(stakes, error_counts(interval), state);
  for (std::size_t j = 0; j < state.latency.size(); ++j) {
    const Boundary& boundary = state.plan->boundaries[j];
    const Counts counts{canary.requests, primary.requests, slower(canary, boundary.bound),
                        slower(primary, boundary.bound)};
    add_boundary(stakes, counts, boundary, state.latency[j]);
  }
  const double enough = std::log(1 / options.beta);
  for_each_metric(state, [&](MetricEvidence& metric) {
    if (log_of_bets(metric.fine, state.intervals) >= enough) metric.fine_at = state.intervals;
  });
  state.max_log_w = std::max(state.max_log_w, log_evidence(options, state));
  return state;
}

}  // namespace convergence
