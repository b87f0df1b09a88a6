#include "lib/plan/order.h"

#include <algorithm>
#include <compare>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

namespace convergence::plan {
namespace {

// Up to this many writes that have to do with each other the shortest order is searched for; beyond, and where that
// takes too many looks at chains, one is made.
constexpr std::size_t kMaxSearched = 8;
constexpr std::size_t kMaxLooks = 40000;

bool arrived(const Component& component, const Position& position) {
  for (std::size_t slot = 0; slot < position.size(); ++slot) {
    if (position[slot] == kWanted) continue;
    const Slot& one = component.slots[slot];
    if (one.forced ? position[slot] != kNow : one.changed || position[slot] != kNow) return false;
  }
  return true;
}

// Slots that still need a write.
std::size_t distance(const Component& component, const Position& position) {
  std::size_t open = 0;
  for (std::size_t slot = 0; slot < position.size(); ++slot) {
    const Slot& one = component.slots[slot];
    const bool there = position[slot] == kWanted || (position[slot] == kNow && (!one.changed || one.forced));
    open += there ? 0 : 1;
  }
  return open;
}

// Best first: the fewest writes done and needed, among these the most done. An edge is looked at when it is taken from
// the queue, not when it is found, because that look (compiling chains) is what costs.
class ShortestOrder {
 public:
  ShortestOrder(const Component& component, World& world) : component_(component), world_(world) {}

  std::optional<std::vector<Move>> run() {
    nodes_.push_back({world_.start(), world_.start_health(), 0, {}, 0});
    seen_.insert(nodes_.front().position);
    expand(0);
    const std::size_t limit = world_.evaluations() + kMaxLooks;
    while (!queue_.empty() && world_.evaluations() < limit) {
      const Edge edge = queue_.top();
      queue_.pop();
      Node next = nodes_[edge.from];
      next.position[edge.move.slot] = edge.move.form;
      if (seen_.contains(next.position)) continue;
      if (!world_.may_move(nodes_[edge.from].position, edge.move.slot, edge.move.form, next.health, nullptr)) continue;
      next.parent = edge.from;
      next.move = edge.move;
      ++next.writes;
      seen_.insert(next.position);
      nodes_.push_back(std::move(next));
      if (arrived(component_, nodes_.back().position)) return path(nodes_.size() - 1);
      expand(nodes_.size() - 1);
    }
    return std::nullopt;
  }

 private:
  struct Node {
    Position position;
    ChainHealth health;
    std::size_t parent = 0;
    Move move;
    std::size_t writes = 0;
  };
  struct Edge {
    std::size_t total = 0;   // writes done and still needed, at least
    std::size_t needed = 0;  // still needed
    std::size_t number = 0;  // of its finding: the order in which slots are tried
    std::size_t from = 0;
    Move move;
    bool operator<(const Edge& other) const {  // of a queue whose greatest comes first
      return std::tie(total, needed, number) > std::tie(other.total, other.needed, other.number);
    }
  };

  void expand(std::size_t from) {
    const Position position = nodes_[from].position;
    for (std::size_t slot = 0; slot < position.size(); ++slot) {
      if (component_.slots[slot].forced) continue;
      for (std::size_t form = kNow; form < component_.slots[slot].forms.size(); ++form) {
        if (form == position[slot] || (form == kNow && position[slot] == kWanted)) continue;
        if (!component_.slots[slot].changed && form == kWanted) continue;  // [0] and [1] are one
        Position next = position;
        next[slot] = static_cast<std::uint8_t>(form);
        if (seen_.contains(next)) continue;
        const std::size_t needed = distance(component_, next);
        queue_.push({nodes_[from].writes + 1 + needed, needed, number_++, from, {slot, next[slot]}});
      }
    }
  }

  std::vector<Move> path(std::size_t node) const {
    std::vector<Move> moves;
    for (; node != 0; node = nodes_[node].parent) moves.push_back(nodes_[node].move);
    std::reverse(moves.begin(), moves.end());
    return moves;
  }

  const Component& component_;
  World& world_;
  std::vector<Node> nodes_;
  std::set<Position> seen_;
  std::priority_queue<Edge> queue_;
  std::size_t number_ = 0;
};

// Writes what can be written, again and again; where that stops, lets one entry make way for another, each at most
// once.
class MadeOrder {
 public:
  MadeOrder(const Component& component, World& world)
      : component_(component),
        world_(world),
        position_(world.start()),
        health_(world.start_health()),
        moved_(component.slots.size(), false) {}

  void write_what_can_be() {
    for (bool again = true; again;) {
      again = false;
      for (bool late : {false, true}) {  // entries that have made way come back last
        for (std::size_t slot = 0; slot < position_.size(); ++slot) {
          if (open(slot) && moved_[slot] == late) again |= take(slot, kWanted);
        }
        if (again) break;
      }
    }
  }

  void make_way() {
    while (!arrived(component_, position_)) {
      if (!make_way_for_one()) {
        make_way_for_all();
        write_what_can_be();
        return;
      }
      write_what_can_be();
    }
  }

  bool done() const { return arrived(component_, position_); }
  std::vector<Move> moves() const { return moves_; }
  const Position& position() const { return position_; }
  const ChainHealth& health() const { return health_; }

