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
// refuses them where the server would (discovery-chain.md (a2)).

struct EntryId {
  std::string kind{};
  std::string name{};
  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

struct ProxyDefaults {
  Json config{};  // an object or null; only "protocol" matters to chains
  std::string mesh_gateway_mode{};
  Json expose{};
  Json::Object unknown{};
  friend bool operator==(const ProxyDefaults&, const ProxyDefaults&) = default;
};

struct ServiceDefaults {
  std::string protocol{};  // lower case; empty acts as tcp
  std::string mesh_gateway_mode{};
  Json expose{};
  std::string external_sni{};
  Json::Object unknown{};
  friend bool operator==(const ServiceDefaults&, const ServiceDefaults&) = default;
};

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

struct Split {
  std::int32_t weight = 0;  // hundredths of a percent: 10000 is all traffic
  std::string service{};    // empty: the splitter's own
  std::string service_subset{};
  std::string namespace_name{};
  Json::Object unknown{};
  friend bool operator==(const Split&, const Split&) = default;
};

struct ServiceSplitter {
  std::vector<Split> splits{};
  Json::Object unknown{};
  friend bool operator==(const ServiceSplitter&, const ServiceSplitter&) = default;
};

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
  Json::Object unknown{};
  friend bool operator==(const ResolverRedirect&, const ResolverRedirect&) = default;
};

struct ResolverFailover {
  std::string service{};
  std::string service_subset{};
  std::string namespace_name{};
  std::vector<std::string> datacenters{};
  Json::Object unknown{};
  friend bool operator==(const ResolverFailover&, const ResolverFailover&) = default;
};

struct ServiceResolver {
  std::string default_subset{};
  std::map<std::string, ResolverSubset> subsets{};
  std::optional<ResolverRedirect> redirect{};
  std::map<std::string, ResolverFailover> failover{};  // by subset, or "*"
  Duration connect_timeout{0};                         // below 1 ns: Consul's 5 s
  Json::Object unknown{};
  friend bool operator==(const ServiceResolver&, const ServiceResolver&) = default;
};

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
