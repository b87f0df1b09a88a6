#ifndef CONVERGENCE_LIB_PLAN_FORMS_H_
#define CONVERGENCE_LIB_PLAN_FORMS_H_

#include <optional>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence::plan {

// An entry, or that there is none.
using EntryForm = std::optional<Shared<ConfigEntry>>;

// A form that an entry may take in between, and how to say so in a sentence.
struct Intermediate {
  EntryForm form{};
  std::string why{};
};

// The forms by which an entry that goes from `now` to `wanted` (or that stays, when they are equal) can make way for
// others, the gentlest first: both sets of subsets at once, no routes, no redirect, no entry at all.
std::vector<Intermediate> intermediates(const EntryForm& now, const EntryForm& wanted, Dialect dialect);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_FORMS_H_
