#include "lib/plan/traffic.h"

#include <algorithm>
#include <variant>

#include "convergence/filter.h"

namespace convergence::plan {
namespace {

// Calls visit(node) for those that traffic goes on to.
template <typename Visit>
void each_next(const ChainNode& node, Visit visit) {
  if (auto* router = std::get_if<RouterNode>(&node.body)) {
    for (const ChainRoute& route : router->routes) visit(route.next_node);
  }
  if (auto* splitter = std::get_if<SplitterNode>(&node.body)) {
    for (const ChainSplit& split : splitter->splits) {
      if (split.weight > 0) visit(split.next_node);
    }
  }
}

}  // namespace

std::vector<const ChainTarget*> active_targets(const DiscoveryChain& chain) {
  std::vector<bool> seen(chain.nodes.size(), false);
  std::vector<bool> active(chain.targets.size(), false);
  std::vector<NodeNumber> open;
  const auto enter = [&](NodeNumber node) {
    if (node >= seen.size() || seen[node]) return;
    seen[node] = true;
    open.push_back(node);
  };
  enter(chain.start_node);
  while (!open.empty()) {
    const ChainNode& node = chain.nodes[open.back()];
    open.pop_back();
    const auto* resolver = std::get_if<ResolverNode>(&node.body);
    if (resolver != nullptr && resolver->target < active.size()) active[resolver->target] = true;
    each_next(node, enter);
  }
  std::vector<const ChainTarget*> found;
  for (TargetNumber target = 0; target < active.size(); ++target) {
    if (active[target]) found.push_back(&chain.targets[target]);
  }
  return found;
}

Traffic::Traffic(const CatalogState& catalog, const DesiredState& desired) : catalog_(catalog) {
  for (const DesiredService& service : desired.services) wanted_.insert(service_name(service));
}

bool Traffic::is_empty(const ChainTarget& target) const {
  if (!target.external_sni.empty() || target.datacenter != catalog_.datacenter) return false;
  const bool known = catalog_.services.contains(target.service) || wanted_.contains(target.service);
  return known && passing(target) == 0;
}

std::size_t Traffic::passing(const ChainTarget& target) const {
  auto service = catalog_.services.find(target.service);
  if (service == catalog_.services.end()) return 0;
  auto [known, is_new] = known_.try_emplace({target.service, target.subset->filter}, 0);
  if (!is_new) return known->second;
  // A filter that cannot be read selects nothing in Consul either.
  auto filter = Filter::parse(target.subset->filter);
  if (!filter.ok()) return 0;
  for (const InstanceState& state : service->second->instances) {
    auto node = catalog_.nodes.find(state.instance.node);
    const NodeState& node_state = node == catalog_.nodes.end() ? NodeState() : *node->second;
    if (worst_status(state.checks, node_state.checks) != CheckStatus::kPassing) continue;
    auto selected = filter->matches(state, node_state);
    if (selected.ok() && *selected) ++known->second;
  }
  return known->second;
}

std::set<std::string> empty_targets(const DiscoveryChain& chain, const Traffic& traffic) {
  std::set<std::string> empty;
  for (const ChainTarget* target : active_targets(chain)) {
    if (traffic.is_empty(*target)) empty.insert(target->id);
  }
  return empty;
}

}  // namespace convergence::plan
