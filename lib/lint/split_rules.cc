#include <fmt/format.h>

#include <string>

#include "lib/base/ascii.h"
#include "lib/lint/rules.h"

namespace convergence::lint_rules {
namespace {

std::string percent(std::int32_t weight) { return fmt::format("{}%", weight / 100.0); }

const std::string& service_of(const Split& split, const ConfigEntry& entry) {
  return split.service.empty() ? entry.name : split.service;
}

std::string leg_name(const Split& split, const ConfigEntry& entry) {
  const std::string& service = service_of(split, entry);
  return split.service_subset.empty() ? service : fmt::format("{} of {}", split.service_subset, service);
}

}  // namespace

// progressive-delivery.md 3.5: 569 of the 10,001 weights with two decimals.
void weight_lost(const Context&, const ConfigEntry& entry, const ServiceSplitter& splitter, Findings& out) {
  for (std::size_t i = 0; i < splitter.splits.size(); ++i) {
    const Split& split = splitter.splits[i];
    const std::int32_t given = proxy_weight(split.weight);
    if (given == split.weight) continue;
    out.add("weight-lost", Severity::kNote, fmt::format("/Splits/{}/Weight", i),
            fmt::format("of {} for {} the proxy is given {}: the server cuts the last hundredth off",
                        percent(split.weight), leg_name(split, entry), percent(given)),
            "use whole percents, which are all exact");
  }
}

// A splitter does not look at health (hashicorp/consul#10857).
void weight_to_nobody(const Context& context, const ConfigEntry& entry, const ServiceSplitter& splitter,
                      Findings& out) {
  if (context.catalog == nullptr) return;
  for (std::size_t i = 0; i < splitter.splits.size(); ++i) {
    const Split& split = splitter.splits[i];
    const std::string& service = service_of(split, entry);
    if (split.weight <= 0) continue;
    // A leg that leads to another splitter is that one's matter.
    const bool is_split = split.service_subset.empty() && service != entry.name &&
                          context.body<ServiceSplitter>(kServiceSplitter, service) != nullptr;
    const auto* resolver = context.body<ServiceResolver>(kServiceResolver, service);
    if (is_split || (resolver != nullptr && resolver->redirect)) continue;
    ChainTarget target;
    target.service = service;
    target.datacenter = context.catalog->datacenter;
    target.service_subset =
        split.service_subset.empty() && resolver != nullptr ? resolver->default_subset : split.service_subset;
    if (resolver != nullptr && !target.service_subset.empty()) {
      const auto subset = resolver->subsets.find(target.service_subset);
      if (subset != resolver->subsets.end()) target.subset = subset->second;
    }
    const TargetHealth health = target_health(target, *context.catalog);
    if (health.healthy > 0) continue;
    out.add("weight-to-nobody", Severity::kWarning, fmt::format("/Splits/{}/Weight", i),
            fmt::format("{} of the requests go to {}, where none of {} instances is healthy: these users get errors",
                        percent(split.weight), leg_name(split, entry), health.total),
            "give it weight 0 until an instance passes, or failover to another subset");
  }
}

// Of several ways to choose an instance by hash, the proxy is given the first leg's for the whole split.
void hash_of_first_leg(const Context& context, const ConfigEntry& entry, const ServiceSplitter& splitter,
                       Findings& out) {
  const LoadBalancer* first = nullptr;
  std::string owner;
  for (std::size_t i = 0; i < splitter.splits.size(); ++i) {
    const std::string& service = service_of(splitter.splits[i], entry);
    const auto* resolver = context.body<ServiceResolver>(kServiceResolver, service);
    if (resolver == nullptr || !resolver->load_balancer) continue;
    const LoadBalancer& balancer = *resolver->load_balancer;
    if (balancer.policy != "ring_hash" && balancer.policy != "maglev") continue;
    if (first == nullptr) {
      first = &balancer;
      owner = service;
    } else if (!(*first == balancer)) {
      out.add("hash-of-first-leg", Severity::kNote, fmt::format("/Splits/{}", i),
              fmt::format("instances of {} are chosen by the hash policies of {}: a split has those of its first leg",
                          service, owner),
              "give both resolvers the same LoadBalancer");
    }
  }
}

}  // namespace convergence::lint_rules
