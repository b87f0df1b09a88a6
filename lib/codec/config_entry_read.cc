#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/weak.h"

namespace convergence::codec {
namespace {

constexpr auto kLoose = ObjectReader::Keys::kLoose;

// ---- the free-form Config of proxy-defaults ------------------------------------------------------------------

// As Go writes a float64 in JSON: shortest, an exponent only outside 1e-6..1e21, and without a leading zero in it.
Json go_number(double value) {
  std::array<char, 400> buffer;
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-6 && size < 1e21);
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), result.ptr);
  const std::size_t mark = text.find('e');
  if (mark != std::string::npos && text[mark + 1] == '-' && text[mark + 2] == '0') text.erase(mark + 2, 1);
  return Json(Json::Number{std::move(text)});
}

void normalise_numbers(Json& json) {
  if (const std::optional<double> number = json.to_double()) {
    json = go_number(*number);
  } else if (Json::Array* items = json.as_array()) {
    for (Json& item : *items) normalise_numbers(item);
  } else if (Json::Object* members = json.as_object()) {
    for (Json::Member& member : *members) normalise_numbers(member.value);
  }
}

// Consul takes lists of one for what they hold, since HCL writes blocks like that: at the top of Config, and within
// what was taken out of such a list. It does so once at every write, so that what it answers may change when written
// back; we go on to where it would end, or what we read and what we want would never meet.
void unwrap_inside(Json& json);
void unwrap_once(Json& json) {
  Json only = std::move(json.as_array()->front());
  unwrap_inside(only);
  json = std::move(only);
}
bool is_list_of_one(const Json& json) { return json.is_array() && json.as_array()->size() == 1; }
void unwrap_inside(Json& json) {
  if (Json::Array* items = json.as_array()) {
    for (Json& item : *items) unwrap_inside(item);
  } else if (Json::Object* members = json.as_object()) {
    for (Json::Member& member : *members) {
      if (is_list_of_one(member.value)) {
        unwrap_once(member.value);
      } else {
        unwrap_inside(member.value);
      }
    }
  }
}

// A list of objects stands for one with the members of all, the later ones over the earlier.
absl::Status merge_config(const Json& json, const Place& place, Json& out) {
  if (const Json::Array* items = json.as_array()) {
    for (std::size_t i = 0; i < items->size(); ++i) CVG_RETURN_IF_ERROR(merge_config((*items)[i], place.item(i), out));
    return absl::OkStatus();
  }
  const Json::Object* members = json.as_object();
  if (!members) return wrong_type(json, place, "an object");
  for (const Json::Member& member : *members) out.set(member.name, member.value);
  return absl::OkStatus();
}

absl::Status decode_free_config(const Json& json, const Place& place, Json& out) {
  out = Json(Json::Object{});
  CVG_RETURN_IF_ERROR(merge_config(json, place, out));
  for (Json::Member& member : *out.as_object()) {
    while (is_list_of_one(member.value)) unwrap_once(member.value);
  }
  normalise_numbers(out);
  return absl::OkStatus();
}

// ---- MeshGateway and Expose ----------------------------------------------------------------------------------

// These have no place of their own for members that we do not know: they go to the entry's, under their whole path.
void keep_unknown(std::string_view path, Json::Object found, Json::Object& unknown) {
  for (Json::Member& member : found) {
    unknown.push_back({fmt::format("{}.{}", path, member.name), std::move(member.value)});
  }
}

struct MeshGateway {
  std::string mode;
  Json::Object unknown;
};
absl::Status decode(const Json& json, const Place& place, MeshGateway& out) {
  return ObjectReader(json, place, kLoose).optional("Mode", out.mode, weak_text).finish(out.unknown);
}

struct ExposePath {
  std::int64_t listener_port = 0;
  std::string path;
  std::int64_t local_path_port = 0;
  std::string protocol;
  bool parsed_from_check = false;
  Json::Object unknown;
};
absl::Status decode(const Json& json, const Place& place, ExposePath& out) {
  return ObjectReader(json, place, kLoose)
      .optional("ListenerPort", out.listener_port, weak_int64)
      .optional("Path", out.path, weak_text)
      .optional("LocalPathPort", out.local_path_port, weak_int64)
      .optional("Protocol", out.protocol, weak_text)
      .optional("ParsedFromCheck", out.parsed_from_check, weak_bool)
      .finish(out.unknown);
}

struct Expose {
  bool checks = false;
  std::vector<ExposePath> paths;
  Json::Object unknown;
};
absl::Status decode(const Json& json, const Place& place, Expose& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Checks", out.checks, weak_bool)
      .optional("Paths", out.paths, weak_list(weak_object))
      .finish(out.unknown);
}

