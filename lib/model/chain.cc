// The server's texts for what a chain has numbers for.
#include "convergence/chain.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace convergence {
namespace {

std::string_view type_of(const ChainNode& node) {
  if (std::holds_alternative<RouterNode>(node.body)) return "router";
  if (std::holds_alternative<SplitterNode>(node.body)) return "splitter";
  return "resolver";
}

std::string_view name_of(const DiscoveryChain& chain, const ChainNode& node) {
  const auto* resolver = std::get_if<ResolverNode>(&node.body);
  return resolver == nullptr ? std::string_view(node.name) : target_id(chain, resolver->target);
}

}  // namespace

std::string_view node_name(const DiscoveryChain& chain, NodeNumber node) {
  return node < chain.nodes.size() ? name_of(chain, chain.nodes[node]) : std::string_view();
}

std::string node_key(const DiscoveryChain& chain, NodeNumber node) {
  if (node >= chain.nodes.size()) return "";
  std::string out(type_of(chain.nodes[node]));
  out += ':';
  out += node_name(chain, node);
  return out;
}

std::string_view target_id(const DiscoveryChain& chain, TargetNumber target) {
  return target < chain.targets.size() ? std::string_view(chain.targets[target].id) : std::string_view();
}

const ChainNode* find_node(const DiscoveryChain& chain, std::string_view key) {
  const std::size_t colon = key.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const std::pair wanted(key.substr(0, colon), key.substr(colon + 1));
  const auto key_of = [&](const ChainNode& node) { return std::pair(type_of(node), name_of(chain, node)); };
  const auto at = std::lower_bound(chain.nodes.begin(), chain.nodes.end(), wanted,
                                   [&](const ChainNode& node, const auto& other) { return key_of(node) < other; });
  return at == chain.nodes.end() || key_of(*at) != wanted ? nullptr : &*at;
}

const ChainTarget* find_target(const DiscoveryChain& chain, std::string_view id) {
  const auto at = std::lower_bound(chain.targets.begin(), chain.targets.end(), id,
                                   [](const ChainTarget& target, std::string_view other) { return target.id < other; });
  return at == chain.targets.end() || at->id != id ? nullptr : &*at;
}

}  // namespace convergence
