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
  const double scaled = static_cast<double>(product * 100.0F);
  const double rounded = std::trunc(scaled + std::copysign(0.5, scaled));  // exact: a float and a half fit in a double
  // Weights that no server takes for sane (they only have to add up to 100) may leave the range.
  return static_cast<std::int32_t>(std::clamp(rounded, -2147483647.0, 2147483647.0));
}

const Split& definition_of(const Leg& leg) {
  return leg.definition.merged != nullptr ? **leg.definition.merged : *leg.definition.stored;
}

// discovery-chain.md (b3): of request headers the inner leg has the last word, of response headers the outer one.
Draft::LegDefinition merge(Draft& draft, const Leg& outer, const Leg& inner) {
  const Split& above = definition_of(outer);
  if (says_nothing(above.request_headers) && says_nothing(above.response_headers)) return inner.definition;
  Split out = definition_of(inner);
  out.request_headers = merge_headers(above.request_headers, out.request_headers);
  out.response_headers = merge_headers(out.response_headers, above.response_headers);
  return {nullptr, nullptr, &draft.merged.emplace_back(std::move(out))};
}

// Replaces the legs that lead to splitters, which are flat already.
void flatten(Draft& draft, Draft::Node& node) {
  const auto below = [&](const Leg& leg) -> std::span<const Leg> {
    const Draft::Node& next = draft.nodes[leg.node];
    return next.type == Draft::Type::kSplitter ? next.legs : std::span<const Leg>();
  };
  std::size_t size = 0;
  for (const Leg& leg : node.legs) size += below(leg).empty() ? 1 : below(leg).size();
  const bool leads_down = std::any_of(node.legs.begin(), node.legs.end(), [&](const Leg& leg) {
    return draft.nodes[leg.node].type == Draft::Type::kSplitter;
  });
  if (!leads_down) return;
  const std::span<Leg> legs = draft.scratch.array<Leg>(size);
  std::size_t at = 0;
  for (const Leg& leg : node.legs) {
    if (draft.nodes[leg.node].type != Draft::Type::kSplitter) {
      legs[at++] = leg;
      continue;
    }
    for (const Leg& inner : below(leg)) {
      Leg& made = legs[at++];
      made.weight = share(leg.weight, inner.weight);
      made.node = inner.node;
      if (leg.definition.stored != nullptr || leg.definition.merged != nullptr)
        made.definition = merge(draft, leg, inner);
    }
  }
  node.legs = legs.first(at);  // a splitter without legs leaves nothing
}

}  // namespace

// Depth first with a stack of its own, the last successor first, as on the server: that decides which circle is named.
std::vector<std::string> find_circle(const Draft& draft) {
  enum class State : std::uint8_t { kNew, kOnPath, kDone };
  struct Frame {
    Number node;
    std::size_t open;  // successors that are not looked at yet: the first so many
  };
  const auto successors = [](const Draft::Node& node) { return node.routes.size() + node.legs.size(); };
  const auto successor = [](const Draft::Node& node, std::size_t i) {
    return i < node.routes.size() ? node.routes[i].node : node.legs[i - node.routes.size()].node;
  };
  ScratchVector<State> states(draft.nodes.size(), State::kNew, draft.scratch);
  ScratchVector<Frame> path(draft.scratch);
  const auto enter = [&](Number node) {
    states[node] = State::kOnPath;
    path.push_back({node, successors(draft.nodes[node])});
  };
  enter(draft.start);
  while (!path.empty()) {
    Frame& top = path.back();
    if (top.open == 0) {
      states[top.node] = State::kDone;
      path.pop_back();
      continue;
    }
    const Number next = successor(draft.nodes[top.node], --top.open);
    if (draft.nodes[next].type == Draft::Type::kResolver) continue;  // leads nowhere
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
  ScratchVector<bool> done(draft.nodes.size(), false, draft.scratch);
  ScratchVector<Frame> path(draft.scratch);
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

ScratchVector<bool> reached_nodes(const Draft& draft) {
  ScratchVector<bool> reached(draft.nodes.size(), !draft.nested, draft.scratch);
  if (!draft.nested) return reached;  // all were made on the way from there
  ScratchVector<Number> open({draft.start}, draft.scratch);
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
