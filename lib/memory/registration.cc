#include "lib/memory/registration.h"

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "fmt/format.h"

namespace convergence::memory {
namespace {

// Members of `given` in the order of `names`, then the others; names in the spelling of `names`.
Json::Object in_order(const Json& given, std::initializer_list<std::string_view> names) {
  Json::Object out;
  const Json::Object* members = given.as_object();
  if (members == nullptr) return out;
  std::vector<bool> taken(members->size(), false);
  for (const std::string_view name : names) {
    for (std::size_t i = 0; i < members->size(); ++i) {
      if (taken[i] || lower((*members)[i].name) != lower(name)) continue;
      out.push_back({std::string(name), (*members)[i].value});
      taken[i] = true;
    }
  }
  for (std::size_t i = 0; i < members->size(); ++i) {
    if (!taken[i]) out.push_back((*members)[i]);
  }
  return out;
}

// Go writes maps sorted by key.
Json sorted(const Json& json) {
  if (const Json::Array* items = json.as_array()) {
    Json::Array out;
    for (const Json& item : *items) out.push_back(sorted(item));
    return out;
  }
  const Json::Object* members = json.as_object();
  if (members == nullptr) return json;
  Json::Object out;
  for (const Json::Member& member : *members) out.push_back({member.name, sorted(member.value)});
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

Json::Object without_empty(Json::Object members) {
  const auto is_empty = [](const Json& value) {
    if (value.is_null()) return true;
    if (const std::string* text = value.as_string()) return text->empty();
    if (const bool* flag = value.as_bool()) return !*flag;
    if (const Json::Array* items = value.as_array()) return items->empty();
    if (const Json::Object* object = value.as_object()) return object->empty();
    return value.to_int64() == 0;
  };
  std::erase_if(members, [&](const Json::Member& member) { return is_empty(member.value); });
  return members;
}

Json normal_upstream(const Json& given) {
  Json::Object row{{"DestinationType", ""}, {"DestinationName", ""}, {"Datacenter", ""}, {"LocalBindPort", 0}};
  Json config;
  Json gateway = Json::Object{};
  for (const Json::Member& member : in_order(given, {})) {
    const std::string name = lower(member.name);
    const auto known =
        std::find_if(row.begin(), row.end(), [&](const Json::Member& one) { return lower(one.name) == name; });
    if (known != row.end()) {
      known->value = member.value;
    } else if (name == "config") {
      config = sorted(member.value);
    } else if (name == "meshgateway") {
      gateway = member.value;
    } else if (!without_empty({member}).empty()) {
      row.push_back(member);
    }
  }
  row.push_back({"Config", config});
  row.push_back({"MeshGateway", gateway});
  return row;
}

// Durations of a definition stand as text whatever they were written as.
Json normal_definition(GoDecoder& decoder, const Json& given) {
  Json::Object out;
  const auto is_duration = [](std::string_view name) {
    return name == "Interval" || name == "Timeout" || name == "DeregisterCriticalServiceAfter";
  };
  for (Json::Member& member : in_order(given, {"Interval", "Timeout", "DeregisterCriticalServiceAfter", "HTTP",
                                               "TLSSkipVerify", "Header", "Method", "Body", "TCP"})) {
    if (member.name == "IntervalDuration" || member.name == "TimeoutDuration") continue;
    if (is_duration(member.name) || member.name == "TTL") {
      Duration value{0};
      if (!member.value.is_null()) decoder.duration(value)(member.value);
      if (value == Duration(0)) continue;
      member.value = member.name == "TTL" ? Json(std::int64_t{value.count()}) : Json(duration_to_text(value));
    }
    out.push_back(std::move(member));
  }
  return without_empty(std::move(out));
}

bool defines(const Json& definition, std::string_view member) { return definition.find(member) != nullptr; }

// The kind follows from the definition.
std::string type_of(const Json& definition) {
  if (defines(definition, "TTL")) return "ttl";
  if (defines(definition, "HTTP")) return "http";
  if (defines(definition, "TCP")) return "tcp";
  if (defines(definition, "GRPC")) return "grpc";
  return "";
}

}  // namespace

Json normal_proxy(const Json& given) {
  Json::Object out = in_order(given, {"DestinationServiceName", "DestinationServiceID", "LocalServiceAddress",
                                      "LocalServicePort", "Config", "Upstreams", "MeshGateway", "Expose"});
  for (Json::Member& member : out) {
    if (member.name == "Config") member.value = sorted(member.value);
    if (member.name != "Upstreams" || !member.value.is_array()) continue;
    Json::Array upstreams;
    for (const Json& upstream : *member.value.as_array()) upstreams.push_back(normal_upstream(upstream));
    member.value = std::move(upstreams);
  }
  out = without_empty(std::move(out));
  for (const char* always : {"MeshGateway", "Expose"}) {
    const auto is_it = [&](const Json::Member& member) { return member.name == always; };
    if (std::none_of(out.begin(), out.end(), is_it)) out.push_back({always, Json::Object{}});
  }
  return out;
}

Json normal_connect(const Json& given) { return without_empty(in_order(given, {"Native"})); }

GoDecoder::Setter service_addresses(GoDecoder& decoder, Json& into) {
  return [&decoder, &into](const Json& json) {
    const Json ordered = sorted(json);
    const Json::Object* members = ordered.as_object();
    if (members == nullptr) return decoder.fail("json: cannot unmarshal TaggedAddresses");
    Json::Object out;
    for (const Json::Member& member : *members) {
      std::string address;
      std::int64_t port = 0;
      decoder.object(member.value, "ServiceAddress", "structs.ServiceAddress",
                     {{"Address", decoder.text(address)}, {"Port", decoder.number(port)}});
      out.push_back({member.name, Json::Object{{"Address", address}, {"Port", port}}});
    }
    if (!out.empty()) into = std::move(out);
  };
}

GoDecoder::Setter weights(GoDecoder& decoder, ServiceWeights& into) {
  return [&decoder, &into](const Json& json) {
    std::int64_t passing = 0;
    std::int64_t warning = 0;
    decoder.object(json, "Weights", "structs.Weights",
                   {{"Passing", decoder.number(passing)}, {"Warning", decoder.number(warning)}});
    into = {static_cast<std::int32_t>(passing), static_cast<std::int32_t>(warning)};
  };
}

void decode_node(GoDecoder& decoder, const Json& json, MemoryNode& node) {
  decoder.object(json, "Node", "api.Node",
                 {{"ID", decoder.text(node.id)},
                  {"Node", decoder.text(node.name)},
                  {"Address", decoder.text(node.address)},
                  {"Datacenter", decoder.text(node.datacenter)},
                  {"TaggedAddresses", decoder.labels(node.tagged_addresses)},
                  {"Meta", decoder.labels(node.meta)},
                  {"CreateIndex", decoder.count(node.create_index)},
                  {"ModifyIndex", decoder.count(node.modify_index)}});
}

void decode_service(GoDecoder& decoder, const Json& json, MemoryService& service) {
  decoder.object(json, "NodeService", "structs.NodeService",
                 {{"Kind", decoder.text(service.kind)},
                  {"ID", decoder.text(service.id)},
                  {"Service", decoder.text(service.service)},
                  {"Tags", decoder.texts(service.tags)},
                  {"Address", decoder.text(service.address)},
                  {"TaggedAddresses", service_addresses(decoder, service.tagged_addresses)},
                  {"Meta", decoder.labels(service.meta)},
                  {"Port", decoder.number(service.port)},
                  {"Weights", weights(decoder, service.weights)},
                  {"EnableTagOverride", decoder.flag(service.enable_tag_override)},
                  {"Proxy", decoder.raw(service.proxy)},
                  {"Connect", decoder.raw(service.connect)},
                  {"Namespace", decoder.ignored()},
                  {"LocallyRegisteredAsSidecar", decoder.ignored()},
                  {"CreateIndex", decoder.count(service.create_index)},
                  {"ModifyIndex", decoder.count(service.modify_index)}});
}

void decode_check(GoDecoder& decoder, const Json& json, MemoryCheck& check) {
  const auto definition = [&](const Json& value) { check.definition = normal_definition(decoder, value); };
  decoder.object(json, "HealthCheck", "structs.HealthCheck",
                 {{"Node", decoder.text(check.node)},
                  {"CheckID", decoder.text(check.id)},
                  {"Name", decoder.text(check.name)},
                  {"Status", decoder.text(check.status)},
                  {"Notes", decoder.text(check.notes)},
                  {"Output", decoder.text(check.output)},
                  {"ServiceID", decoder.text(check.service_id)},
                  {"ServiceName", decoder.text(check.service_name)},
                  {"ServiceTags", decoder.texts(check.service_tags)},
                  {"Type", decoder.text(check.type)},
                  {"Definition", definition},
                  {"Namespace", decoder.ignored()},
                  {"CreateIndex", decoder.count(check.create_index)},
                  {"ModifyIndex", decoder.count(check.modify_index)}});
}

std::string prepare_service(MemoryService& service) {
  if (service.id.empty()) service.id = service.service;
  if (!service.id.empty() && service.service.empty()) return "Must provide service name with ID";
  service.proxy = normal_proxy(service.proxy);
  service.connect = normal_connect(service.connect);
  if (service.kind == "connect-proxy" && service.proxy.find("DestinationServiceName") == nullptr) {
    return "1 error occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\n";
  }
  return "";
}

void prepare_check(MemoryCheck& check) {
  if (check.id.empty()) check.id = check.name;
  if (check.definition.is_null()) check.definition = Json::Object{};
}

void set_check_type(MemoryCheck& check) {
  if (check.type.empty()) check.type = type_of(check.definition);
}

}  // namespace convergence::memory
