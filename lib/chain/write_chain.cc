#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "lib/chain/draft.h"

namespace convergence {
namespace {

using Number = Draft::Number;

std::string join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  std::string out(size, '\0');
  char* at = out.data();
  for (std::string_view part : parts) at = std::copy(part.begin(), part.end(), at);
  return out;
}

// Eight bytes of a text from `at` on, as a number that compares as they do.
std::uint64_t bytes_from(std::string_view text, std::size_t at) {
  std::uint64_t out = 0;
  for (std::size_t i = at; i < at + sizeof out; ++i) {
    out = out << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : std::uint64_t{0});
  }
  return out;
}

class Writer {
 public:
  Writer(Draft& draft, const ReachableEntries& entries, const ChainRequest& request, DiscoveryChain& chain)
      : draft_(draft), entries_(entries), request_(request), chain_(chain) {}

  void run() {
    const std::span<Number> targets = targets_in_order();
    targets_ = places(targets, draft_.targets.size());
    chain_.targets.reserve(targets.size());
    for (Number target : targets) write_target(draft_.targets[target], chain_.targets.emplace_back());

    const std::span<Number> nodes = nodes_in_order(targets);
    nodes_ = places(nodes, draft_.nodes.size());
    chain_.start_node = nodes_[draft_.start];
    chain_.nodes.reserve(nodes.size());
    for (Number node : nodes) write_node(draft_.nodes[node], chain_.nodes.emplace_back());
  }

 private:
  // Of each that the draft has, where it comes to stand.
  std::span<Number> places(std::span<const Number> order, std::size_t size) const {
    const std::span<Number> out = draft_.scratch.array<Number>(size);
    for (std::size_t i = 0; i < order.size(); ++i) out[order[i]] = static_cast<Number>(i);
    return out;
  }

