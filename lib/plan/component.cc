#include "lib/plan/component.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "lib/base/ascii.h"
#include "lib/chain/compile.h"
#include "lib/chain/opaque.h"
#include "lib/chain/reachable.h"
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

// What stands for a gateway among the services: all its forms are of one group, whatever services they name.
std::string gateway_node(const EntryId& key) { return "gateway\n" + key.name; }

void join_form(Groups& groups, const EntryForm& form) {
  if (!form) return;
  std::vector<std::string> services = services_of(**form);
  if ((*form)->kind == kIngressGateway) services.push_back(gateway_node(entry_key(**form)));
  if (!services.empty()) groups.join(services);
}

// Puts in the order of what stands on what, then deletions the other way round; so most plans are found at first try.
// Refers to the slot.
std::tuple<bool, bool, int, const EntryId&> try_order(const Slot& slot) {
  const bool deletion = !slot.forms[kWanted].form;
  const int rank = rank_of(slot.key.kind);
  return {!slot.changed, deletion, deletion ? -rank : rank, slot.key};
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

// The group that an entry belongs to; `alone` where it says nothing of chains.
constexpr std::size_t kAlone = static_cast<std::size_t>(-1);
std::size_t group_of(Groups& groups, const EntryId& key) {
  if (key.kind == kProxyDefaults) return groups.root_of("");
  if (key.kind == kIngressGateway) return groups.root_of(gateway_node(key));
  return is_routing_kind(key.kind) || key.kind == kServiceIntentions ? groups.root_of(key.name) : kAlone;
}

template <typename Visit>
void for_each_form(const Component& component, Visit visit) {
  for (const auto& [key, entry] : component.entries) visit(*entry);
  for (const Slot& slot : component.slots) {
    for (const Intermediate& one : slot.forms) {
      if (one.form) visit(**one.form);
    }
  }
}

void collect_chains(Component& component) {
  std::set<std::string> chains;
  for_each_form(component, [&](const ConfigEntry& entry) {
    for (std::string& service : services_of(entry)) chains.insert(std::move(service));
  });
  component.chains.assign(chains.begin(), chains.end());
}

// Which chains may come past which service's entries, by what any form of any entry names. A chain asks the router of
// its own service alone; splitters and resolvers it follows all the way (discovery-chain.md (b)).
class Passage {
 public:
  explicit Passage(const Component& component) {
    for_each_form(component, [&](const ConfigEntry& entry) {
      if (entry.kind == kIngressGateway) {
        for (const std::string& service : services_of(entry)) gateways_[entry_key(entry)].insert(ascii_lower(service));
        return;
      }
      auto& named_by = entry.kind == kServiceRouter ? routers_ : others_;
      for (const std::string& service : services_of(entry)) {
        named_by[ascii_lower(service)].insert(ascii_lower(entry.name));
      }
    });
    for (std::size_t chain = 0; chain < component.chains.size(); ++chain) {
      chains_[ascii_lower(component.chains[chain])].push_back(chain);
    }
  }

  std::vector<std::size_t> past(const EntryId& key) {
    std::vector<std::size_t> found;
    for (const std::string& service : services_past(key)) {
      auto chains = chains_.find(service);
      if (chains != chains_.end()) found.insert(found.end(), chains->second.begin(), chains->second.end());
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  std::set<std::string> services_past(const EntryId& key) {
    if (key.kind == kServiceRouter) return {key.name};
    if (key.kind == kIngressGateway) return gateways_[key];
    std::set<std::string> reached{key.name};
    std::vector<std::string> open{key.name};
    if (key.kind == kProxyDefaults) {
      open.clear();
      for (const auto& [service, chains] : chains_) reached.insert(service);
    }
    while (!open.empty()) {
      const std::string service = std::move(open.back());
      open.pop_back();
      for (const std::string& above : others_[service]) {
        if (reached.insert(above).second) open.push_back(above);
      }
    }
    std::set<std::string> with_routers = reached;
    for (const std::string& service : reached) with_routers.merge(std::set<std::string>(routers_[service]));
    return with_routers;
  }

  std::map<EntryId, std::set<std::string>> gateways_;     // the services that a gateway names
  std::map<std::string, std::set<std::string>> routers_;  // service -> services whose router names it
  std::map<std::string, std::set<std::string>> others_;   // the same of splitters, resolvers and defaults
  std::map<std::string, std::vector<std::size_t>> chains_;
};

// Entries that need no change can help only where a chain comes past both them and one that does.
void drop_distant_slots(Component& component) {
  Passage passage(component);
  std::set<std::size_t> touched;
  for (const Slot& slot : component.slots) {
    if (!slot.changed) continue;
    for (std::size_t chain : passage.past(slot.key)) touched.insert(chain);
  }
  std::erase_if(component.slots, [&](const Slot& slot) {
    return !slot.changed &&
           std::ranges::none_of(passage.past(slot.key), [&](std::size_t chain) { return touched.contains(chain); });
  });
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
    drop_distant_slots(component);
  }
  std::ranges::sort(components, {}, [](const Component& one) { return try_order(one.slots.front()); });
  return components;
}

Position wanted_position(const Component& component) {
  Position wanted(component.slots.size(), kNow);
  for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
    if (component.slots[slot].changed && !component.slots[slot].forced) wanted[slot] = kWanted;
  }
  return wanted;
}

World::World(const Component& component, const ClusterIdentity& cluster, const Traffic* traffic)
    : component_(component), traffic_(traffic), entries_(component.entries), index_(entries_), position_(start()) {
  request_.cluster = cluster;
  for_each_form(component_, [this](const ConfigEntry& entry) {
    if (is_routing_kind(entry.kind)) return;
    for (const std::string& service : services_of(entry)) watched_.insert(ascii_lower(service));
  });
  slots_of_.resize(component_.chains.size());
  Passage passage(component_);
  for (std::size_t slot = 0; slot < component_.slots.size(); ++slot) {
    chains_of_.push_back(passage.past(component_.slots[slot].key));
    for (std::size_t chain : chains_of_.back()) slots_of_[chain].push_back(slot);
  }
  for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
    start_empty_.emplace_back();
    if (!traffic_) {
      start_health_.push_back(compiles(chain));
      continue;
    }
    auto compiled = compile(chain);
    start_health_.push_back(compiled.ok());
    if (compiled.ok()) start_empty_.back() = empty_targets(*compiled, *traffic_);
  }
}

