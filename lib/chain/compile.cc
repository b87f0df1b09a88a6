#include "lib/chain/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/utility/utility.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/customization_hash.h"
#include "lib/chain/draft.h"
#include "lib/chain/normalise.h"
#include "lib/chain/protocol.h"

namespace convergence {
namespace {

constexpr Duration kDefaultConnectTimeout = std::chrono::seconds(5);

using Number = Draft::Number;

// Which of a target's parts to replace; an empty one keeps what is there.
struct TargetParts {
  std::string_view service{};
  std::string_view subset{};
  std::string_view namespace_name{};
  std::string_view datacenter{};
  std::string_view peer{};
};

// One compilation; single use. Follows discovery-chain.md (b), whose step numbers the comments name, and (b3) for what
// the current dialect has more.
class Compiler {
 public:
  // The chain is made in `out`.
  Compiler(ReachableEntries& entries, const ChainRequest& request, Scratch& scratch, DiscoveryChain& out);
  absl::Status run();
  absl::Status check();
  // From here on an error has no text.
  void say_nothing() { silent_ = true; }

 private:
  // Each returns the node under which the traffic goes on.
  absl::StatusOr<Number> start();
  absl::StatusOr<Number> router();
  absl::StatusOr<Number> route_target(const Route& route);
  absl::StatusOr<Number> next(std::string_view service, std::string_view namespace_name);
  absl::StatusOr<Number> splitter(std::string_view service);  // kNone: the service has none
  absl::StatusOr<Number> resolve(Number target);
  // Where the redirects and default subsets lead from here, its protocol noted.
  absl::StatusOr<Number> follow(Number target);
  // Makes the target part of the answer; `node` becomes its resolver, without failover.
  absl::Status settle(Number target, Draft::Node& node);
  absl::StatusOr<std::span<Number>> failover(Number target, const FailoverPolicy*& policy);
  absl::Status finish();

  // The splitter node of a service, made and recorded if there is an entry for one and none yet.
  Number splitter_node(Number service, bool& is_new);
  absl::StatusOr<Number> leg_node(Number service, const Split& split, Number& open);
  void take_hash(const Draft::Node& leg, const LoadBalancer*& balancer) const;

  Number service_number(std::string_view name);
  Number target(const TargetParts& parts);
  Number rewrite(Number from, const TargetParts& parts);
  absl::Status note_protocol(Number service);
  absl::Status check_external(const Draft::Target& target, const ServiceResolver& resolver) const;
  std::string_view mesh_gateway_mode(const Draft::Target& target);
  bool dialed_directly(const ServiceDefaults* own) const;
  bool is_default(const ServiceResolver& entry) const;
  bool current() const { return request_.cluster.dialect != Dialect::k1_8; }
  // text() is Consul's.
  template <typename Text>
  absl::Status fail(Text text) const {
    if (silent_) return absl::Status(absl::StatusCode::kInvalidArgument, "");
    return graph_error(request_.service, text());
  }

  // INPUT
  ReachableEntries& entries_;
  const ChainRequest& request_;
  const std::string proxy_protocol_;
  const std::string_view datacenter_;
  const bool no_advanced_;  // the protocol asked for knows neither routers nor splitters
  bool silent_ = false;

  // STATE
  Scratch& scratch_;
  Draft draft_;
  TextIndex target_ids_;
  ScratchVector<Number> splitters_;  // nodes by service
  ScratchVector<Number> history_;    // of one follow(), kept for its memory
  bool advanced_ = false;
  ChainOverrides effective_;  // what of the overrides made a difference

