#include "lib/canary/weigh.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "lib/canary/evidence.h"

namespace convergence {
namespace {

double log_w(double log_mean_of_bets, std::int64_t intervals) {
  return log_add(log_mean_of_bets, log_unplaced(static_cast<double>(intervals)));
}

// The mean over all bets of all boundaries.
double log_w_latency(const AnalysisState& state) {
  double sum = -std::numeric_limits<double>::infinity();
  for (const MetricEvidence& metric : state.latency) sum = log_add(sum, log_mean(metric.worse));
  return log_w(sum - std::log(static_cast<double>(state.latency.size())), state.intervals);
}

// The place in [0, 1] where a function that rises with it passes `level`, to 2^-40.
template <typename Function>
double crossing(Function function, double level) {
  double low = 0;
  double high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (function(middle) >= level ? high : low) = middle;
  }
  return high;
}

double mean_at(const std::vector<double>& a, const std::vector<double>& g, double delta) {
  std::array<double, kErrorBets.size()> at{};
  for (std::size_t k = 0; k < a.size(); ++k) at[k] = a[k] + delta * g[k];
  return log_mean(std::span(at).first(a.size()));
}

}  // namespace

double log_evidence(const AnalysisOptions& options, const AnalysisState& state) {
  if (state.intervals == 0) return 0;
  const double errors = log_of_bets(state.errors.worse, state.intervals);
  if (state.latency.empty()) return errors;
  return log_add(std::log(options.error_share) + errors, std::log(1 - options.error_share) + log_w_latency(state));
}

double log_of_bets(const std::vector<double>& bets, std::int64_t intervals) { return log_w(log_mean(bets), intervals); }

double log_plain_sum(const AnalysisState& state) { return mean_at(state.upper_a, state.upper_g, state.plan->margin); }

double upper_bound(const AnalysisOptions& options, const AnalysisState& state) {
  const double level = std::log(1 / options.beta);
  if (state.upper_a.empty() || mean_at(state.upper_a, state.upper_g, 1) < level) return 1;
  return crossing([&](double delta) { return mean_at(state.upper_a, state.upper_g, delta); }, level);
}

double lower_bound(const AnalysisOptions& options, const AnalysisState& state) {
  const double level = std::log(1 / options.alpha);
  if (state.lower_a.empty() || mean_at(state.lower_a, state.lower_g, 0) < level) return 0;
  return crossing([&](double delta) { return -mean_at(state.lower_a, state.lower_g, -delta); }, -level);
}

}  // namespace convergence
