#ifndef CONVERGENCE_LIB_PLAN_SERVICES_H_
#define CONVERGENCE_LIB_PLAN_SERVICES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "convergence/plan.h"

namespace convergence::plan {

struct ServiceDiff {
  std::vector<Step> steps{};  // registrations and changes by (role, service, slice, node), then removals
  std::vector<Held> held{};
};

// Meta.version; empty without.
std::string version_in(const ServiceInstance& instance);

// What is installed is registered by who installs it; what is ignored or to go is no business of the catalog's either.
bool by_agents(const DesiredService& service);

// What differs between the desired services and the instances there are, without regard to order and traffic. `needs`
// is left empty. INVALID_ARGUMENT naming the service whose placement has a filter that nodes cannot be asked.
absl::StatusOr<ServiceDiff> diff_services(const DesiredState& desired, const CatalogState& catalog,
                                          const PlanOptions& options);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_SERVICES_H_
