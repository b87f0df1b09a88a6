#ifndef CONVERGENCE_TESTS_UNIT_CANARY_DESCRIBE_H_
#define CONVERGENCE_TESTS_UNIT_CANARY_DESCRIBE_H_

#include <string>

#include "convergence/canary.h"

namespace convergence::test {

// Every field, one a line: what a failed comparison prints, and the bytes that a replay must give again.
std::string describe(const CanaryState& state);
std::string describe(const std::vector<Effect>& effects);

// Seconds after an arbitrary beginning.
inline Time t(double seconds) {
  return Time(std::chrono::hours(24 * 365 * 50)) + Duration(static_cast<std::int64_t>(seconds * 1e9));
}

// Two steps of two measurements each, the rest as the defaults: interval 10 s, settle 2 s, 50 requests, 0.99, two bad
// ones.
CanaryPolicy small_policy();

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_CANARY_DESCRIBE_H_
