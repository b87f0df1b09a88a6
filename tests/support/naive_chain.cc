#include "tests/support/naive_chain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <variant>

#include "lib/base/ascii.h"
#include "lib/base/go_text.h"

namespace convergence::test {
namespace {

using Targets = std::map<std::string, NaiveChain::Target>;

bool http_like(const std::string& protocol) { return protocol == "http" || protocol == "http2" || protocol == "grpc"; }

struct Failed {
  std::string text;
};

class Pencil {
 public:
  Pencil(const EntryMap& entries, const ChainRequest& request)
      : entries_(entries),
        request_(request),
        current_(request.cluster.dialect == Dialect::kCurrent),
        here_(request.evaluate_in_datacenter.empty() ? request.cluster.datacenter : request.evaluate_in_datacenter),
        plain_(!request.overrides.protocol.empty() && !http_like(request.overrides.protocol)) {}

  NaiveChain draw() {
    try {
      collect();
      out_.start = begin();
      refuse_circles();
      flatten();
      prune();
      finish();
    } catch (const Failed& failed) {
      out_ = NaiveChain();
      out_.error = failed.text;
    }
    return std::move(out_);
  }

 private:
  // ---- what is there

  const ConfigEntry* stored(std::string_view kind, const std::string& name) const {
    const auto found = entries_.find(entry_key(kind, name));
    return found == entries_.end() ? nullptr : &*found->second;
  }
  template <typename Body>
  const Body* body(std::string_view kind, const std::string& name) const {
    const ConfigEntry* entry = stored(kind, name);
    return entry == nullptr ? nullptr : std::get_if<Body>(&entry->body);
  }

  // Only what somebody has led to is known, by the letters in which it was named.
  void collect() {
    std::vector<std::string> open = {request_.service};
    known_.insert(request_.service);
    if (const auto* router = body<ServiceRouter>(kServiceRouter, request_.service)) {
      router_name_ = stored(kServiceRouter, request_.service)->name;
      open = {router_name_};
      for (const Route& route : router->routes) {
        if (route.destination && !route.destination->service.empty()) open.push_back(route.destination->service);
      }
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::string name = open[i];
      if (!splits_.insert(name).second) continue;
      resolves_.insert(name);
      if (const auto* splitter = body<ServiceSplitter>(kServiceSplitter, name)) {
        const std::string& own = stored(kServiceSplitter, name)->name;
        for (const Split& split : splitter->splits) {
          if (!split.service.empty() && split.service != own) open.push_back(split.service);
        }
      }
    }
    std::vector<std::string> further(resolves_.begin(), resolves_.end());
    for (std::size_t i = 0; i < further.size(); ++i) {
      const std::string name = further[i];
      resolves_.insert(name);
      const auto* resolver = body<ServiceResolver>(kServiceResolver, name);
      if (resolver == nullptr) continue;
      const std::string& own = stored(kServiceResolver, name)->name;
      std::vector<std::string> named;
      if (resolver->redirect) named.push_back(resolver->redirect->service);
      for (const auto& section : resolver->failover) {
        if (section.second.targets.empty()) named.push_back(section.second.service);
        for (const FailoverTarget& target : section.second.targets) {
          if (target.peer.empty()) named.push_back(target.service);
        }
      }
      for (const std::string& other : named) {
        if (!other.empty() && other != own && !resolves_.contains(other)) further.push_back(other);
      }
    }
    known_.insert(resolves_.begin(), resolves_.end());
  }

  const ServiceSplitter* splitter_of(const std::string& name) const {
    return splits_.contains(name) ? body<ServiceSplitter>(kServiceSplitter, name) : nullptr;
  }
  const ServiceResolver* resolver_of(const std::string& name) const {
    return resolves_.contains(name) ? body<ServiceResolver>(kServiceResolver, name) : nullptr;
  }
  const ServiceDefaults* defaults_of(const std::string& name) const {
    return known_.contains(name) ? body<ServiceDefaults>(kServiceDefaults, name) : nullptr;
  }
  const ProxyDefaults* everyone() const { return body<ProxyDefaults>(kProxyDefaults, "global"); }

