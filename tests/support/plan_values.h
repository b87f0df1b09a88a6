#ifndef CONVERGENCE_TESTS_SUPPORT_PLAN_VALUES_H_
#define CONVERGENCE_TESTS_SUPPORT_PLAN_VALUES_H_

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/plan.h"
#include "tests/support/status_check.h"

namespace convergence::test {

// An entry as Consul answers it, in normal form.
inline ConfigEntry entry(std::string_view json) {
  auto parsed = parse<ConfigEntry>(json, "entry");
  REQUIRE_OK(parsed);
  auto normal = normalise_entry(*std::move(parsed), Dialect::k1_8);
  REQUIRE_OK(normal);
  return *std::move(normal);
}

inline ConfigEntry ours(ConfigEntry entry) {
  entry.meta[std::string(kMarkKey)] = std::string(kMarkValue);
  return entry;
}

// Entries as they stand in Consul, with indexes from 10 on.
inline EntryMap entry_map(const std::vector<ConfigEntry>& entries) {
  EntryMap map;
  std::uint64_t index = 10;
  for (ConfigEntry entry : entries) {
    entry.create_index = entry.modify_index = index++;
    const EntryId key = entry_key(entry);
    map[key] = std::move(entry);
  }
  return map;
}

inline void add_node(CatalogState& catalog, const std::string& name, const std::string& role) {
  NodeState state;
  state.node.name = name;
  state.node.address = "10.0.0.1";
  state.node.datacenter = catalog.datacenter;
  if (!role.empty()) state.node.meta["role"] = role;
  state.node.create_index = state.node.modify_index = ++catalog.index;
  catalog.nodes[name] = std::move(state);
}

inline CatalogState catalog_of(const std::vector<std::pair<std::string, std::string>>& nodes,
                               const std::vector<ConfigEntry>& entries = {}) {
  CatalogState catalog;
  catalog.datacenter = "dc1";
  catalog.entries = entry_map(entries);
  catalog.index = 10 + entries.size();
  for (const auto& [name, role] : nodes) add_node(catalog, name, role);
  return catalog;
}

inline DesiredService service(std::string name, std::string version, std::string role = "web",
                              Slice slice = Slice::kNone) {
  DesiredService wanted;
  wanted.name = std::move(name);
  wanted.release.version = std::move(version);
  wanted.slice = slice;
  wanted.placement.role = std::move(role);
  wanted.release.port = 80;
  return wanted;
}

// Sets the status of every check in the catalog.
inline void set_checks(CatalogState& catalog, CheckStatus status) {
  for (auto& [name, shared] : catalog.services) {
    ServiceState state = *shared;
    for (InstanceState& instance : state.instances) {
      for (HealthCheck& check : instance.checks) check.status = status;
    }
    shared = std::move(state);
  }
}

// The catalog after all steps of a plan, each of which must be taken.
inline CatalogState after_plan(CatalogState catalog, const Plan& plan) {
  for (const Step& step : plan.steps) {
    INFO("step ", step.id);
    auto next = after_step(std::move(catalog), step);
    REQUIRE_OK(next);
    catalog = *std::move(next);
  }
  return catalog;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_PLAN_VALUES_H_
