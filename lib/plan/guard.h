#ifndef CONVERGENCE_LIB_PLAN_GUARD_H_
#define CONVERGENCE_LIB_PLAN_GUARD_H_

#include <set>
#include <string>
#include <vector>

#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/plan.h"

namespace convergence::plan {

// Watches that changes of instances leave every target somebody to serve it: the targets that the entries as they are
// give traffic to.
class InstanceGuard {
 public:
  InstanceGuard(const CatalogState& catalog, const ClusterIdentity& cluster);

  // The ids of these targets of `service` that have a passing instance.
  std::set<std::string> served(const CatalogState& catalog, const std::string& service) const;

 private:
  std::vector<ChainTarget> targets_;  // that entries give traffic to, by id
};

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_GUARD_H_
