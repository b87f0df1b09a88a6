#ifndef CONVERGENCE_LIB_PLAN_APPLY_H_
#define CONVERGENCE_LIB_PLAN_APPLY_H_

#include "absl/status/status.h"
#include "convergence/plan.h"

namespace convergence::plan {

// Whether the server's check of the graph is made; the planner has made it when it comes to apply a step.
enum class GraphCheck { kMake, kSkip };

// after_step() in place. After an error the catalog is half changed.
absl::Status apply(CatalogState& catalog, const Step& step, const ClusterIdentity& cluster, GraphCheck check);

// The service that a step takes an instance from; the one that it writes where nothing was there.
std::string service_before(const Step& step);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_APPLY_H_
