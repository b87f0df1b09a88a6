#include "convergence/simulate.h"

namespace convergence {

SimulatedPolicy simulated_policy(SimulatedRule rule) {
  SimulatedPolicy policy;
  policy.rule = rule;
  ThresholdRule& threshold = policy.threshold;
  switch (rule) {
    case SimulatedRule::kEvidence:
    case SimulatedRule::kFlagger:
      threshold.steps = {1000, 2000, 3000, 4000, 5000};
      break;
    case SimulatedRule::kConsecutive:
      threshold.interval = std::chrono::seconds(30);
      threshold.steps = {1000, 3000, 5000, 7000, 9000};
      break;
    case SimulatedRule::kArgo:
      threshold.steps = {2000, 4000, 6000, 8000};
      threshold.checks_per_step = 2;
      threshold.threshold = 4;  // its limit of 3 may be reached, not passed
      break;
  }
  return policy;
}

}  // namespace convergence
