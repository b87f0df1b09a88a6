#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

Json encode(const HeaderModifiers& change);
Json encode(const RingHashConfig& config);
Json encode(const LeastRequestConfig& config);
Json encode(const CookieConfig& config);

namespace {

// Free-form objects come back from the server with their keys sorted.
Json sorted(Json json) {
  if (Json::Object* members = json.as_object()) {
    std::ranges::sort(*members, {}, &Json::Member::name);
    for (Json::Member& member : *members) member.value = sorted(std::move(member.value));
  } else if (Json::Array* items = json.as_array()) {
    for (Json& item : *items) item = sorted(std::move(item));
  }
  return json;
}

Json encode_codes(const std::vector<std::uint32_t>& codes) {
  Json::Array array;
  for (std::uint32_t code : codes) array.push_back(std::uint64_t{code});
  return Json(std::move(array));
}

template <typename T>
void put_if(ObjectWriter& out, std::string_view name, const std::optional<T>& value) {
  if (value) out.put(name, encode(*value));
}
void put_if(ObjectWriter& out, std::string_view name, const Json& value) {
  if (!value.is_null()) out.put(name, value);
}

}  // namespace

Json encode(const HeaderModifiers& change) {
  return ObjectWriter()
      .put_if("Add", change.add)
      .put_if("Set", change.set)
      .put_if("Remove", change.remove)
      .rest(change.unknown)
      .take();
}

Json encode(const TransparentProxy& proxy) {
  return ObjectWriter()
      .put_if("OutboundListenerPort", proxy.outbound_listener_port)
      .put_if("DialedDirectly", proxy.dialed_directly)
      .rest(proxy.unknown)
      .take();
}

Json encode(const FailoverPolicy& policy) {
  return ObjectWriter().put_if("Mode", policy.mode).put_if("Regions", policy.regions).rest(policy.unknown).take();
}

Json encode(const LocalityPriority& priority) {
  return ObjectWriter().put_if("Mode", priority.mode).rest(priority.unknown).take();
}

Json encode(const HeaderMatch& match) {
  return ObjectWriter()
      .put("Name", match.name)
      .put_if("Present", match.present)
      .put_if("Exact", match.exact)
      .put_if("Prefix", match.prefix)
      .put_if("Suffix", match.suffix)
      .put_if("Regex", match.regex)
      .put_if("Invert", match.invert)
      .rest(match.unknown)
      .take();
}

Json encode(const QueryMatch& match) {
  return ObjectWriter()
      .put("Name", match.name)
      .put_if("Present", match.present)
      .put_if("Exact", match.exact)
      .put_if("Regex", match.regex)
      .rest(match.unknown)
      .take();
}

Json encode(const HttpMatch& match) {
  ObjectWriter out;
  out.put_if("PathExact", match.path_exact)
      .put_if("PathPrefix", match.path_prefix)
      .put_if("PathRegex", match.path_regex)
      .put_if("CaseInsensitive", match.case_insensitive);
  if (!match.header.empty()) out.put("Header", encode_list(match.header, encode));
  if (!match.query_param.empty()) out.put("QueryParam", encode_list(match.query_param, encode));
  return out.put_if("Methods", match.methods).rest(match.unknown).take();
}

Json encode(const RouteMatch& match) {
  ObjectWriter out;
  if (match.http) out.put("HTTP", encode(*match.http));
  return out.rest(match.unknown).take();
}

Json encode(const Split& split) {
  ObjectWriter out;
  out.put("Weight", encode_percent(split.weight))
      .put_if("Service", split.service)
      .put_if("ServiceSubset", split.service_subset)
      .put_if("Namespace", split.namespace_name)
      .put_if("Partition", split.partition);
  put_if(out, "RequestHeaders", split.request_headers);
  put_if(out, "ResponseHeaders", split.response_headers);
  return out.rest(split.unknown).take();
}

Json encode(const ResolverRedirect& redirect) {
  return ObjectWriter()
      .put_if("Service", redirect.service)
      .put_if("ServiceSubset", redirect.service_subset)
      .put_if("Namespace", redirect.namespace_name)
      .put_if("Partition", redirect.partition)
      .put_if("Datacenter", redirect.datacenter)
      .put_if("Peer", redirect.peer)
      .put_if("SamenessGroup", redirect.sameness_group)
      .rest(redirect.unknown)
      .take();
}

Json encode(const FailoverTarget& target) {
  return ObjectWriter()
      .put_if("Service", target.service)
      .put_if("ServiceSubset", target.service_subset)
      .put_if("Partition", target.partition)
      .put_if("Namespace", target.namespace_name)
      .put_if("Datacenter", target.datacenter)
      .put_if("Peer", target.peer)
      .rest(target.unknown)
      .take();
}

