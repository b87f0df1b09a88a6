#include "lib/plan/entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/plan/component.h"
#include "lib/plan/difference.h"
#include "lib/plan/opaque.h"
#include "lib/plan/order.h"
#include "lib/plan/references.h"
#include "lib/plan/steps.h"

namespace convergence::plan {
namespace {

struct Differences {
  std::vector<Write> writes{};
  std::set<EntryId> may_move{};
  std::vector<Held> held{};
};

// A router without routes is the same whether it has an empty list of them or none; entries that are only kept are
// compared as the server sees them.
bool same_body(const EntryBody& wanted, const EntryBody& there) {
  const auto* kept = std::get_if<OpaqueEntry>(&wanted);
  const auto* kept_there = std::get_if<OpaqueEntry>(&there);
  if (kept != nullptr && kept_there != nullptr) return same_meaning(*kept, *kept_there);
  const auto* a = std::get_if<ServiceRouter>(&wanted);
  const auto* b = std::get_if<ServiceRouter>(&there);
  if (a == nullptr || b == nullptr || a->empty_routes == b->empty_routes) return wanted == there;
  return a->routes == b->routes && a->unknown == b->unknown;
}

// Equal in meaning: after normal form, letter case of the name and Meta that the desired entry does not speak of aside.
// Our mark is no difference either: what is as wanted already is not written for a mark.
bool same_meaning(const ConfigEntry& wanted, const ConfigEntry& actual, Dialect dialect) {
  auto normal = normalise_entry(actual, dialect);
  const ConfigEntry& there = normal.ok() ? *normal : actual;
  if (!same_body(wanted.body, there.body)) return false;
  return std::ranges::all_of(wanted.meta, [&](const auto& pair) {
    if (pair.first == kMarkKey) return true;
    auto found = there.meta.find(pair.first);
    return found != there.meta.end() && found->second == pair.second;
  });
}

// What we write: the desired entry under our mark, with the Meta of others that it does not speak of.
ConfigEntry to_write(ConfigEntry wanted, const ConfigEntry* actual) {
  wanted.create_index = wanted.modify_index = 0;
  if (!actual) return wanted;
  for (const auto& [key, value] : actual->meta) {
    if (key != kExternalSource) wanted.meta.try_emplace(key, value);
  }
  return wanted;
}

absl::StatusOr<std::map<EntryId, ConfigEntry>> normal_desired(const std::vector<ConfigEntry>& desired,
                                                              const PlanOptions& options) {
  std::map<EntryId, ConfigEntry> wanted;
  for (ConfigEntry entry : desired) {
    const EntryId key = entry_key(entry);
    entry.meta[std::string(kMarkKey)] = options.owner;
    auto normal = normalise_entry(std::move(entry), options.cluster.dialect);
    if (!normal.ok()) {
      Json detail = error_detail(normal.status());
      detail.set("entry", label(key));
      return make_error(error_kind(normal.status()),
                        fmt::format("desired entry {}: {}", label(key), std::string(normal.status().message())),
                        std::move(detail));
    }
    // Consul knows one proxy-defaults, whatever name it was given.
    const EntryId stored = entry_key(*normal);
    if (!wanted.emplace(stored, *std::move(normal)).second) {
      return make_error(ErrorKind::kValidate, fmt::format("desired entry {}: is there twice", label(stored)));
    }
  }
  return wanted;
}

Held held(Action action, const EntryId& key, Reason reason, std::string why) {
  return Held{step_id(action, key), reason, std::move(why)};
}

void compare_unwanted(const EntryId& key, const ConfigEntry& entry, const PlanOptions& options, Differences& out) {
  if (!is_ours(entry.meta, options.owner)) return;
  if (options.prune) {
    out.writes.push_back({key, std::nullopt});
    return;
  }
  out.held.push_back(held(Action::kDeleteEntry, key, Reason::kNotPruned,
                          fmt::format("{} is ours ({}={}) and not wanted; it is deleted only when pruning", label(key),
                                      kMarkKey, options.owner)));
}

absl::StatusOr<Differences> compare(const std::vector<ConfigEntry>& desired, const EntryMap& actual,
                                    const PlanOptions& options) {
  CVG_ASSIGN_OR_RETURN(auto wanted, normal_desired(desired, options));
  Differences out;
  for (auto& [key, entry] : wanted) {
    auto there = actual.find(key);
    if (there == actual.end()) {
      out.writes.push_back({key, EntryForm(to_write(std::move(entry), nullptr))});
    } else if (!same_meaning(entry, *there->second, options.cluster.dialect)) {
      if (options.take_foreign || is_ours(there->second->meta, options.owner)) {
        out.writes.push_back({key, EntryForm(to_write(entry, &*there->second))});
      } else {
        out.held.push_back(held(Action::kPutEntry, key, Reason::kForeign,
                                fmt::format("{} differs ({}) and {}; it is changed only when taking over", label(key),
                                            difference(*there->second, entry), owner_text(there->second->meta))));
      }
    }
  }
  for (const auto& [key, entry] : actual) {
    if (!wanted.contains(key)) compare_unwanted(key, *entry, options, out);
    if (is_ours(entry->meta, options.owner)) out.may_move.insert(key);
  }
  return out;
}

// Which write to leave out so that a chain gives traffic to fewer empty targets: splitters before routers before the
// rest, and sooner one whose absence breaks no chain.
std::optional<std::size_t> choose_to_hold(const Component& component, World& world, std::size_t chain,
                                          std::size_t empty_now) {
  constexpr std::string_view kKinds[] = {kServiceSplitter, kServiceRouter, kServiceResolver, kServiceDefaults,
                                         kProxyDefaults};
  const Position wanted = wanted_position(component);
  for (bool only_harmless : {true, false}) {
    for (std::string_view kind : kKinds) {
      for (std::size_t slot : world.slots_of(chain)) {
        if (wanted[slot] != kWanted || component.slots[slot].key.kind != kind) continue;
        Position tried = wanted;
        tried[slot] = kNow;
        if (only_harmless && !world.keeps_chains(tried, slot)) continue;
        if (world.new_empty_targets(tried, chain).size() < empty_now) return slot;
      }
    }
  }
  return std::nullopt;
}

void hold(Component& component, std::size_t slot, const std::set<std::string>& targets, std::vector<Held>& out) {
  Slot& one = component.slots[slot];
  one.forced = true;
  const Action action = one.forms[kWanted].form ? Action::kPutEntry : Action::kDeleteEntry;
  out.push_back(held(action, one.key, Reason::kNoInstance,
                     fmt::format("{} waits: it gives traffic to {}, where no instance passes its checks",
                                 label(one.key), fmt::join(targets, ", "))));
}

// Whether something was held for the sake of this chain.
bool hold_for_chain(Component& component, World& world, std::size_t chain, std::vector<Held>& out) {
  bool any = false;
  for (;;) {
    const std::set<std::string> empty = world.new_empty_targets(wanted_position(component), chain);
    if (empty.empty()) return any;
    if (auto slot = choose_to_hold(component, world, chain, empty.size())) {
      hold(component, *slot, empty, out);
      any = true;
      continue;
    }
    // No single one makes the difference.
    for (std::size_t slot : world.slots_of(chain)) {
      if (!component.slots[slot].changed || component.slots[slot].forced) continue;
      hold(component, slot, empty, out);
      any = true;
    }
    return any;
  }
}

// Entries that would send traffic where nobody serves it stay as they are, until none is left that would.
void hold_for_instances(Component& component, World& world, std::vector<Held>& out) {
  for (bool again = true; again;) {
    again = false;
    for (std::size_t chain = 0; chain < component.chains.size(); ++chain) {
      again |= hold_for_chain(component, world, chain, out);
    }
  }
}

// Turns moves into steps.
class StepWriter {
 public:
  StepWriter(const Component& component, std::size_t steps)
      : component_(component), position_(component.slots.size(), kNow) {
    steps_.reserve(steps);  // a step is large: two entries
  }

