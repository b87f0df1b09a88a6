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

// Nodes as they are written: what they lead to by name.

struct RouteText {
  ChainRoute route;
  std::string next_node;
};
absl::Status decode(const Json& json, const Place& place, RouteText& out) {
  Route definition;
  const absl::Status status = ObjectReader(json, place)
                                  .required("Definition", definition)
                                  .required("NextNode", out.next_node)
                                  .finish_ignoring();
  out.route.definition = std::move(definition);
  return status;
}

struct SplitText {
  ChainSplit split;
  std::string next_node;
};
absl::Status decode(const Json& json, const Place& place, SplitText& out) {
  Split definition;
  const absl::Status status = ObjectReader(json, place)
                                  .optional("Definition", definition)
                                  .optional("Weight", out.split.weight, decode_percent)
                                  .required("NextNode", out.next_node)
                                  .finish_ignoring();
  if (json.find("Definition")) out.split.definition = std::move(definition);
  return status;
}

struct FailoverText {
  std::vector<std::string> targets;
  std::optional<FailoverPolicy> policy;
};
absl::Status decode(const Json& json, const Place& place, FailoverText& out) {
  return ObjectReader(json, place).optional("Targets", out.targets).optional("Policy", out.policy).finish_ignoring();
}

struct ResolverText {
  ResolverNode resolver;
  std::string target;
  FailoverText failover;
};
absl::Status decode(const Json& json, const Place& place, ResolverText& out) {
  const absl::Status status = ObjectReader(json, place)
                                  .optional("ConnectTimeout", out.resolver.connect_timeout)
                                  .optional("RequestTimeout", out.resolver.request_timeout)
                                  .optional("Default", out.resolver.is_default)
                                  .required("Target", out.target)
                                  .optional("Failover", out.failover)
                                  .finish_ignoring();
  out.resolver.failover_policy = std::move(out.failover.policy);
  return status;
}

struct NodeText {
  const Json* json = nullptr;  // where it was read, for complaints
  std::string type;
  std::string name;
  std::vector<RouteText> routes;
  std::vector<SplitText> splits;
  ResolverText resolver;
  std::optional<LoadBalancer> load_balancer;
};
absl::Status decode(const Json& json, const Place& place, NodeText& out) {
  out.json = &json;
  ObjectReader in(json, place);
  CVG_RETURN_IF_ERROR(in.required("Type", out.type).required("Name", out.name).finish_ignoring());
  if (out.type == "resolver") {
    return in.required("Resolver", out.resolver).optional("LoadBalancer", out.load_balancer).finish_ignoring();
  }
  if (out.type == "splitter") {
    return in.optional("Splits", out.splits).optional("LoadBalancer", out.load_balancer).finish_ignoring();
  }
  if (out.type == "router") return in.optional("Routes", out.routes).finish_ignoring();
  return place.member("Type").error(*json.find("Type"), "\"" + out.type + "\" is none of router, splitter, resolver");
}

struct ModeObject {
  std::string mode;
};
absl::Status decode(const Json& json, const Place& place, ModeObject& out) {
  return ObjectReader(json, place).optional("Mode", out.mode).finish_ignoring();
}

absl::Status decode(const Json& json, const Place& place, ChainTarget& out) {
  ModeObject gateway;
  ResolverSubset subset;
  std::string sni;
  bool external = false;
  const absl::Status status = ObjectReader(json, place)
                                  .required("ID", out.id)
                                  .required("Service", out.service)
                                  .optional("ServiceSubset", out.service_subset)
                                  .optional("Namespace", out.namespace_name)
                                  .optional("Datacenter", out.datacenter)
                                  .optional("MeshGateway", gateway)
                                  .optional("Subset", subset)
                                  .optional("External", external)
                                  .optional("SNI", sni)
                                  .optional("Name", out.name)
                                  .optional("Partition", out.partition)
                                  .optional("Peer", out.peer)
                                  .optional("TransparentProxy", out.transparent_proxy)
                                  .optional("ConnectTimeout", out.connect_timeout)
                                  .optional("PrioritizeByLocality", out.prioritize_by_locality)
                                  .finish_ignoring();
  out.mesh_gateway_mode = std::move(gateway.mode);
  out.subset = std::move(subset);
  if (external) out.external_sni = std::move(sni);  // else it is the name
  return status;
}

// ---- from names to numbers