Json encode(const ResolverFailover& failover) {
  ObjectWriter out;
  out.put_if("Service", failover.service)
      .put_if("ServiceSubset", failover.service_subset)
      .put_if("Namespace", failover.namespace_name)
      .put_if("Datacenters", failover.datacenters);
  if (!failover.targets.empty()) out.put("Targets", encode_list(failover.targets, encode));
  put_if(out, "Policy", failover.policy);
  return out.put_if("SamenessGroup", failover.sameness_group).rest(failover.unknown).take();
}

Json encode(const RingHashConfig& config) {
  return ObjectWriter()
      .put_if("MinimumRingSize", config.minimum_ring_size)
      .put_if("MaximumRingSize", config.maximum_ring_size)
      .rest(config.unknown)
      .take();
}

Json encode(const LeastRequestConfig& config) {
  return ObjectWriter().put_if("ChoiceCount", config.choice_count).rest(config.unknown).take();
}

Json encode(const CookieConfig& config) {
  return ObjectWriter()
      .put_if("Session", config.session)
      .put_if("TTL", config.ttl)
      .put_if("Path", config.path)
      .rest(config.unknown)
      .take();
}

Json encode(const HashPolicy& policy) {
  ObjectWriter out;
  out.put_if("Field", policy.field).put_if("FieldValue", policy.field_value);
  put_if(out, "CookieConfig", policy.cookie_config);
  return out.put_if("SourceIP", policy.source_ip).put_if("Terminal", policy.terminal).rest(policy.unknown).take();
}

Json encode(const LoadBalancer& balancer) {
  ObjectWriter out;
  out.put_if("Policy", balancer.policy);
  put_if(out, "RingHashConfig", balancer.ring_hash);
  put_if(out, "LeastRequestConfig", balancer.least_request);
  if (!balancer.hash_policies.empty()) out.put("HashPolicies", encode_list(balancer.hash_policies, encode));
  return out.rest(balancer.unknown).take();
}

namespace {

// The entry's unknown members, and those of MeshGateway and Expose, which the reader left there under their path.
struct Scattered {
  Json::Object own;
  Json::Object mesh_gateway;
  Json::Object expose;
  std::map<std::size_t, Json::Object> expose_paths;
};

Scattered scatter(const Json::Object& unknown) {
  Scattered out;
  for (const Json::Member& member : unknown) {
    std::string_view name = member.name;
    const auto take = [&name](std::string_view prefix) {
      if (!name.starts_with(prefix)) return false;
      name.remove_prefix(prefix.size());
      return true;
    };
    std::size_t index = 0;
    if (take("MeshGateway.")) {
      out.mesh_gateway.push_back({std::string(name), member.value});
    } else if (take("Expose.Paths[")) {
      const char* end = std::from_chars(name.data(), name.data() + name.size(), index).ptr;
      name.remove_prefix(static_cast<std::size_t>(end - name.data()));
      take("].");
      out.expose_paths[index].push_back({std::string(name), member.value});
    } else if (take("Expose.")) {
      out.expose.push_back({std::string(name), member.value});
    } else {
      out.own.push_back(member);
    }
  }
  return out;
}

Json encode_expose(const Json& expose, const Scattered& unknown) {
  Json::Object object = expose.is_object() ? *expose.as_object() : Json::Object{};
  for (Json::Member& member : object) {
    Json::Array* paths = member.name == "Paths" ? member.value.as_array() : nullptr;
    if (!paths) continue;
    for (const auto& [index, members] : unknown.expose_paths) {
      Json::Object* path = index < paths->size() ? (*paths)[index].as_object() : nullptr;
      if (path) path->insert(path->end(), members.begin(), members.end());
    }
  }
  return ObjectWriter().rest(object).rest(unknown.expose).take();
}

Json encode_mesh_gateway(const std::string& mode, const Scattered& unknown) {
  return ObjectWriter().put_if("Mode", mode).rest(unknown.mesh_gateway).take();
}

void write_body(const ProxyDefaults& body, ObjectWriter& out) {
  const Scattered unknown = scatter(body.unknown);
  out.put("Config", sorted(body.config)).put_if("Mode", body.mode);
  put_if(out, "TransparentProxy", body.transparent_proxy);
  out.put_if("MutualTLSMode", body.mutual_tls_mode)
      .put("MeshGateway", encode_mesh_gateway(body.mesh_gateway_mode, unknown))
      .put("Expose", encode_expose(body.expose, unknown));
  put_if(out, "AccessLogs", body.access_logs);
  if (!body.envoy_extensions.empty()) out.put("EnvoyExtensions", body.envoy_extensions);
  put_if(out, "FailoverPolicy", body.failover_policy);
  put_if(out, "PrioritizeByLocality", body.prioritize_by_locality);
  out.rest(unknown.own);
}

void write_body(const ServiceDefaults& body, ObjectWriter& out) {
  const Scattered unknown = scatter(body.unknown);
  out.put("Protocol", body.protocol).put_if("Mode", body.mode);
  put_if(out, "TransparentProxy", body.transparent_proxy);
  out.put_if("MutualTLSMode", body.mutual_tls_mode)
      .put("MeshGateway", encode_mesh_gateway(body.mesh_gateway_mode, unknown))
      .put("Expose", encode_expose(body.expose, unknown))
      .put_if("ExternalSNI", body.external_sni);
  put_if(out, "UpstreamConfig", body.upstream_config);
  put_if(out, "Destination", body.destination);
  out.put_if("MaxInboundConnections", body.max_inbound_connections)
      .put_if("LocalConnectTimeoutMs", body.local_connect_timeout_ms)
      .put_if("LocalRequestTimeoutMs", body.local_request_timeout_ms)
      .put_if("BalanceInboundConnections", body.balance_inbound_connections);
  put_if(out, "RateLimits", body.rate_limits);
  if (!body.envoy_extensions.empty()) out.put("EnvoyExtensions", body.envoy_extensions);
  out.put_if("MaxRequestHeadersKB", body.max_request_headers_kb).rest(unknown.own);
}

void write_body(const ServiceRouter& body, ObjectWriter& out) {
  const bool absent = body.routes.empty() && !body.empty_routes;
  out.put("Routes", absent ? Json() : encode_list(body.routes, encode)).rest(body.unknown);
}

void write_body(const ServiceSplitter& body, ObjectWriter& out) {
  out.put("Splits", body.splits.empty() ? Json() : encode_list(body.splits, encode)).rest(body.unknown);
}

void write_body(const ServiceResolver& body, ObjectWriter& out) {
  out.put_if("DefaultSubset", body.default_subset);
  if (!body.subsets.empty()) out.put("Subsets", encode_map(body.subsets, encode));
  if (body.redirect) out.put("Redirect", encode(*body.redirect));
  if (!body.failover.empty()) out.put("Failover", encode_map(body.failover, encode));
  put_if(out, "LoadBalancer", body.load_balancer);
  put_if(out, "PrioritizeByLocality", body.prioritize_by_locality);
  out.rest(body.unknown);
}

void write_body(const OpaqueEntry& body, ObjectWriter& out) { out.rest(body.members); }

}  // namespace

