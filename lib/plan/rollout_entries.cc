#include <variant>

#include "convergence/plan.h"

namespace convergence {
namespace {

constexpr std::int32_t kAll = 10000;  // hundredths of a percent

Split* leg_to(ServiceSplitter& splitter, const std::string& service, const std::string& subset) {
  for (Split& split : splitter.splits) {
    if (split.service_subset == subset && (split.service.empty() || split.service == service)) return &split;
  }
  return nullptr;
}

void apply_rollout(ConfigEntry& entry, const CanaryState& rollout) {
  auto* splitter = std::get_if<ServiceSplitter>(&entry.body);
  if (splitter == nullptr || rollout.phase == CanaryPhase::kIdle) return;
  if (entry_key(entry) != entry_key(kServiceSplitter, rollout.policy.service)) return;
  Split* stable = leg_to(*splitter, entry.name, rollout.policy.stable_subset);
  Split* candidate = leg_to(*splitter, entry.name, rollout.policy.candidate_subset);
  if (stable == nullptr || candidate == nullptr) return;  // the document speaks of other subsets: not ours to mend
  stable->weight = kAll - rollout.weight;
  candidate->weight = rollout.weight;
}

}  // namespace

std::vector<ConfigEntry> entries_for(std::vector<ConfigEntry> desired, const std::vector<CanaryState>& rollouts) {
  for (ConfigEntry& entry : desired) {
    for (const CanaryState& rollout : rollouts) apply_rollout(entry, rollout);
  }
  return desired;
}

}  // namespace convergence
