#ifndef CONVERGENCE_LIB_PLAN_ORDER_H_
#define CONVERGENCE_LIB_PLAN_ORDER_H_

#include <optional>
#include <vector>

#include "lib/plan/component.h"

namespace convergence::plan {

struct Move {
  std::size_t slot = 0;
  std::uint8_t form = 0;
  friend bool operator==(const Move&, const Move&) = default;
};

// What stands in the way of a write.
struct Obstacle {
  std::size_t slot = 0;            // the write
  std::string problem{};           // what the chain or the server says to it
  std::optional<EntryId> other{};  // the entry that it stands against, where one can be named
};

struct Order {
  std::vector<Move> moves{};          // each safe after those before it
  std::vector<Obstacle> obstacles{};  // changed slots that do not come to what is wanted
};

// How much searching a plan may do, all its components together: so that it takes no longer for having many.
struct SearchBudget {
  bool shortest = true;       // few writes in all: their shortest order is searched for first
  std::size_t looks = 40000;  // at chains
};
SearchBudget search_budget(const std::vector<Component>& components);

// Few writes: the shortest list there is, by the forms that forms.h offers. Many: each write once wherever that works,
// and at most one form in between for each entry where it does not; in time polynomial in the number of entries.
Order find_order(const Component& component, World& world, SearchBudget& budget);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_ORDER_H_
