#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/chain/compile.h"

namespace convergence {
namespace {

using Node = std::map<std::string, ChainNode>::value_type;

// The nodes that this one leads to, in order; a resolver ends the way.
std::vector<const Node*> successors(const DiscoveryChain& chain, const Node& node) {
  std::vector<const Node*> out;
  const auto add = [&](const auto& edges) {
    for (const auto& edge : edges) out.push_back(&*chain.nodes.find(edge.next_node));
  };
  if (const auto* router = std::get_if<RouterNode>(&node.second.body)) add(router->routes);
  if (const auto* splitter = std::get_if<SplitterNode>(&node.second.body)) add(splitter->splits);
  return out;
}

// A leg's share of what a leg above it gets, in float32 and rounded half away from zero at each level, as the server
// does it: other arithmetic would differ by a hundredth.
std::int32_t share(std::int32_t outer, std::int32_t inner) {
  const float product = static_cast<float>(outer) / 100.0F * (static_cast<float>(inner) / 100.0F) / 100.0F;
  const float scaled = product * 100.0F;
  // Weights that no server takes for sane (they only have to add up to 100) may leave the range.
  return static_cast<std::int32_t>(std::clamp(std::round(static_cast<double>(scaled)), -2147483647.0, 2147483647.0));
}

// Innermost splitters first. The server goes in random order, so with three levels the last hundredth of its weights
// varies; ours is one of its answers, and always the same.
class Flattener {
 public:
  explicit Flattener(DiscoveryChain& chain) : chain_(chain) {}

  // True when a leg was replaced.
  bool run() {
    for (auto& [key, node] : chain_.nodes) {
      if (auto* splitter = std::get_if<SplitterNode>(&node.body)) flatten(*splitter);
    }
    return changed_;
  }

 private:
  void flatten(SplitterNode& node) {
    if (!done_.insert(&node).second) return;
    if (std::none_of(node.splits.begin(), node.splits.end(),
                     [this](const ChainSplit& split) { return inner(split) != nullptr; })) {
      return;
    }
    changed_ = true;
    std::vector<ChainSplit> legs;
    for (ChainSplit& split : node.splits) {
      SplitterNode* below = inner(split);
      if (below == nullptr) {
        legs.push_back(std::move(split));
        continue;
      }
      flatten(*below);
      for (const ChainSplit& leg : below->splits) legs.push_back({share(split.weight, leg.weight), leg.next_node});
    }
    node.splits = std::move(legs);
  }

  SplitterNode* inner(const ChainSplit& split) {
    return std::get_if<SplitterNode>(&chain_.nodes.find(split.next_node)->second.body);
  }

  DiscoveryChain& chain_;
  std::set<const SplitterNode*> done_;
  bool changed_ = false;
};

void prune(DiscoveryChain& chain) {
  std::set<const Node*> reached;
  std::vector<const Node*> open = {&*chain.nodes.find(chain.start_node)};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (!reached.insert(node).second) continue;
    for (const Node* next : successors(chain, *node)) open.push_back(next);
  }
  std::erase_if(chain.nodes, [&](const Node& node) { return !reached.contains(&node); });
}

}  // namespace

absl::Status check_circles(const DiscoveryChain& chain) {
  struct Frame {
    const Node* node;
    std::vector<const Node*> open;  // the last is next, as on the server, which decides which circle is named
  };
  std::set<const Node*> on_path;
  std::set<const Node*> done;
  std::vector<Frame> path;
  const auto enter = [&](const Node* node) {
    on_path.insert(node);
    path.push_back({node, successors(chain, *node)});
  };
  enter(&*chain.nodes.find(chain.start_node));
  while (!path.empty()) {
    Frame& top = path.back();
    if (top.open.empty()) {
      on_path.erase(top.node);
      done.insert(top.node);
      path.pop_back();
      continue;
    }
    const Node* next = top.open.back();
    top.open.pop_back();
    if (on_path.contains(next)) {
      std::vector<std::string_view> keys;
      for (const Frame& frame : path) keys.push_back(frame.node->first);
      keys.push_back(next->first);
      return graph_error(chain.service_name, fmt::format("detected circular reference: [{}]", fmt::join(keys, " -> ")));
    }
    if (!done.contains(next) && !std::holds_alternative<ResolverNode>(next->second.body)) enter(next);
  }
  return absl::OkStatus();
}

void flatten_splitters(DiscoveryChain& chain) {
  if (Flattener(chain).run()) prune(chain);
}

}  // namespace convergence
