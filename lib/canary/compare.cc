#include <cmath>

#include "convergence/analysis.h"
#include "lib/base/status_macros.h"
#include "lib/canary/weigh.h"

namespace convergence {
namespace {

// The intervals before the canary has a request say what the primary is like; they are counted all the same, as an
// interval without a canary's request is anywhere (statistics.md 8.1).
std::vector<Interval> before_the_canary(const std::vector<Interval>& intervals) {
  std::size_t end = 0;
  while (end < intervals.size() && intervals[end].canary.requests == 0) ++end;
  if (end == intervals.size()) return {};
  return {intervals.begin(), intervals.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace

absl::StatusOr<Comparison> compare(const std::vector<Interval>& intervals, const AnalysisOptions& options) {
  CVG_RETURN_IF_ERROR(validate(options));
  AnalysisState state;
  if (std::optional<AnalysisPlan> plan = plan_of(options, before_the_canary(intervals))) {
    state = start_with(*std::move(plan));
  }
  Comparison out;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    const std::int64_t refused = state.refused;
    CVG_ASSIGN_OR_RETURN(state, add_interval(options, std::move(state), intervals[i]));
    if (state.refused > refused) {
      out.refused.push_back({number, state.refusal});
      out.log_e.emplace_back();
      continue;
    }
    out.log_e.push_back(error_evidence(options, state.intervals, intervals[i]));
    if (!out.rolls_back && state.max_log_w >= std::log(1 / options.alpha)) out.rolls_back = number;
  }
  out.intervals = state.intervals;
  const std::optional<double> weight = intervals.empty() ? std::nullopt : intervals.back().weight;
  out.judgement = judge(options, state, {out.intervals * options.interval, weight});
  return out;
}

}  // namespace convergence
