#include "lib/chain/unknown_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <variant>

#include "lib/base/ascii.h"
#include "lib/model/entry_parts.h"

namespace convergence {

namespace {

using Names = std::vector<std::string>;

// The members that came after Consul 1.8 and are set: the one list of them. A part without any has none here.
template <typename Part, typename Add>
void newer_members(const Part&, Add) {}
template <typename Add>
void newer_members(const HttpMatch& part, Add add) {
  add("CaseInsensitive", part.case_insensitive);
}
template <typename Add>
void newer_members(const RouteDestination& part, Add add) {
  add("Partition", !part.partition.empty());
  add("IdleTimeout", part.idle_timeout != Duration{0});
  add("RetryOn", !part.retry_on.empty());
  add("RequestHeaders", part.request_headers.has_value());
  add("ResponseHeaders", part.response_headers.has_value());
}
template <typename Add>
void newer_members(const Split& part, Add add) {
  add("Partition", !part.partition.empty());
  add("RequestHeaders", part.request_headers.has_value());
  add("ResponseHeaders", part.response_headers.has_value());
}
template <typename Add>
void newer_members(const ResolverRedirect& part, Add add) {
  add("Partition", !part.partition.empty());
  add("Peer", !part.peer.empty());
  add("SamenessGroup", !part.sameness_group.empty());
}
template <typename Add>
void newer_members(const ResolverFailover& part, Add add) {
  add("Targets", !part.targets.empty());
  add("Policy", part.policy.has_value());
  add("SamenessGroup", !part.sameness_group.empty());
}
template <typename Add>
void newer_members(const ServiceResolver& part, Add add) {
  add("RequestTimeout", part.request_timeout != Duration{0});
  add("LoadBalancer", part.load_balancer.has_value());
  add("PrioritizeByLocality", part.prioritize_by_locality.has_value());
}
template <typename Add>
void newer_members(const ProxyDefaults& part, Add add) {
  add("Mode", !part.mode.empty());
  add("TransparentProxy", part.transparent_proxy.has_value());
  add("MutualTLSMode", !part.mutual_tls_mode.empty());
  add("AccessLogs", !part.access_logs.is_null());
  add("EnvoyExtensions", !part.envoy_extensions.empty());
  add("FailoverPolicy", part.failover_policy.has_value());
  add("PrioritizeByLocality", part.prioritize_by_locality.has_value());
}
template <typename Add>
void newer_members(const ServiceDefaults& part, Add add) {
  add("Mode", !part.mode.empty());
  add("TransparentProxy", part.transparent_proxy.has_value());
  add("MutualTLSMode", !part.mutual_tls_mode.empty());
  add("UpstreamConfig", !part.upstream_config.is_null());
  add("Destination", !part.destination.is_null());
  add("MaxInboundConnections", part.max_inbound_connections != 0);
  add("LocalConnectTimeoutMs", part.local_connect_timeout_ms != 0);
  add("LocalRequestTimeoutMs", part.local_request_timeout_ms != 0);
  add("BalanceInboundConnections", !part.balance_inbound_connections.empty());
  add("RateLimits", !part.rate_limits.is_null());
  add("EnvoyExtensions", !part.envoy_extensions.empty());
  add("MaxRequestHeadersKB", part.max_request_headers_kb != 0);
}

// Expose is kept as the JSON it came as, so its members are told apart here. Spelling as the reader of entries leaves
// it: any letter case, or with underscores.
bool is_field(std::string_view member, std::initializer_list<std::string_view> fields) {
  return std::find(fields.begin(), fields.end(), plain_name(member)) != fields.end();
}

void add_expose(Names& out, const Json& expose) {
  const Json::Object* members = expose.as_object();
  if (members == nullptr) return;
  for (const Json::Member& member : *members) {
    const Json::Array* paths = is_field(member.name, {"paths"}) ? member.value.as_array() : nullptr;
    for (std::size_t i = 0; paths != nullptr && i < paths->size(); ++i) {
      const Json::Object* path = (*paths)[i].as_object();
      if (path == nullptr) continue;
      for (const Json::Member& field : *path) {
        if (!is_field(field.name, {"listenerport", "path", "localpathport", "protocol", "parsedfromcheck"})) {
          out.push_back(fmt::format("Expose.Paths[{}].{}", i, field.name));
        }
      }
    }
  }
  for (const Json::Member& member : *members) {
    if (!is_field(member.name, {"checks", "paths"})) out.push_back("Expose." + member.name);
  }
}

struct Collector {
  static constexpr bool newer = false;
  Names& out;

  void add(const EntryPlace& at, std::string_view member) {
    std::string where = at.text();
    out.push_back(where.empty() ? std::string(member) : fmt::format("{}.{}", where, member));
  }

  template <typename Part>
  void operator()(const EntryPlace& at, const Part& part) {
    if constexpr (requires { part.expose; }) add_expose(out, part.expose);
    for (const Json::Member& member : part.unknown) add(at, member.name);
    newer_members(part, [&](std::string_view member, bool is_set) {
      if (is_set) add(at, member);
    });
  }
};

struct Forgetter {
  static constexpr bool newer = true;
  template <typename Part>
  void operator()(const EntryPlace&, Part& part) {
    std::erase_if(part.unknown, [](const Json::Member& member) { return member.value.is_null(); });
  }
};

}  // namespace

std::vector<std::string> unknown_members(const ConfigEntry& entry) {
  Names out;
  Collector collector{out};
  std::visit([&](const auto& body) { visit_parts(EntryPlace(), body, collector); }, entry.body);
  return out;
}

void forget_empty_members(ConfigEntry& entry) {
  Forgetter forgetter;
  std::visit([&](auto& body) { visit_parts(EntryPlace(), body, forgetter); }, entry.body);
}

}  // namespace convergence
