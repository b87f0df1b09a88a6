#include <algorithm>
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

// Types sort as their names do, so that nodes by (type, name) are in the order of their keys.
constexpr std::string_view kTypeNames[] = {"resolver:", "router:", "splitter:"};

class Writer {
 public:
  Writer(Draft& draft, const ReachableEntries& entries, const ChainRequest& request, DiscoveryChain& chain)
      : draft_(draft), entries_(entries), request_(request), chain_(chain) {}

  void run() {
    const std::pmr::vector<bool> reached = reached_nodes(draft_);
    std::pmr::vector<Number> order(draft_.scratch.resource());
    order.reserve(draft_.nodes.size());
    for (Number node = 0; node < draft_.nodes.size(); ++node) {
      if (reached[node]) order.push_back(node);
    }
    std::sort(order.begin(), order.end(), [this](Number a, Number b) {
      const Draft::Node& left = draft_.nodes[a];
      const Draft::Node& right = draft_.nodes[b];
      return left.type != right.type ? left.type < right.type : left.name < right.name;
    });
    chain_.start_node = key(draft_.start);
    chain_.nodes.reserve(order.size());
    for (Number node : order) write_node(draft_.nodes[node], chain_.nodes.append(key(node)));
    write_targets();
  }

 private:
  std::string key(Number node) const {
    const Draft::Node& named = draft_.nodes[node];
    return join({kTypeNames[static_cast<std::size_t>(named.type)], named.name});
  }

  void write_node(const Draft::Node& from, ChainNode& out) const {
    out.name = from.name;
    switch (from.type) {
      case Draft::Type::kRouter:
        return write_routes(from, out.body.emplace<RouterNode>());
      case Draft::Type::kSplitter:
        return write_splits(from, out.body.emplace<SplitterNode>());
      case Draft::Type::kResolver:
        return write_resolver(from, std::get<ResolverNode>(out.body));
    }
  }

  void write_routes(const Draft::Node& from, RouterNode& out) const {
    out.routes.reserve(from.routes.size());
    for (const Draft::RouteEdge& route : from.routes) {
      ChainRoute& made = out.routes.emplace_back();
      made.definition = route.stored == nullptr ? catch_all() : Shared<Route>(*entries_.router_entry, *route.stored);
      made.next_node = key(route.node);
    }
  }

  void write_splits(const Draft::Node& from, SplitterNode& out) const {
    if (from.load_balancer != nullptr) out.load_balancer = *from.load_balancer;
    out.splits.reserve(from.legs.size());
    for (const Draft::Leg& leg : from.legs) {
      ChainSplit& made = out.splits.emplace_back();
      made.weight = leg.weight;
      made.next_node = key(leg.node);
      const Draft::LegDefinition& definition = leg.definition;
      if (definition.merged != nullptr) made.definition = *definition.merged;
      if (definition.stored != nullptr) made.definition = Shared<Split>(*definition.owner, *definition.stored);
    }
  }

  // Step 2: what no route takes.
  Shared<Route> catch_all() const {
    Route route;
    route.match.emplace().http.emplace().path_prefix = "/";
    RouteDestination& destination = route.destination.emplace();
    destination.service = (*entries_.router_entry)->name;
    destination.namespace_name = kDefaultNamespace;
    if (request_.cluster.dialect != Dialect::k1_8) destination.partition = kDefaultPartition;
    return route;
  }

  void write_resolver(const Draft::Node& from, ResolverNode& out) const {
    out.connect_timeout = from.connect_timeout;
    out.is_default = from.is_default;
    out.target = draft_.targets[from.target].id;
    out.failover_targets.reserve(from.failover.size());
    for (Number target : from.failover) out.failover_targets.emplace_back(draft_.targets[target].id);
    if (request_.cluster.dialect == Dialect::k1_8 || from.entry == nullptr) return;
    out.request_timeout = from.entry->request_timeout;
    if (from.failover_policy != nullptr) out.failover_policy = *from.failover_policy;
    out.load_balancer = from.entry->load_balancer;
  }

  void write_targets() {
    std::pmr::vector<Number> order(draft_.scratch.resource());
    order.reserve(draft_.targets.size());
    for (Number target = 0; target < draft_.targets.size(); ++target) {
      if (draft_.targets[target].retained) order.push_back(target);
    }
    std::sort(order.begin(), order.end(),
              [this](Number a, Number b) { return draft_.targets[a].id < draft_.targets[b].id; });
    chain_.targets.reserve(order.size());
    for (Number target : order) {
      const Draft::Target& from = draft_.targets[target];
      write_target(from, chain_.targets.append(std::string(from.id)));
    }
  }

  void write_target(const Draft::Target& from, ChainTarget& out) const {
    const std::string_view service = entries_.names.text(from.service);
    out.id = from.id;
    out.service = service;
    out.service_subset = from.subset;
    out.namespace_name = from.namespace_name;
    out.datacenter = from.datacenter;
    out.mesh_gateway_mode = from.mesh_gateway_mode;
    if (from.subset_entry != nullptr) out.subset = *from.subset_entry;
    out.external = !from.external_sni.empty();
    // A peer's trust domain is not known here.
    if (from.peer.empty()) {
      const std::string_view dot = from.subset.empty() ? "" : ".";
      out.name = join({from.subset, dot, service, ".", from.namespace_name, ".", from.datacenter, ".internal.",
                       request_.cluster.trust_domain});
    }
    out.sni = out.external ? std::string(from.external_sni) : out.name;
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
};

}  // namespace

void write_nodes_and_targets(Draft& draft, const ReachableEntries& entries, const ChainRequest& request,
                             DiscoveryChain& chain) {
  Writer(draft, entries, request, chain).run();
}

}  // namespace convergence
