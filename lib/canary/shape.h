#ifndef CONVERGENCE_LIB_CANARY_SHAPE_H_
#define CONVERGENCE_LIB_CANARY_SHAPE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "convergence/canary.h"

namespace convergence {

// What a policy's strategy comes to, step by step.

inline std::int32_t step_count(const CanaryPolicy& policy) {
  return policy.strategy == CanaryStrategy::kWeights ? static_cast<std::int32_t>(policy.steps.size()) : 1;
}

// The candidate's weight while `step` lasts.
inline std::int32_t step_weight(const CanaryPolicy& policy, std::int32_t step) {
  return policy.strategy == CanaryStrategy::kWeights ? policy.steps[static_cast<std::size_t>(step)] : 0;
}

// Whether some requests go to the candidate whatever its weight.
inline bool has_routes(const CanaryPolicy& policy) { return !policy.match.empty() || policy.affinity.has_value(); }

// The gate of that name, or null.
inline const Gate* find_gate(const CanaryPolicy& policy, std::string_view name) {
  for (const Gate& gate : policy.gates) {
    if (gate.name == name) return &gate;
  }
  return nullptr;
}

// The candidate's next weight on the way back after a copy: return_steps fall.
inline std::int32_t next_return(const CanaryPolicy& policy, std::int32_t weight) {
  for (std::int32_t step : policy.return_steps) {
    if (step < weight) return step;
  }
  return 0;
}

// All of a rollout's services, its own first.
inline std::vector<RolloutService> services_of(const CanaryPolicy& policy) {
  std::vector<RolloutService> services = {{policy.service, policy.stable_subset, policy.candidate_subset}};
  services.insert(services.end(), policy.also.begin(), policy.also.end());
  return services;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_SHAPE_H_