  // ---- protocols

  std::string protocol_of(const std::string& service) const {
    std::string protocol;
    if (const ServiceDefaults* defaults = defaults_of(service)) {
      protocol = defaults->protocol;
    } else if (const ProxyDefaults* all = everyone()) {
      const Json::Object* members = all->config.as_object();
      const Json* found = all->config.find("protocol");
      for (std::size_t i = 0; found == nullptr && members != nullptr && i < members->size(); ++i) {
        if (ascii_lower((*members)[i].name) == "protocol") found = &(*members)[i].value;
      }
      if (found != nullptr && found->as_string() != nullptr) protocol = *found->as_string();
    }
    return protocol.empty() ? "tcp" : ascii_lower(protocol);
  }

  void note(const std::string& service) {
    const std::string protocol = protocol_of(service);
    if (out_.protocol.empty()) out_.protocol = protocol;
    if (out_.protocol == protocol) return;
    throw Failed{fmt::format("discovery chain {} uses inconsistent protocols; service {} has {} which is not {}",
                             go_quote(request_.service), go_quote(service), go_quote(protocol),
                             go_quote(out_.protocol))};
  }

  // ---- targets

  std::string id_of(const NaiveChain::Target& target) const {
    const std::string subset = target.subset.empty() ? "" : target.subset + ".";
    const std::string where = target.peer.empty() ? target.datacenter : "external." + target.peer;
    return subset + target.service + "." + target.space + (current_ ? ".default." : ".") + where;
  }

  std::string target(NaiveChain::Target wanted) {
    if (wanted.space.empty()) wanted.space = "default";
    if (wanted.datacenter.empty()) wanted.datacenter = here_;
    if (!wanted.peer.empty()) wanted.datacenter.clear();
    const std::string id = id_of(wanted);
    if (wanted.peer.empty()) {
      const std::string subset = wanted.subset.empty() ? "" : wanted.subset + ".";
      wanted.name = fmt::format("{}{}.{}.{}.internal.{}", subset, wanted.service, wanted.space, wanted.datacenter,
                                request_.cluster.trust_domain);
      wanted.sni = wanted.name;
    }
    loaded_.try_emplace(id, wanted);
    return id;
  }

  std::string rewritten(const std::string& from, const std::string& service, const std::string& subset,
                        const std::string& space, const std::string& datacenter, const std::string& peer) {
    const NaiveChain::Target& old = loaded_.at(from);
    NaiveChain::Target made;
    made.service = old.service;
    made.subset = old.subset;
    made.space = old.space;
    made.datacenter = old.datacenter;
    made.peer = old.peer;
    if (!service.empty() && service != old.service) {
      made.service = service;
      made.subset.clear();
    }
    if (!subset.empty()) made.subset = subset;
    if (!space.empty() || !peer.empty()) made.space = space;
    if (!datacenter.empty()) made.datacenter = datacenter;
    if (!peer.empty()) made.peer = peer;
    return target(made);
  }

  // ---- steps 1 to 4

  std::string begin() {
    if (router_name_.empty()) return onwards(request_.service, "");
    if (plain_) return onwards(request_.service, "");
    advanced_ = true;
    note(router_name_);
    NaiveChain::Node node;
    for (const Route& route : body<ServiceRouter>(kServiceRouter, request_.service)->routes) {
      const RouteDestination destination = route.destination.value_or(RouteDestination());
      const std::string service = destination.service.empty() ? request_.service : destination.service;
      if (destination.service_subset.empty()) {
        node.routes.push_back(onwards(service, destination.namespace_name));
      } else {
        NaiveChain::Target wanted;
        wanted.service = service;
        wanted.subset = destination.service_subset;
        wanted.space = destination.namespace_name;
        node.routes.push_back(resolve(target(wanted)));
      }
    }
    node.routes.push_back(onwards(router_name_, ""));
    const std::string key = "router:" + router_name_ + (current_ ? ".default.default" : ".default");
    out_.nodes[key] = node;
    return key;
  }

