#ifndef CONVERGENCE_LIB_CANARY_METRIC_LIMITS_H_
#define CONVERGENCE_LIB_CANARY_METRIC_LIMITS_H_

#include <string>
#include <vector>

#include "convergence/canary.h"
#include "lib/canary/verdict.h"

namespace convergence {

// What a measurement's numbers say beside its request counts.
struct LimitsVerdict {
  Verdict verdict{VerdictKind::kGood, ""};
  bool critical = false;  // a critical one is outside
  friend bool operator==(const LimitsVerdict&, const LimitsVerdict&) = default;
};

// A value that is missing, or is no number, is no evidence; a broken source is broken. Of the rest, those within their
// limits must have `pass_score` percent of the weight.
LimitsVerdict judge_limits(const CanaryPolicy& policy, const std::vector<MetricValue>& values);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_METRIC_LIMITS_H_