Json encode(const RouteDestination& destination) {
  ObjectWriter out;
  out.put_if("RequestTimeout", destination.request_timeout)
      .put_if("IdleTimeout", destination.idle_timeout)
      .put_if("Service", destination.service)
      .put_if("ServiceSubset", destination.service_subset)
      .put_if("Namespace", destination.namespace_name)
      .put_if("Partition", destination.partition)
      .put_if("PrefixRewrite", destination.prefix_rewrite)
      .put_if("NumRetries", destination.num_retries)
      .put_if("RetryOnConnectFailure", destination.retry_on_connect_failure)
      .put_if("RetryOn", destination.retry_on);
  if (!destination.retry_on_status_codes.empty()) {
    out.put("RetryOnStatusCodes", encode_codes(destination.retry_on_status_codes));
  }
  put_if(out, "RequestHeaders", destination.request_headers);
  put_if(out, "ResponseHeaders", destination.response_headers);
  return out.rest(destination.unknown).take();
}

Json encode(const Route& route) {
  ObjectWriter out;
  if (route.match) out.put("Match", encode(*route.match));
  if (route.destination) out.put("Destination", encode(*route.destination));
  return out.rest(route.unknown).take();
}

Json encode(const ResolverSubset& subset) {
  return ObjectWriter()
      .put_if("Filter", subset.filter)
      .put_if("OnlyPassing", subset.only_passing)
      .rest(subset.unknown)
      .take();
}

Json encode(const ConfigEntry& entry) {
  ObjectWriter out;
  // The server writes the durations of an entry before everything else.
  if (const ServiceResolver* resolver = std::get_if<ServiceResolver>(&entry.body)) {
    out.put_if("ConnectTimeout", resolver->connect_timeout).put_if("RequestTimeout", resolver->request_timeout);
  }
  out.put("Kind", entry.kind).put("Name", entry.name);
  std::visit([&out](const auto& body) { write_body(body, out); }, entry.body);
  return out.put_if("Meta", entry.meta)
      .put("CreateIndex", entry.create_index)
      .put("ModifyIndex", entry.modify_index)
      .take();
}

}  // namespace convergence::codec

namespace convergence {

Json to_json(const ConfigEntry& entry) { return codec::encode(entry); }

}  // namespace convergence
