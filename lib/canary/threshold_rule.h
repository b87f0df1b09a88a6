#ifndef CONVERGENCE_LIB_CANARY_THRESHOLD_RULE_H_
#define CONVERGENCE_LIB_CANARY_THRESHOLD_RULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "convergence/simulate.h"

namespace convergence {

// The peers' way: each interval is checked against fixed limits, and what failed is counted (statistics.md 9).
struct ThresholdState {
  std::int32_t weight = 0;
  std::size_t step = 0;
  std::int32_t good = 0;    // in this step
  std::int32_t failed = 0;  // Flagger, Argo: in all; consul-release-controller: in this step
  bool ended = false;
  std::string why{};
};

ThresholdState start_threshold(const ThresholdRule& rule);
void check_threshold(SimulatedRule peer, const ThresholdRule& rule, const std::vector<double>& bounds,
                     const ArmCount& canary, ThresholdState& state);

absl::Status check_runs(std::int64_t runs);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_THRESHOLD_RULE_H_