  std::string onwards(const std::string& service, const std::string& space) {
    const std::string splitter = split(service);
    if (!splitter.empty()) return splitter;
    NaiveChain::Target wanted;
    wanted.service = service;
    wanted.space = space;
    return resolve(target(wanted));
  }

  std::string split(const std::string& service) {
    const ServiceSplitter* entry = splitter_of(service);
    if (entry == nullptr || plain_) return "";
    const std::string key = "splitter:" + service + (current_ ? ".default.default" : ".default");
    if (out_.nodes.contains(key)) return key;
    out_.nodes[key];
    for (const Split& one : entry->splits) {
      const std::string to = one.service.empty() ? service : one.service;
      std::string below = to != service && one.service_subset.empty() ? split(to) : "";
      if (below.empty()) {
        NaiveChain::Target wanted;
        wanted.service = to;
        wanted.subset = one.service_subset;
        below = resolve(target(wanted));
      }
      out_.nodes[key].legs.push_back({one.weight, below});
    }
    advanced_ = true;
    return key;
  }

  std::string follow(std::string id) {
    std::vector<std::string> hops;
    for (;;) {
      if (out_.nodes.contains("resolver:" + id)) return id;
      const NaiveChain::Target at = loaded_.at(id);
      if (at.peer.empty()) note(at.service);
      const bool again = std::find(hops.begin(), hops.end(), id) != hops.end();
      hops.push_back(id);
      if (again) throw Failed{fmt::format("detected circular resolver redirect: [{}]", fmt::join(hops, " -> "))};
      const ServiceResolver* entry = resolver_of(at.service);
      if (entry == nullptr) return id;
      if (entry->redirect) {
        const ResolverRedirect& to = *entry->redirect;
        const std::string there =
            rewritten(id, to.service, to.service_subset, to.namespace_name, to.datacenter, to.peer);
        if (there != id) {
          id = there;
          continue;
        }
      }
      if (!at.subset.empty() || entry->default_subset.empty()) return id;
      id = rewritten(id, "", entry->default_subset, "", "", "");
    }
  }

  NaiveChain::Node settle(const std::string& id) {
    NaiveChain::Target& at = loaded_.at(id);
    const ServiceResolver none;
    const ServiceResolver& entry = resolver_of(at.service) ? *resolver_of(at.service) : none;
    if (!at.subset.empty() && !entry.subsets.contains(at.subset)) {
      throw Failed{
          fmt::format("service {} does not have a subset named {}", go_quote(at.service), go_quote(at.subset))};
    }
    if (!at.subset.empty()) at.filter = entry.subsets.at(at.subset).filter;
    NaiveChain::Node node;
    node.target = id;
    ServiceResolver known = entry;
    known.unknown.clear();
    node.is_default = known == none;
    node.connect_timeout = entry.connect_timeout.count() < 1 ? 5'000'000'000 : entry.connect_timeout.count();
    if (request_.overrides.connect_timeout.count() > 0) {
      node.connect_timeout = request_.overrides.connect_timeout.count();
    }
    const ServiceDefaults* defaults = defaults_of(at.service);
    if (defaults != nullptr && !defaults->external_sni.empty()) {
      at.external = true;
      at.sni = defaults->external_sni;
      const std::string what = entry.redirect            ? "redirects"
                               : !entry.subsets.empty()  ? "subsets"
                               : !entry.failover.empty() ? "failover"
                                                         : "";
      if (!what.empty()) {
        throw Failed{fmt::format("service {} has an external SNI set; cannot define {} for external services",
                                 go_quote(at.service), what)};
      }
    } else if (current_ || at.datacenter != request_.cluster.datacenter) {
      if (defaults != nullptr) at.gateway = defaults->mesh_gateway_mode;
      if (at.gateway.empty() && everyone() != nullptr) at.gateway = everyone()->mesh_gateway_mode;
      if (!request_.overrides.mesh_gateway_mode.empty()) at.gateway = request_.overrides.mesh_gateway_mode;
    }
    retained_.insert(id);
    return node;
  }

