#include <map>
#include <string>

#include "convergence/chain.h"
#include "convergence/filter.h"

namespace convergence {
namespace {

bool is_healthy(const InstanceState& instance, const NodeState& node, bool only_passing) {
  const CheckStatus worst = worst_status(instance.checks, node.checks);
  return worst == CheckStatus::kPassing || (worst == CheckStatus::kWarning && !only_passing);
}

}  // namespace

TargetHealth target_health(const ChainTarget& target, const CatalogState& catalog) {
  TargetHealth out;
  const bool elsewhere = !catalog.datacenter.empty() && target.datacenter != catalog.datacenter;
  if (!target.external_sni.empty() || !target.peer.empty() || elsewhere) return out;
  out.known = true;
  const auto service = catalog.services.find(target.service);
  if (service == catalog.services.end()) return out;
  const auto filter = Filter::parse(target.subset->filter);
  if (!filter.ok()) return out;
  static const NodeState kNoNode;
  for (const InstanceState& instance : service->second->instances) {
    const auto found = catalog.nodes.find(instance.instance.node);
    const NodeState& node = found == catalog.nodes.end() ? kNoNode : *found->second;
    const auto selected = filter->matches(instance, node);
    if (!selected.ok() || !*selected) continue;
    ++out.total;
    out.healthy += is_healthy(instance, node, target.subset->only_passing) ? 1 : 0;
  }
  return out;
}

std::map<std::string, TargetHealth> chain_health(const DiscoveryChain& chain, const CatalogState& catalog) {
  std::map<std::string, TargetHealth> out;
  for (const ChainTarget& target : chain.targets) out.emplace(target.id, target_health(target, catalog));
  return out;
}

}  // namespace convergence
