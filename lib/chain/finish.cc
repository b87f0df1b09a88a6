#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lib/chain/draft.h"
#include "lib/chain/header_modifiers.h"

namespace convergence {
namespace {

using Number = Draft::Number;
using Leg = Draft::Leg;

// Calls visit(node) for those that this one leads to, in order; a resolver ends the way.
template <typename Visit>
void each_successor(const Draft::Node& node, Visit visit) {
  for (const Draft::RouteEdge& route : node.routes) visit(route.node);
  for (const Leg& leg : node.legs) visit(leg.node);
}

std::string node_key(const Draft::Node& node) {
  return (node.type == Draft::Type::kRouter ? "router:" : "splitter:") + std::string(node.name);
}

// A leg's share of what a leg above it gets, in float32 and rounded half away from zero at each level, as the server
// does it: other arithmetic would differ by a hundredth.
std::int32_t share(std::int32_t outer, std::int32_t inner) {
  const float product = static_cast<float>(outer) / 100.0F * (static_cast<float>(inner) / 100.0F) / 100.0F;
  const float scaled = product * 100.0F;
  // Weights that no server takes for sane (they only have to add up to 100) may leave the range.
  return static_cast<std::int32_t>(std::clamp(std::round(static_cast<double>(scaled)), -2147483647.0, 2147483647.0));
}

// discovery-chain.md (b3): of request headers the inner leg has the last word, of response headers the outer one.
Shared<Split> merge(const Split& outer, const Shared<Split>& inner) {
  if (says_nothing(outer.request_headers) && says_nothing(outer.response_headers)) return inner;
  Split out = *inner;
  out.request_headers = merge_headers(outer.request_headers, inner->request_headers);
  out.response_headers = merge_headers(inner->response_headers, outer.response_headers);
  return out;
}

// Replaces the legs that lead to splitters, which are flat already.
void flatten(Draft& draft, Draft::Node& node) {
  const auto leads_down = [&](const Leg& leg) { return draft.nodes[leg.node].type == Draft::Type::kSplitter; };
  if (std::none_of(node.legs.begin(), node.legs.end(), leads_down)) return;
  std::vector<Leg> legs;
  for (Leg& leg : node.legs) {
    if (!leads_down(leg)) {
      legs.push_back(std::move(leg));
      continue;
    }
    for (const Leg& inner : draft.nodes[leg.node].legs) {
      Leg made{share(leg.weight, inner.weight), inner.node, inner.definition};
      if (leg.definition && inner.definition) made.definition = merge(**leg.definition, *inner.definition);
      legs.push_back(std::move(made));
    }
  }
  node.legs = std::move(legs);
}

}  // namespace

// Depth first with a stack of its own, the last successor first, as on the server: that decides which circle is named.
std::vector<std::string> find_circle(const Draft& draft) {
  enum class State : std::uint8_t { kNew, kOnPath, kDone };
  struct Frame {
    Number node;
    std::vector<Number> open;
  };
  std::vector<State> states(draft.nodes.size(), State::kNew);
  std::vector<Frame> path;
  const auto enter = [&](Number node) {
    states[node] = State::kOnPath;
    path.push_back({node, {}});
    each_successor(draft.nodes[node], [&](Number next) {
      // A resolver leads nowhere.
      if (draft.nodes[next].type != Draft::Type::kResolver) path.back().open.push_back(next);
    });
  };
  enter(draft.start);
  while (!path.empty()) {
    Frame& top = path.back();
    if (top.open.empty()) {
      states[top.node] = State::kDone;
      path.pop_back();
      continue;
    }
    const Number next = top.open.back();
    top.open.pop_back();
    if (states[next] == State::kOnPath) {
      std::vector<std::string> keys;
      for (const Frame& frame : path) keys.push_back(node_key(draft.nodes[frame.node]));
      keys.push_back(node_key(draft.nodes[next]));
      return keys;
    }
    if (states[next] == State::kNew) enter(next);
  }
  return {};
}

// Innermost splitters first. The server goes in random order, so with three levels the last hundredth of its weights
// varies; ours is one of its answers, and always the same. There are no circles any more.
void flatten_splitters(Draft& draft) {
  struct Frame {
    Number node;
    std::size_t next = 0;  // leg to look at
  };
  std::vector<bool> done(draft.nodes.size(), false);
  std::vector<Frame> path;
  for (Number root = 0; root < draft.nodes.size(); ++root) {
    if (draft.nodes[root].type != Draft::Type::kSplitter || done[root]) continue;
    path.push_back({root});
    while (!path.empty()) {
      Draft::Node& node = draft.nodes[path.back().node];
      if (path.back().next == node.legs.size()) {
        done[path.back().node] = true;
        path.pop_back();
        flatten(draft, node);
        continue;
      }
      const Number below = node.legs[path.back().next++].node;
      if (draft.nodes[below].type == Draft::Type::kSplitter && !done[below]) path.push_back({below});
    }
  }
}

std::vector<bool> reached_nodes(const Draft& draft) {
  std::vector<bool> reached(draft.nodes.size(), false);
  std::vector<Number> open = {draft.start};
  reached[draft.start] = true;
  while (!open.empty()) {
    const Number node = open.back();
    open.pop_back();
    each_successor(draft.nodes[node], [&](Number next) {
      if (reached[next]) return;
      reached[next] = true;
      open.push_back(next);
    });
  }
  return reached;
}

}  // namespace convergence
