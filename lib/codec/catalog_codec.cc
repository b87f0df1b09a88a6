#include "lib/codec/catalog_codec.h"

#include <string>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

// The server answers {} for a check without a definition; to us that is none.
absl::Status decode_definition(const Json& json, const Place& place, Json& out) {
  const Json::Object* members = json.as_object();
  if (!members) return wrong_type(json, place, "an object");
  if (!members->empty()) out = json;
  return absl::OkStatus();
}

absl::Status decode_base64(const Json& json, const Place& place, std::string& out) {
  const std::string* text = json.as_string();
  if (!text) return wrong_type(json, place, "text");
  absl::StatusOr<std::string> bytes = base64_decode(*text);
  if (!bytes.ok()) return place.error(json, std::string(bytes.status().message()));
  out = *std::move(bytes);
  return absl::OkStatus();
}

// Empty maps of a node or service are null in the server's answers.
Json encode_or_null(const std::map<std::string, std::string>& map) { return map.empty() ? Json() : encode(map); }

}  // namespace

absl::Status decode(const Json& json, const Place& place, Node& out) {
  return ObjectReader(json, place)
      .optional("ID", out.id)
      .required("Node", out.name)
      .optional("Address", out.address)
      .optional("Datacenter", out.datacenter)
      .optional("TaggedAddresses", out.tagged_addresses)
      .optional("Meta", out.meta)
      .optional("CreateIndex", out.create_index)
      .optional("ModifyIndex", out.modify_index)
      .finish(out.unknown);
}

Json encode(const Node& node) {
  return ObjectWriter()
      .put("ID", node.id)
      .put("Node", node.name)
      .put("Address", node.address)
      .put("Datacenter", node.datacenter)
      .put("TaggedAddresses", encode_or_null(node.tagged_addresses))
      .put("Meta", encode_or_null(node.meta))
      .rest(node.unknown)
      .put("CreateIndex", node.create_index)
      .put("ModifyIndex", node.modify_index)
      .take();
}

absl::Status decode(const Json& json, const Place& place, HealthCheck& out) {
  return ObjectReader(json, place)
      .optional("Node", out.node)
      .required("CheckID", out.id)
      .optional("Name", out.name)
      .required("Status", out.status, decode_name<CheckStatus>)
      .optional("Notes", out.notes)
      .optional("Output", out.output)
      .optional("ServiceID", out.service_id)
      .optional("ServiceName", out.service_name)
      .optional("ServiceTags", out.service_tags)
      .optional("Type", out.type)
      .optional("Definition", out.definition, decode_definition)
      .optional("CreateIndex", out.create_index)
      .optional("ModifyIndex", out.modify_index)
      .finish(out.unknown);
}

Json encode(const HealthCheck& check) {
  return ObjectWriter()
      .put("Node", check.node)
      .put("CheckID", check.id)
      .put("Name", check.name)
      .put("Status", to_string(check.status))
      .put("Notes", check.notes)
      .put("Output", check.output)
      .put("ServiceID", check.service_id)
      .put("ServiceName", check.service_name)
      .put("ServiceTags", encode(check.service_tags))
      .put("Type", check.type)
      .put("Definition", check.definition.is_null() ? Json(Json::Object{}) : check.definition)
      .rest(check.unknown)
      .put("CreateIndex", check.create_index)
      .put("ModifyIndex", check.modify_index)
      .take();
}

absl::Status decode(const Json& json, const Place& place, ServiceWeights& out) {
  return ObjectReader(json, place).optional("Passing", out.passing).optional("Warning", out.warning).finish_ignoring();
}

absl::Status decode(const Json& json, const Place& place, ServiceInstance& out) {
  return ObjectReader(json, place)
      .optional("Kind", out.kind)
      .required("ID", out.id)
      .required("Service", out.service)
      .optional("Tags", out.tags)
      .optional("Address", out.address)
      .optional("Meta", out.meta)
      .optional("Port", out.port)
      .optional("Weights", out.weights)
      .optional("EnableTagOverride", out.enable_tag_override)
      .optional("CreateIndex", out.create_index)
      .optional("ModifyIndex", out.modify_index)
      .finish(out.unknown);
}

Json encode(const ServiceInstance& instance) {
  ObjectWriter out;
  out.put_if("Kind", instance.kind)
      .put("ID", instance.id)
      .put("Service", instance.service)
      .put("Tags", encode(instance.tags))
      .put("Address", instance.address);
  Json::Object rest;
  for (const Json::Member& member : instance.unknown) {
    if (member.name == "TaggedAddresses") {
      out.put(member.name, member.value);  // where the server has it
    } else {
      rest.push_back(member);
    }
  }
  return out.put("Meta", encode_or_null(instance.meta))
      .put("Port", instance.port)
      .put("Weights",
           ObjectWriter().put("Passing", instance.weights.passing).put("Warning", instance.weights.warning).take())
      .put("EnableTagOverride", instance.enable_tag_override)
      .rest(rest)
      .put("CreateIndex", instance.create_index)
      .put("ModifyIndex", instance.modify_index)
      .take();
}

absl::Status decode(const Json& json, const Place& place, HealthRow& out) {
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .required("Node", out.node)
                          .required("Service", out.instance)
                          .optional("Checks", out.checks)
                          .finish_ignoring());
  out.instance.node = out.node.name;
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, KvPair& out) {
  return ObjectReader(json, place)
      .optional("LockIndex", out.lock_index)
      .required("Key", out.key)
      .optional("Flags", out.flags)
      .optional("Value", out.value, decode_base64)
      .optional("Session", out.session)
      .optional("CreateIndex", out.create_index)
      .optional("ModifyIndex", out.modify_index)
      .finish_ignoring();
}

Json encode(const KvPair& pair) {
  return ObjectWriter()
      .put("LockIndex", pair.lock_index)
      .put("Key", pair.key)
      .put("Flags", pair.flags)
      .put("Value", pair.value.empty() ? Json() : Json(base64_encode(pair.value)))
      .put_if("Session", pair.session)
      .put("CreateIndex", pair.create_index)
      .put("ModifyIndex", pair.modify_index)
      .take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<Node> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<Node>(json, document);
}
template <>
absl::StatusOr<HealthCheck> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<HealthCheck>(json, document);
}
template <>
absl::StatusOr<ServiceInstance> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<ServiceInstance>(json, document);
}
template <>
absl::StatusOr<KvPair> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<KvPair>(json, document);
}

Json to_json(const Node& node) { return codec::encode(node); }
Json to_json(const HealthCheck& check) { return codec::encode(check); }
Json to_json(const ServiceInstance& instance) { return codec::encode(instance); }
Json to_json(const KvPair& pair) { return codec::encode(pair); }

}  // namespace convergence
