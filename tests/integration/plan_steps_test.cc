// Plans of config entries and what takes them back, step by step on a real Consul: each step is accepted, by
// compare-and-set, and after each the chain of every service is read back: it is the one that the plan was made for,
// and none is broken.
//
// CONVERGENCE_CASES (400, at night 5000) worlds from CONVERGENCE_SEED (1) on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "convergence/codec.h"
#include "convergence/plan.h"
#include "tests/integration/entry_server.h"
#include "tests/support/entry_world.h"
#include "tests/support/gateway_worlds.h"
#include "tests/support/random_cases.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

EntryMap entries_on(const ConsulServer& consul) {
  EntryMap map;
  const Json answer = ask_json(consul, "/v1/config/");  // of every kind
  for (const Json& json : *answer.as_array()) {
    auto entry = from_json<ConfigEntry>(json, "/v1/config/");
    REQUIRE_OK(entry);
    const EntryId key = entry_key(*entry);
    map.emplace(key, *std::move(entry));
  }
  return map;
}

// What stands on others is refused before they are there, and taken later. False: some never are.
bool put_all(const ConsulServer& consul, const EntryMap& entries) {
  std::vector<std::string> open;
  for (const auto& [key, entry] : entries) {
    ConfigEntry bare = *entry;
    bare.create_index = bare.modify_index = 0;
    open.push_back(to_text(to_json(bare)));
  }
  for (std::size_t before = open.size() + 1; before > open.size() && !open.empty();) {
    before = open.size();
    std::erase_if(open, [&](const std::string& body) { return ask(consul, "PUT", "/v1/config", body).status == 200; });
  }
  return open.empty();
}

std::uint64_t index_on(const ConsulServer& consul, const EntryId& key) {
  const std::string path = fmt::format("/v1/config/{}/{}", key.kind, key.name);
  const RawAnswer answer = ask(consul, "GET", path);
  if (answer.status == 404) return 0;
  auto entry = parse<ConfigEntry>(answer.body, path);
  REQUIRE_OK(entry);
  return entry->modify_index;
}

void check_chains(const ConsulServer& consul, const EntryMap& entries) {
  for (const std::string& service : kServices) {
    CAPTURE(service);
    ChainRequest request;
    request.service = service;
    const RawAnswer answer = ask(consul, "GET", "/v1/discovery-chain/" + service);
    CHECK(answer.status == 200);
    CHECK(plain_text(answer) == chain_text(compile_chain(entries, request)));
  }
}

// Writes each step as the plan says. `catalog` is what the plan was made from; returns what it says must be there now.
EntryMap write_steps(const ConsulServer& consul, CatalogState catalog, const Plan& plan) {
  std::map<std::string, std::uint64_t> written;
  for (const Step& step : plan.steps) {
    CAPTURE(step.id);
    const std::uint64_t index = step.cas_from.empty() ? step.cas_index : written.at(step.cas_from);
    CHECK(index == index_on(consul, step.entry));
    RawAnswer answer;
    if (step.action == Action::kDeleteEntry) {
      answer = ask(consul, "DELETE", fmt::format("/v1/config/{}/{}?cas={}", step.entry.kind, step.entry.name, index));
      CHECK(answer.status == 200);
    } else {
      answer = ask(consul, "PUT", fmt::format("/v1/config?cas={}", index),
                   to_text(to_json(std::get<ConfigEntry>(step.body))));
      CHECK(answer.status == 200);
      CHECK(answer.body == "true");
    }
    CAPTURE(answer.body);
    written[step.id] = index_on(consul, step.entry);
    auto next = after_step(std::move(catalog), step);
    REQUIRE_OK(next);
    catalog = *std::move(next);
    check_chains(consul, catalog.entries);
  }
  return catalog.entries;
}

std::string texts(const EntryMap& entries) {
  std::string out;
  for (const auto& [key, entry] : entries) {
    ConfigEntry bare = *entry;
    bare.create_index = bare.modify_index = 0;
    out += to_text(to_json(bare)) + "\n";
  }
  return out;
}

TEST_CASE("every step of a plan and of its undo is accepted, and no chain breaks") {
  auto consul = start_entry_server();
  std::size_t worlds = 0;
  std::size_t steps = 0;
  std::size_t between = 0;
  for_each_case(std::getenv("CONVERGENCE_NIGHTLY") != nullptr ? 5000 : 400, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 100);
    clear(consul);
    if (!put_all(*consul, world.actual)) return;  // there is no order in which they can be written for the first time
    ++worlds;
    CatalogState catalog;
    catalog.datacenter = "dc1";
    catalog.entries = entries_on(*consul);
    const std::string before = texts(catalog.entries);
    PlanOptions options;
    options.prune = true;
    auto plan = plan_config(world.desired, catalog.entries, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    const EntryMap expected = write_steps(*consul, catalog, *plan);
    catalog.entries = entries_on(*consul);
    CHECK(texts(catalog.entries) == texts(expected));
    auto again = plan_config(world.desired, catalog.entries, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());

    auto back = undo(*plan, catalog.entries);
    REQUIRE_OK(back);
    INFO(describe(*back));
    write_steps(*consul, catalog, *back);
    CHECK(texts(entries_on(*consul)) == before);
    steps += plan->steps.size();
    between += std::ranges::any_of(plan->steps, [](const Step& s) { return s.reason == Reason::kIntermediate; });
  });
  MESSAGE(worlds, " worlds, ", steps, " steps and as many back; worlds with forms in between: ", between);
  if (std::getenv("CONVERGENCE_CASES") != nullptr) return;
  CHECK(worlds > 300);
  CHECK(between > 5);
}

ConfigEntry marked(const std::string& json) {
  auto entry = parse<ConfigEntry>(json, "entry");
  REQUIRE_OK(entry);
  entry->meta[std::string(kMarkKey)] = std::string(kMarkValue);
  return *std::move(entry);
}

TEST_CASE("gateways and the protocols of their services") {
  auto consul = start_entry_server();
  for (const GatewayWorld& world : gateway_worlds()) {
    INFO(world.name);
    clear(consul);
    for (const std::string& json : world.actual) {
      CHECK(ask(*consul, "PUT", "/v1/config", to_text(to_json(marked(json)))).status == 200);
    }
    std::vector<ConfigEntry> desired;
    for (const std::string& json : world.desired) desired.push_back(marked(json));
    CatalogState catalog;
    catalog.datacenter = "dc1";
    catalog.entries = entries_on(*consul);
    PlanOptions options;
    options.prune = true;
    const auto plan = plan_config(desired, catalog.entries, options);
    REQUIRE_OK(plan);
    std::vector<std::string> steps;
    for (const Step& step : plan->steps) steps.push_back(step.id);
    CHECK(steps == world.steps);
    write_steps(*consul, catalog, *plan);
    // What is held would be refused, in the words of the reason.
    for (const Held& held : plan->held) {
      const auto wanted = std::ranges::find_if(desired, [&](const ConfigEntry& one) {
        const EntryId key = entry_key(one);
        return held.id == fmt::format("put-entry:{}/{}", key.kind, key.name);
      });
      REQUIRE(wanted != desired.end());
      const RawAnswer answer = ask(*consul, "PUT", "/v1/config", to_text(to_json(*wanted)));
      CHECK(answer.status != 200);
      CHECK(held.why.ends_with(answer.body));
    }
    if (!plan->held.empty()) continue;
    const auto again = plan_config(desired, entries_on(*consul), options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
  }
}

}  // namespace
}  // namespace convergence::test
