#include "lib/canary/rank_test.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

namespace convergence {
namespace {

constexpr double kTolerance = 1e-9;  // of the interval's ends, as a share of the values' span
// Of the standard normal at 99 %: both sides of Kayenta's 98 %.
constexpr double kNormal99 = 2.3263478740408408;

// The statistic's standing when `shift` is taken from the experiment; it falls as the shift grows.
double standing(const std::vector<double>& experiment, const std::vector<double>& control, double shift,
                bool corrected) {
  std::vector<std::pair<double, bool>> all;
  all.reserve(experiment.size() + control.size());
  for (double value : experiment) all.emplace_back(value - shift, true);
  for (double value : control) all.emplace_back(value, false);
  std::sort(all.begin(), all.end());
  double ranks = 0;
  double ties = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    double ours = 0;
    for (; end < all.size() && all[end].first == all[i].first; ++end) ours += all[end].second ? 1 : 0;
    const auto same = static_cast<double>(end - i);
    ranks += ours * (static_cast<double>(i + end) + 1) / 2;
    ties += same * (same * same - 1);
    i = end;
  }
  const auto n = static_cast<double>(experiment.size());
  const auto m = static_cast<double>(control.size());
  const double centred = ranks - n * (n + 1) / 2 - n * m / 2;
  const double variance = n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)));
  if (!(variance > 0)) return 0;
  const double correction = !corrected || centred == 0 ? 0 : std::copysign(0.5, centred);
  return (centred - correction) / std::sqrt(variance);
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

ShiftInterval rank_shift(const std::vector<double>& experiment, const std::vector<double>& control,
                         double normal_quantile) {
  const auto [low_x, high_x] = std::minmax_element(experiment.begin(), experiment.end());
  const auto [low_y, high_y] = std::minmax_element(control.begin(), control.end());
  const double least = *low_x - *high_y;
  const double most = *high_x - *low_y;
  // Where the standing falls below `wanted`. Samples too small to reach it exclude nothing on that side.
  const auto where = [&](double wanted, bool corrected) {
    double low = least;
    double high = most;
    if (standing(experiment, control, low, corrected) < wanted) return -std::numeric_limits<double>::infinity();
    if (standing(experiment, control, high, corrected) > wanted) return std::numeric_limits<double>::infinity();
    const double enough = std::max(most - least, 1e-300) * kTolerance;
    while (high - low > enough) {
      const double middle = low + (high - low) / 2;
      if (middle <= low || middle >= high) break;
      (standing(experiment, control, middle, corrected) > wanted ? low : high) = middle;
    }
    return low + (high - low) / 2;
  };
  return {where(normal_quantile, true), where(0, false), where(-normal_quantile, true)};
}

bool is_rank_high(const std::vector<double>& experiment, const std::vector<double>& control) {
  if (experiment.empty() || control.empty() || experiment == control) return false;
  const auto varies = [&](double value) { return value != experiment.front(); };
  if (std::none_of(experiment.begin(), experiment.end(), varies) &&
      std::none_of(control.begin(), control.end(), varies)) {
    return false;
  }
  const ShiftInterval shift = rank_shift(experiment, control, kNormal99);
  const double before = mean(control);
  const bool rose = before > 0 ? mean(experiment) / before >= 1 : mean(experiment) > 0;
  return shift.low > 0.25 * std::abs(shift.estimate) && rose;
}

}  // namespace convergence
