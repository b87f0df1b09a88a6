#include "lib/driver/rollout_legs.h"

#include <string>
#include <utility>

#include "lib/driver/candidate_routes.h"

namespace convergence {
namespace {

constexpr std::string_view kStamps[] = {kStampEffect, kStampStateIndex, kStampWeight};

void keep_stamps(ConfigEntry& entry, const ConfigEntry& there) {
  for (std::string_view stamp : kStamps) {
    const auto found = there.meta.find(std::string(stamp));
    if (found != there.meta.end()) entry.meta.insert(*found);
  }
}

Split* leg(ServiceSplitter& splitter, const std::string& service, const std::string& subset) {
  for (Split& split : splitter.splits) {
    const bool own = split.service.empty() || entry_key("", split.service) == entry_key("", service);
    if (own && split.service_subset == subset) return &split;
  }
  return nullptr;
}

void keep_weights(ConfigEntry& entry, ConfigEntry there, const CanaryPolicy& policy) {
  auto* wanted = std::get_if<ServiceSplitter>(&entry.body);
  auto* found = std::get_if<ServiceSplitter>(&there.body);
  if (!wanted || !found) return;
  Split* const legs[][2] = {
      {leg(*wanted, entry.name, policy.stable_subset), leg(*found, entry.name, policy.stable_subset)},
      {leg(*wanted, entry.name, policy.candidate_subset), leg(*found, entry.name, policy.candidate_subset)}};
  for (const auto& pair : legs) {
    if (!pair[0] || !pair[1]) return;  // one of them speaks of other subsets
  }
  for (const auto& pair : legs) pair[0]->weight = pair[1]->weight;
  legs[1][0]->response_headers = legs[1][1]->response_headers;  // an affinity's cookie
}

// As the rollout has them, or will at its next write.
void keep_routes(ConfigEntry& entry, const CanaryState& rollout) {
  RouteEdit edit = edit_routes(rollout, rollout.routed, entry);
  if (edit.kind == RouteEdit::Kind::kPut) entry = std::move(edit.entry);
}

}  // namespace

std::vector<ConfigEntry> keep_rollout_legs(std::vector<ConfigEntry> desired, const std::vector<CanaryState>& rollouts,
                                           const CatalogState& catalog) {
  for (ConfigEntry& entry : desired) {
    const EntryId key = entry_key(entry);
    const auto there = catalog.entries.find(key);
    if (key.kind == kServiceRouter) {
      for (const CanaryState& rollout : rollouts) {
        const bool moves = !is_terminal(rollout.phase) && entry_key(kServiceRouter, rollout.policy.service) == key;
        if (moves && rollout.routed) keep_routes(entry, rollout);
      }
    }
    if (key.kind != kServiceSplitter || there == catalog.entries.end()) continue;
    keep_stamps(entry, *there->second);
    for (const CanaryState& rollout : rollouts) {
      if (is_terminal(rollout.phase) || entry_key(kServiceSplitter, rollout.policy.service) != key) continue;
      keep_weights(entry, *there->second, rollout.policy);
    }
  }
  return desired;
}

}  // namespace convergence
