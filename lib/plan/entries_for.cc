#include <algorithm>

#include "convergence/plan.h"
#include "lib/base/ascii.h"

namespace convergence {
namespace {

Split* find_leg(ServiceSplitter& splitter, std::string_view name, const CanaryPolicy& policy, std::string_view subset) {
  auto leg = std::ranges::find_if(splitter.splits, [&](const Split& split) {
    const std::string_view service = split.service.empty() ? name : std::string_view(split.service);
    return ascii_equal_fold(service, policy.service) && split.service_subset == subset;
  });
  return leg == splitter.splits.end() ? nullptr : &*leg;
}

// The rollout owns what its two legs carry together; another leg keeps its weight.
void set_weights(ConfigEntry& entry, const CanaryState& rollout) {
  auto* splitter = std::get_if<ServiceSplitter>(&entry.body);
  if (!splitter || !ascii_equal_fold(entry.name, rollout.policy.service)) return;
  Split* stable = find_leg(*splitter, entry.name, rollout.policy, rollout.policy.stable_subset);
  Split* candidate = find_leg(*splitter, entry.name, rollout.policy, rollout.policy.candidate_subset);
  if (!stable || !candidate || stable == candidate) return;
  const std::int32_t together = stable->weight + candidate->weight;
  candidate->weight = std::min(rollout.weight, together);
  stable->weight = together - candidate->weight;
}

}  // namespace

std::vector<ConfigEntry> entries_for(std::vector<ConfigEntry> desired, const std::vector<CanaryState>& rollouts) {
  for (const CanaryState& rollout : rollouts) {
    if (rollout.phase == CanaryPhase::kIdle) continue;
    for (ConfigEntry& entry : desired) set_weights(entry, rollout);
  }
  return desired;
}

}  // namespace convergence
