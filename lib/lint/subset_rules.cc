#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/filter.h"
#include "lib/base/ascii.h"
#include "lib/lint/rules.h"

namespace convergence::lint_rules {
namespace {

std::string place(std::string_view subset, std::string_view member = "") {
  return fmt::format("/Subsets/{}{}", subset, member);  // names of subsets need no escape
}

// "node/id" of the instances that a subset selects. A filter that cannot be read selects none.
std::vector<std::string> members(const Context& context, const std::string& service, const ResolverSubset& subset) {
  std::vector<std::string> out;
  const auto state = context.catalog->services.find(service);
  if (state == context.catalog->services.end()) return out;
  const auto filter = Filter::parse(subset.filter);
  if (!filter.ok()) return out;
  static const NodeState kNoNode;
  for (const InstanceState& instance : state->second->instances) {
    const auto node = context.catalog->nodes.find(instance.instance.node);
    const auto selected = filter->matches(instance, node == context.catalog->nodes.end() ? kNoNode : *node->second);
    if (selected.ok() && *selected) out.push_back(instance.instance.node + "/" + instance.instance.id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The services that the entry names, with where it does.
std::vector<std::pair<std::string, std::string>> references(const ConfigEntry& entry) {
  std::vector<std::pair<std::string, std::string>> out;
  if (const auto* router = std::get_if<ServiceRouter>(&entry.body)) {
    for (std::size_t i = 0; i < router->routes.size(); ++i) {
      const auto& to = router->routes[i].destination;
      if (to) out.emplace_back(fmt::format("/Routes/{}/Destination/Service", i), to->service);
    }
  } else if (const auto* splitter = std::get_if<ServiceSplitter>(&entry.body)) {
    for (std::size_t i = 0; i < splitter->splits.size(); ++i) {
      out.emplace_back(fmt::format("/Splits/{}/Service", i), splitter->splits[i].service);
    }
  } else if (const auto* resolver = std::get_if<ServiceResolver>(&entry.body)) {
    if (resolver->redirect) out.emplace_back("/Redirect/Service", resolver->redirect->service);
    for (const auto& [subset, failover] : resolver->failover) {
      out.emplace_back(fmt::format("/Failover/{}/Service", subset), failover.service);
    }
  }
  return out;
}

}  // namespace

void subsets_overlap(const Context& context, const ConfigEntry& entry, const ServiceResolver& resolver, Findings& out) {
  if (context.catalog == nullptr || resolver.redirect) return;
  std::map<std::string, std::vector<std::string>> selected;
  for (const auto& [name, subset] : resolver.subsets) selected[name] = members(context, entry.name, subset);
  for (auto second = selected.begin(); second != selected.end(); ++second) {
    for (auto first = selected.begin(); first != second; ++first) {
      std::vector<std::string> both;
      std::set_intersection(first->second.begin(), first->second.end(), second->second.begin(), second->second.end(),
                            std::back_inserter(both));
      if (both.empty()) continue;
      out.add("subsets-overlap", Severity::kWarning, place(second->first, "/Filter"),
              fmt::format("{} instances are of {} and of {} too, {} among them: what one subset is measured by, the "
                          "other serves",
                          both.size(), first->first, second->first, both.front()),
              "let the filters exclude each other");
    }
  }
}

void subset_empty(const Context& context, const ConfigEntry& entry, const ServiceResolver& resolver, Findings& out) {
  if (context.catalog == nullptr || resolver.redirect) return;
  if (!context.catalog->services.contains(entry.name)) return;  // not there at all: nothing to say about its parts
  for (const auto& [name, subset] : resolver.subsets) {
    if (!members(context, entry.name, subset).empty()) continue;
    const auto filter = Filter::parse(subset.filter);
    const std::string problem = filter.ok() ? "no instance matches it" : std::string(filter.status().message());
    out.add("subset-empty", Severity::kNote, place(name, "/Filter"),
            fmt::format("subset {} selects nobody: {}", name, problem),
            "compare the filter with the instances' Meta, tags and ids");
  }
}

void default_subset_is_canary(const Context& context, const ConfigEntry& entry, const ServiceResolver& resolver,
                              Findings& out) {
  if (resolver.default_subset.empty()) return;
  const auto* splitter = context.body<ServiceSplitter>(kServiceSplitter, entry.name);
  if (splitter == nullptr) return;
  std::map<std::string, std::int32_t> weights;
  for (const Split& split : splitter->splits) {
    const bool own = split.service.empty() || split.service == entry.name;
    if (own) weights[split.service_subset.empty() ? resolver.default_subset : split.service_subset] += split.weight;
  }
  const auto chosen = weights.find(resolver.default_subset);
  if (chosen == weights.end()) return;
  for (const auto& [name, weight] : weights) {
    if (weight <= chosen->second) continue;
    out.add("default-subset-is-canary", Severity::kWarning, "/DefaultSubset",
            fmt::format("{} is the default subset and has {}% of the split, {} has {}%: whoever does not come past the "
                        "splitter gets all of {}",
                        resolver.default_subset, chosen->second / 100.0, name, weight / 100.0, resolver.default_subset),
            fmt::format("make {} the default until the other is proven", name));
    return;
  }
}

// discovery-chain.md (e) 4.
void redirect_hides_subsets(const Context&, const ConfigEntry& entry, const ServiceResolver& resolver, Findings& out) {
  if (!resolver.redirect || resolver.subsets.empty()) return;
  const std::string to = resolver.redirect->service.empty() ? entry.name : resolver.redirect->service;
  if (to == entry.name) return;
  out.add("redirect-hides-subsets", Severity::kWarning, "/Redirect",
          fmt::format("requests to {} go on to {}: its {} subsets are never looked at, missing ones are not noticed",
                      entry.name, to, resolver.subsets.size()),
          "take the subsets or the redirect out");
}

void two_spellings(const Context& context, const ConfigEntry& entry, Findings& out) {
  for (const auto& [pointer, name] : references(entry)) {
    if (name.empty()) continue;
    for (std::string_view kind : {kServiceDefaults, kServiceRouter, kServiceSplitter, kServiceResolver}) {
      const ConfigEntry* there = context.find(kind, name);
      if (there == nullptr || there->name == name) continue;
      out.add("two-spellings", Severity::kWarning, pointer,
              fmt::format("{} is written {} in {}/{}: the server finds the entry, but does not see that the two belong "
                          "together when either is changed",
                          name, there->name, kind, there->name),
              "spell a service in one way");
      break;
    }
  }
}

}  // namespace convergence::lint_rules
