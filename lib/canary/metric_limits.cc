#include "lib/canary/metric_limits.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace convergence {
namespace {

const MetricValue* value_of(const std::vector<MetricValue>& values, const std::string& name) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const MetricValue& value) { return value.name == name; });
  return found == values.end() ? nullptr : &*found;
}

// "p99 is 812, at most 500"; empty where it is within.
std::string outside(const MetricLimit& limit, double value) {
  if (limit.min && value < *limit.min)
    return fmt::format("{} is {:.6g}, at least {:.6g}", limit.name, value, *limit.min);
  if (limit.max && value > *limit.max)
    return fmt::format("{} is {:.6g}, at most {:.6g}", limit.name, value, *limit.max);
  return "";
}

void say(std::string& text, const std::string& more) {
  if (more.empty()) return;
  if (!text.empty()) text += "; ";
  text += more;
}

VerdictKind kind_of(const MetricValue* value) {
  if (!value || value->kind == EvidenceKind::kNone) return VerdictKind::kTooFew;
  if (value->kind == EvidenceKind::kBrokenSource) return VerdictKind::kBroken;
  return std::isnan(value->value) ? VerdictKind::kTooFew : VerdictKind::kGood;
}

}  // namespace

LimitsVerdict judge_limits(const CanaryPolicy& policy, const std::vector<MetricValue>& values) {
  LimitsVerdict out;
  double within = 0;
  double all = 0;
  std::string bad;
  std::string unknown;
  VerdictKind unknown_kind = VerdictKind::kTooFew;
  for (const MetricLimit& limit : policy.metrics) {
    if (limit.observe_only) continue;
    const MetricValue* value = value_of(values, limit.name);
    const VerdictKind kind = kind_of(value);
    if (kind != VerdictKind::kGood) {
      say(unknown, kind == VerdictKind::kBroken ? fmt::format("{}: {}", limit.name, value->problem)
                                                : fmt::format("{} has no value", limit.name));
      if (kind == VerdictKind::kBroken) unknown_kind = kind;
      continue;
    }
    all += limit.weight;
    const std::string problem = outside(limit, value->value);
    if (problem.empty()) within += limit.weight;
    if (!problem.empty() && limit.critical) out.critical = true;
    say(bad, problem);
  }
  const bool failed = out.critical || (all > 0 && 100 * within < policy.pass_score * all);
  if (failed) {
    out.verdict = {VerdictKind::kBad, bad};
  } else if (!unknown.empty()) {
    out.verdict = {unknown_kind, unknown};
  } else {
    out.verdict.why = bad;  // outside, but not by enough to count
  }
  return out;
}

}  // namespace convergence