std::vector<std::size_t> World::neighbours(std::size_t slot) const {
  std::set<std::size_t> found;
  for (std::size_t chain : chains_of_[slot]) found.insert(slots_of_[chain].begin(), slots_of_[chain].end());
  found.erase(slot);
  return {found.begin(), found.end()};
}

absl::StatusOr<DiscoveryChain> World::compile(std::size_t chain) {
  ++looks_;
  request_.service = component_.chains[chain];
  EntryLookup lookup(index_);
  return compile_chain(lookup, request_);
}

bool World::compiles(std::size_t chain) {
  ++looks_;
  request_.service = component_.chains[chain];
  EntryLookup lookup(index_);
  return chain_compiles(lookup, request_);
}

bool World::is_watched(const EntryId& key) const {
  if (key.kind == kProxyDefaults) return !watched_.empty();
  return !is_routing_kind(key.kind) || watched_.contains(key.name);
}

void World::set(std::size_t slot, std::uint8_t form) {
  if (position_[slot] == form) return;
  position_[slot] = form;
  put(component_.slots[slot].key, component_.slots[slot].forms[form].form);
}

void World::put(const EntryId& key, const EntryForm& form) {
  if (form) {
    Shared<ConfigEntry>& entry = entries_[key];
    entry = *form;
    index_.put(key, entry);
  } else {
    entries_.erase(key);
    index_.erase(key);
  }
}

void World::go_to(const Position& position) {
  // Two positions differ in few slots: blocks that are equal are passed over as a whole.
  constexpr std::size_t kBlock = 32;
  for (std::size_t first = 0; first < position.size(); first += kBlock) {
    const std::size_t size = std::min(kBlock, position.size() - first);
    if (std::memcmp(&position_[first], &position[first], size) == 0) continue;
    for (std::size_t slot = first; slot < first + size; ++slot) set(slot, position[slot]);
  }
}

bool World::may_move(const Position& from, std::size_t slot, std::uint8_t form, ChainHealth& health,
                     std::string* problem) {
  auto refuse = [&](std::string_view text) {
    if (problem) *problem = std::string(text);
    return false;
  };
  go_to(from);
  set(slot, form);
  std::vector<bool> fares;
  bool all_compile = true;
  for (std::size_t chain : chains_of_[slot]) {
    std::optional<absl::StatusOr<DiscoveryChain>> compiled;
    if (traffic_ || problem) compiled = compile(chain);
    const bool fares_well = compiled ? compiled->ok() : compiles(chain);
    fares.push_back(fares_well);
    all_compile &= fares_well;
    if (!fares_well && health[chain]) return refuse(compiled ? std::string(compiled->status().message()) : "");
    if (!fares_well || !traffic_) continue;
    for (const std::string& target : empty_targets(**compiled, *traffic_)) {
      if (!start_empty_[chain].contains(target)) return refuse("no passing instance of " + target);
    }
  }
  // The chains that the server compiles for a write are among these: its own look is needed only where one of them was
  // broken before and still is, and where gateways or intentions want a protocol.
  if (!all_compile || is_watched(component_.slots[slot].key)) {
    const absl::Status accepted = check_entry_graph(entries_, component_.slots[slot].key, request_.cluster);
    if (!accepted.ok()) return refuse(std::string(accepted.message()));
  }
  for (std::size_t i = 0; i < fares.size(); ++i) health[chains_of_[slot][i]] = fares[i];
  return true;
}

bool World::keeps_chains(const Position& position) {
  go_to(position);
  for (std::size_t chain = 0; chain < component_.chains.size(); ++chain) {
    if (!keeps(chain)) return false;
  }
  return true;
}

bool World::keeps_chains(const Position& position, std::size_t slot) {
  go_to(position);
  return std::ranges::all_of(chains_of_[slot], [&](std::size_t chain) { return keeps(chain); });
}

bool World::works_with(const EntryId& other, const EntryForm& form, const Position& position, std::size_t slot) {
  const EntryForm before = form_at(other, position);
  put(other, form);
  ChainHealth health = start_health_;
  const bool works = may_move(position, slot, kWanted, health, nullptr);
  put(other, before);
  return works;
}

EntryForm World::form_at(const EntryId& key, const Position& position) {
  go_to(position);
  return form_of(entries_, key);
}

std::set<std::string> World::new_empty_targets(const Position& position, std::size_t chain) {
  std::set<std::string> found;
  if (!traffic_) return found;
  go_to(position);
  auto compiled = compile(chain);
  if (!compiled.ok()) return found;
  for (const std::string& target : empty_targets(*compiled, *traffic_)) {
    if (!start_empty_[chain].contains(target)) found.insert(target);
  }
  return found;
}

}  // namespace convergence::plan
