#include "lib/plan/component.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "lib/base/ascii.h"
#include "lib/plan/references.h"

namespace convergence::plan {
namespace {

// Services joined by the entries that name them together, in lower case.
class Groups {
 public:
  void join(const std::vector<std::string>& services) {
    for (const std::string& service : services) merge(id_of(services.front()), id_of(service));
  }
  void join_all() {
    for (std::size_t id = 1; id < parent_.size(); ++id) merge(0, id);
  }
  std::size_t root_of(const std::string& service) { return find(id_of(service)); }

 private:
  std::size_t id_of(const std::string& service) {
    auto [found, is_new] = ids_.try_emplace(ascii_lower(service), parent_.size());
    if (is_new) parent_.push_back(found->second);
    return found->second;
  }
  std::size_t find(std::size_t id) {
    while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
    return id;
  }
  void merge(std::size_t a, std::size_t b) { parent_[find(b)] = find(a); }

  std::map<std::string, std::size_t> ids_;
  std::vector<std::size_t> parent_;
};

void join_form(Groups& groups, const EntryForm& form) {
  if (!form) return;
  const std::vector<std::string> services = services_of(**form);
  if (!services.empty()) groups.join(services);
}

// Puts in the order of what stands on what, then deletions the other way round; so most plans are found at first try.
auto try_order(const Slot& slot) {
  const bool deletion = !slot.forms[kWanted].form;
  const int rank = rank_of(slot.key.kind);
  return std::make_tuple(!slot.changed, deletion, deletion ? -rank : rank, slot.key);
}

Slot make_slot(const EntryId& key, const EntryForm& now, const EntryForm& wanted, bool changed, Dialect dialect) {
  Slot slot;
  slot.key = key;
  slot.changed = changed;
  slot.forms.push_back({now, ""});
  slot.forms.push_back({wanted, ""});
  for (Intermediate& form : intermediates(now, wanted, dialect)) slot.forms.push_back(std::move(form));
  return slot;
}

EntryForm form_of(const EntryMap& entries, const EntryId& key) {
  auto found = entries.find(key);
  return found == entries.end() ? EntryForm() : EntryForm(found->second);
}

// The group that an entry belongs to; `alone` where it takes no part in chains.
constexpr std::size_t kAlone = static_cast<std::size_t>(-1);
std::size_t group_of(Groups& groups, const EntryId& key) {
  if (key.kind == kProxyDefaults) return groups.root_of("");
  return is_routing_kind(key.kind) ? groups.root_of(key.name) : kAlone;
}

void collect_chains(Component& component) {
  std::set<std::string> chains;
  auto add = [&](const EntryForm& form) {
    if (!form) return;
    for (std::string& service : services_of(**form)) chains.insert(std::move(service));
  };
  for (const auto& [key, entry] : component.entries) add(entry);
  for (const Slot& slot : component.slots) {
    for (const Intermediate& one : slot.forms) add(one.form);
  }
  component.chains.assign(chains.begin(), chains.end());
}

}  // namespace

std::vector<Component> divide(const EntryMap& actual, const std::vector<Write>& writes,
                              const std::set<EntryId>& may_move, Dialect dialect) {
  Groups groups;
  groups.root_of("");  // stands for proxy-defaults
  bool defaults_written = false;
  for (const auto& [key, entry] : actual) join_form(groups, entry);
  for (const Write& write : writes) {
    join_form(groups, write.wanted);
    defaults_written |= write.key.kind == kProxyDefaults;
  }
  if (defaults_written) groups.join_all();

  std::map<std::size_t, Component> by_group;
  std::vector<Component> lonely;
  std::set<EntryId> written;
  for (const Write& write : writes) {
    written.insert(write.key);
    const std::size_t group = group_of(groups, write.key);
    Component& component = group == kAlone ? lonely.emplace_back() : by_group[group];
    component.slots.push_back(make_slot(write.key, form_of(actual, write.key), write.wanted, true, dialect));
    if (group == kAlone && actual.contains(write.key)) component.entries.insert(*actual.find(write.key));
  }
  for (const auto& [key, entry] : actual) {
    if (key.kind == kProxyDefaults) {
      for (auto& [group, component] : by_group) component.entries.emplace(key, entry);
      continue;
    }
    auto component = by_group.find(group_of(groups, key));
    if (component == by_group.end()) continue;
    component->second.entries.emplace(key, entry);
    if (written.contains(key) || !may_move.contains(key) || key.kind == kServiceDefaults) continue;
    component->second.slots.push_back(make_slot(key, entry, entry, false, dialect));
  }

  std::vector<Component> components = std::move(lonely);
  for (auto& [group, component] : by_group) components.push_back(std::move(component));
  for (Component& component : components) {
    std::ranges::sort(component.slots, {}, try_order);
    collect_chains(component);
  }
  std::ranges::sort(components, {}, [](const Component& one) { return try_order(one.slots.front()); });
  return components;
}

World::World(const Component& component, const ClusterIdentity& cluster, const Traffic* traffic)
    : component_(component), cluster_(cluster), traffic_(traffic), entries_(component.entries), position_(start()) {
  for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
    auto compiled = compile(chain);
    start_health_.compiles.push_back(compiled.ok());
    start_empty_.push_back(compiled.ok() && traffic_ ? empty_targets(*compiled, *traffic_) : std::set<std::string>());
  }
  find_affected();
}

