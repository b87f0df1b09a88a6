#include "lib/plan/order.h"

#include <algorithm>
#include <compare>
#include <queue>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

namespace convergence::plan {
namespace {

// Up to this many writes in a plan the shortest order is searched for; beyond, and where that takes too many looks at
// chains, one is made, and up to this many in a component are searched through only where none can be made.
constexpr std::size_t kMaxSearched = 8;
constexpr std::size_t kMaxExplained = 40000;  // looks, for saying what stands against what

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

  std::optional<std::vector<Move>> run(std::size_t& looks) {
    nodes_.push_back({world_.start(), world_.start_health(), 0, {}, 0});
    seen_.insert(nodes_.front().position);
    expand(0);
    const std::size_t before = world_.looks();
    std::optional<std::vector<Move>> found = search(before + looks);
    looks -= std::min(looks, world_.looks() - before);
    return found;
  }

 private:
  std::optional<std::vector<Move>> search(std::size_t limit) {
    while (!queue_.empty() && world_.looks() < limit) {
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
    Position position = nodes_[from].position;
    for (std::size_t slot = 0; slot < position.size(); ++slot) {
      if (component_.slots[slot].forced) continue;
      for (std::size_t form = kNow; form < component_.slots[slot].forms.size(); ++form) {
        if (form == position[slot]) continue;
        if (!component_.slots[slot].changed && form == kWanted) continue;  // [0] and [1] are one
        const std::uint8_t before = std::exchange(position[slot], static_cast<std::uint8_t>(form));
        const std::size_t needed = distance(component_, position);
        queue_.push({nodes_[from].writes + 1 + needed, needed, number_++, from, {slot, position[slot]}});
        position[slot] = before;
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
// once. What was refused is tried again when an entry that shares a chain with it has moved.
class MadeOrder {
 public:
  MadeOrder(const Component& component, World& world)
      : component_(component),
        world_(world),
        position_(world.start()),
        health_(world.start_health()),
        made_way_(component.slots.size(), false),
        refused_(component.slots.size(), false),
        hopeless_(component.slots.size(), false) {}

  void write_what_can_be() {
    for (bool again = true; again;) {
      again = false;
      for (bool late : {false, true}) {  // entries that have made way come back last
        for (std::size_t slot = 0; slot < position_.size(); ++slot) {
          if (!is_open(slot) || refused_[slot] || made_way_[slot] != late) continue;
          again |= take(slot, target_of(slot));
        }
        if (again) break;
      }
    }
  }

  void make_way() {
    while (!done() && make_way_for_one()) write_what_can_be();
    for (std::string_view kind : {kServiceRouter, kServiceSplitter, kServiceResolver, kServiceDefaults}) {
      if (done()) return;
      make_way_for_all(kind);
      write_what_can_be();
    }
  }

  bool done() const { return arrived(component_, position_); }
  std::vector<Move> moves() const { return moves_; }
  const Position& position() const { return position_; }
  const ChainHealth& health() const { return health_; }

 private:
  std::uint8_t target_of(std::size_t slot) const { return component_.slots[slot].changed ? kWanted : kNow; }

  bool is_open(std::size_t slot) const {
    return !component_.slots[slot].forced && position_[slot] != kWanted && position_[slot] != target_of(slot);
  }

  bool take(std::size_t slot, std::uint8_t form) {
    if (!world_.may_move(position_, slot, form, health_, nullptr)) {
      if (form == target_of(slot)) refused_[slot] = true;
      return false;
    }
    position_[slot] = form;
    moves_.push_back({slot, form});
    refused_[slot] = false;
    for (std::size_t other : world_.neighbours(slot)) refused_[other] = hopeless_[other] = false;
    return true;
  }

  // A form in between, of an entry nearby, after which a write works that was refused.
  bool make_way_for_one() {
    for (std::size_t stuck = 0; stuck < position_.size(); ++stuck) {
      if (!is_open(stuck) || hopeless_[stuck]) continue;
      for (std::size_t slot : likely_first(stuck)) {
        if (make_way_for(stuck, slot)) return true;
      }
      if (make_way_for(stuck, stuck)) return true;
      hopeless_[stuck] = true;
    }
    return false;
  }

  // The entries of the same service, then the others; each from the top of the chains down, for what stands on others
  // is most often in their way.
  std::vector<std::size_t> likely_first(std::size_t stuck) const {
    std::vector<std::size_t> slots = world_.neighbours(stuck);
    std::ranges::reverse(slots);
    const std::string& name = component_.slots[stuck].key.name;
    std::stable_partition(slots.begin(), slots.end(),
                          [&](std::size_t slot) { return component_.slots[slot].key.name == name; });
    return slots;
  }

  bool make_way_for(std::size_t stuck, std::size_t slot) {
    if (made_way_[slot] || component_.slots[slot].forced || position_[slot] == kWanted) return false;
    for (std::size_t form = kWanted + 1; form < component_.slots[slot].forms.size(); ++form) {
      const auto between = static_cast<std::uint8_t>(form);
      ChainHealth health = health_;
      if (!world_.may_move(position_, slot, between, health, nullptr)) continue;
      Position after = position_;
      after[slot] = between;
      if (!(slot == stuck ? unlocks_other(after, health, slot)
                          : world_.may_move(after, stuck, target_of(stuck), health, nullptr))) {
        continue;
      }
      made_way_[slot] = true;
      return take(slot, between);
    }
    return false;
  }

  bool unlocks_other(const Position& after, const ChainHealth& health, std::size_t moved) {
    return std::ranges::any_of(world_.neighbours(moved), [&](std::size_t slot) {
      ChainHealth tried = health;
      return is_open(slot) && world_.may_move(after, slot, target_of(slot), tried, nullptr);
    });
  }

  // The entries of a kind that share a chain with a write that was refused.
  void make_way_for_all(std::string_view kind) {
    for (std::size_t slot = 0; slot < position_.size(); ++slot) {
      if (component_.slots[slot].key.kind != kind || made_way_[slot] || component_.slots[slot].forced) continue;
      if (position_[slot] == kWanted || !near_refused(slot)) continue;
      for (std::size_t form = kWanted + 1; form < component_.slots[slot].forms.size(); ++form) {
        if (!take(slot, static_cast<std::uint8_t>(form))) continue;
        made_way_[slot] = true;
        break;
      }
    }
  }

  bool near_refused(std::size_t slot) const {
    return is_open(slot) ||
           std::ranges::any_of(world_.neighbours(slot), [&](std::size_t other) { return is_open(other); });
  }

  const Component& component_;
  World& world_;
  Position position_;
  ChainHealth health_;
  std::vector<bool> made_way_;
  std::vector<bool> refused_;   // and nothing nearby has moved since
  std::vector<bool> hopeless_;  // no single entry nearby can make way for it
  std::vector<Move> moves_;
};

// The entry without which, or in another form of which, the write would work.
std::optional<EntryId> find_other(const Component& component, World& world, const Position& position,
                                  const ChainHealth& health, std::size_t stuck) {
  for (std::size_t slot : world.neighbours(stuck)) {
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

// An entry that we may not move, or that has no other form, without which the write would work.
std::optional<EntryId> find_fixed_other(const Component& component, World& world, const Position& position,
                                        std::size_t stuck) {
  for (const auto& [key, entry] : component.entries) {
    const bool may_move = std::ranges::any_of(component.slots, [&k = key](const Slot& slot) {
      return slot.key == k && (slot.changed || slot.forms.size() > kWanted + 1);
    });
    if (!may_move && world.works_with(key, std::nullopt, position, stuck)) return key;
  }
  return std::nullopt;
}

EntryForm with_protocol(const ConfigEntry& entry, const char* protocol) {
  ConfigEntry other = entry;
  if (auto* defaults = std::get_if<ServiceDefaults>(&other.body)) defaults->protocol = protocol;
  if (auto* defaults = std::get_if<ProxyDefaults>(&other.body)) {
    defaults->config = Json(Json::Object{}).set("protocol", protocol);
  }
  return EntryForm(std::move(other));
}

// Defaults under whose protocol, whether they are written or not, the write cannot work, and under another could.
std::optional<EntryId> find_protocol_other(const Component& component, World& world, const Position& position,
                                           std::size_t stuck) {
  std::set<EntryId> keys;
  for (const auto& [key, entry] : component.entries) keys.insert(key);
  for (const Slot& slot : component.slots) keys.insert(slot.key);
  for (const EntryId& key : keys) {
    if (key.kind != kServiceDefaults && key.kind != kProxyDefaults) continue;
    const EntryForm now = world.form_at(key, position);
    if (!now || key == component.slots[stuck].key) continue;
    for (const char* protocol : {"http", "grpc", "tcp"}) {
      if (world.works_with(key, with_protocol(**now, protocol), position, stuck)) return key;
    }
  }
  return std::nullopt;
}

std::size_t writes_of(const Component& component) {
  return static_cast<std::size_t>(
      std::ranges::count_if(component.slots, [](const Slot& slot) { return slot.changed && !slot.forced; }));
}

}  // namespace

SearchBudget search_budget(const std::vector<Component>& components) {
  std::size_t writes = 0;
  for (const Component& component : components) writes += writes_of(component);
  SearchBudget budget;
  budget.shortest = writes <= kMaxSearched;
  return budget;
}

Order find_order(const Component& component, World& world, SearchBudget& budget) {
  Order order;
  const std::size_t changed = writes_of(component);
  if (changed == 0) return order;

  MadeOrder plain(component, world);
  if (!budget.shortest) plain.write_what_can_be();
  if (plain.done()) return {plain.moves(), {}};

  const bool possible = world.keeps_chains(wanted_position(component));
  if (possible && budget.shortest) {
    if (auto moves = ShortestOrder(component, world).run(budget.looks)) return {*std::move(moves), {}};
  }
  if (possible) {
    MadeOrder made = plain;
    made.write_what_can_be();
    made.make_way();
    if (made.done()) return {made.moves(), {}};
  }
  if (possible && !budget.shortest && changed <= kMaxSearched) {
    if (auto moves = ShortestOrder(component, world).run(budget.looks)) return {*std::move(moves), {}};
  }

  // No way to all of it: what can be written without a form in between, and what stands in the way of the rest.
  plain.write_what_can_be();
  order.moves = plain.moves();
  const std::size_t explained_until = world.looks() + kMaxExplained;
  for (std::size_t slot = 0; slot < component.slots.size(); ++slot) {
    if (!component.slots[slot].changed || component.slots[slot].forced || plain.position()[slot] == kWanted) continue;
    Obstacle obstacle;
    obstacle.slot = slot;
    ChainHealth health = plain.health();
    world.may_move(plain.position(), slot, kWanted, health, &obstacle.problem);
    const bool look_further = world.looks() < explained_until;
    obstacle.other = find_other(component, world, plain.position(), plain.health(), slot);
    if (!obstacle.other && look_further) obstacle.other = find_fixed_other(component, world, plain.position(), slot);
    if (!obstacle.other && look_further) obstacle.other = find_protocol_other(component, world, plain.position(), slot);
    order.obstacles.push_back(std::move(obstacle));
  }
  return order;
}

}  // namespace convergence::plan