using Numbers = std::map<std::string, std::uint32_t>;

template <typename T>
Numbers number(const std::map<std::string, T>& named) {
  Numbers out;
  for (const auto& item : named) out.emplace(item.first, static_cast<std::uint32_t>(out.size()));
  return out;
}

absl::Status find_number(const Numbers& numbers, const std::string& name, const Json& json, const Place& place,
                         std::uint32_t& out) {
  const auto found = numbers.find(name);
  if (found == numbers.end()) return place.error(json, "leads to \"" + name + "\", which the chain does not have");
  out = found->second;
  return absl::OkStatus();
}

struct ChainNumbers {
  Numbers nodes;
  Numbers targets;
};

absl::Status link(const ChainNumbers& numbers, NodeText text, const Place& place, ChainNode& out) {
  const Json& json = *text.json;
  if (text.type == "router") {
    RouterNode& router = out.body.emplace<RouterNode>();
    for (RouteText& route : text.routes) {
      CVG_RETURN_IF_ERROR(find_number(numbers.nodes, route.next_node, json, place, route.route.next_node));
      router.routes.push_back(std::move(route.route));
    }
  } else if (text.type == "splitter") {
    SplitterNode& splitter = out.body.emplace<SplitterNode>();
    for (SplitText& split : text.splits) {
      CVG_RETURN_IF_ERROR(find_number(numbers.nodes, split.next_node, json, place, split.split.next_node));
      splitter.splits.push_back(std::move(split.split));
    }
    splitter.load_balancer = std::move(text.load_balancer);
  } else {
    ResolverNode& resolver = out.body.emplace<ResolverNode>(std::move(text.resolver.resolver));
    CVG_RETURN_IF_ERROR(find_number(numbers.targets, text.resolver.target, json, place, resolver.target));
    for (const std::string& target : text.resolver.failover.targets) {
      CVG_RETURN_IF_ERROR(find_number(numbers.targets, target, json, place, resolver.failover_targets.emplace_back()));
    }
    resolver.load_balancer = std::move(text.load_balancer);
    if (text.name == text.resolver.target) return absl::OkStatus();
    return place.error(json, "a resolver goes by its target's name");
  }
  out.name = std::move(text.name);
  return absl::OkStatus();
}

absl::Status wrong_key(const Json& json, const Place& place, const std::string& own) {
  return place.error(json, "\"" + own + "\" stands here under another name than its own");
}

absl::Status decode_nodes_and_targets(const Json& json, const Place& place, const std::string& start,
                                      DiscoveryChain& out) {
  std::map<std::string, NodeText> nodes;
  std::map<std::string, ChainTarget> targets;
  CVG_RETURN_IF_ERROR(
      ObjectReader(json, place).optional("Nodes", nodes).optional("Targets", targets).finish_ignoring());
  const ChainNumbers numbers = {number(nodes), number(targets)};
  CVG_RETURN_IF_ERROR(find_number(numbers.nodes, start, json, place.member("StartNode"), out.start_node));
  const Place nodes_place = place.member("Nodes");
  for (auto& [key, text] : nodes) {
    const Place node_place = nodes_place.member(key);
    if (key != text.type + ":" + text.name) return wrong_key(*text.json, node_place, text.type + ":" + text.name);
    CVG_RETURN_IF_ERROR(link(numbers, std::move(text), node_place, out.nodes.emplace_back()));
  }
  const Place targets_place = place.member("Targets");
  for (auto& [id, target] : targets) {
    if (id != target.id) return wrong_key(*json.find("Targets")->find(id), targets_place.member(id), target.id);
    out.targets.push_back(std::move(target));
  }
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, DiscoveryChain& out) {
  // Only later Consuls know partitions, and those say it always.
  out.dialect = json.find("Partition") ? Dialect::kCurrent : Dialect::k1_8;
  std::string start;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .required("ServiceName", out.service_name)
                          .optional("Namespace", out.namespace_name)
                          .optional("Datacenter", out.datacenter)
                          .optional("CustomizationHash", out.customization_hash)
                          .optional("Protocol", out.protocol)
                          .required("StartNode", start)
                          .optional("Partition", out.partition)
                          .optional("Default", out.is_default)
                          .optional("ServiceMeta", out.service_meta)
                          .optional("EnvoyExtensions", out.envoy_extensions)
                          .finish_ignoring());
  return decode_nodes_and_targets(json, place, start, out);
}

