#ifndef CONVERGENCE_LIB_CANARY_VERDICT_H_
#define CONVERGENCE_LIB_CANARY_VERDICT_H_

#include <string>

#include "convergence/canary.h"

namespace convergence {

// What one measurement says. Good and bad are evidence; the other two say nothing about the candidate and are never
// counted as its failure (E9, E10).
enum class VerdictKind { kGood, kBad, kTooFew, kBroken };

struct Verdict {
  VerdictKind kind = VerdictKind::kTooFew;
  std::string why;  // one line with the numbers
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

Verdict judge(const CanaryPolicy& policy, const Measurement& measurement);

// "12.34 %" of a weight in hundredths of a percent.
std::string percent(std::int32_t weight);
// "90 s", "0.5 s".
std::string seconds(Duration duration);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_VERDICT_H_
