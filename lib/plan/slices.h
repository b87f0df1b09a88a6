#ifndef CONVERGENCE_LIB_PLAN_SLICES_H_
#define CONVERGENCE_LIB_PLAN_SLICES_H_

#include <array>
#include <string_view>

#include "convergence/slices.h"

namespace convergence::plan {

inline constexpr std::array kBothSlices = {Slice::kBlue, Slice::kGreen};

// kNone for all but "blue" and "green".
Slice slice_named(std::string_view name);

// Null where the service has none.
const ConfigEntry* resolver_of(std::string_view service, const EntryMap& entries);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_SLICES_H_