  void add(const Move& move) {
    const Slot& slot = component_.slots[move.slot];
    const Intermediate& next = slot.forms[move.form];
    const EntryForm& before = slot.forms[position_[move.slot]].form;
    Step step;
    step.action = next.form ? Action::kPutEntry : Action::kDeleteEntry;
    step.entry = slot.key;
    step.reason = reason(slot, move.form);
    step.why = why(slot, move.form, next);
    step.id = step_id(step.action, slot.key);
    if (step.reason == Reason::kIntermediate && move.form != kNow) step.id += ":intermediate";
    for (int number = 2; ids_.contains(step.id); ++number) {
      step.id = fmt::format("{}:{}", step_id(step.action, slot.key), number);
    }
    if (!steps_.empty()) step.needs.push_back(steps_.back().id);
    if (before) step.cas_index = (*before)->modify_index;
    if (next.form) step.body = without_indexes(**next.form);
    if (before) step.before = **before;
    ids_.insert(step.id);
    position_[move.slot] = move.form;
    steps_.push_back(std::move(step));
  }

  std::vector<Step> take() { return std::move(steps_); }

 private:
  static ConfigEntry without_indexes(ConfigEntry entry) {
    entry.create_index = entry.modify_index = 0;
    return entry;
  }

  static Reason reason(const Slot& slot, std::uint8_t form) {
    if (form != kWanted) return Reason::kIntermediate;
    if (!slot.forms[kNow].form) return Reason::kMissing;
    return slot.forms[kWanted].form ? Reason::kContent : Reason::kNotWanted;
  }

