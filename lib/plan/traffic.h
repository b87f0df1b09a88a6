#ifndef CONVERGENCE_LIB_PLAN_TRAFFIC_H_
#define CONVERGENCE_LIB_PLAN_TRAFFIC_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/desired.h"

namespace convergence::plan {

// The targets that a chain gives traffic to: those that routes and legs of a weight above 0 lead to. Failover targets
// get none as long as all is well.
std::vector<const ChainTarget*> active_targets(const DiscoveryChain& chain);

// Which targets have an instance to serve them.
class Traffic {
 public:
  // Refers to the catalog, which must outlive it and stay as it is.
  Traffic(const CatalogState& catalog, const DesiredState& desired);

  // A target that we can judge and that has no passing instance. What we cannot judge counts as served: targets in
  // other datacenters, external ones, and services that neither the catalog nor the desired state knows.
  bool is_empty(const ChainTarget& target) const;

  // Passing instances of the target.
  std::size_t passing(const ChainTarget& target) const;

 private:
  const CatalogState& catalog_;
  std::set<std::string, std::less<>> wanted_;                                 // services of the desired state
  mutable std::map<std::pair<std::string, std::string>, std::size_t> known_;  // by service and filter
};

// The ids of the active targets of a chain that are empty.
std::set<std::string> empty_targets(const DiscoveryChain& chain, const Traffic& traffic);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_TRAFFIC_H_
