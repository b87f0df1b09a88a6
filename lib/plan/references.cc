#include "lib/plan/references.h"

#include <algorithm>
#include <array>
#include <variant>

#include "lib/chain/opaque.h"

namespace convergence::plan {
namespace {

constexpr std::array kRoutingKinds = {kProxyDefaults, kServiceDefaults, kServiceResolver, kServiceSplitter,
                                      kServiceRouter};

// Entries whose name is a service's.
bool speaks_of_itself(std::string_view kind) {
  return (is_routing_kind(kind) && kind != kProxyDefaults) || kind == kServiceIntentions;
}

}  // namespace

std::vector<std::string> services_of(const ConfigEntry& entry) {
  std::vector<std::string> services;
  auto add = [&](const std::string& service) {
    const bool known = std::find(services.begin(), services.end(), service) != services.end();
    if (!service.empty() && !known) services.push_back(service);
  };
  if (entry.kind == kIngressGateway) {
    if (auto* gateway = std::get_if<OpaqueEntry>(&entry.body)) {
      each_listener_service(*gateway, [&](const std::string& service, const std::string&) { add(service); });
    }
    return services;
  }
  if (!speaks_of_itself(entry.kind)) return services;
  add(entry.name);
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
