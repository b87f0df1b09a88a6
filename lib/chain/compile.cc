#include "lib/chain/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/customization_hash.h"
#include "lib/chain/protocol.h"

namespace convergence {
namespace {

constexpr std::string_view kDefaultNamespace = "default";
constexpr Duration kDefaultConnectTimeout = std::chrono::seconds(5);

using Node = std::map<std::string, ChainNode>::value_type;

// Which of a target's four parts to replace; an empty one keeps what is there.
struct TargetParts {
  std::string_view service;
  std::string_view subset;
  std::string_view namespace_name;
  std::string_view datacenter;
};

struct Target {
  ChainTarget value;
  Node* node = nullptr;   // the resolver recorded for it
  bool retained = false;  // part of the answer; hops on the way are not
};

// One compilation; single use. Follows discovery-chain.md (b), whose step numbers the comments name.
class Compiler {
 public:
  Compiler(const ReachableEntries& entries, const ChainRequest& request);
  absl::StatusOr<DiscoveryChain> run();

 private:
  // Each returns the node under which the traffic goes on.
  absl::StatusOr<Node*> start();
  absl::StatusOr<Node*> router();
  absl::StatusOr<ChainRoute> chain_route(const Route& route);
  absl::StatusOr<Node*> next(std::string_view service, std::string_view namespace_name);
  absl::StatusOr<Node*> splitter(std::string_view service);  // null: the service has none
  absl::StatusOr<Node*> resolve(Target* target);
  // Where the redirects and default subsets lead from here, its protocol noted.
  absl::StatusOr<Target*> follow(Target* target);
  // Makes the target part of the answer and returns its resolver, without failover.
  absl::StatusOr<ResolverNode> settle(Target& target);
  absl::StatusOr<std::vector<std::string>> failover_targets(Target& target);
  absl::Status finish();

  Target* target(const TargetParts& parts);
  Target* rewrite(const Target& from, const TargetParts& parts);
  absl::Status note_protocol(std::string_view service);
  absl::Status check_external(const ChainTarget& target, const ServiceResolver& resolver) const;
  std::string mesh_gateway_mode(const ChainTarget& target);
  const ServiceEntries& entries_of(std::string_view service) const;
  Node* add_node(std::string_view type, std::string name, decltype(ChainNode::body) body);
  absl::Status fail(std::string_view text) const { return graph_error(request_.service, text); }

  // INPUT
  const ReachableEntries& entries_;
  const ChainRequest& request_;
  const std::string proxy_protocol_;
  const std::string_view datacenter_;
  const bool no_advanced_;  // the protocol asked for knows neither routers nor splitters

  // STATE
  std::map<std::string, Target> targets_;  // by ID
  std::map<std::string_view, Node*> splitters_;
  bool advanced_ = false;
  ChainOverrides effective_;  // what of the overrides made a difference