  std::string resolve(const std::string& from) {
    const std::string id = follow(from);
    const std::string key = "resolver:" + id;
    if (out_.nodes.contains(key)) return key;
    out_.nodes[key] = settle(id);
    const ServiceResolver* entry = resolver_of(loaded_.at(id).service);
    if (entry == nullptr) return key;
    auto section = entry->failover.find(loaded_.at(id).subset);
    if (section == entry->failover.end()) section = entry->failover.find("*");
    if (section == entry->failover.end()) return key;
    const ResolverFailover& to = section->second;
    std::vector<std::string> there;
    for (const FailoverTarget& one : to.targets) {
      there.push_back(rewritten(id, one.service, one.service_subset, one.namespace_name, one.datacenter, one.peer));
    }
    for (const std::string& datacenter : to.datacenters) {
      there.push_back(rewritten(id, to.service, to.service_subset, to.namespace_name, datacenter, ""));
    }
    if (there.empty()) there.push_back(rewritten(id, to.service, to.service_subset, to.namespace_name, "", ""));
    std::erase(there, id);
    for (const std::string& candidate : there) {
      const std::string end = follow(candidate);
      if (!out_.nodes.contains("resolver:" + end)) settle(end);
      out_.nodes[key].failover.push_back(end);
    }
    return key;
  }

  // ---- step 5

  std::vector<std::string> below(const std::string& key) const {
    const NaiveChain::Node& node = out_.nodes.at(key);
    std::vector<std::string> out = node.routes;
    for (const NaiveChain::Leg& leg : node.legs) out.push_back(leg.to);
    return out;
  }

  // The way is followed from the last edge to the first, and the first circle met is the one that is told.
  void refuse_circles() {
    std::vector<std::string> path;
    std::set<std::string> done;
    const std::function<void(const std::string&)> visit = [&](const std::string& key) {
      path.push_back(key);
      std::vector<std::string> next = below(key);
      std::reverse(next.begin(), next.end());
      for (const std::string& one : next) {
        if (std::find(path.begin(), path.end(), one) != path.end()) {
          path.push_back(one);
          throw Failed{fmt::format("detected circular reference: [{}]", fmt::join(path, " -> "))};
        }
        if (!done.contains(one)) visit(one);
      }
      path.pop_back();
      done.insert(key);
    };
    visit(out_.start);
  }

  void flatten() {
    std::set<std::string> flat;
    const std::function<void(const std::string&)> visit = [&](const std::string& key) {
      if (!flat.insert(key).second) return;
      std::vector<NaiveChain::Leg> legs;
      for (const NaiveChain::Leg& leg : std::vector<NaiveChain::Leg>(out_.nodes.at(key).legs)) {
        if (leg.to.rfind("splitter:", 0) != 0) {
          legs.push_back(leg);
          continue;
        }
        visit(leg.to);
        for (const NaiveChain::Leg& inner : out_.nodes.at(leg.to).legs) {
          const float outer = static_cast<float>(leg.weight) / 100.0F;
          const float weight = outer * (static_cast<float>(inner.weight) / 100.0F) / 100.0F;
          const double hundredths = std::round(static_cast<double>(weight * 100.0F));
          legs.push_back({static_cast<std::int32_t>(std::clamp(hundredths, -2147483647.0, 2147483647.0)), inner.to});
        }
      }
      out_.nodes.at(key).legs = legs;
    };
    std::vector<std::string> keys;
    for (const auto& node : out_.nodes) keys.push_back(node.first);
    for (const std::string& key : keys) visit(key);
  }