// A chain may come past an entry when its service leads, by what any form of any entry names, to the entry's.
void World::find_affected() {
  std::map<std::string, std::set<std::string>> named_by;  // service -> those that name it, in lower case
  auto add = [&](const EntryForm& form) {
    if (!form) return;
    for (const std::string& service : services_of(**form)) {
      named_by[ascii_lower(service)].insert(ascii_lower((*form)->name));
    }
  };
  for (const auto& [key, entry] : component_.entries) add(entry);
  for (const Slot& slot : component_.slots) {
    for (const Intermediate& one : slot.forms) add(one.form);
  }
  for (const Slot& slot : component_.slots) {
    std::set<std::string> reached{slot.key.name};
    std::vector<std::string> open{slot.key.name};
    while (!open.empty()) {
      const std::string service = std::move(open.back());
      open.pop_back();
      for (const std::string& above : named_by[service]) {
        if (reached.insert(above).second) open.push_back(above);
      }
    }
    std::vector<std::size_t>& chains = affected_.emplace_back();
    for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
      const bool all = slot.key.kind == kProxyDefaults;
      if (all || reached.contains(ascii_lower(component_.chains[chain]))) chains.push_back(chain);
    }
  }
}

absl::StatusOr<DiscoveryChain> World::compile(std::size_t chain) const {
  ChainRequest request;
  request.service = component_.chains[chain];
  request.cluster = cluster_;
  return compile_chain(entries_, request);
}

void World::set(std::size_t slot, std::uint8_t form) {
  if (position_[slot] == form) return;
  position_[slot] = form;
  const EntryForm& entry = component_.slots[slot].forms[form].form;
  if (entry) {
    entries_[component_.slots[slot].key] = *entry;
  } else {
    entries_.erase(component_.slots[slot].key);
  }
}

void World::go_to(const Position& position) {
  for (std::size_t slot = 0; slot < position.size(); ++slot) set(slot, position[slot]);
}

bool World::may_move(const Position& from, std::size_t slot, std::uint8_t form, ChainHealth& health,
                     std::string* problem) {
  auto refuse = [&](std::string_view text) {
    if (problem) *problem = std::string(text);
    return false;
  };
  ++evaluations_;
  go_to(from);
  set(slot, form);
  ChainHealth after = health;
  bool all_compile = true;
  for (std::size_t chain : affected_[slot]) {
    auto compiled = compile(chain);
    after.compiles[chain] = compiled.ok();
    all_compile &= compiled.ok();
    if (!compiled.ok() && health.compiles[chain]) {
      return refuse(std::string(compiled.status().message()));
    }
    if (!compiled.ok() || !traffic_) continue;
    for (const std::string& target : empty_targets(*compiled, *traffic_)) {
      if (!start_empty_[chain].contains(target)) return refuse("no passing instance of " + target);
    }
  }
  // The chains that the server compiles for a write are among the affected ones: its own look is needed only where
  // one of these was broken before, and still is.
  if (!all_compile) {
    const absl::Status accepted = check_entry_graph(entries_, component_.slots[slot].key, cluster_);
    if (!accepted.ok()) return refuse(std::string(accepted.message()));
  }
  health = std::move(after);
  return true;
}

bool World::keeps_chains(const Position& position) { return first_complaint(position).empty(); }

std::string World::first_complaint(const Position& position) {
  go_to(position);
  for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
    if (!start_health_.compiles[chain]) continue;
    auto compiled = compile(chain);
    if (!compiled.ok()) return std::string(compiled.status().message());
  }
  return "";
}

bool World::works_without(const EntryId& other, const Position& position, std::size_t slot) {
  go_to(position);
  auto hidden = entries_.extract(other);
  ChainHealth health = start_health_;
  const bool works = !hidden.empty() && may_move(position, slot, kWanted, health, nullptr);
  if (!hidden.empty()) entries_.insert(std::move(hidden));
  return works;
}

std::set<std::string> World::new_empty_targets(const Position& position) {
  std::set<std::string> found;
  if (!traffic_) return found;
  go_to(position);
  for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
    auto compiled = compile(chain);
    if (!compiled.ok()) continue;
    for (const std::string& target : empty_targets(*compiled, *traffic_)) {
      if (!start_empty_[chain].contains(target)) found.insert(target);
    }
  }
  return found;
}

}  // namespace convergence::plan