  // OUTPUT
  DiscoveryChain& chain_;
};

Compiler::Compiler(ReachableEntries& entries, const ChainRequest& request, Scratch& scratch, DiscoveryChain& out)
    : entries_(entries),
      request_(request),
      proxy_protocol_(default_protocol(entries.proxy_defaults)),
      datacenter_(request.evaluate_in_datacenter.empty() ? request.cluster.datacenter : request.evaluate_in_datacenter),
      no_advanced_(!request.overrides.protocol.empty() && !is_http_like(request.overrides.protocol)),
      scratch_(scratch),
      draft_(scratch),
      target_ids_(scratch),
      splitters_(entries.services.size(), Draft::kNone, scratch),
      history_(scratch),
      chain_(out) {
  chain_.service_name = request.service;
  chain_.namespace_name = kDefaultNamespace;
  chain_.datacenter = datacenter_;
}

absl::Status Compiler::run() {
  CVG_RETURN_IF_ERROR(check());
  write_nodes_and_targets(draft_, entries_, request_, chain_);
  return absl::OkStatus();
}

absl::Status Compiler::check() {
  CVG_ASSIGN_OR_RETURN(draft_.start, start());
  if (draft_.nested) {  // else nothing leads back to where one has been
    const std::vector<std::string> circle = find_circle(draft_);
    if (!circle.empty())
      return fail([&] { return fmt::format("detected circular reference: [{}]", fmt::join(circle, " -> ")); });
    flatten_splitters(draft_);
  }
  return finish();
}

// Only peers' services are met here that nothing collected.
Number Compiler::service_number(std::string_view name) {
  const auto [number, is_new] = entries_.names.add(name);
  if (is_new) {
    entries_.services.emplace_back();
    splitters_.push_back(Draft::kNone);
  }
  return number;
}

Number Compiler::target(const TargetParts& parts) {
  const bool is_peer = !parts.peer.empty();
  const std::string_view space = parts.namespace_name.empty() ? kDefaultNamespace : parts.namespace_name;
  const std::string_view datacenter = is_peer                    ? std::string_view()
                                      : parts.datacenter.empty() ? datacenter_
                                                                 : parts.datacenter;
  const std::string_view dot = parts.subset.empty() ? "" : ".";
  const std::string_view partition = current() ? kDefaultPartition : std::string_view();
  const std::string_view partition_dot = current() ? "." : "";
  const std::string_view external = is_peer ? "external." : "";
  const std::string_view id = scratch_.join({parts.subset, dot, parts.service, ".", space, partition_dot, partition,
                                             ".", external, is_peer ? parts.peer : datacenter});
  const auto [number, is_new] = target_ids_.add(id);
  if (!is_new) return number;
  Draft::Target& made = draft_.targets.emplace_back();
  made.id = id;
  made.service = service_number(parts.service);
  made.subset = parts.subset;
  made.namespace_name = space;
  made.datacenter = datacenter;
  made.peer = parts.peer;
  return number;
}

Number Compiler::rewrite(Number from, const TargetParts& parts) {
  const Draft::Target& old = draft_.targets[from];
  TargetParts made = {entries_.names.text(old.service), old.subset, old.namespace_name, old.datacenter, old.peer};
  if (!parts.service.empty() && parts.service != made.service) {
    made.service = parts.service;
    made.subset = {};  // another service's subsets are not this one's
  }
  if (!parts.subset.empty()) made.subset = parts.subset;
  // A peer has namespaces of its own.
  if (!parts.namespace_name.empty() || !parts.peer.empty()) made.namespace_name = parts.namespace_name;
  if (!parts.datacenter.empty()) made.datacenter = parts.datacenter;
  if (!parts.peer.empty()) made.peer = parts.peer;
  return target(made);
}

absl::Status Compiler::note_protocol(Number service) {
  const std::string_view protocol = service_protocol(entries_.services[service].defaults, proxy_protocol_);
  if (chain_.protocol.empty()) {
    chain_.protocol = ascii_lower(protocol);
  } else if (!ascii_equal_fold(protocol, chain_.protocol)) {
    return fail([&] {
      return fmt::format(R"(discovery chain {} uses inconsistent protocols; service {} has {} which is not {})",
                         go_quote(request_.service), go_quote(entries_.names.text(service)),
                         go_quote(ascii_lower(protocol)), go_quote(chain_.protocol));
    });
  }
  return absl::OkStatus();
}

// Step 1.
absl::StatusOr<Number> Compiler::start() {
  if (entries_.router != nullptr && !no_advanced_) return router();
  if (entries_.router != nullptr) effective_.protocol = request_.overrides.protocol;
  return next(request_.service, {});
}

// Step 2.
absl::StatusOr<Number> Compiler::router() {
  advanced_ = true;
  const std::string_view name = (*entries_.router_entry)->name;  // as stored
  CVG_RETURN_IF_ERROR(note_protocol(service_number(name)));
  const auto node = static_cast<Number>(draft_.nodes.size());
  draft_.nodes.emplace_back();
  const std::span<Draft::RouteEdge> routes = scratch_.array<Draft::RouteEdge>(entries_.router->routes.size() + 1);
  for (std::size_t i = 0; i + 1 < routes.size(); ++i) {
    routes[i].stored = &entries_.router->routes[i];
    CVG_ASSIGN_OR_RETURN(routes[i].node, route_target(*routes[i].stored));
  }
  CVG_ASSIGN_OR_RETURN(routes.back().node, next(name, {}));

  Draft::Node& made = draft_.nodes[node];
  made.type = Draft::Type::kRouter;
  made.name = current() ? scratch_.join({name, ".", kDefaultNamespace, ".", kDefaultPartition})
                        : scratch_.join({name, ".", kDefaultNamespace});
  made.routes = routes;
  return node;
}

absl::StatusOr<Number> Compiler::route_target(const Route& route) {
  TargetParts parts;
  if (route.destination) {
    parts.service = route.destination->service;
    parts.subset = route.destination->service_subset;
    parts.namespace_name = route.destination->namespace_name;
  }
  if (parts.service.empty()) parts.service = request_.service;
  if (!parts.subset.empty()) return resolve(target(parts));
  return next(parts.service, parts.namespace_name);
}

absl::StatusOr<Number> Compiler::next(std::string_view service, std::string_view namespace_name) {
  CVG_ASSIGN_OR_RETURN(const Number node, splitter(service));
  if (node != Draft::kNone) return node;
  return resolve(target({service, {}, namespace_name, {}, {}}));
}

// Step 3. The entry's own service is not asked for its protocol: only services that are resolved are. Depth first over
// a stack of its own, for splitters may stand below each other as deep as there are entries.
absl::StatusOr<Number> Compiler::splitter(std::string_view service) {
  bool is_new = false;
  const Number root = splitter_node(service_number(service), is_new);
  if (!is_new) return root;
  struct Frame {
    Number node;
    Number service;
    std::size_t done = 0;  // legs
  };
  ScratchVector<Frame> path(scratch_);
  path.push_back({root, service_number(service)});
  while (!path.empty()) {
    Frame& top = path.back();
    Number open = Draft::kNone;  // the service of a splitter that is new
    const ServiceEntries& entries = entries_.services[top.service];
    if (top.done == entries.splitter->splits.size()) {
      advanced_ = true;
      path.pop_back();
      continue;
    }
    const std::size_t place = top.done++;
    const Split& split = entries.splitter->splits[place];
    const Shared<ConfigEntry>* entry = entries.splitter_entry;
    const Number node = top.node;
    CVG_ASSIGN_OR_RETURN(const Number to, leg_node(top.service, split, open));
    Draft::Leg& leg = draft_.nodes[node].legs[place];
    leg.weight = split.weight;
    leg.node = to;
    if (draft_.nodes[to].type == Draft::Type::kSplitter) draft_.nested = true;
    if (current()) {
      leg.definition = {&split, entry, nullptr};
      take_hash(draft_.nodes[to], draft_.nodes[node].load_balancer);
    }
    if (open != Draft::kNone) path.push_back({to, open});
  }
  return root;
}

// A split has the load balancer of the first of its legs that chooses by hash.
void Compiler::take_hash(const Draft::Node& leg, const LoadBalancer*& balancer) const {
  if (balancer != nullptr || leg.type != Draft::Type::kResolver || leg.entry == nullptr) return;
  const auto& own = leg.entry->load_balancer;
  if (own && is_hash_based(*own)) balancer = &*own;
}

Number Compiler::splitter_node(Number service, bool& is_new) {
  const ServiceSplitter* entry = entries_.services[service].splitter;
  if (entry == nullptr) return Draft::kNone;
  if (splitters_[service] != Draft::kNone) return splitters_[service];
  if (no_advanced_) {
    effective_.protocol = request_.overrides.protocol;
    return Draft::kNone;
  }
  // Recorded before its legs are followed, so that circles end here.
  const auto node = static_cast<Number>(draft_.nodes.size());
  const std::string_view name = entries_.names.text(service);
  Draft::Node& made = draft_.nodes.emplace_back();
  made.type = Draft::Type::kSplitter;
  made.name = current() ? scratch_.join({name, ".", kDefaultNamespace, ".", kDefaultPartition})
                        : scratch_.join({name, ".", kDefaultNamespace});
  made.legs = scratch_.array<Draft::Leg>(entry->splits.size());
  splitters_[service] = node;
  is_new = true;
  return node;
}

// Where a leg leads; `open` gets the service of a splitter whose own legs are still to be followed.
absl::StatusOr<Number> Compiler::leg_node(Number service, const Split& split, Number& open) {
  const std::string_view own = entries_.names.text(service);
  const std::string_view name = split.service.empty() ? own : std::string_view(split.service);
  if (name != own && split.service_subset.empty()) {
    bool is_new = false;
    const Number below = service_number(name);
    const Number node = splitter_node(below, is_new);
    if (is_new) open = below;
    if (node != Draft::kNone) return node;
  }
  return resolve(target({name, split.service_subset, {}, {}, {}}));
}

// Step 4.
absl::StatusOr<Number> Compiler::resolve(Number from) {
  CVG_ASSIGN_OR_RETURN(const Number found, follow(from));
  if (draft_.targets[found].node != Draft::kNone) return draft_.targets[found].node;
  const auto node = static_cast<Number>(draft_.nodes.size());
  CVG_RETURN_IF_ERROR(settle(found, draft_.nodes.emplace_back()));
  draft_.targets[found].node = node;
  const FailoverPolicy* policy = nullptr;
  CVG_ASSIGN_OR_RETURN(draft_.nodes[node].failover, failover(found, policy));
  draft_.nodes[node].failover_policy = policy;
  return node;
}

absl::StatusOr<Number> Compiler::follow(Number from) {
  history_.clear();
  for (Number at = from;;) {
    const Draft::Target& here = draft_.targets[at];
    if (here.node != Draft::kNone) return at;
    if (here.peer.empty()) CVG_RETURN_IF_ERROR(note_protocol(here.service));
    const bool seen = std::find(history_.begin(), history_.end(), at) != history_.end();
    history_.push_back(at);
    if (seen) {
      std::vector<std::string_view> ids;
      for (Number hop : history_) ids.push_back(draft_.targets[hop].id);
      return fail([&] { return fmt::format("detected circular resolver redirect: [{}]", fmt::join(ids, " -> ")); });
    }
    const ServiceResolver* entry = entries_.services[here.service].resolver;
    if (entry == nullptr) return at;
    if (const auto& redirect = entry->redirect) {
      const Number there = rewrite(at, {redirect->service, redirect->service_subset, redirect->namespace_name,
                                        redirect->datacenter, redirect->peer});
      if (there != at) {
        at = there;
        continue;
      }
    }
    if (!draft_.targets[at].subset.empty() || entry->default_subset.empty()) return at;
    at = rewrite(at, {{}, entry->default_subset, {}, {}, {}});
  }
}

bool Compiler::is_default(const ServiceResolver& entry) const {
  return entry.default_subset.empty() && entry.subsets.empty() && !entry.redirect && entry.failover.empty() &&
         entry.connect_timeout == Duration{0} && entry.request_timeout == Duration{0} && !entry.load_balancer &&
         !entry.prioritize_by_locality;
}

absl::Status Compiler::settle(Number settled, Draft::Node& node) {
  static const ServiceResolver kNoResolver;
  Draft::Target& here = draft_.targets[settled];
  const ServiceEntries& entries = entries_.services[here.service];
  const ServiceResolver& entry = entries.resolver == nullptr ? kNoResolver : *entries.resolver;
  if (!here.subset.empty()) {
    const auto subset = entry.subsets.find(std::string(here.subset));
    if (subset == entry.subsets.end()) {
      return fail([&] {
        return fmt::format("service {} does not have a subset named {}", go_quote(entries_.names.text(here.service)),
                           go_quote(here.subset));
      });
    }
    here.subset_entry = &subset->second;
  }
  node.name = here.id;
  node.target = settled;
  node.entry = entries.resolver;
  node.is_default = is_default(entry);
  node.connect_timeout = entry.connect_timeout < Duration{1} ? kDefaultConnectTimeout : entry.connect_timeout;
  const Duration wanted = request_.overrides.connect_timeout;
  if (wanted > Duration{0} && wanted != node.connect_timeout) {
    node.connect_timeout = effective_.connect_timeout = wanted;
  }
  if (entries.defaults != nullptr && !entries.defaults->external_sni.empty()) {
    here.external_sni = entries.defaults->external_sni;
    CVG_RETURN_IF_ERROR(check_external(here, entry));
  }
  here.mesh_gateway_mode = mesh_gateway_mode(here);
  here.dialed_directly = here.external_sni.empty() && dialed_directly(entries.defaults);
  here.connect_timeout = node.connect_timeout;
  if (entry.prioritize_by_locality) here.locality = &*entry.prioritize_by_locality;
  here.retained = true;
  return absl::OkStatus();
}

absl::Status Compiler::check_external(const Draft::Target& external, const ServiceResolver& resolver) const {
  const char* refused = resolver.redirect            ? "redirects"
                        : !resolver.subsets.empty()  ? "subsets"
                        : !resolver.failover.empty() ? "failover"
                                                     : nullptr;
  if (refused == nullptr) return absl::OkStatus();
  return fail([&] {
    return fmt::format("service {} has an external SNI set; cannot define {} for external services",
                       go_quote(entries_.names.text(external.service)), refused);
  });
}

// In 1.8 empty at home: the cluster's datacenter, whatever datacenter the chain is compiled for (discovery-chain.md
// (e) 17). Later ones make no difference there.
std::string_view Compiler::mesh_gateway_mode(const Draft::Target& there) {
  if (!there.external_sni.empty()) return {};
  if (!current() && there.datacenter == request_.cluster.datacenter) return {};
  std::string_view mode;
  if (const ServiceDefaults* defaults = entries_.services[there.service].defaults) mode = defaults->mesh_gateway_mode;
  if (mode.empty() && entries_.proxy_defaults != nullptr) mode = entries_.proxy_defaults->mesh_gateway_mode;
  const std::string& wanted = request_.overrides.mesh_gateway_mode;
  if (!wanted.empty() && wanted != mode) {
    effective_.mesh_gateway_mode = wanted;
    mode = wanted;
  }
  return mode;
}

bool Compiler::dialed_directly(const ServiceDefaults* own) const {
  const ProxyDefaults* all = entries_.proxy_defaults;
  return (own != nullptr && own->transparent_proxy && own->transparent_proxy->dialed_directly) ||
         (all != nullptr && all->transparent_proxy && all->transparent_proxy->dialed_directly);
}

absl::StatusOr<std::span<Number>> Compiler::failover(Number primary, const FailoverPolicy*& policy) {
  std::span<Number> out;
  const ServiceResolver* entry = entries_.services[draft_.targets[primary].service].resolver;
  if (entry == nullptr || entry->failover.empty()) return out;
  auto section = entry->failover.find(std::string(draft_.targets[primary].subset));
  if (section == entry->failover.end()) section = entry->failover.find("*");
  if (section == entry->failover.end()) return out;
  const ResolverFailover& wanted = section->second;
  const std::span<Number> room = scratch_.array<Number>(wanted.targets.size() + wanted.datacenters.size() + 1);
  const auto add = [&](const TargetParts& parts) {
    const Number there = rewrite(primary, parts);
    if (there == primary) return;
    room[out.size()] = there;
    out = room.first(out.size() + 1);
  };
  for (const FailoverTarget& one : wanted.targets) {
    add({one.service, one.service_subset, one.namespace_name, one.datacenter, one.peer});
  }
  for (const std::string& datacenter : wanted.datacenters) {
    add({wanted.service, wanted.service_subset, wanted.namespace_name, datacenter, {}});
  }
  if (wanted.targets.empty() && wanted.datacenters.empty()) {
    add({wanted.service, wanted.service_subset, wanted.namespace_name, {}, {}});
  }
  for (Number& candidate : out) {
    CVG_ASSIGN_OR_RETURN(candidate, follow(candidate));
    Draft::Node unused;
    if (draft_.targets[candidate].node == Draft::kNone) CVG_RETURN_IF_ERROR(settle(candidate, unused));
  }
  const ProxyDefaults* all = entries_.proxy_defaults;
  if (!out.empty())
    policy = wanted.policy ? &*wanted.policy : all && all->failover_policy ? &*all->failover_policy : nullptr;
  return out;
}

// Step 5 from 4 on.
absl::Status Compiler::finish() {
  if (advanced_ && !is_http_like(chain_.protocol)) {
    return fail([&] {
      return fmt::format(
          "discovery chain {} uses a protocol {} that does not permit advanced routing or splitting behavior",
          go_quote(request_.service), go_quote(chain_.protocol));
    });
  }
  const std::string& wanted = request_.overrides.protocol;
  if (!wanted.empty() && wanted != chain_.protocol) chain_.protocol = effective_.protocol = wanted;
  if (effective_ != ChainOverrides()) chain_.customization_hash = customization_hash(effective_);
  if (!current()) return absl::OkStatus();
  chain_.dialect = request_.cluster.dialect;
  chain_.partition = kDefaultPartition;
  const Draft::Node& first = draft_.nodes[draft_.start];
  if (first.type == Draft::Type::kResolver && first.is_default) {
    const Draft::Target& target = draft_.targets[first.target];
    chain_.is_default = target.peer.empty() && entries_.names.text(target.service) == request_.service &&
                        target.namespace_name == kDefaultNamespace;
  }
  const ServiceDefaults* own = entries_.services[service_number(request_.service)].defaults;
  if (entries_.proxy_defaults != nullptr) chain_.envoy_extensions = entries_.proxy_defaults->envoy_extensions;
  if (own == nullptr) return absl::OkStatus();
  chain_.envoy_extensions.insert(chain_.envoy_extensions.end(), own->envoy_extensions.begin(),
                                 own->envoy_extensions.end());
  chain_.service_meta = *entries_.own_meta;
  return absl::OkStatus();
}

}  // namespace

absl::Status graph_error(std::string_view service, std::string_view text) {
  Json detail;
  detail.set("service", service);
  return make_error(ErrorKind::kGraph, text, std::move(detail));
}

namespace {

absl::Status check_request(const ChainRequest& request) {
  if (request.service.empty()) return make_error(ErrorKind::kValidate, "serviceName is required");
  const std::string& mode = request.overrides.mesh_gateway_mode;
  if (!mode.empty() && mode != "none" && mode != "local" && mode != "remote") {
    return make_error(ErrorKind::kValidate, "Invalid OverrideMeshGateway.Mode parameter");
  }
  return absl::OkStatus();
}

absl::Status compile_into(DiscoveryChain& chain, EntryLookup& lookup, const ChainRequest& request) {
  CVG_RETURN_IF_ERROR(check_request(request));
  Scratch scratch;
  ReachableEntries entries = collect_reachable(lookup, request.service, scratch);
  return Compiler(entries, request, scratch, chain).run();
}

}  // namespace

// Made where the caller gets it, as nothing else is returned.
absl::StatusOr<DiscoveryChain> compile_chain(EntryLookup& lookup, const ChainRequest& request) {
  absl::StatusOr<DiscoveryChain> chain(absl::in_place);
  if (absl::Status status = compile_into(*chain, lookup, request); !status.ok()) chain = std::move(status);
  return chain;
}

bool chain_compiles(EntryLookup& lookup, const ChainRequest& request) {
  if (!check_request(request).ok()) return false;
  Scratch scratch;
  ReachableEntries entries = collect_reachable(lookup, request.service, scratch);
  DiscoveryChain chain;
  Compiler compiler(entries, request, scratch, chain);
  compiler.say_nothing();
  return compiler.check().ok();
}

absl::StatusOr<DiscoveryChain> compile_chain(const EntryMap& entries, const ChainRequest& request) {
  EntryLookup lookup(entries);
  return compile_chain(lookup, request);
}

}  // namespace convergence
