#include "tests/support/exhaustive_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "tests/support/entry_world.h"

namespace convergence::test {
namespace {

using Form = std::optional<Shared<ConfigEntry>>;  // empty: no such entry
using State = std::vector<std::uint8_t>;          // of each key its form

struct Key {
  EntryId id;
  std::vector<Form> forms;  // [0] is what is there
  std::uint8_t wanted = 0;
};

class Forms {
 public:
  std::uint8_t add(Form form) {
    for (std::size_t i = 0; i < forms_.size(); ++i) {
      if (same(forms_[i], form)) return static_cast<std::uint8_t>(i);
    }
    forms_.push_back(std::move(form));
    return static_cast<std::uint8_t>(forms_.size() - 1);
  }
  void add_body(const ConfigEntry& like, EntryBody body) {
    ConfigEntry entry = like;
    entry.body = std::move(body);
    auto normal = normalise_entry(std::move(entry), Dialect::k1_8);
    if (normal.ok()) add(Form(*std::move(normal)));
  }
  std::vector<Form> take() { return std::move(forms_); }

 private:
  static bool same(const Form& a, const Form& b) {
    return a.has_value() == b.has_value() && (!a || (*a)->body == (*b)->body);
  }
  std::vector<Form> forms_;
};

void add_variants(Forms& forms, const ConfigEntry& entry, const ServiceRouter& router) {
  forms.add_body(entry, ServiceRouter());
  for (const Route& route : router.routes) {
    ServiceRouter one;
    one.routes = {route};
    forms.add_body(entry, std::move(one));
  }
}

void add_variants(Forms& forms, const ConfigEntry& entry, const ServiceSplitter& splitter) {
  std::vector<Split> legs = splitter.splits;
  legs.emplace_back();  // the service itself
  for (Split leg : legs) {
    leg.weight = 10000;
    ServiceSplitter one;
    one.splits = {std::move(leg)};
    forms.add_body(entry, std::move(one));
  }
}

void add_variants(Forms& forms, const ConfigEntry& entry, const ServiceResolver& resolver,
                  const std::map<std::string, ResolverSubset>& all_subsets) {
  for (bool all : {false, true}) {
    for (bool plain : {false, true}) {
      for (bool without_default : {false, true}) {
        ServiceResolver one = resolver;
        if (all) one.subsets.insert(all_subsets.begin(), all_subsets.end());
        if (plain) one.redirect.reset();
        if (plain) one.failover.clear();
        if (without_default) one.default_subset.clear();
        forms.add_body(entry, std::move(one));
      }
    }
  }
  ServiceResolver empty;
  empty.subsets = all_subsets;
  forms.add_body(entry, std::move(empty));
  forms.add_body(entry, ServiceResolver());
}

void add_variants(Forms& forms, const ConfigEntry& entry, const ServiceDefaults& defaults) {
  for (const char* protocol : {"tcp", "http", "grpc"}) {
    ServiceDefaults one = defaults;
    one.protocol = protocol;
    forms.add_body(entry, one);
    one.external_sni.clear();
    forms.add_body(entry, std::move(one));
  }
}

void add_variants(Forms& forms, const ConfigEntry& entry, const ProxyDefaults&) {
  for (const char* protocol : {"tcp", "http", "grpc"}) {
    ProxyDefaults one;
    one.config = Json(Json::Object{}).set("protocol", protocol);
    forms.add_body(entry, std::move(one));
  }
}

Form find(const EntryMap& entries, const EntryId& id) {
  auto found = entries.find(id);
  return found == entries.end() ? Form() : Form(found->second);
}

Key make_key(const EntryId& id, const Form& now, const Form& wanted) {
  Forms forms;
  forms.add(now);
  Key key{id, {}, forms.add(wanted)};
  forms.add(std::nullopt);
  std::map<std::string, ResolverSubset> all_subsets;
  for (const Form& one : {wanted, now}) {
    if (!one || id.kind != kServiceResolver) continue;
    const auto& subsets = std::get<ServiceResolver>((*one)->body).subsets;
    all_subsets.insert(subsets.begin(), subsets.end());
  }
  for (const Form& one : {now, wanted}) {
    if (!one) continue;
    const ConfigEntry& entry = **one;
    if (auto* router = std::get_if<ServiceRouter>(&entry.body)) add_variants(forms, entry, *router);
    if (auto* splitter = std::get_if<ServiceSplitter>(&entry.body)) add_variants(forms, entry, *splitter);
    if (auto* resolver = std::get_if<ServiceResolver>(&entry.body)) add_variants(forms, entry, *resolver, all_subsets);
    if (auto* defaults = std::get_if<ServiceDefaults>(&entry.body)) add_variants(forms, entry, *defaults);
    if (auto* proxy = std::get_if<ProxyDefaults>(&entry.body)) add_variants(forms, entry, *proxy);
  }
  key.forms = forms.take();
  return key;
}

std::vector<Key> make_keys(const EntryMap& actual, const EntryMap& wanted) {
  std::set<EntryId> ids;
  for (const auto& [id, entry] : actual) ids.insert(id);
  for (const auto& [id, entry] : wanted) ids.insert(id);
  std::vector<Key> keys;
  for (const EntryId& id : ids) keys.push_back(make_key(id, find(actual, id), find(wanted, id)));
  return keys;
}

EntryMap entries_of(const std::vector<Key>& keys, const State& state) {
  EntryMap entries;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const Form& form = keys[i].forms[state[i]]) entries.emplace(keys[i].id, *form);
  }
  return entries;
}

using Parents = std::map<State, State>;  // of each state seen, the one before it; of the first itself

std::string describe_way(const std::vector<Key>& keys, const Parents& parents, const State& last) {
  std::string way;
  for (State state = last; parents.at(state) != state; state = parents.at(state)) {
    const State& before = parents.at(state);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (state[i] == before[i]) continue;
      const Form& form = keys[i].forms[state[i]];
      way = fmt::format("{}/{} {}\n{}", keys[i].id.kind, keys[i].id.name, form ? to_text(to_json(**form)) : "absent",
                        way);
    }
  }
  return way;
}

std::size_t needed(const std::vector<Key>& keys, const State& state) {
  std::size_t open = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) open += state[i] == keys[i].wanted ? 0 : 1;
  return open;
}

}  // namespace

ExhaustiveOrder fewest_writes(const EntryMap& actual, const EntryMap& wanted, std::size_t most,
                              std::size_t most_states) {
  const std::vector<Key> keys = make_keys(actual, wanted);
  const State start(keys.size(), 0);
  Parents seen{{start, start}};
  std::vector<State> frontier{start};
  for (std::size_t writes = 0; !frontier.empty(); ++writes) {
    std::vector<State> next;
    for (const State& state : frontier) {
      if (needed(keys, state) == 0) return {writes, false, describe_way(keys, seen, state)};
      if (seen.size() > most_states) return {std::nullopt, true, ""};
      for (std::size_t i = 0; i < keys.size(); ++i) {
        for (std::size_t form = 0; form < keys[i].forms.size(); ++form) {
          State to = state;
          to[i] = static_cast<std::uint8_t>(form);
          if (writes + 1 + needed(keys, to) > most || !seen.emplace(to, state).second) continue;
          if (all_compile(entries_of(keys, to))) next.push_back(std::move(to));
        }
      }
    }
    frontier = std::move(next);
  }
  return {};
}

}  // namespace convergence::test
