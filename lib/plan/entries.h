#ifndef CONVERGENCE_LIB_PLAN_ENTRIES_H_
#define CONVERGENCE_LIB_PLAN_ENTRIES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "convergence/plan.h"
#include "lib/plan/traffic.h"

namespace convergence::plan {

// Steps for entries that belong together, in order; each needs the one before.
struct EntrySteps {
  std::vector<Step> steps{};
  std::vector<std::string> services{};  // that these entries name
};

struct EntryPlan {
  std::vector<EntrySteps> groups{};
  std::vector<Held> held{};
};

// The entries that are to be written and in what order. `traffic` may be null: then no entry waits for instances.
absl::StatusOr<EntryPlan> plan_entries(const std::vector<ConfigEntry>& desired, const EntryMap& actual,
                                       const PlanOptions& options, const Traffic* traffic);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_ENTRIES_H_