// ---- writing, in the order of the server (discovery-chain.md (c)) --------------------------------------------

// A key is the server's name of a node; each is spelled out once.
using Keys = std::vector<std::string>;

const std::string& key_of(const Keys& keys, NodeNumber node) {
  static const std::string kNone;
  return node < keys.size() ? keys[node] : kNone;
}

Json encode(const ChainRoute& route, const Keys& keys) {
  return ObjectWriter()
      .put("Definition", encode(*route.definition))
      .put("NextNode", key_of(keys, route.next_node))
      .take();
}

Json encode(const ChainSplit& split, const Keys& keys) {
  ObjectWriter out;
  if (split.definition) out.put("Definition", encode(**split.definition));
  if (split.weight != 0) out.put("Weight", encode_percent(split.weight));
  return out.put("NextNode", key_of(keys, split.next_node)).take();
}

Json encode(const ResolverNode& node, const DiscoveryChain& chain) {
  ObjectWriter out;
  out.put("ConnectTimeout", duration_to_text(node.connect_timeout))
      .put_if("Default", node.is_default)
      .put_if("RequestTimeout", std::int64_t{node.request_timeout.count()})  // a number here, and only here
      .put("Target", target_id(chain, node.target));
  if (node.failover_targets.empty()) return out.take();
  ObjectWriter failover;
  failover.put("Targets",
               encode_each(node.failover_targets, [&](TargetNumber target) { return Json(target_id(chain, target)); }));
  if (node.failover_policy) failover.put("Policy", encode(*node.failover_policy));
  return out.put("Failover", failover.take()).take();
}

Json encode_node(const DiscoveryChain& chain, NodeNumber number, const Keys& keys) {
  const ChainNode& node = chain.nodes[number];
  ObjectWriter out;
  if (const RouterNode* router = std::get_if<RouterNode>(&node.body)) {
    out.put("Type", "router").put("Name", node.name);
    const auto encode_route = [&](const ChainRoute& route) { return encode(route, keys); };
    if (!router->routes.empty()) out.put("Routes", encode_each(router->routes, encode_route));
  } else if (const SplitterNode* splitter = std::get_if<SplitterNode>(&node.body)) {
    out.put("Type", "splitter").put("Name", node.name);
    const auto encode_split = [&](const ChainSplit& split) { return encode(split, keys); };
    if (!splitter->splits.empty()) out.put("Splits", encode_each(splitter->splits, encode_split));
    if (splitter->load_balancer) out.put("LoadBalancer", encode(*splitter->load_balancer));
  } else {
    const ResolverNode& resolver = std::get<ResolverNode>(node.body);
    out.put("Type", "resolver").put("Name", node_name(chain, number)).put("Resolver", encode(resolver, chain));
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
      .put("Subset", encode(*target.subset));
  if (current) out.put("TransparentProxy", encode(target.transparent_proxy));
  const bool external = !target.external_sni.empty();
  out.put_if("External", external).put_if("SNI", external ? target.external_sni : target.name);
  out.put_if("Name", target.name);
  if (target.prioritize_by_locality) out.put("PrioritizeByLocality", encode(*target.prioritize_by_locality));
  return out.take();
}

Json encode_nodes(const DiscoveryChain& chain) {
  Keys keys;
  keys.reserve(chain.nodes.size());
  for (NodeNumber node = 0; node < chain.nodes.size(); ++node) keys.push_back(node_key(chain, node));
  Json::Object out;
  out.reserve(chain.nodes.size());
  for (NodeNumber node = 0; node < chain.nodes.size(); ++node) {
    out.push_back({keys[node], encode_node(chain, node, keys)});
  }
  return Json(std::move(out));
}

Json encode_targets(const DiscoveryChain& chain) {
  Json::Object out;
  out.reserve(chain.targets.size());
  for (const ChainTarget& target : chain.targets) out.push_back({target.id, encode(target)});
  return Json(std::move(out));
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
  out.put("StartNode", node_key(chain, chain.start_node))
      .put("Nodes", codec::encode_nodes(chain))
      .put("Targets", codec::encode_targets(chain));
  if (chain.dialect == Dialect::k1_8) return out.take();
  return out.put("AutoVirtualIPs", Json()).put("AutoPortVirtualIPs", Json()).put("ManualVirtualIPs", Json()).take();
}

}  // namespace convergence