  static std::string why(const Slot& slot, std::uint8_t form, const Intermediate& next) {
    const std::string name = label(slot.key);
    if (form == kNow) return fmt::format("{} comes back as it was", name);
    if (form != kWanted) return fmt::format("{} {}, so that what follows is accepted", name, next.why);
    const EntryForm& now = slot.forms[kNow].form;
    if (!now) return fmt::format("{} is wanted and absent", name);
    if (!next.form) return fmt::format("{} is ours and not wanted", name);
    return fmt::format("{} differs: {}", name, difference(**now, **next.form));
  }

  const Component& component_;
  Position position_;
  std::vector<Step> steps_;
  std::set<std::string> ids_;
};

void hold_obstacles(const Component& component, const Order& order, std::vector<Held>& out) {
  for (const Obstacle& obstacle : order.obstacles) {
    const Slot& slot = component.slots[obstacle.slot];
    const Action action = slot.forms[kWanted].form ? Action::kPutEntry : Action::kDeleteEntry;
    std::string against;
    if (obstacle.other) against = fmt::format(" stands against {}", label(*obstacle.other));
    out.push_back(held(action, slot.key, Reason::kNoSafeOrder,
                       fmt::format("{}{}: {}", label(slot.key), against, obstacle.problem)));
  }
}

std::vector<std::string> services_named(const Component& component) {
  std::set<std::string> services;
  for (const std::string& chain : component.chains) services.insert(ascii_lower(chain));
  return {services.begin(), services.end()};
}

}  // namespace

absl::StatusOr<EntryPlan> plan_entries(const std::vector<ConfigEntry>& desired, const EntryMap& actual,
                                       const PlanOptions& options, const Traffic* traffic) {
  CVG_ASSIGN_OR_RETURN(Differences differences, compare(desired, actual, options));
  EntryPlan plan;
  plan.held = std::move(differences.held);
  std::vector<Component> components = divide(actual, differences.writes, differences.may_move, options.cluster.dialect);
  SearchBudget budget = search_budget(components);
  for (Component& component : components) {
    World world(component, options.cluster, traffic);
    if (traffic) hold_for_instances(component, world, plan.held);
    const Order order = find_order(component, world, budget);
    hold_obstacles(component, order, plan.held);
    if (order.moves.empty()) continue;
    StepWriter writer(component, order.moves.size());
    for (const Move& move : order.moves) writer.add(move);
    plan.groups.push_back({writer.take(), services_named(component)});
  }
  std::ranges::sort(plan.held, {}, &Held::id);
  return plan;
}

}  // namespace convergence::plan
