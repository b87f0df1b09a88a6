#ifndef CONVERGENCE_CONFIG_ENTRY_H_
#define CONVERGENCE_CONFIG_ENTRY_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence {

// Consul's config entries as values, in normal form: what GET /v1/config answers, not what was typed. Each struct
// keeps the members it has no field for in `unknown`, so that an entry we write again loses nothing; dialect "1.8"
// refuses them where the server would (discovery-chain.md (a2)). "since" names the first Consul that has a field where
// that is not 1.8.7, whose dialect refuses it too.

struct EntryId {
  std::string kind{};
  std::string name{};
  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

// ---- parts that several kinds have -----------------------------------------------------------------------------

// since 1.11. What a route or a leg does to the headers of what it passes on.
struct HeaderModifiers {
  std::map<std::string, std::string> add{};
  std::map<std::string, std::string> set{};
  std::vector<std::string> remove{};
  Json::Object unknown{};
  friend bool operator==(const HeaderModifiers&, const HeaderModifiers&) = default;
};

// since 1.10
struct TransparentProxy {
  std::int64_t outbound_listener_port = 0;
  bool dialed_directly = false;
  Json::Object unknown{};
  friend bool operator==(const TransparentProxy&, const TransparentProxy&) = default;
};

// since 1.16
struct FailoverPolicy {
  std::string mode{};  // "", sequential, order-by-locality
  std::vector<std::string> regions{};
  Json::Object unknown{};
  friend bool operator==(const FailoverPolicy&, const FailoverPolicy&) = default;
};

// since 1.17
struct LocalityPriority {
  std::string mode{};  // "", none, failover
  Json::Object unknown{};
  friend bool operator==(const LocalityPriority&, const LocalityPriority&) = default;
};

// ---- proxy-defaults, service-defaults --------------------------------------------------------------------------

struct ProxyDefaults {
  Json config{};  // an object or null; only "protocol" matters to chains
  std::string mesh_gateway_mode{};
  Json expose{};
  std::string mode{};                                        // since 1.10: "", direct, transparent
  std::optional<TransparentProxy> transparent_proxy{};       // since 1.10
  Json access_logs{};                                        // since 1.15
  Json::Array envoy_extensions{};                            // since 1.15
  std::optional<FailoverPolicy> failover_policy{};           // since 1.16
  std::optional<LocalityPriority> prioritize_by_locality{};  // since 1.17
  std::string mutual_tls_mode{};                             // since 1.16: "", strict, permissive
  Json::Object unknown{};
  friend bool operator==(const ProxyDefaults&, const ProxyDefaults&) = default;
};

struct ServiceDefaults {
  std::string protocol{};  // lower case; empty acts as tcp
  std::string mesh_gateway_mode{};
  Json expose{};
  std::string external_sni{};
  std::string mode{};                                   // since 1.10: "", direct, transparent
  std::optional<TransparentProxy> transparent_proxy{};  // since 1.10
  Json upstream_config{};                               // since 1.10; no part in chains
  Json destination{};                                   // since 1.13; no part in chains
  std::int64_t max_inbound_connections = 0;             // since 1.13
  std::int64_t local_connect_timeout_ms = 0;            // since 1.14
  std::int64_t local_request_timeout_ms = 0;            // since 1.14
  std::string balance_inbound_connections{};            // since 1.15: "", exact_balance
  Json::Array envoy_extensions{};                       // since 1.15
  Json rate_limits{};                                   // since 1.16
  std::string mutual_tls_mode{};                        // since 1.16: "", strict, permissive
  std::uint32_t max_request_headers_kb = 0;             // since 1.22
  Json::Object unknown{};
  friend bool operator==(const ServiceDefaults&, const ServiceDefaults&) = default;
};

// ---- service-router --------------------------------------------------------------------------------------------

struct HeaderMatch {
  std::string name{};
  bool present = false;
  std::string exact{};
  std::string prefix{};
  std::string suffix{};
  std::string regex{};
  bool invert = false;
  Json::Object unknown{};
  friend bool operator==(const HeaderMatch&, const HeaderMatch&) = default;
};

struct QueryMatch {
  std::string name{};
  bool present = false;
  std::string exact{};
  std::string regex{};
  Json::Object unknown{};
  friend bool operator==(const QueryMatch&, const QueryMatch&) = default;
};

struct HttpMatch {
  std::string path_exact{};
  std::string path_prefix{};
  std::string path_regex{};
  std::vector<HeaderMatch> header{};
  std::vector<QueryMatch> query_param{};
  std::vector<std::string> methods{};  // upper case
  bool case_insensitive = false;       // since 1.18: of the path
  Json::Object unknown{};
  friend bool operator==(const HttpMatch&, const HttpMatch&) = default;
};

struct RouteMatch {
  std::optional<HttpMatch> http{};
  Json::Object unknown{};
  friend bool operator==(const RouteMatch&, const RouteMatch&) = default;
};

struct RouteDestination {
  std::string service{};  // empty: the router's own
  std::string service_subset{};
  std::string namespace_name{};
  std::string prefix_rewrite{};
  Duration request_timeout{0};
  std::uint32_t num_retries = 0;
  bool retry_on_connect_failure = false;
  std::vector<std::uint32_t> retry_on_status_codes{};
  std::string partition{};                            // since 1.11
  Duration idle_timeout{0};                           // since 1.14
  std::vector<std::string> retry_on{};                // since 1.14: "5xx", "connect-failure", ...
  std::optional<HeaderModifiers> request_headers{};   // since 1.11
  std::optional<HeaderModifiers> response_headers{};  // since 1.11
  Json::Object unknown{};
  friend bool operator==(const RouteDestination&, const RouteDestination&) = default;
};

struct Route {
  std::optional<RouteMatch> match{};
  std::optional<RouteDestination> destination{};
  Json::Object unknown{};
  friend bool operator==(const Route&, const Route&) = default;
};

struct ServiceRouter {
  std::vector<Route> routes{};
  Json::Object unknown{};
  bool empty_routes = false;  // "Routes": [] was given, which the server tells from no Routes at all
  friend bool operator==(const ServiceRouter&, const ServiceRouter&) = default;
};

// ---- service-splitter ------------------------------------------------------------------------------------------

struct Split {
  std::int32_t weight = 0;  // hundredths of a percent: 10000 is all traffic
  std::string service{};    // empty: the splitter's own
  std::string service_subset{};
  std::string namespace_name{};
  std::string partition{};                            // since 1.11
  std::optional<HeaderModifiers> request_headers{};   // since 1.11
  std::optional<HeaderModifiers> response_headers{};  // since 1.11
  Json::Object unknown{};
  friend bool operator==(const Split&, const Split&) = default;
};

struct ServiceSplitter {
  std::vector<Split> splits{};
  Json::Object unknown{};
  friend bool operator==(const ServiceSplitter&, const ServiceSplitter&) = default;
};

// ---- service-resolver ------------------------------------------------------------------------------------------

struct ResolverSubset {
  std::string filter{};
  bool only_passing = false;
  Json::Object unknown{};
  friend bool operator==(const ResolverSubset&, const ResolverSubset&) = default;
};

struct ResolverRedirect {
  std::string service{};
  std::string service_subset{};
  std::string namespace_name{};
  std::string datacenter{};
  std::string partition{};       // since 1.11
  std::string peer{};            // since 1.14
  std::string sameness_group{};  // since 1.16
  Json::Object unknown{};
  friend bool operator==(const ResolverRedirect&, const ResolverRedirect&) = default;
};

// since 1.14
struct FailoverTarget {
  std::string service{};
  std::string service_subset{};
  std::string partition{};
  std::string namespace_name{};
  std::string datacenter{};
  std::string peer{};
  Json::Object unknown{};
  friend bool operator==(const FailoverTarget&, const FailoverTarget&) = default;
};

struct ResolverFailover {
  std::string service{};
  std::string service_subset{};
  std::string namespace_name{};
  std::vector<std::string> datacenters{};
  std::vector<FailoverTarget> targets{};   // since 1.14
  std::optional<FailoverPolicy> policy{};  // since 1.16
  std::string sameness_group{};            // since 1.16
  Json::Object unknown{};
  friend bool operator==(const ResolverFailover&, const ResolverFailover&) = default;
};

// since 1.9, with all that it consists of.
struct RingHashConfig {
  std::uint64_t minimum_ring_size = 0;
  std::uint64_t maximum_ring_size = 0;
  Json::Object unknown{};
  friend bool operator==(const RingHashConfig&, const RingHashConfig&) = default;
};
struct LeastRequestConfig {
  std::uint32_t choice_count = 0;
  Json::Object unknown{};
  friend bool operator==(const LeastRequestConfig&, const LeastRequestConfig&) = default;
};
struct CookieConfig {
  bool session = false;
  Duration ttl{0};
  std::string path{};
  Json::Object unknown{};
  friend bool operator==(const CookieConfig&, const CookieConfig&) = default;
};
struct HashPolicy {
  std::string field{};  // header, cookie, query_parameter
  std::string field_value{};
  std::optional<CookieConfig> cookie_config{};
  bool source_ip = false;
  bool terminal = false;
  Json::Object unknown{};
  friend bool operator==(const HashPolicy&, const HashPolicy&) = default;
};
struct LoadBalancer {
  std::string policy{};  // "", random, round_robin, least_request, ring_hash, maglev
  std::optional<RingHashConfig> ring_hash{};
  std::optional<LeastRequestConfig> least_request{};
  std::vector<HashPolicy> hash_policies{};
  Json::Object unknown{};
  friend bool operator==(const LoadBalancer&, const LoadBalancer&) = default;
};

struct ServiceResolver {
  std::string default_subset{};
  std::map<std::string, ResolverSubset> subsets{};
  std::optional<ResolverRedirect> redirect{};
  std::map<std::string, ResolverFailover> failover{};        // by subset, or "*"
  Duration connect_timeout{0};                               // below 1 ns: Consul's 5 s
  Duration request_timeout{0};                               // since 1.15
  std::optional<LoadBalancer> load_balancer{};               // since 1.9
  std::optional<LocalityPriority> prioritize_by_locality{};  // since 1.17
  Json::Object unknown{};
  friend bool operator==(const ServiceResolver&, const ServiceResolver&) = default;
};

// ---- all kinds -------------------------------------------------------------------------------------------------

// An entry of a kind that this library does not model: kept whole.
struct OpaqueEntry {
  Json::Object members{};  // all but Kind, Name, Meta and the indexes
  friend bool operator==(const OpaqueEntry&, const OpaqueEntry&) = default;
};

using EntryBody =
    std::variant<OpaqueEntry, ProxyDefaults, ServiceDefaults, ServiceRouter, ServiceSplitter, ServiceResolver>;

struct ConfigEntry {
  std::string kind{};  // "service-router", ...; agrees with the alternative that `body` holds
  std::string name{};
  std::map<std::string, std::string> meta{};
  EntryBody body{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const ConfigEntry&, const ConfigEntry&) = default;
};

inline constexpr std::string_view kProxyDefaults = "proxy-defaults";
inline constexpr std::string_view kServiceDefaults = "service-defaults";
inline constexpr std::string_view kServiceRouter = "service-router";
inline constexpr std::string_view kServiceSplitter = "service-splitter";
inline constexpr std::string_view kServiceResolver = "service-resolver";

// {kind, name} as written; Consul looks names up in lower case (discovery-chain.md (b)), so the key of an entry in
// a map is entry_key(), not this.
EntryId entry_id(const ConfigEntry& entry);
// {kind, lower-cased name}: one key for what Consul holds to be one entry.
EntryId entry_key(std::string_view kind, std::string_view name);
EntryId entry_key(const ConfigEntry& entry);

// Equal but for the indexes.
bool same_content(const ConfigEntry& a, const ConfigEntry& b);

// The Meta key by which we know what is ours, on entries and instances, and its value unless the host names an owner
// (PlanOptions::owner).
inline constexpr std::string_view kMarkKey = "managed-by";
inline constexpr std::string_view kMarkValue = "convergence";

}  // namespace convergence

#endif  // CONVERGENCE_CONFIG_ENTRY_H_