// In the form that the server answers; null when there is nothing in it.
Json expose_json(Expose expose, Json::Object& unknown) {
  Json json;
  if (expose.checks) json.set("Checks", true);
  Json::Array paths;
  for (std::size_t i = 0; i < expose.paths.size(); ++i) {
    ExposePath& path = expose.paths[i];
    Json item;
    if (path.listener_port != 0) item.set("ListenerPort", path.listener_port);
    if (!path.path.empty()) item.set("Path", path.path);
    if (path.local_path_port != 0) item.set("LocalPathPort", path.local_path_port);
    if (!path.protocol.empty()) item.set("Protocol", path.protocol);
    item.set("ParsedFromCheck", path.parsed_from_check);
    paths.push_back(std::move(item));
    keep_unknown(fmt::format("Expose.Paths[{}]", i), std::move(path.unknown), unknown);
  }
  if (!paths.empty()) json.set("Paths", std::move(paths));
  keep_unknown("Expose", std::move(expose.unknown), unknown);
  return json;
}

// Documents that take no part in chains are kept as they come.
absl::Status keep(const Json& json, const Place&, Json& out) {
  out = json;
  return absl::OkStatus();
}

}  // namespace

// ---- parts ---------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, HeaderModifiers& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Add", out.add, weak_map(weak_text))
      .optional("Set", out.set, weak_map(weak_text))
      .optional("Remove", out.remove, weak_list(weak_text))
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, TransparentProxy& out) {
  return ObjectReader(json, place, kLoose)
      .optional("OutboundListenerPort", out.outbound_listener_port, weak_int64)
      .optional("DialedDirectly", out.dialed_directly, weak_bool)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, FailoverPolicy& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Mode", out.mode, weak_text)
      .optional("Regions", out.regions, weak_list(weak_text))
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, LocalityPriority& out) {
  return ObjectReader(json, place, kLoose).optional("Mode", out.mode, weak_text).finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, HeaderMatch& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Name", out.name, weak_text)
      .optional("Present", out.present, weak_bool)
      .optional("Exact", out.exact, weak_text)
      .optional("Prefix", out.prefix, weak_text)
      .optional("Suffix", out.suffix, weak_text)
      .optional("Regex", out.regex, weak_text)
      .optional("Invert", out.invert, weak_bool)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, QueryMatch& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Name", out.name, weak_text)
      .optional("Present", out.present, weak_bool)
      .optional("Exact", out.exact, weak_text)
      .optional("Regex", out.regex, weak_text)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, HttpMatch& out) {
  return ObjectReader(json, place, kLoose)
      .optional("PathExact", out.path_exact, weak_text)
      .optional("PathPrefix", out.path_prefix, weak_text)
      .optional("PathRegex", out.path_regex, weak_text)
      .optional("Header", out.header, weak_list(weak_object))
      .optional("QueryParam", out.query_param, weak_list(weak_object))
      .optional("Methods", out.methods, weak_list(weak_text))
      .newer("CaseInsensitive", out.case_insensitive, weak_bool)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, RouteMatch& out) {
  return ObjectReader(json, place, kLoose).optional("HTTP", out.http, weak_object).finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, RouteDestination& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Service", out.service, weak_text)
      .optional("ServiceSubset", out.service_subset, weak_text)
      .optional("Namespace", out.namespace_name, weak_text)
      .optional("PrefixRewrite", out.prefix_rewrite, weak_text)
      .optional("RequestTimeout", out.request_timeout, weak_duration)
      .optional("NumRetries", out.num_retries, weak_uint32)
      .optional("RetryOnConnectFailure", out.retry_on_connect_failure, weak_bool)
      .optional("RetryOnStatusCodes", out.retry_on_status_codes, weak_list(weak_uint32))
      .newer("Partition", out.partition, weak_text)
      .newer("IdleTimeout", out.idle_timeout, weak_duration)
      .newer("RetryOn", out.retry_on, weak_list(weak_text))
      .newer("RequestHeaders", out.request_headers, weak_object)
      .newer("ResponseHeaders", out.response_headers, weak_object)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, Route& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Match", out.match, weak_object)
      .optional("Destination", out.destination, weak_object)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, Split& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Weight", out.weight, weak_weight)
      .optional("Service", out.service, weak_text)
      .optional("ServiceSubset", out.service_subset, weak_text)
      .optional("Namespace", out.namespace_name, weak_text)
      .newer("Partition", out.partition, weak_text)
      .newer("RequestHeaders", out.request_headers, weak_object)
      .newer("ResponseHeaders", out.response_headers, weak_object)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, ResolverSubset& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Filter", out.filter, weak_text)
      .optional("OnlyPassing", out.only_passing, weak_bool)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, ResolverRedirect& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Service", out.service, weak_text)
      .optional("ServiceSubset", out.service_subset, weak_text)
      .optional("Namespace", out.namespace_name, weak_text)
      .optional("Datacenter", out.datacenter, weak_text)
      .newer("Partition", out.partition, weak_text)
      .newer("Peer", out.peer, weak_text)
      .newer("SamenessGroup", out.sameness_group, weak_text)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, FailoverTarget& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Service", out.service, weak_text)
      .optional("ServiceSubset", out.service_subset, weak_text)
      .optional("Partition", out.partition, weak_text)
      .optional("Namespace", out.namespace_name, weak_text)
      .optional("Datacenter", out.datacenter, weak_text)
      .optional("Peer", out.peer, weak_text)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, ResolverFailover& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Service", out.service, weak_text)
      .optional("ServiceSubset", out.service_subset, weak_text)
      .optional("Namespace", out.namespace_name, weak_text)
      .optional("Datacenters", out.datacenters, weak_list(weak_text))
      .newer("Targets", out.targets, weak_list(weak_object))
      .newer("Policy", out.policy, weak_object)
      .newer("SamenessGroup", out.sameness_group, weak_text)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, RingHashConfig& out) {
  return ObjectReader(json, place, kLoose)
      .optional("MinimumRingSize", out.minimum_ring_size, weak_index)
      .optional("MaximumRingSize", out.maximum_ring_size, weak_index)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, LeastRequestConfig& out) {
  return ObjectReader(json, place, kLoose).optional("ChoiceCount", out.choice_count, weak_uint32).finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, CookieConfig& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Session", out.session, weak_bool)
      .optional("TTL", out.ttl, weak_duration)
      .optional("Path", out.path, weak_text)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, HashPolicy& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Field", out.field, weak_text)
      .optional("FieldValue", out.field_value, weak_text)
      .optional("CookieConfig", out.cookie_config, weak_object)
      .optional("SourceIP", out.source_ip, weak_bool)
      .optional("Terminal", out.terminal, weak_bool)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, LoadBalancer& out) {
  return ObjectReader(json, place, kLoose)
      .optional("Policy", out.policy, weak_text)
      .optional("RingHashConfig", out.ring_hash, weak_object)
      .optional("LeastRequestConfig", out.least_request, weak_object)
      .optional("HashPolicies", out.hash_policies, weak_list(weak_object))
      .finish(out.unknown);
}

