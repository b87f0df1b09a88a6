#include "convergence/catalog.h"

#include <algorithm>

namespace convergence {

const InstanceState* find_instance(const CatalogState& catalog, std::string_view service, const InstanceId& id) {
  const auto found = catalog.services.find(std::string(service));
  if (found == catalog.services.end()) return nullptr;
  const std::vector<InstanceState>& instances = found->second->instances;
  const auto key = [](const InstanceState& state) { return InstanceId{state.instance.node, state.instance.id}; };
  const auto at = std::ranges::lower_bound(instances, id, {}, key);
  return at != instances.end() && key(*at) == id ? &*at : nullptr;
}

CheckStatus worst_status(const std::vector<HealthCheck>& instance_checks, const std::vector<HealthCheck>& node_checks) {
  CheckStatus worst = CheckStatus::kPassing;
  for (const std::vector<HealthCheck>* checks : {&instance_checks, &node_checks}) {
    for (const HealthCheck& check : *checks) worst = std::max(worst, check.status);
  }
  return worst;
}

}  // namespace convergence
