#include "lib/plan/references.h"

#include <algorithm>
#include <array>
#include <variant>

namespace convergence::plan {
namespace {

constexpr std::array kRoutingKinds = {kProxyDefaults, kServiceDefaults, kServiceResolver, kServiceSplitter,
                                      kServiceRouter};

}  // namespace

std::vector<std::string> services_of(const ConfigEntry& entry) {
  if (!is_routing_kind(entry.kind) || entry.kind == kProxyDefaults) return {};
  std::vector<std::string> services{entry.name};
  auto add = [&](const std::string& service) {
    const bool known = std::find(services.begin(), services.end(), service) != services.end();
    if (!service.empty() && !known) services.push_back(service);
  };
  if (auto* router = std::get_if<ServiceRouter>(&entry.body)) {
    for (const Route& route : router->routes) {
      if (route.destination) add(route.destination->service);
    }
  }
  if (auto* splitter = std::get_if<ServiceSplitter>(&entry.body)) {
    for (const Split& split : splitter->splits) add(split.service);
  }
  if (auto* resolver = std::get_if<ServiceResolver>(&entry.body)) {
    if (resolver->redirect) add(resolver->redirect->service);
    for (const auto& [subset, failover] : resolver->failover) add(failover.service);
  }
  return services;
}

bool is_routing_kind(std::string_view kind) {
  return std::find(kRoutingKinds.begin(), kRoutingKinds.end(), kind) != kRoutingKinds.end();
}

int rank_of(std::string_view kind) {
  return static_cast<int>(std::find(kRoutingKinds.begin(), kRoutingKinds.end(), kind) - kRoutingKinds.begin());
}

}  // namespace convergence::plan
