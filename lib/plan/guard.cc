#include "lib/plan/guard.h"

#include <map>
#include <set>
#include <utility>

#include "lib/chain/opaque.h"
#include "lib/plan/references.h"
#include "lib/plan/traffic.h"

namespace convergence::plan {

// A service without any entry has a chain too, but nobody has said that traffic goes there: it may come and go as its
// documents do.
InstanceGuard::InstanceGuard(const CatalogState& catalog, const ClusterIdentity& cluster) {
  std::set<std::string> chains;
  for (const auto& [key, entry] : catalog.entries) {
    if (key.kind == kServiceDefaults || key.kind == kServiceIntentions) continue;
    for (std::string& service : services_of(*entry)) chains.insert(std::move(service));
  }
  std::map<std::string, ChainTarget> targets;
  for (const std::string& chain : chains) {
    ChainRequest request;
    request.service = chain;
    request.cluster = cluster;
    auto compiled = compile_chain(catalog.entries, request);
    if (!compiled.ok()) continue;
    for (const ChainTarget* target : active_targets(*compiled)) targets.emplace(target->id, *target);
  }
  for (auto& [id, target] : targets) targets_.push_back(std::move(target));
}

std::set<std::string> InstanceGuard::served(const CatalogState& catalog, const std::string& service) const {
  const Traffic traffic(catalog, {});
  std::set<std::string> found;
  for (const ChainTarget& target : targets_) {
    if (target.service != service || !target.external_sni.empty() || target.datacenter != catalog.datacenter) continue;
    if (traffic.passing(target) > 0) found.insert(target.id);
  }
  return found;
}

}  // namespace convergence::plan
