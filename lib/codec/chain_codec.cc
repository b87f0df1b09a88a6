#include <string>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

// ---- reading -------------------------------------------------------------------------------------------------
// Newer servers say more than DiscoveryChain holds; it is ignored, since nobody writes a chain back.

absl::Status decode(const Json& json, const Place& place, ChainRoute& out) {
  Route definition;
  const absl::Status status = ObjectReader(json, place)
                                  .required("Definition", definition)
                                  .required("NextNode", out.next_node)
                                  .finish_ignoring();
  out.definition = std::move(definition);
  return status;
}

absl::Status decode(const Json& json, const Place& place, ChainSplit& out) {
  return ObjectReader(json, place)
      .optional("Weight", out.weight, decode_percent)
      .required("NextNode", out.next_node)
      .finish_ignoring();
}

struct FailoverTargets {
  std::vector<std::string> targets;
};
absl::Status decode(const Json& json, const Place& place, FailoverTargets& out) {
  return ObjectReader(json, place).optional("Targets", out.targets).finish_ignoring();
}

absl::Status decode(const Json& json, const Place& place, ResolverNode& out) {
  FailoverTargets failover;
  const absl::Status status = ObjectReader(json, place)
                                  .optional("ConnectTimeout", out.connect_timeout)
                                  .optional("Default", out.is_default)
                                  .required("Target", out.target)
                                  .optional("Failover", failover)
                                  .finish_ignoring();
  out.failover_targets = std::move(failover.targets);
  return status;
}

absl::Status decode(const Json& json, const Place& place, ChainNode& out) {
  std::string type;
  ObjectReader in(json, place);
  CVG_RETURN_IF_ERROR(in.required("Type", type).required("Name", out.name).finish_ignoring());
  if (type == "resolver") return in.required("Resolver", out.body.emplace<ResolverNode>()).finish_ignoring();
  if (type == "splitter") {
    return in.optional("Splits", out.body.emplace<SplitterNode>().splits).finish_ignoring();
  }
  if (type == "router") return in.optional("Routes", out.body.emplace<RouterNode>().routes).finish_ignoring();
  return place.member("Type").error(*json.find("Type"), "\"" + type + "\" is none of router, splitter, resolver");
}

struct ModeObject {
  std::string mode;
};
absl::Status decode(const Json& json, const Place& place, ModeObject& out) {
  return ObjectReader(json, place).optional("Mode", out.mode).finish_ignoring();
}

absl::Status decode(const Json& json, const Place& place, ChainTarget& out) {
  ModeObject gateway;
  const absl::Status status = ObjectReader(json, place)
                                  .required("ID", out.id)
                                  .required("Service", out.service)
                                  .optional("ServiceSubset", out.service_subset)
                                  .optional("Namespace", out.namespace_name)
                                  .optional("Datacenter", out.datacenter)
                                  .optional("MeshGateway", gateway)
                                  .optional("Subset", out.subset)
                                  .optional("External", out.external)
                                  .optional("SNI", out.sni)
                                  .optional("Name", out.name)
                                  .finish_ignoring();
  out.mesh_gateway_mode = std::move(gateway.mode);
  return status;
}

absl::Status decode(const Json& json, const Place& place, DiscoveryChain& out) {
  return ObjectReader(json, place)
      .required("ServiceName", out.service_name)
      .optional("Namespace", out.namespace_name)
      .optional("Datacenter", out.datacenter)
      .optional("CustomizationHash", out.customization_hash)
      .optional("Protocol", out.protocol)
      .required("StartNode", out.start_node)
      .optional("Nodes", out.nodes)
      .optional("Targets", out.targets)
      .finish_ignoring();
}

// ---- writing, in the order of the server (discovery-chain.md (c)) --------------------------------------------

Json encode(const ChainRoute& route) {
  return ObjectWriter().put("Definition", encode(*route.definition)).put("NextNode", route.next_node).take();
}

Json encode(const ChainSplit& split) {
  ObjectWriter out;
  if (split.weight != 0) out.put("Weight", encode_percent(split.weight));
  return out.put("NextNode", split.next_node).take();
}

Json encode(const ResolverNode& node) {
  ObjectWriter out;
  out.put("ConnectTimeout", duration_to_text(node.connect_timeout))
      .put_if("Default", node.is_default)
      .put("Target", node.target);
  if (!node.failover_targets.empty()) {
    out.put("Failover", ObjectWriter().put("Targets", encode(node.failover_targets)).take());
  }
  return out.take();
}

Json encode(const ChainNode& node) {
  ObjectWriter out;
  if (const RouterNode* router = std::get_if<RouterNode>(&node.body)) {
    out.put("Type", "router").put("Name", node.name);
    if (!router->routes.empty()) out.put("Routes", encode_list(router->routes, encode));
  } else if (const SplitterNode* splitter = std::get_if<SplitterNode>(&node.body)) {
    out.put("Type", "splitter").put("Name", node.name);
    if (!splitter->splits.empty()) out.put("Splits", encode_list(splitter->splits, encode));
  } else {
    out.put("Type", "resolver").put("Name", node.name).put("Resolver", encode(std::get<ResolverNode>(node.body)));
  }
  return out.take();
}

Json encode(const ChainTarget& target) {
  return ObjectWriter()
      .put("ID", target.id)
      .put("Service", target.service)
      .put_if("ServiceSubset", target.service_subset)
      .put("Namespace", target.namespace_name)
      .put("Datacenter", target.datacenter)
      .put("MeshGateway", ObjectWriter().put_if("Mode", target.mesh_gateway_mode).take())
      .put("Subset", encode(target.subset))
      .put_if("External", target.external)
      .put("SNI", target.sni)
      .put("Name", target.name)
      .take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<DiscoveryChain> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DiscoveryChain>(json, document);
}

Json to_json(const DiscoveryChain& chain) {
  return codec::ObjectWriter()
      .put("ServiceName", chain.service_name)
      .put("Namespace", chain.namespace_name)
      .put("Datacenter", chain.datacenter)
      .put_if("CustomizationHash", chain.customization_hash)
      .put("Protocol", chain.protocol)
      .put("StartNode", chain.start_node)
      .put("Nodes", codec::encode_map(chain.nodes, codec::encode))
      .put("Targets", codec::encode_map(chain.targets, codec::encode))
      .take();
}

}  // namespace convergence