  void prune() {
    std::set<std::string> reached;
    const std::function<void(const std::string&)> visit = [&](const std::string& key) {
      if (!reached.insert(key).second) return;
      for (const std::string& next : below(key)) visit(next);
    };
    visit(out_.start);
    std::erase_if(out_.nodes, [&](const auto& node) { return !reached.contains(node.first); });
  }

  void finish() {
    if (advanced_ && !http_like(out_.protocol)) {
      throw Failed{
          fmt::format("discovery chain {} uses a protocol {} that does not permit advanced routing or splitting "
                      "behavior",
                      go_quote(request_.service), go_quote(out_.protocol))};
    }
    if (!request_.overrides.protocol.empty()) out_.protocol = request_.overrides.protocol;
    for (const std::string& id : retained_) out_.targets[id] = loaded_.at(id);
  }

  const EntryMap& entries_;
  const ChainRequest& request_;
  const bool current_;
  const std::string here_;
  const bool plain_;
  std::string router_name_;
  std::set<std::string> splits_;
  std::set<std::string> resolves_;
  std::set<std::string> known_;
  Targets loaded_;
  std::set<std::string> retained_;
  bool advanced_ = false;
  NaiveChain out_;
};

}  // namespace

NaiveChain naive_compile(const EntryMap& entries, const ChainRequest& request) {
  return Pencil(entries, request).draw();
}

NaiveChain as_naive(const absl::StatusOr<DiscoveryChain>& chain) {
  NaiveChain out;
  if (!chain.ok()) {
    out.error = std::string(chain.status().message());
    return out;
  }
  out.protocol = chain->protocol;
  out.start = node_key(*chain, chain->start_node);
  for (NodeNumber number = 0; number < chain->nodes.size(); ++number) {
    const ChainNode& node = chain->nodes[number];
    NaiveChain::Node& to = out.nodes[node_key(*chain, number)];
    if (const auto* router = std::get_if<RouterNode>(&node.body)) {
      for (const ChainRoute& route : router->routes) to.routes.push_back(node_key(*chain, route.next_node));
    } else if (const auto* splitter = std::get_if<SplitterNode>(&node.body)) {
      for (const ChainSplit& split : splitter->splits) {
        to.legs.push_back({split.weight, node_key(*chain, split.next_node)});
      }
    } else if (const auto* resolver = std::get_if<ResolverNode>(&node.body)) {
      to.target = target_id(*chain, resolver->target);
      for (TargetNumber target : resolver->failover_targets) to.failover.emplace_back(target_id(*chain, target));
      to.connect_timeout = resolver->connect_timeout.count();
      to.is_default = resolver->is_default;
    }
  }
  for (const ChainTarget& target : chain->targets) {
    const bool external = !target.external_sni.empty();
    out.targets[target.id] = {target.service,        target.service_subset,
                              target.namespace_name, target.datacenter,
                              target.peer,           external ? target.external_sni : target.name,
                              target.name,           target.mesh_gateway_mode,
                              target.subset->filter, external};
  }
  return out;
}

std::string to_text(const NaiveChain& chain) {
  if (!chain.error.empty()) return chain.error;
  std::string out = fmt::format("{} {}\n", chain.protocol, chain.start);
  for (const auto& [key, node] : chain.nodes) {
    out += fmt::format("{} routes [{}] legs [", key, fmt::join(node.routes, ", "));
    for (const NaiveChain::Leg& leg : node.legs) out += fmt::format("{} {}, ", leg.weight, leg.to);
    out += fmt::format("] target {} failover [{}] timeout {} default {}\n", node.target, fmt::join(node.failover, ", "),
                       node.connect_timeout, node.is_default);
  }
  for (const auto& [id, target] : chain.targets) {
    out += fmt::format("{} {} {} {} {} {} {} {} {} [{}] {}\n", id, target.service, target.subset, target.space,
                       target.datacenter, target.peer, target.sni, target.name, target.gateway, target.filter,
                       target.external);
  }
  return out;
}

}  // namespace convergence::test
