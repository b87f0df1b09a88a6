#include "lib/chain/reachable.h"

#include <set>
#include <string>
#include <variant>

#include "lib/base/ascii.h"

namespace convergence {
namespace {

void add_other(std::vector<std::string_view>& names, const std::string& name, const ConfigEntry& entry) {
  if (!name.empty() && name != entry.name) names.push_back(name);
}

// Names still to be visited and those that were, each once.
class Worklist {
 public:
  void add(std::string_view name) {
    if (seen_.insert(name).second) open_.push_back(name);
  }
  void add_all(const std::vector<std::string_view>& names) {
    for (std::string_view name : names) add(name);
  }
  bool next(std::string_view& name) {
    if (open_.empty()) return false;
    name = open_.back();
    open_.pop_back();
    return true;
  }

 private:
  std::set<std::string_view> seen_;
  std::vector<std::string_view> open_;
};

}  // namespace

const ConfigEntry* EntryLookup::find(std::string_view kind, std::string_view name) {
  if (proposed_ != nullptr && proposed_->id.kind == kind && proposed_->id.name == name) return proposed_->next;
  if (stored_.empty()) return nullptr;
  key_.kind.assign(kind);
  key_.name.assign(name);
  for (char& c : key_.name) c = ascii_lower(c);
  const auto found = stored_.find(key_);
  return found == stored_.end() ? nullptr : &*found->second;
}

std::vector<std::string_view> related_services(const ConfigEntry& entry) {
  std::vector<std::string_view> names;
  if (const auto* router = std::get_if<ServiceRouter>(&entry.body)) {
    names.push_back(entry.name);
    for (const Route& route : router->routes) {
      if (route.destination) add_other(names, route.destination->service, entry);
    }
  } else if (const auto* splitter = std::get_if<ServiceSplitter>(&entry.body)) {
    for (const Split& split : splitter->splits) add_other(names, split.service, entry);
  } else if (const auto* resolver = std::get_if<ServiceResolver>(&entry.body)) {
    if (resolver->redirect) add_other(names, resolver->redirect->service, entry);
    for (const auto& [subset, failover] : resolver->failover) add_other(names, failover.service, entry);
  }
  return names;
}

ReachableEntries collect_reachable(EntryLookup& lookup, std::string_view service) {
  ReachableEntries out;
  out.proxy_defaults = lookup.find_body<ProxyDefaults>(kProxyDefaults, "global");
  out.services[service];

  Worklist splitters;
  const ConfigEntry* router = lookup.find(kServiceRouter, service);
  if (router != nullptr) {
    out.router_name = router->name;
    out.router = std::get_if<ServiceRouter>(&router->body);
    splitters.add_all(related_services(*router));
  } else {
    splitters.add(service);
  }

  Worklist resolvers;
  for (std::string_view name; splitters.next(name);) {
    resolvers.add(name);
    const ConfigEntry* splitter = lookup.find(kServiceSplitter, name);
    if (splitter == nullptr) continue;
    out.services[name].splitter = std::get_if<ServiceSplitter>(&splitter->body);
    splitters.add_all(related_services(*splitter));
  }
  for (std::string_view name; resolvers.next(name);) {
    ServiceEntries& entries = out.services[name];
    const ConfigEntry* resolver = lookup.find(kServiceResolver, name);
    if (resolver == nullptr) continue;
    entries.resolver = std::get_if<ServiceResolver>(&resolver->body);
    resolvers.add_all(related_services(*resolver));
  }
  for (auto& [name, entries] : out.services) {
    entries.defaults = lookup.find_body<ServiceDefaults>(kServiceDefaults, name);
  }
  return out;
}

}  // namespace convergence
