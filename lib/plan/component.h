#ifndef CONVERGENCE_LIB_PLAN_COMPONENT_H_
#define CONVERGENCE_LIB_PLAN_COMPONENT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/plan.h"
#include "lib/chain/reachable.h"
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

// Where everything is as it is wanted, but for what is held.
Position wanted_position(const Component& component);

// How the chains of a component fare, in the order of Component::chains.
using ChainHealth = std::vector<bool>;  // whether it compiles

// A component that moves from position to position; knows which moves are safe.
class World {
 public:
  // `traffic` may be null: then every target counts as served. Both are referred to.
  World(const Component& component, const ClusterIdentity& cluster, const Traffic* traffic);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Position start() const { return Position(component_.slots.size(), kNow); }
  const ChainHealth& start_health() const { return start_health_; }

  // Whether `slot` may take `form` where the rest is as in `from`: the server takes the write, no chain that compiles
  // in `from` stops compiling, and no traffic goes to an empty target that was spared so far. `health` goes from the
  // state of `from` to that after the move; on refusal it stays and `problem` says why.
  bool may_move(const Position& from, std::size_t slot, std::uint8_t form, ChainHealth& health, std::string* problem);

  // Whether every chain that compiles now compiles in `position`: of all, or of those that a slot can change.
  bool keeps_chains(const Position& position);
  bool keeps_chains(const Position& position, std::size_t slot);
  // The empty targets that a chain gives traffic to in `position` and does not give any now.
  std::set<std::string> new_empty_targets(const Position& position, std::size_t chain);
  // Whether `slot` could take what is wanted in `position` if the entry `other` had this form.
  bool works_with(const EntryId& other, const EntryForm& form, const Position& position, std::size_t slot);
  // The form of an entry of the component in `position`.
  EntryForm form_at(const EntryId& key, const Position& position);

  // The chains that may come past a slot's entry, and the slots whose entries a chain may come past.
  const std::vector<std::size_t>& chains_of(std::size_t slot) const { return chains_of_[slot]; }
  const std::vector<std::size_t>& slots_of(std::size_t chain) const { return slots_of_[chain]; }
  // Slots that share a chain with this one.
  std::vector<std::size_t> neighbours(std::size_t slot) const;

  std::size_t looks() const { return looks_; }

 private:
  void go_to(const Position& position);
  void set(std::size_t slot, std::uint8_t form);
  void put(const EntryId& key, const EntryForm& form);
  bool is_watched(const EntryId& key) const;
  absl::StatusOr<DiscoveryChain> compile(std::size_t chain);
  bool compiles(std::size_t chain);  // the same, where nothing else is asked for
  bool keeps(std::size_t chain) { return !start_health_[chain] || compiles(chain); }

  const Component& component_;
  const Traffic* traffic_;
  ChainRequest request_;
  EntryMap entries_;
  EntryIndex index_;  // of entries_
  Position position_;
  std::vector<std::vector<std::size_t>> chains_of_;
  std::vector<std::vector<std::size_t>> slots_of_;
  std::set<std::string> watched_;  // services of which gateways or intentions want a protocol, in lower case
  ChainHealth start_health_;
  std::vector<std::set<std::string>> start_empty_;  // by chain
  std::size_t looks_ = 0;                           // chains compiled or checked
};

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_COMPONENT_H_
