#ifndef CONVERGENCE_TESTS_SUPPORT_EXHAUSTIVE_ORDER_H_
#define CONVERGENCE_TESTS_SUPPORT_EXHAUSTIVE_ORDER_H_

#include <cstddef>
#include <optional>
#include <string>

#include "convergence/config_entry.h"

namespace convergence::test {

struct ExhaustiveOrder {
  std::optional<std::size_t> writes{};  // the least number; none: no way within the bounds
  bool gave_up = false;                 // more states than were allowed
  std::string way{};                    // the writes, a line each, for people
};

// The least number of writes, `most` at most, that lead from `actual` to `wanted` with every chain of the generated
// services compiling after each. Breadth first over whole sets of entries: slow and obvious, and it knows more forms
// in between than the planner does: of every entry, changed or not, each single route, leg, subset, protocol, absence.
ExhaustiveOrder fewest_writes(const EntryMap& actual, const EntryMap& wanted, std::size_t most,
                              std::size_t most_states = 300000);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_EXHAUSTIVE_ORDER_H_
