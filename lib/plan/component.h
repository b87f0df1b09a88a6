#ifndef CONVERGENCE_LIB_PLAN_COMPONENT_H_
#define CONVERGENCE_LIB_PLAN_COMPONENT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/plan.h"
#include "lib/plan/forms.h"
#include "lib/plan/traffic.h"

namespace convergence::plan {

// One entry that may have to be written.
struct Slot {
  EntryId key{};
  std::vector<Intermediate> forms{};  // [0] what is there, [1] what is wanted, then forms in between
  bool changed = false;               // false: [0] and [1] are equal, and it only makes way for others
  bool forced = false;                // held: must stay as it is
};
inline constexpr std::uint8_t kNow = 0;
inline constexpr std::uint8_t kWanted = 1;

// Entries that have to do with each other by the services they name, and nothing to do with the rest; what is
// written in one component cannot break a chain of another.
struct Component {
  EntryMap entries{};                 // all of them as they are, with proxy-defaults
  std::vector<Slot> slots{};          // in the order in which writes are tried
  std::vector<std::string> chains{};  // the services that any form names
};

struct Write {
  EntryId key{};
  EntryForm wanted{};
};

// The components with a write, in a fixed order. `may_move` tells entries that carry our mark, which may be written in
// between though nothing about them differs.
std::vector<Component> divide(const EntryMap& actual, const std::vector<Write>& writes,
                              const std::set<EntryId>& may_move, Dialect dialect);

// Where a component stands: the form of each slot.
using Position = std::vector<std::uint8_t>;

// How the chains of a component fare, in the order of Component::chains.
struct ChainHealth {
  std::vector<bool> compiles{};
  friend bool operator==(const ChainHealth&, const ChainHealth&) = default;
};

// A component that moves from position to position; knows which moves are safe.
class World {
 public:
  // `traffic` may be null: then every target counts as served.
  World(const Component& component, const ClusterIdentity& cluster, const Traffic* traffic);

  Position start() const { return Position(component_.slots.size(), kNow); }
  const ChainHealth& start_health() const { return start_health_; }

  // Whether `slot` may take `form` where the rest is as in `from`: the server takes the write, no chain that compiles
  // in `from` stops compiling, and no traffic goes to an empty target that was spared so far. `health` goes from the
  // state of `from` to that after the move; on refusal it stays and `problem` says why.
  bool may_move(const Position& from, std::size_t slot, std::uint8_t form, ChainHealth& health, std::string* problem);

  // Chains that compile now and would not where every slot has the form it has in `position`.
  bool keeps_chains(const Position& position);
  // The empty targets that chains give traffic to in `position` and do not give any now.
  std::set<std::string> new_empty_targets(const Position& position);

  // The first chain, with its complaint, that compiles now and would not in `position` once `slot` has `form`.
  std::string first_complaint(const Position& position);

  // Whether `slot` could take what is wanted in `position` if the entry `other` were not there.
  bool works_without(const EntryId& other, const Position& position, std::size_t slot);

  std::size_t evaluations() const { return evaluations_; }

 private:
  void go_to(const Position& position);
  void set(std::size_t slot, std::uint8_t form);
  absl::StatusOr<DiscoveryChain> compile(std::size_t chain) const;
  void find_affected();

  const Component& component_;
  ClusterIdentity cluster_;
  const Traffic* traffic_;
  EntryMap entries_;
  Position position_;
  std::vector<std::vector<std::size_t>> affected_;  // by slot: the chains that may come past its entry
  ChainHealth start_health_;
  std::vector<std::set<std::string>> start_empty_;  // by chain
  std::size_t evaluations_ = 0;
};

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_COMPONENT_H_
