#ifndef CONVERGENCE_LIB_DRIVER_ROLLOUT_LEGS_H_
#define CONVERGENCE_LIB_DRIVER_ROLLOUT_LEGS_H_

#include <vector>

#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/config_entry.h"

namespace convergence {

// What of a desired splitter a rollout has a say in, as it stands in the catalog: the stamps that its driver left, and
// while it moves the weights of its two legs. So a plan made from reads of different moments never takes a weight back,
// nor gives one ahead of the driver and its checks.
std::vector<ConfigEntry> keep_rollout_legs(std::vector<ConfigEntry> desired, const std::vector<CanaryState>& rollouts,
                                           const CatalogState& catalog);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_ROLLOUT_LEGS_H_
