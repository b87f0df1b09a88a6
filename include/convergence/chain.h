#ifndef CONVERGENCE_CHAIN_H_
#define CONVERGENCE_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/config_entry.h"
#include "convergence/shared_value.h"
#include "convergence/time.h"

namespace convergence {

// ---- entries as the server keeps them ------------------------------------------------------------------------

// Which Consul: k1_8 refuses and answers what 1.8.7 does, kCurrent what the newest known one does without its
// enterprise features (discovery-chain.md (b3)). docs/config-entries.md has the fields of both.
enum class Dialect { k1_8, kCurrent };
std::string_view to_string(Dialect dialect);

// The entries by entry_key(); copies share the entries, so that trying a change costs no copy of them.
using EntryMap = std::map<EntryId, Shared<ConfigEntry>>;

// What of the cluster takes part in a chain.
struct ClusterIdentity {
  std::string datacenter = "dc1";
  std::string trust_domain = "11111111-2222-3333-4444-555555555555.consul";
  Dialect dialect = Dialect::k1_8;
  friend bool operator==(const ClusterIdentity&, const ClusterIdentity&) = default;
};

// Normal form and validation of one entry, alone (discovery-chain.md (a)): defaults filled in, methods in upper case,
// weights in hundredths. INVALID_ARGUMENT kind "decode" for members that the dialect does not know, else kind
// "validate", with Consul's text.
absl::StatusOr<ConfigEntry> normalise_entry(ConfigEntry entry, Dialect dialect);

// The write-time graph check (discovery-chain.md (b2)): would the server take `after` as the new set of entries, where
// the entry `changed` was put or deleted? INVALID_ARGUMENT kind "graph" with Consul's text, "service" in the detail.
absl::Status check_entry_graph(const EntryMap& after, const EntryId& changed, const ClusterIdentity& cluster);

// The config entries of a datacenter with the server's rules on each write. A value: copies are cheap and
// independent. Indexes are set by put() from `index`, so that the host decides what time it is.
class ConfigEntries {
 public:
  ConfigEntries() = default;
  explicit ConfigEntries(ClusterIdentity cluster) : cluster_(std::move(cluster)) {}

  // Normalises, validates, checks the graph, stores. On error nothing has changed. `index` becomes the ModifyIndex,
  // and the CreateIndex of a new entry.
  absl::Status put(ConfigEntry entry, std::uint64_t index = 1);
  // Deleting what is absent succeeds.
  absl::Status remove(std::string_view kind, std::string_view name);
  // Null when absent.
  const ConfigEntry* get(std::string_view kind, std::string_view name) const;

  const EntryMap& map() const { return map_; }
  const ClusterIdentity& cluster() const { return cluster_; }
  friend bool operator==(const ConfigEntries&, const ConfigEntries&) = default;

