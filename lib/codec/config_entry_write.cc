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

}  // namespace

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
      .put_if("PathRegex", match.path_regex);
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
  return ObjectWriter()
      .put("Weight", encode_percent(split.weight))
      .put_if("Service", split.service)
      .put_if("ServiceSubset", split.service_subset)
      .put_if("Namespace", split.namespace_name)
      .rest(split.unknown)
      .take();
}

Json encode(const ResolverRedirect& redirect) {
  return ObjectWriter()
      .put_if("Service", redirect.service)
      .put_if("ServiceSubset", redirect.service_subset)
      .put_if("Namespace", redirect.namespace_name)
      .put_if("Datacenter", redirect.datacenter)
      .rest(redirect.unknown)
      .take();
}

Json encode(const ResolverFailover& failover) {
  return ObjectWriter()
      .put_if("Service", failover.service)
      .put_if("ServiceSubset", failover.service_subset)
      .put_if("Namespace", failover.namespace_name)
      .put_if("Datacenters", failover.datacenters)
      .rest(failover.unknown)
      .take();
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
  out.put("Config", sorted(body.config))
      .put("MeshGateway", encode_mesh_gateway(body.mesh_gateway_mode, unknown))
      .put("Expose", encode_expose(body.expose, unknown))
      .rest(unknown.own);
}

void write_body(const ServiceDefaults& body, ObjectWriter& out) {
  const Scattered unknown = scatter(body.unknown);
  out.put("Protocol", body.protocol)
      .put("MeshGateway", encode_mesh_gateway(body.mesh_gateway_mode, unknown))
      .put("Expose", encode_expose(body.expose, unknown))
      .put_if("ExternalSNI", body.external_sni)
      .rest(unknown.own);
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
  out.rest(body.unknown);
}

void write_body(const OpaqueEntry& body, ObjectWriter& out) { out.rest(body.members); }

}  // namespace

Json encode(const RouteDestination& destination) {
  ObjectWriter out;
  out.put_if("RequestTimeout", destination.request_timeout)
      .put_if("Service", destination.service)
      .put_if("ServiceSubset", destination.service_subset)
      .put_if("Namespace", destination.namespace_name)
      .put_if("PrefixRewrite", destination.prefix_rewrite)
      .put_if("NumRetries", destination.num_retries)
      .put_if("RetryOnConnectFailure", destination.retry_on_connect_failure);
  if (!destination.retry_on_status_codes.empty()) {
    out.put("RetryOnStatusCodes", encode_codes(destination.retry_on_status_codes));
  }
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
    out.put_if("ConnectTimeout", resolver->connect_timeout);
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