  // OUTPUT
  DiscoveryChain chain_;
};

Compiler::Compiler(const ReachableEntries& entries, const ChainRequest& request)
    : entries_(entries),
      request_(request),
      proxy_protocol_(default_protocol(entries.proxy_defaults)),
      datacenter_(request.evaluate_in_datacenter.empty() ? request.cluster.datacenter : request.evaluate_in_datacenter),
      no_advanced_(!request.overrides.protocol.empty() && !is_http_like(request.overrides.protocol)) {
  chain_.service_name = request.service;
  chain_.namespace_name = kDefaultNamespace;
  chain_.datacenter = datacenter_;
}

absl::StatusOr<DiscoveryChain> Compiler::run() {
  CVG_ASSIGN_OR_RETURN(Node * first, start());
  chain_.start_node = first->first;
  CVG_RETURN_IF_ERROR(check_circles(chain_));
  flatten_splitters(chain_);
  CVG_RETURN_IF_ERROR(finish());
  return std::move(chain_);
}

const ServiceEntries& Compiler::entries_of(std::string_view service) const {
  static const ServiceEntries kNone;
  const auto found = entries_.services.find(service);
  return found == entries_.services.end() ? kNone : found->second;
}

Node* Compiler::add_node(std::string_view type, std::string name, decltype(ChainNode::body) body) {
  std::string key = fmt::format("{}:{}", type, name);
  return &*chain_.nodes.try_emplace(std::move(key), ChainNode{std::move(name), std::move(body)}).first;
}

Target* Compiler::target(const TargetParts& parts) {
  const std::string_view space = parts.namespace_name.empty() ? kDefaultNamespace : parts.namespace_name;
  const std::string_view datacenter = parts.datacenter.empty() ? datacenter_ : parts.datacenter;
  std::string id;
  id.reserve(parts.subset.size() + parts.service.size() + space.size() + datacenter.size() + 3);
  if (!parts.subset.empty()) id.append(parts.subset).append(".");
  id.append(parts.service).append(".").append(space).append(".").append(datacenter);
  const auto [found, is_new] = targets_.try_emplace(std::move(id));
  if (is_new) {
    ChainTarget& value = found->second.value;
    value.id = found->first;
    value.service = parts.service;
    value.service_subset = parts.subset;
    value.namespace_name = space;
    value.datacenter = datacenter;
    value.name = fmt::format("{}.internal.{}", value.id, request_.cluster.trust_domain);
    value.sni = value.name;
  }
  return &found->second;
}

Target* Compiler::rewrite(const Target& from, const TargetParts& parts) {
  const ChainTarget& old = from.value;
  TargetParts made = {old.service, old.service_subset, old.namespace_name, old.datacenter};
  if (!parts.service.empty() && parts.service != old.service) {
    made.service = parts.service;
    made.subset = {};  // another service's subsets are not this one's
  }
  if (!parts.subset.empty()) made.subset = parts.subset;
  if (!parts.namespace_name.empty()) made.namespace_name = parts.namespace_name;
  if (!parts.datacenter.empty()) made.datacenter = parts.datacenter;
  return target(made);
}

absl::Status Compiler::note_protocol(std::string_view service) {
  std::string protocol = service_protocol(entries_of(service).defaults, proxy_protocol_);
  if (chain_.protocol.empty()) {
    chain_.protocol = std::move(protocol);
  } else if (protocol != chain_.protocol) {
    return fail(fmt::format(R"(discovery chain {} uses inconsistent protocols; service {} has {} which is not {})",
                            go_quote(request_.service), go_quote(service), go_quote(protocol),
                            go_quote(chain_.protocol)));
  }
  return absl::OkStatus();
}

// Step 1.
absl::StatusOr<Node*> Compiler::start() {
  if (entries_.router != nullptr && !no_advanced_) return router();
  if (entries_.router != nullptr) effective_.protocol = request_.overrides.protocol;
  return next(request_.service, {});
}

// Step 2.
absl::StatusOr<Node*> Compiler::router() {
  advanced_ = true;
  CVG_RETURN_IF_ERROR(note_protocol(entries_.router_name));
  RouterNode node;
  node.routes.reserve(entries_.router->routes.size() + 1);
  for (const Route& route : entries_.router->routes) {
    CVG_ASSIGN_OR_RETURN(ChainRoute made, chain_route(route));
    node.routes.push_back(std::move(made));
  }
  Route catch_all;
  catch_all.match.emplace().http.emplace().path_prefix = "/";
  catch_all.destination.emplace().service = entries_.router_name;
  catch_all.destination->namespace_name = kDefaultNamespace;
  CVG_ASSIGN_OR_RETURN(Node * rest, next(entries_.router_name, {}));
  node.routes.push_back({std::move(catch_all), rest->first});
  return add_node("router", fmt::format("{}.{}", entries_.router_name, kDefaultNamespace), std::move(node));
}

absl::StatusOr<ChainRoute> Compiler::chain_route(const Route& route) {
  TargetParts parts;
  if (route.destination) {
    parts.service = route.destination->service;
    parts.subset = route.destination->service_subset;
    parts.namespace_name = route.destination->namespace_name;
  }
  if (parts.service.empty()) parts.service = request_.service;
  CVG_ASSIGN_OR_RETURN(Node * node,
                       parts.subset.empty() ? next(parts.service, parts.namespace_name) : resolve(target(parts)));
  return ChainRoute{route, node->first};
}

absl::StatusOr<Node*> Compiler::next(std::string_view service, std::string_view namespace_name) {
  CVG_ASSIGN_OR_RETURN(Node * node, splitter(service));
  if (node != nullptr) return node;
  return resolve(target({service, {}, namespace_name, {}}));
}

// Step 3. The entry's own service is not asked for its protocol: only services that are resolved are.
absl::StatusOr<Node*> Compiler::splitter(std::string_view service) {
  if (const auto built = splitters_.find(service); built != splitters_.end()) return built->second;
  const ServiceSplitter* entry = entries_of(service).splitter;
  if (entry == nullptr) return nullptr;
  if (no_advanced_) {
    effective_.protocol = request_.overrides.protocol;
    return nullptr;
  }
  // Recorded before its legs are followed, so that circles end here.
  Node* node = add_node("splitter", fmt::format("{}.{}", service, kDefaultNamespace), SplitterNode());
  splitters_.emplace(service, node);
  auto& legs = std::get<SplitterNode>(node->second.body).splits;
  legs.reserve(entry->splits.size());
  for (const Split& split : entry->splits) {
    const std::string_view leg_service = split.service.empty() ? service : std::string_view(split.service);
    Node* leg = nullptr;
    if (leg_service != service && split.service_subset.empty()) {
      CVG_ASSIGN_OR_RETURN(leg, splitter(leg_service));
    }
    if (leg == nullptr) {
      CVG_ASSIGN_OR_RETURN(leg, resolve(target({leg_service, split.service_subset, {}, {}})));
    }
    legs.push_back({split.weight, leg->first});
  }
  advanced_ = true;
  return node;
}

// Step 4.
absl::StatusOr<Node*> Compiler::resolve(Target* from) {
  CVG_ASSIGN_OR_RETURN(Target * found, follow(from));
  if (found->node != nullptr) return found->node;
  CVG_ASSIGN_OR_RETURN(ResolverNode resolver, settle(*found));
  found->node = add_node("resolver", found->value.id, std::move(resolver));
  CVG_ASSIGN_OR_RETURN(std::vector<std::string> failover, failover_targets(*found));
  std::get<ResolverNode>(found->node->second.body).failover_targets = std::move(failover);
  return found->node;
}

absl::StatusOr<Target*> Compiler::follow(Target* from) {
  std::vector<std::string_view> history;
  for (Target* at = from;;) {
    if (at->node != nullptr) return at;
    CVG_RETURN_IF_ERROR(note_protocol(at->value.service));
    const bool seen = std::find(history.begin(), history.end(), at->value.id) != history.end();
    history.push_back(at->value.id);
    if (seen) return fail(fmt::format("detected circular resolver redirect: [{}]", fmt::join(history, " -> ")));
    const ServiceResolver* entry = entries_of(at->value.service).resolver;
    if (entry == nullptr) return at;
    if (const auto& redirect = entry->redirect) {
      Target* there =
          rewrite(*at, {redirect->service, redirect->service_subset, redirect->namespace_name, redirect->datacenter});
      if (there != at) {
        at = there;
        continue;
      }
    }
    if (!at->value.service_subset.empty() || entry->default_subset.empty()) return at;
    at = rewrite(*at, {{}, entry->default_subset, {}, {}});
  }
}

absl::StatusOr<ResolverNode> Compiler::settle(Target& settled) {
  static const ServiceResolver kNone;
  ChainTarget& value = settled.value;
  const ServiceEntries& entries = entries_of(value.service);
  const ServiceResolver& entry = entries.resolver == nullptr ? kNone : *entries.resolver;
  if (!value.service_subset.empty()) {
    const auto subset = entry.subsets.find(value.service_subset);
    if (subset == entry.subsets.end()) {
      return fail(fmt::format("service {} does not have a subset named {}", go_quote(value.service),
                              go_quote(value.service_subset)));
    }
    value.subset = subset->second;
  }
  ResolverNode node;
  node.target = value.id;
  node.is_default = entry.default_subset.empty() && entry.subsets.empty() && !entry.redirect &&
                    entry.failover.empty() && entry.connect_timeout == Duration{0};
  node.connect_timeout = entry.connect_timeout < Duration{1} ? kDefaultConnectTimeout : entry.connect_timeout;
  const Duration wanted = request_.overrides.connect_timeout;
  if (wanted > Duration{0} && wanted != node.connect_timeout) {
    node.connect_timeout = effective_.connect_timeout = wanted;
  }
  if (entries.defaults != nullptr && !entries.defaults->external_sni.empty()) {
    value.sni = entries.defaults->external_sni;
    value.external = true;
    CVG_RETURN_IF_ERROR(check_external(value, entry));
  }
  value.mesh_gateway_mode = mesh_gateway_mode(value);
  settled.retained = true;
  return node;
}

absl::Status Compiler::check_external(const ChainTarget& external, const ServiceResolver& resolver) const {
  const char* refused = resolver.redirect            ? "redirects"
                        : !resolver.subsets.empty()  ? "subsets"
                        : !resolver.failover.empty() ? "failover"
                                                     : nullptr;
  if (refused == nullptr) return absl::OkStatus();
  return fail(fmt::format("service {} has an external SNI set; cannot define {} for external services",
                          go_quote(external.service), refused));
}

// Empty at home: the cluster's datacenter, whatever datacenter the chain is compiled for (discovery-chain.md (e) 17).
std::string Compiler::mesh_gateway_mode(const ChainTarget& remote) {
  if (remote.external || remote.datacenter == request_.cluster.datacenter) return "";
  std::string mode;
  if (const ServiceDefaults* defaults = entries_of(remote.service).defaults) mode = defaults->mesh_gateway_mode;
  if (mode.empty() && entries_.proxy_defaults != nullptr) mode = entries_.proxy_defaults->mesh_gateway_mode;
  const std::string& wanted = request_.overrides.mesh_gateway_mode;
  if (!wanted.empty() && wanted != mode) mode = effective_.mesh_gateway_mode = wanted;
  return mode;
}

absl::StatusOr<std::vector<std::string>> Compiler::failover_targets(Target& primary) {
  std::vector<std::string> out;
  const ServiceResolver* entry = entries_of(primary.value.service).resolver;
  if (entry == nullptr) return out;
  auto section = entry->failover.find(primary.value.service_subset);
  if (section == entry->failover.end()) section = entry->failover.find("*");
  if (section == entry->failover.end()) return out;
  const ResolverFailover& failover = section->second;
  std::vector<Target*> candidates;
  const auto add = [&](std::string_view datacenter) {
    Target* there = rewrite(primary, {failover.service, failover.service_subset, failover.namespace_name, datacenter});
    if (there != &primary) candidates.push_back(there);
  };
  for (const std::string& datacenter : failover.datacenters) add(datacenter);
  if (failover.datacenters.empty()) add({});
  for (Target* candidate : candidates) {
    CVG_ASSIGN_OR_RETURN(Target * found, follow(candidate));
    if (found->node == nullptr) CVG_RETURN_IF_ERROR(settle(*found).status());
    out.push_back(found->value.id);
  }
  return out;
}

// Step 5 from 4 on.
absl::Status Compiler::finish() {
  for (auto& [id, loaded] : targets_) {
    if (loaded.retained) chain_.targets.emplace_hint(chain_.targets.end(), id, std::move(loaded.value));
  }
  if (advanced_ && !is_http_like(chain_.protocol)) {
    return fail(
        fmt::format("discovery chain {} uses a protocol {} that does not permit advanced routing or splitting behavior",
                    go_quote(request_.service), go_quote(chain_.protocol)));
  }
  const std::string& wanted = request_.overrides.protocol;
  if (!wanted.empty() && wanted != chain_.protocol) chain_.protocol = effective_.protocol = wanted;
  if (effective_ != ChainOverrides()) chain_.customization_hash = customization_hash(effective_);
  return absl::OkStatus();
}

}  // namespace

absl::Status graph_error(std::string_view service, std::string_view text) {
  Json detail;
  detail.set("service", service);
  return make_error(ErrorKind::kGraph, text, std::move(detail));
}

absl::StatusOr<DiscoveryChain> compile_chain(EntryLookup& lookup, const ChainRequest& request) {
  if (request.service.empty()) return make_error(ErrorKind::kValidate, "serviceName is required");
  const std::string& mode = request.overrides.mesh_gateway_mode;
  if (!mode.empty() && mode != "none" && mode != "local" && mode != "remote") {
    return make_error(ErrorKind::kValidate, "Invalid OverrideMeshGateway.Mode parameter");
  }
  const ReachableEntries entries = collect_reachable(lookup, request.service);
  return Compiler(entries, request).run();
}

absl::StatusOr<DiscoveryChain> compile_chain(const EntryMap& entries, const ChainRequest& request) {
  EntryLookup lookup(entries);
  return compile_chain(lookup, request);
}

}  // namespace convergence