 private:
  ClusterIdentity cluster_;
  EntryMap map_;
};

// ---- the compiled chain --------------------------------------------------------------------------------------

struct ChainOverrides {
  std::string protocol{};
  Duration connect_timeout{0};
  std::string mesh_gateway_mode{};
  friend bool operator==(const ChainOverrides&, const ChainOverrides&) = default;
};

struct ChainRequest {
  std::string service{};
  std::string evaluate_in_datacenter{};  // ?compile-dc=; empty: the cluster's
  ClusterIdentity cluster{};
  ChainOverrides overrides{};
};

// The place of a node in DiscoveryChain::nodes, of a target in DiscoveryChain::targets.
using NodeNumber = std::uint32_t;
using TargetNumber = std::uint32_t;

struct ChainRoute {
  Shared<Route> definition{};  // as stored; the catch-all's at the end is made up
  NodeNumber next_node = 0;
  friend bool operator==(const ChainRoute&, const ChainRoute&) = default;
};

struct ChainSplit {
  std::int32_t weight = 0;  // hundredths of a percent
  NodeNumber next_node = 0;
  // Dialect kCurrent: the leg as configured; of a leg that came up from an inner splitter that one's, with the header
  // modifiers of the legs above merged in (discovery-chain.md (b3)).
  std::optional<Shared<Split>> definition{};
  friend bool operator==(const ChainSplit&, const ChainSplit&) = default;
};

struct RouterNode {
  std::vector<ChainRoute> routes{};
  friend bool operator==(const RouterNode&, const RouterNode&) = default;
};

struct SplitterNode {
  std::vector<ChainSplit> splits{};
  std::optional<LoadBalancer> load_balancer{};  // kCurrent
  friend bool operator==(const SplitterNode&, const SplitterNode&) = default;
};

struct ResolverNode {
  Duration connect_timeout{0};
  bool is_default = false;
  TargetNumber target = 0;
  std::vector<TargetNumber> failover_targets{};
  // kCurrent, all below.
  Duration request_timeout{0};
  std::optional<FailoverPolicy> failover_policy{};
  std::optional<LoadBalancer> load_balancer{};
  friend bool operator==(const ResolverNode&, const ResolverNode&) = default;
};

struct ChainNode {
  std::string name{};  // of routers and splitters; a resolver goes by its target's id
  std::variant<ResolverNode, SplitterNode, RouterNode> body{};
  friend bool operator==(const ChainNode&, const ChainNode&) = default;
};

struct ChainTarget {
  std::string id{};
  std::string service{};
  std::string service_subset{};
  std::string namespace_name{};
  std::string datacenter{};
  std::string mesh_gateway_mode{};
  Shared<ResolverSubset> subset{};
  std::string name{};          // empty for a peer's
  std::string external_sni{};  // of an external service; others go by their name
  // kCurrent, all below.
  std::string partition{};
  std::string peer{};
  TransparentProxy transparent_proxy{};
  Duration connect_timeout{0};
  std::optional<LocalityPriority> prioritize_by_locality{};
  friend bool operator==(const ChainTarget&, const ChainTarget&) = default;
};

// The "Chain" object of /v1/discovery-chain/<service>. What the server names by text is a number here, so that a chain
// is quick to make and to walk; node_key() and a target's id are the server's texts.
struct DiscoveryChain {
  std::string service_name{};
  std::string namespace_name{};
  std::string datacenter{};
  std::string customization_hash{};
  std::string protocol{};
  NodeNumber start_node = 0;
  std::vector<ChainNode> nodes{};      // in the order of their keys
  std::vector<ChainTarget> targets{};  // in the order of their ids
  Dialect dialect = Dialect::k1_8;     // whose shape it has
  // kCurrent, all below.
  std::string partition{};
  bool is_default = false;
  std::map<std::string, std::string> service_meta{};
  Json::Array envoy_extensions{};
  friend bool operator==(const DiscoveryChain&, const DiscoveryChain&) = default;
};

// "web.default", of a resolver "v1.web.default.dc1"; empty where the chain has no such node.
std::string_view node_name(const DiscoveryChain& chain, NodeNumber node);
// "<type>:<name>".
std::string node_key(const DiscoveryChain& chain, NodeNumber node);
// Empty where the chain has no such target.
std::string_view target_id(const DiscoveryChain& chain, TargetNumber target);
// Null where there is none.
const ChainNode* find_node(const DiscoveryChain& chain, std::string_view key);
const ChainTarget* find_target(const DiscoveryChain& chain, std::string_view id);

// Follows discovery-chain.md (b). INVALID_ARGUMENT kind "graph" with Consul's text where the entries form no chain.
absl::StatusOr<DiscoveryChain> compile_chain(const EntryMap& entries, const ChainRequest& request);

// ---- the instances behind a target ---------------------------------------------------------------------------

// Instances as a proxy counts them: of those that the subset's filter selects, the healthy ones are passing or, without
// OnlyPassing, warning.
struct TargetHealth {
  bool known = false;  // false: another datacenter's, a peer's or an external one, of which the catalog says nothing
  std::size_t healthy = 0;
  std::size_t total = 0;
  friend bool operator==(const TargetHealth&, const TargetHealth&) = default;
};

// A filter that cannot be read, or that speaks of what instances do not have, selects none, as on the server.
TargetHealth target_health(const ChainTarget& target, const CatalogState& catalog);
// Of every target of the chain, by id.
std::map<std::string, TargetHealth> chain_health(const DiscoveryChain& chain, const CatalogState& catalog);

// ---- where one request goes ----------------------------------------------------------------------------------

struct HttpRequestShape {
  std::string path = "/";
  std::string method = "GET";
  std::map<std::string, std::string> headers{};  // names in lower case
  std::map<std::string, std::string> query{};
};

struct RetryPolicy {
  std::uint32_t num_retries = 0;
  bool on_connect_failure = false;
  std::vector<std::uint32_t> on_status_codes{};
  std::vector<std::string> on{};  // the proxy's own names of conditions: "5xx", "reset", ...
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

// One leg of the distribution: `weight` of the requests go to `target`, or where it has no instance to the failover
// targets in order.
struct RouteLeg {
  std::int32_t weight = 0;  // hundredths of a percent
  // What the proxy is given of it: the server makes a whole number of the weight in float32 and cuts off, so that some
  // lose a hundredth (progressive-delivery.md 3.5).
  std::int32_t proxy_weight = 0;
  std::string target{};
  std::vector<std::string> failover_targets{};
  Duration connect_timeout{0};
  Duration request_timeout{0};  // the resolver's; a route's own goes before it
  std::optional<LoadBalancer> load_balancer{};
  // Of the leg and the route together.
  std::optional<HeaderModifiers> request_headers{};
  std::optional<HeaderModifiers> response_headers{};
  // With a catalog: the first of the target and its failover targets that has a healthy instance, or that the catalog
  // cannot judge; empty where none has. And the health of the target itself.
  std::string serving{};
  std::optional<TargetHealth> health{};
  friend bool operator==(const RouteLeg&, const RouteLeg&) = default;
};

struct RouteResult {
  int route = -1;  // index of the route that matched; -1: the chain has no router
  std::optional<RouteDestination> destination{};
  RetryPolicy retry{};
  std::string path{};  // after the rewrite
  std::vector<RouteLeg> legs{};
  std::vector<std::string> why{};  // one line a choice, from the start node down
  friend bool operator==(const RouteResult&, const RouteResult&) = default;
};

// The weight that the proxy is given for one of `weight` hundredths of a percent.
std::int32_t proxy_weight(std::int32_t weight);

// What a proxy that was given this chain does with the request. `catalog` may be null: then no instances are looked at.
// NOT_FOUND when no route matches (a compiled chain always ends with a catch-all), INVALID_ARGUMENT for a chain whose
// nodes do not hang together and for a regular expression that is none, once it is come to.
absl::StatusOr<RouteResult> route(const DiscoveryChain& chain, const HttpRequestShape& request,
                                  const CatalogState* catalog = nullptr);

// The same for many requests: the chain's regular expressions are compiled once. A value; copies share it; any thread.
class RouteTable {
 public:
  explicit RouteTable(DiscoveryChain chain);

  absl::StatusOr<RouteResult> route(const HttpRequestShape& request, const CatalogState* catalog = nullptr) const;
  const DiscoveryChain& chain() const;

 private:
  struct Prepared;
  std::shared_ptr<const Prepared> prepared_;
};

}  // namespace convergence

#endif  // CONVERGENCE_CHAIN_H_
