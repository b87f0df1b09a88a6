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
  Split definition;
  const absl::Status status = ObjectReader(json, place)
                                  .optional("Definition", definition)
                                  .optional("Weight", out.weight, decode_percent)
                                  .required("NextNode", out.next_node)
                                  .finish_ignoring();
  if (json.find("Definition")) out.definition = std::move(definition);
  return status;
}

struct Failover {
  std::vector<std::string> targets;
  std::optional<FailoverPolicy> policy;
};
absl::Status decode(const Json& json, const Place& place, Failover& out) {
  return ObjectReader(json, place).optional("Targets", out.targets).optional("Policy", out.policy).finish_ignoring();
}

absl::Status decode(const Json& json, const Place& place, ResolverNode& out) {
  Failover failover;
  const absl::Status status = ObjectReader(json, place)
                                  .optional("ConnectTimeout", out.connect_timeout)
                                  .optional("RequestTimeout", out.request_timeout)
                                  .optional("Default", out.is_default)
                                  .required("Target", out.target)
                                  .optional("Failover", failover)
                                  .finish_ignoring();
  out.failover_targets = std::move(failover.targets);
  out.failover_policy = std::move(failover.policy);
  return status;
}

absl::Status decode(const Json& json, const Place& place, ChainNode& out) {
  std::string type;
  ObjectReader in(json, place);
  CVG_RETURN_IF_ERROR(in.required("Type", type).required("Name", out.name).finish_ignoring());
  if (type == "resolver") {
    ResolverNode& node = out.body.emplace<ResolverNode>();
    return in.required("Resolver", node).optional("LoadBalancer", node.load_balancer).finish_ignoring();
  }
  if (type == "splitter") {
    SplitterNode& node = out.body.emplace<SplitterNode>();
    return in.optional("Splits", node.splits).optional("LoadBalancer", node.load_balancer).finish_ignoring();
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
                                  .optional("Partition", out.partition)
                                  .optional("Peer", out.peer)
                                  .optional("TransparentProxy", out.transparent_proxy)
                                  .optional("ConnectTimeout", out.connect_timeout)
                                  .optional("PrioritizeByLocality", out.prioritize_by_locality)
                                  .finish_ignoring();
  out.mesh_gateway_mode = std::move(gateway.mode);
  return status;
}

absl::Status decode(const Json& json, const Place& place, DiscoveryChain& out) {
  // Only later Consuls know partitions, and those say it always.
  out.dialect = json.find("Partition") ? Dialect::kCurrent : Dialect::k1_8;
  return ObjectReader(json, place)
      .required("ServiceName", out.service_name)
      .optional("Namespace", out.namespace_name)
      .optional("Datacenter", out.datacenter)
      .optional("CustomizationHash", out.customization_hash)
      .optional("Protocol", out.protocol)
      .required("StartNode", out.start_node)
      .optional("Nodes", out.nodes)
      .optional("Targets", out.targets)
      .optional("Partition", out.partition)
      .optional("Default", out.is_default)
      .optional("ServiceMeta", out.service_meta)
      .optional("EnvoyExtensions", out.envoy_extensions)
      .finish_ignoring();
}

// ---- writing, in the order of the server (discovery-chain.md (c)) --------------------------------------------

Json encode(const ChainRoute& route) {
  return ObjectWriter().put("Definition", encode(*route.definition)).put("NextNode", route.next_node).take();
}

Json encode(const ChainSplit& split) {
  ObjectWriter out;
  if (split.definition) out.put("Definition", encode(**split.definition));
  if (split.weight != 0) out.put("Weight", encode_percent(split.weight));
  return out.put("NextNode", split.next_node).take();
}

Json encode(const ResolverNode& node) {
  ObjectWriter out;
  out.put("ConnectTimeout", duration_to_text(node.connect_timeout))
      .put_if("Default", node.is_default)
      .put_if("RequestTimeout", std::int64_t{node.request_timeout.count()})  // a number here, and only here
      .put("Target", node.target);
  if (node.failover_targets.empty()) return out.take();
  ObjectWriter failover;
  failover.put("Targets", encode(node.failover_targets));
  if (node.failover_policy) failover.put("Policy", encode(*node.failover_policy));
  return out.put("Failover", failover.take()).take();
}

Json encode(const ChainNode& node) {
  ObjectWriter out;
  if (const RouterNode* router = std::get_if<RouterNode>(&node.body)) {
    out.put("Type", "router").put("Name", node.name);
    if (!router->routes.empty()) out.put("Routes", encode_list(router->routes, encode));
  } else if (const SplitterNode* splitter = std::get_if<SplitterNode>(&node.body)) {
    out.put("Type", "splitter").put("Name", node.name);
    if (!splitter->splits.empty()) out.put("Splits", encode_list(splitter->splits, encode));
    if (splitter->load_balancer) out.put("LoadBalancer", encode(*splitter->load_balancer));
  } else {
    const ResolverNode& resolver = std::get<ResolverNode>(node.body);
    out.put("Type", "resolver").put("Name", node.name).put("Resolver", encode(resolver));
    if (resolver.load_balancer) out.put("LoadBalancer", encode(*resolver.load_balancer));
  }
  return out.take();
}

// A later Consul's target says its partition always.
Json encode(const ChainTarget& target) {
  const bool current = !target.partition.empty();
  ObjectWriter out;
  out.put_if("ConnectTimeout", target.connect_timeout)
      .put("ID", target.id)
      .put("Service", target.service)
      .put_if("ServiceSubset", target.service_subset)
      .put("Namespace", target.namespace_name)
      .put_if("Partition", target.partition)
      .put_if("Datacenter", target.datacenter)
      .put_if("Peer", target.peer)
      .put("MeshGateway", ObjectWriter().put_if("Mode", target.mesh_gateway_mode).take())
      .put("Subset", encode(target.subset));
  if (current) out.put("TransparentProxy", encode(target.transparent_proxy));
  out.put_if("External", target.external).put_if("SNI", target.sni).put_if("Name", target.name);
  if (target.prioritize_by_locality) out.put("PrioritizeByLocality", encode(*target.prioritize_by_locality));
  return out.take();
}

template <typename T>
Json encode_sorted(const SortedMap<T>& map) {
  Json::Object object;
  object.reserve(map.size());
  for (const auto& [key, value] : map) object.push_back({key, encode(value)});
  return Json(std::move(object));
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<DiscoveryChain> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DiscoveryChain>(json, document);
}

Json to_json(const DiscoveryChain& chain) {
  codec::ObjectWriter out;
  out.put("ServiceName", chain.service_name)
      .put("Namespace", chain.namespace_name)
      .put_if("Partition", chain.partition)
      .put("Datacenter", chain.datacenter)
      .put_if("CustomizationHash", chain.customization_hash)
      .put_if("Default", chain.is_default)
      .put("Protocol", chain.protocol)
      .put_if("ServiceMeta", chain.service_meta);
  if (!chain.envoy_extensions.empty()) out.put("EnvoyExtensions", chain.envoy_extensions);
  out.put("StartNode", chain.start_node)
      .put("Nodes", codec::encode_sorted(chain.nodes))
      .put("Targets", codec::encode_sorted(chain.targets));
  if (chain.dialect == Dialect::k1_8) return out.take();
  return out.put("AutoVirtualIPs", Json()).put("AutoPortVirtualIPs", Json()).put("ManualVirtualIPs", Json()).take();
}

}  // namespace convergence