  std::span<Number> targets_in_order() const {
    // Most ids differ within their first sixteen bytes: few are compared as texts.
    struct Keyed {
      std::uint64_t first = 0;
      std::uint64_t second = 0;
      Number target = 0;
    };
    const std::span<Keyed> room = draft_.scratch.array<Keyed>(draft_.targets.size());
    std::size_t size = 0;
    for (Number target = 0; target < draft_.targets.size(); ++target) {
      const Draft::Target& one = draft_.targets[target];
      if (one.retained) room[size++] = {bytes_from(one.id, 0), bytes_from(one.id, 8), target};
    }
    const std::span<Keyed> keyed = room.first(size);
    std::sort(keyed.begin(), keyed.end(), [this](const Keyed& a, const Keyed& b) {
      if (a.first != b.first) return a.first < b.first;
      if (a.second != b.second) return a.second < b.second;
      return draft_.targets[a.target].id < draft_.targets[b.target].id;
    });
    const std::span<Number> out = draft_.scratch.array<Number>(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = keyed[i].target;
    return out;
  }

  // In the order of their keys: resolvers, which go by their targets' ids, then the router, then splitters.
  std::span<Number> nodes_in_order(std::span<const Number> targets) const {
    const ScratchVector<bool> reached = reached_nodes(draft_);
    const std::span<Number> room = draft_.scratch.array<Number>(draft_.nodes.size());
    std::size_t size = 0;
    for (Number target : targets) {
      const Number node = draft_.targets[target].node;
      if (node != Draft::kNone && reached[node]) room[size++] = node;
    }
    const std::size_t resolvers = size;
    for (Number node = 0; node < draft_.nodes.size(); ++node) {
      if (reached[node] && draft_.nodes[node].type != Draft::Type::kResolver) room[size++] = node;
    }
    const std::span<Number> others = room.subspan(resolvers, size - resolvers);
    std::sort(others.begin(), others.end(), [this](Number a, Number b) {
      const Draft::Node& left = draft_.nodes[a];
      const Draft::Node& right = draft_.nodes[b];
      return left.type != right.type ? left.type < right.type : left.name < right.name;
    });
    return room.first(size);
  }

  void write_node(const Draft::Node& from, ChainNode& out) const {
    switch (from.type) {
      case Draft::Type::kRouter:
        out.name = from.name;
        return write_routes(from, out.body.emplace<RouterNode>());
      case Draft::Type::kSplitter:
        out.name = from.name;
        return write_splits(from, out.body.emplace<SplitterNode>());
      case Draft::Type::kResolver:
        return write_resolver(from, std::get<ResolverNode>(out.body));
    }
  }

  void write_routes(const Draft::Node& from, RouterNode& out) const {
    out.routes.reserve(from.routes.size());
    for (const Draft::RouteEdge& route : from.routes) {
      out.routes.push_back(
          {route.stored == nullptr ? catch_all() : Shared<Route>(*entries_.router_entry, *route.stored),
           nodes_[route.node]});
    }
  }

  void write_splits(const Draft::Node& from, SplitterNode& out) const {
    if (from.load_balancer != nullptr) out.load_balancer = *from.load_balancer;
    out.splits.reserve(from.legs.size());
    for (const Draft::Leg& leg : from.legs) {
      ChainSplit& made = out.splits.emplace_back();
      made.weight = leg.weight;
      made.next_node = nodes_[leg.node];
      const Draft::LegDefinition& definition = leg.definition;
      if (definition.merged != nullptr) made.definition = *definition.merged;
      if (definition.stored != nullptr) made.definition = Shared<Split>(*definition.owner, *definition.stored);
    }
  }

  // Step 2: what no route takes.
  Shared<Route> catch_all() const {
    return Shared<Route>::make([&](Route& route) {
      route.match.emplace().http.emplace().path_prefix = "/";
      RouteDestination& destination = route.destination.emplace();
      destination.service = (*entries_.router_entry)->name;
      destination.namespace_name = kDefaultNamespace;
      if (request_.cluster.dialect != Dialect::k1_8) destination.partition = kDefaultPartition;
    });
  }

  void write_resolver(const Draft::Node& from, ResolverNode& out) const {
    out.connect_timeout = from.connect_timeout;
    out.is_default = from.is_default;
    out.target = targets_[from.target];
    out.failover_targets.reserve(from.failover.size());
    for (Number target : from.failover) out.failover_targets.push_back(targets_[target]);
    if (request_.cluster.dialect == Dialect::k1_8 || from.entry == nullptr) return;
    out.request_timeout = from.entry->request_timeout;
    if (from.failover_policy != nullptr) out.failover_policy = *from.failover_policy;
    out.load_balancer = from.entry->load_balancer;
  }

  void write_target(const Draft::Target& from, ChainTarget& out) const {
    const std::string_view service = entries_.names.text(from.service);
    out.id = from.id;
    out.service = service;
    out.service_subset = from.subset;
    out.namespace_name = from.namespace_name;
    out.datacenter = from.datacenter;
    out.mesh_gateway_mode = from.mesh_gateway_mode;
    if (from.subset_entry != nullptr) {
      out.subset = Shared<ResolverSubset>(*entries_.services[from.service].resolver_entry, *from.subset_entry);
    }
    out.external_sni = from.external_sni;
    // A peer's trust domain is not known here.
    if (from.peer.empty()) {
      const std::string_view dot = from.subset.empty() ? "" : ".";
      out.name = join({from.subset, dot, service, ".", from.namespace_name, ".", from.datacenter, ".internal.",
                       request_.cluster.trust_domain});
    }
    if (request_.cluster.dialect == Dialect::k1_8) return;
    out.partition = kDefaultPartition;
    out.peer = from.peer;
    out.transparent_proxy.dialed_directly = from.dialed_directly;
    out.connect_timeout = from.connect_timeout;
    if (from.locality != nullptr) out.prioritize_by_locality = *from.locality;
  }

  Draft& draft_;
  const ReachableEntries& entries_;
  const ChainRequest& request_;
  DiscoveryChain& chain_;
  std::span<Number> nodes_{};  // where those of the draft come to stand
  std::span<Number> targets_{};
};

}  // namespace

void write_nodes_and_targets(Draft& draft, const ReachableEntries& entries, const ChainRequest& request,
                             DiscoveryChain& chain) {
  Writer(draft, entries, request, chain).run();
}

}  // namespace convergence
