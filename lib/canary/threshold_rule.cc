#include "lib/canary/threshold_rule.h"

#include <algorithm>

#include "fmt/format.h"
#include "lib/canary/words.h"

namespace convergence {
namespace {

// As histogram_quantile has it: on a straight line within the bucket, and at most the last bound.
double quantile(const std::vector<double>& bounds, const ArmCount& count, double share) {
  const double wanted = share * count.requests;
  double bound_before = 0;
  double bucket_before = 0;
  for (std::size_t j = 0; j < bounds.size(); ++j) {
    const double bucket = count.buckets[j];
    if (bucket >= wanted) {
      const double width = bucket - bucket_before;
      return width > 0 ? bound_before + (bounds[j] - bound_before) * (wanted - bucket_before) / width : bounds[j];
    }
    bound_before = bounds[j];
    bucket_before = bucket;
  }
  return bounds.empty() ? 0 : bounds.back();
}

enum class Check { kGood, kFailed, kNothing };

Check check(SimulatedRule peer, const ThresholdRule& rule, const std::vector<double>& bounds, const ArmCount& canary,
            std::string& why) {
  if (canary.requests <= 0) {
    why = "no requests";
    return peer == SimulatedRule::kArgo ? Check::kNothing : Check::kFailed;
  }
  const double success = 1 - canary.failures / canary.requests;
  const double latency = quantile(bounds, canary, 0.99);
  why = fmt::format("{} succeed, the 99th percentile is {:.0f} ms", share_text(success), latency);
  return success >= rule.min_success_rate && latency <= rule.max_latency_ms ? Check::kGood : Check::kFailed;
}

void end(ThresholdState& state, std::int32_t weight, std::string why) {
  state.weight = weight;
  state.ended = true;
  state.why = std::move(why);
}

}  // namespace

ThresholdState start_threshold(const ThresholdRule& rule) {
  ThresholdState state;
  state.weight = rule.steps.front();
  return state;
}

void check_threshold(SimulatedRule peer, const ThresholdRule& rule, const std::vector<double>& bounds,
                     const ArmCount& canary, ThresholdState& state) {
  // Flagger looks at what has failed before it looks at metrics: it rolls back one tick late.
  if (peer == SimulatedRule::kFlagger && state.failed >= rule.threshold) {
    return end(state, 0, fmt::format("ROLLBACK: {} checks failed, the last with {}", state.failed, state.why));
  }
  switch (check(peer, rule, bounds, canary, state.why)) {
    case Check::kNothing:
      break;
    case Check::kFailed:
      ++state.failed;
      if (peer != SimulatedRule::kFlagger && state.failed >= rule.threshold) {
        return end(state, 0, fmt::format("ROLLBACK: {} checks failed, the last with {}", state.failed, state.why));
      }
      return;
    case Check::kGood:
      break;
  }
  if (++state.good < rule.checks_per_step) return;
  state.good = 0;
  if (peer == SimulatedRule::kConsecutive) state.failed = 0;
  if (++state.step == rule.steps.size()) return end(state, 10000, fmt::format("PROMOTE: {}", state.why));
  state.weight = rule.steps[state.step];
}

}  // namespace convergence