 private:
  bool open(std::size_t slot) const {
    const Slot& one = component_.slots[slot];
    return !one.forced && position_[slot] != kWanted && (one.changed || position_[slot] != kNow);
  }

  bool take(std::size_t slot, std::uint8_t form) {
    if (!world_.may_move(position_, slot, form, health_, nullptr)) return false;
    position_[slot] = form;
    moves_.push_back({slot, form});
    return true;
  }

  // A form in between after which a write works that did not before.
  bool make_way_for_one() {
    for (std::size_t slot = 0; slot < position_.size(); ++slot) {
      if (moved_[slot] || component_.slots[slot].forced) continue;
      for (std::size_t form = kWanted + 1; form < component_.slots[slot].forms.size(); ++form) {
        ChainHealth health = health_;
        if (!world_.may_move(position_, slot, static_cast<std::uint8_t>(form), health, nullptr)) continue;
        Position after = position_;
        after[slot] = static_cast<std::uint8_t>(form);
        if (!unlocks(after, health, slot)) continue;
        moved_[slot] = true;
        return take(slot, static_cast<std::uint8_t>(form));
      }
    }
    return false;
  }

  bool unlocks(const Position& after, const ChainHealth& health, std::size_t moved) {
    for (std::size_t slot = 0; slot < position_.size(); ++slot) {
      if (slot == moved || !open(slot)) continue;
      ChainHealth tried = health;
      if (world_.may_move(after, slot, kWanted, tried, nullptr)) return true;
    }
    return false;
  }

  // Outermost first: routers, splitters, then what they stand on.
  void make_way_for_all() {
    for (std::size_t i = position_.size(); i > 0; --i) {
      const std::size_t slot = i - 1;
      if (moved_[slot] || component_.slots[slot].forced || position_[slot] == kWanted) continue;
      for (std::size_t form = kWanted + 1; form < component_.slots[slot].forms.size(); ++form) {
        if (!take(slot, static_cast<std::uint8_t>(form))) continue;
        moved_[slot] = true;
        break;
      }
    }
  }

  const Component& component_;
  World& world_;
  Position position_;
  ChainHealth health_;
  std::vector<bool> moved_;
  std::vector<Move> moves_;
};

// The entry without which, or in another form of which, the write would work.
std::optional<EntryId> find_other(const Component& component, World& world, const Position& position,
                                  const ChainHealth& health, std::size_t stuck) {
  for (std::size_t slot = 0; slot < position.size(); ++slot) {
    if (slot == stuck) continue;
    for (std::size_t form = 0; form < component.slots[slot].forms.size(); ++form) {
      if (form == position[slot]) continue;
      Position tried = position;
      tried[slot] = static_cast<std::uint8_t>(form);
      ChainHealth after = health;
      if (world.may_move(tried, stuck, kWanted, after, nullptr)) return component.slots[slot].key;
    }
  }
  return std::nullopt;
}

// An entry that we may not move, without which the write would work.
std::optional<EntryId> find_fixed_other(const Component& component, World& world, const Position& position,
                                        std::size_t stuck) {
  for (const auto& item : component.entries) {
    const EntryId& key = item.first;
    const bool is_slot = std::ranges::any_of(component.slots, [&](const Slot& slot) { return slot.key == key; });
    if (is_slot) continue;
    if (world.works_without(key, position, stuck)) return key;
  }
  return std::nullopt;
}

}  // namespace

Order find_order(const Component& component, World& world) {
  Order order;
  const auto changed = static_cast<std::size_t>(
      std::ranges::count_if(component.slots, [](const Slot& slot) { return slot.changed && !slot.forced; }));
  if (changed == 0) return order;

  MadeOrder plain(component, world);
  if (changed > kMaxSearched) plain.write_what_can_be();
  if (plain.done()) return {plain.moves(), {}};

  Position wanted = world.start();
  for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
    if (component.slots[slot].changed && !component.slots[slot].forced) wanted[slot] = kWanted;
  }
  const bool possible = world.keeps_chains(wanted);
  if (possible && changed <= kMaxSearched) {
    if (auto moves = ShortestOrder(component, world).run()) return {*std::move(moves), {}};
  }
  if (possible) {
    MadeOrder made(component, world);
    made.write_what_can_be();
    made.make_way();
    if (made.done()) return {made.moves(), {}};
  }

  // No way to all of it: what can be written without a form in between, and what stands in the way of the rest.
  plain.write_what_can_be();
  order.moves = plain.moves();
  for (std::size_t slot = 0; slot < component.slots.size(); ++slot) {
    if (!component.slots[slot].changed || component.slots[slot].forced || plain.position()[slot] == kWanted) continue;
    Obstacle obstacle;
    obstacle.slot = slot;
    ChainHealth health = plain.health();
    world.may_move(plain.position(), slot, kWanted, health, &obstacle.problem);
    obstacle.other = find_other(component, world, plain.position(), plain.health(), slot);
    if (!obstacle.other) obstacle.other = find_fixed_other(component, world, plain.position(), slot);
    order.obstacles.push_back(std::move(obstacle));
  }
  return order;
}

}  // namespace convergence::plan