// ---- entries -------------------------------------------------------------------------------------------------

namespace {

// The members that every entry has. `in` is left with those of the kind.
ObjectReader& read_common(ObjectReader& in, ConfigEntry& out) {
  return in.optional("Name", out.name, weak_text)
      .optional("Meta", out.meta, weak_map(weak_text))
      .optional("CreateIndex", out.create_index, weak_index)
      .optional("ModifyIndex", out.modify_index, weak_index);
}

absl::Status read_body(ObjectReader& in, ProxyDefaults& out) {
  MeshGateway gateway;
  Expose expose;
  CVG_RETURN_IF_ERROR(in.optional("Config", out.config, decode_free_config)
                          .optional("MeshGateway", gateway, weak_object)
                          .optional("Expose", expose, weak_object)
                          .newer("Mode", out.mode, weak_text)
                          .newer("TransparentProxy", out.transparent_proxy, weak_object)
                          .newer("MutualTLSMode", out.mutual_tls_mode, weak_text)
                          .newer("AccessLogs", out.access_logs, keep)
                          .newer("EnvoyExtensions", out.envoy_extensions, weak_list(keep))
                          .newer("FailoverPolicy", out.failover_policy, weak_object)
                          .newer("PrioritizeByLocality", out.prioritize_by_locality, weak_object)
                          .finish(out.unknown));
  out.mesh_gateway_mode = std::move(gateway.mode);
  keep_unknown("MeshGateway", std::move(gateway.unknown), out.unknown);
  out.expose = expose_json(std::move(expose), out.unknown);
  return absl::OkStatus();
}

absl::Status read_body(ObjectReader& in, ServiceDefaults& out) {
  MeshGateway gateway;
  Expose expose;
  CVG_RETURN_IF_ERROR(in.optional("Protocol", out.protocol, weak_text)
                          .optional("MeshGateway", gateway, weak_object)
                          .optional("Expose", expose, weak_object)
                          .optional("ExternalSNI", out.external_sni, weak_text)
                          .newer("Mode", out.mode, weak_text)
                          .newer("TransparentProxy", out.transparent_proxy, weak_object)
                          .newer("MutualTLSMode", out.mutual_tls_mode, weak_text)
                          .newer("UpstreamConfig", out.upstream_config, keep)
                          .newer("Destination", out.destination, keep)
                          .newer("MaxInboundConnections", out.max_inbound_connections, weak_int64)
                          .newer("LocalConnectTimeoutMs", out.local_connect_timeout_ms, weak_int64)
                          .newer("LocalRequestTimeoutMs", out.local_request_timeout_ms, weak_int64)
                          .newer("BalanceInboundConnections", out.balance_inbound_connections, weak_text)
                          .newer("RateLimits", out.rate_limits, keep)
                          .newer("EnvoyExtensions", out.envoy_extensions, weak_list(keep))
                          .newer("MaxRequestHeadersKB", out.max_request_headers_kb, weak_uint32)
                          .finish(out.unknown));
  out.mesh_gateway_mode = std::move(gateway.mode);
  keep_unknown("MeshGateway", std::move(gateway.unknown), out.unknown);
  out.expose = expose_json(std::move(expose), out.unknown);
  return absl::OkStatus();
}

absl::Status read_body(ObjectReader& in, ServiceRouter& out) {
  const auto routes = [](const Json& json, const Place& place, ServiceRouter& router) {
    absl::Status status = weak_list(weak_object)(json, place, router.routes);
    router.empty_routes = router.routes.empty();
    return status;
  };
  return in.optional("Routes", out, routes).finish(out.unknown);
}

absl::Status read_body(ObjectReader& in, ServiceSplitter& out) {
  return in.optional("Splits", out.splits, weak_list(weak_object)).finish(out.unknown);
}

absl::Status read_body(ObjectReader& in, ServiceResolver& out) {
  return in.optional("DefaultSubset", out.default_subset, weak_text)
      .optional("Subsets", out.subsets, weak_map(weak_object))
      .optional("Redirect", out.redirect, weak_object)
      .optional("Failover", out.failover, weak_map(weak_object))
      .optional("ConnectTimeout", out.connect_timeout, weak_duration)
      .newer("RequestTimeout", out.request_timeout, weak_duration)
      .newer("LoadBalancer", out.load_balancer, weak_object)
      .newer("PrioritizeByLocality", out.prioritize_by_locality, weak_object)
      .finish(out.unknown);
}

absl::Status read_body(ObjectReader& in, OpaqueEntry& out) { return in.finish(out.members); }

template <typename Body>
absl::Status read_entry(const Json& json, const Place& place, std::string_view kind_key, ConfigEntry& out) {
  ObjectReader in(json, place, kLoose);
  in.skip(kind_key);
  read_common(in, out);
  return read_body(in, out.body.emplace<Body>());
}

// The embedded Consul answers these three with the server's own words, which it finds in the detail.
absl::Status kind_error(const Json& json, const Place& place, std::string_view text) {
  const absl::Status plain = place.error(json, text);
  Json detail = error_detail(plain);
  detail.set("text", text);
  return make_error(ErrorKind::kDecode, std::string(plain.message()), std::move(detail));
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, ConfigEntry& out) {
  if (!json.is_object()) return wrong_type(json, place, "an object");
  // These two spellings and no others.
  const std::string_view key = json.find("Kind") ? "Kind" : "kind";
  const Json* kind = json.find(key);
  if (!kind) return kind_error(json, place, "Payload does not contain a kind/Kind key at the top level");
  if (!kind->is_string()) return kind_error(*kind, place.member(key), "Kind value in payload is not a string");
  out.kind = *kind->as_string();
  if (out.kind.empty()) return kind_error(*kind, place.member(key), "invalid config entry kind: ");
  if (out.kind == kProxyDefaults) return read_entry<ProxyDefaults>(json, place, key, out);
  if (out.kind == kServiceDefaults) return read_entry<ServiceDefaults>(json, place, key, out);
  if (out.kind == kServiceRouter) return read_entry<ServiceRouter>(json, place, key, out);
  if (out.kind == kServiceSplitter) return read_entry<ServiceSplitter>(json, place, key, out);
  if (out.kind == kServiceResolver) return read_entry<ServiceResolver>(json, place, key, out);
  return read_entry<OpaqueEntry>(json, place, key, out);
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<ConfigEntry> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<ConfigEntry>(json, document);
}

}  // namespace convergence
