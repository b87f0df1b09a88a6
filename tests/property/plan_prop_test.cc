// Properties of plans over generated worlds. CONVERGENCE_SEED and CONVERGENCE_CASES choose them; the seed of a failing
// case is printed with it.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "convergence/filter.h"
#include "tests/support/entry_world.h"
#include "tests/support/plan_values.h"
#include "tests/support/random_cases.h"

namespace convergence {
namespace {

using test::after_plan;
using test::all_compile;
using test::below;
using test::chance;
using test::compile;
using test::EntryWorld;
using test::for_each_case;
using test::kServices;
using test::kSubsets;
using test::make_entry_world;
using test::pick;
using test::shuffle;

// ---- what holds of every plan

std::string bytes_of(const Plan& plan) { return to_text(to_json(plan)); }

CatalogState catalog_from(const EntryMap& entries) {
  CatalogState catalog;
  catalog.datacenter = "dc1";
  catalog.entries = entries;
  for (const auto& [key, entry] : entries) catalog.index = std::max(catalog.index, entry->modify_index);
  return catalog;
}

void check_form(const Plan& plan) {
  std::set<std::string> ids;
  for (const Step& step : plan.steps) {
    CHECK_FALSE(step.why.empty());
    for (const std::string& need : step.needs) CHECK(ids.contains(need));
    if (!step.cas_from.empty()) CHECK(ids.contains(step.cas_from));
    CHECK(ids.insert(step.id).second);
  }
  std::set<std::string> held;
  for (const Held& one : plan.held) {
    CHECK_FALSE(one.why.empty());
    CHECK(held.insert(one.id).second);
  }
}

// Applies the steps; after each, what compiled before compiles.
CatalogState check_every_prefix(CatalogState catalog, const std::vector<Step>& steps) {
  std::map<std::string, bool> compiled;
  for (const std::string& service : kServices) compiled[service] = compile(catalog.entries, service).has_value();
  for (const Step& step : steps) {
    INFO("step ", step.id);
    auto next = after_step(catalog, step);
    REQUIRE_OK(next);
    catalog = *std::move(next);
    for (auto& item : compiled) {  // INFO captures what it names, which clang 14 cannot of a structured binding
      const std::string& service = item.first;
      bool& before = item.second;
      const bool now = compile(catalog.entries, service).has_value();
      INFO("chain ", service);
      CHECK((now || !before));
      before = now;
    }
  }
  return catalog;
}

// Some of the steps, with all that they need: what is left when others fail.
std::vector<Step> closed_part(std::mt19937_64& random, const Plan& plan) {
  std::set<std::string> failed;
  std::vector<Step> part;
  for (const Step& step : plan.steps) {
    const bool skip = chance(random, 20) ||
                      std::ranges::any_of(step.needs, [&](const std::string& need) { return failed.contains(need); });
    if (skip) {
      failed.insert(step.id);
    } else {
      part.push_back(step);
    }
  }
  return part;
}

bool same_entries(const EntryMap& a, const EntryMap& b) {
  return std::ranges::equal(a, b, [](const auto& left, const auto& right) {
    return left.first == right.first && same_content(*left.second, *right.second);
  });
}

TEST_CASE("plans for generated entries") {
  std::size_t steps = 0;
  std::size_t with_intermediates = 0;
  std::size_t held = 0;
  for_each_case(400, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 100);
    PlanOptions options;
    options.prune = true;
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    check_form(*plan);
    const CatalogState before = catalog_from(world.actual);
    const CatalogState after = check_every_prefix(before, plan->steps);
    check_every_prefix(before, closed_part(random, *plan));

    // The same bytes again, and whatever the order of the documents.
    std::vector<ConfigEntry> shuffled = world.desired;
    shuffle(random, shuffled);
    CHECK(bytes_of(*plan_config(shuffled, world.actual, options)) == bytes_of(*plan));

    // Applied, nothing is left to do, and what is not held is as it was wanted.
    auto again = plan_config(world.desired, after.entries, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
    CHECK(again->held == plan->held);
    if (plan->held.empty()) {
      CHECK(after.entries.size() == world.desired.size());
      for (const ConfigEntry& wanted : world.desired) {
        CHECK(after.entries.at(entry_key(wanted))->body == wanted.body);
      }
    }

    const CatalogState restored = check_every_prefix(after, undo(*plan).steps);
    CHECK(same_entries(restored.entries, before.entries));

    steps += plan->steps.size();
    held += plan->held.empty() ? 0 : 1;
    with_intermediates +=
        std::ranges::any_of(plan->steps, [](const Step& step) { return step.reason == Reason::kIntermediate; });
  });
  MESSAGE(steps, " steps; plans with forms in between: ", with_intermediates, ", with something held: ", held);
}

TEST_CASE("entries of others are never touched") {
  for_each_case(200, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 50);
    PlanOptions options;
    options.prune = chance(random, 50);
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    const CatalogState after = check_every_prefix(catalog_from(world.actual), plan->steps);
    for (const Step& step : plan->steps) {
      auto there = world.actual.find(step.entry);
      if (there != world.actual.end()) CHECK(there->second->meta.contains(std::string(kMarkKey)));
      CHECK((options.prune || step.action != Action::kDeleteEntry || step.reason == Reason::kIntermediate));
    }
    auto again = plan_config(world.desired, after.entries, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
  });
}

// ---- instances and entries

DesiredService make_service(std::mt19937_64& random, const std::string& name, Slice slice) {
  DesiredService service;
  service.name = name;
  service.release.version = pick(random, kSubsets);
  service.slice = slice;
  service.placement.role = pick(random, std::vector<std::string>{"web", "web", "db", "none"});
  service.release.port = static_cast<std::int32_t>(8000 + below(random, 3));
  if (chance(random, 40)) {
    CheckDefinition check;
    check.name = pick(random, std::vector<std::string>{"health", "alive"});
    check.http = "http://127.0.0.1/health";
    check.interval = std::chrono::seconds(10);
    service.release.checks.push_back(std::move(check));
  }
  return service;
}

std::vector<DesiredService> make_services(std::mt19937_64& random) {
  std::vector<DesiredService> services;
  for (const std::string& name : kServices) {
    if (chance(random, 60)) services.push_back(make_service(random, name, Slice::kNone));
    if (chance(random, 25)) services.push_back(make_service(random, name, Slice::kGreen));
  }
  return services;
}

void randomise_health(std::mt19937_64& random, CatalogState& catalog) {
  for (auto& [name, shared] : catalog.services) {
    ServiceState state = *shared;
    for (InstanceState& instance : state.instances) {
      for (HealthCheck& check : instance.checks) {
        check.status = chance(random, 70) ? CheckStatus::kPassing : CheckStatus::kCritical;
      }
    }
    shared = std::move(state);
  }
}

struct FleetWorld {
  CatalogState catalog;
  DesiredState desired;
};

FleetWorld make_fleet_world(std::mt19937_64& random) {
  FleetWorld world;
  CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "web"}, {"n3", "db"}, {"n4", ""}});
  const EntryWorld entries = make_entry_world(random, 90);
  DesiredState before;
  before.services = make_services(random);
  auto plan = converge(before, catalog);
  REQUIRE_OK(plan);
  catalog = after_plan(std::move(catalog), *plan);
  randomise_health(random, catalog);
  catalog.entries = entries.actual;
  catalog.index = std::max<std::uint64_t>(catalog.index, 1000);
  if (chance(random, 20) && !catalog.services.empty()) {  // somebody else's instance
    ServiceState state = *catalog.services.begin()->second;
    state.instances.front().instance.meta.erase(std::string(kMarkKey));
    catalog.services.begin()->second = std::move(state);
  }
  world.catalog = std::move(catalog);
  world.desired.entries = entries.desired;
  world.desired.services = chance(random, 50) ? make_services(random) : before.services;
  for (DesiredService& service : world.desired.services) {
    if (chance(random, 30)) service.release.version = pick(random, kSubsets);
  }
  return world;
}

// The resolvers that a chain sends traffic to; written apart from lib/plan.
std::set<std::string> reached_targets(const DiscoveryChain& chain) {
  std::set<std::string> targets;
  std::set<NodeNumber> reached{chain.start_node};
  std::vector<NodeNumber> open{chain.start_node};
  while (!open.empty()) {
    const ChainNode& node = chain.nodes.at(open.back());
    open.pop_back();
    auto follow = [&](NodeNumber next) {
      if (reached.insert(next).second) open.push_back(next);
    };
    if (auto* router = std::get_if<RouterNode>(&node.body)) {
      for (const ChainRoute& route : router->routes) follow(route.next_node);
    } else if (auto* splitter = std::get_if<SplitterNode>(&node.body)) {
      for (const ChainSplit& split : splitter->splits) {
        if (split.weight > 0) follow(split.next_node);
      }
    } else {
      targets.insert(chain.targets.at(std::get<ResolverNode>(node.body).target).id);
    }
  }
  return targets;
}

bool is_served(const CatalogState& catalog, const ChainTarget& target) {
  auto there = catalog.services.find(target.service);
  if (there == catalog.services.end()) return false;
  auto filter = Filter::parse(target.subset->filter);
  REQUIRE_OK(filter);
  return std::ranges::any_of(there->second->instances, [&](const InstanceState& state) {
    const NodeState& at = *catalog.nodes.at(state.instance.node);
    return *filter->matches(state, at) && worst_status(state.checks, at.checks) == CheckStatus::kPassing;
  });
}

// "chain -> target" of those that get traffic, and whether they are served; without those that nobody can judge.
std::map<std::string, bool> traffic_of(const CatalogState& catalog, const DesiredState& desired) {
  std::map<std::string, bool> found;
  for (const std::string& service : kServices) {
    const auto chain = compile(catalog.entries, service);
    if (!chain) continue;
    for (const std::string& id : reached_targets(*chain)) {
      const ChainTarget& target = *find_target(*chain, id);
      const bool wanted =
          std::ranges::any_of(desired.services, [&](const DesiredService& one) { return one.name == target.service; });
      if (!target.external_sni.empty() || (!catalog.services.contains(target.service) && !wanted)) continue;
      found[service + " -> " + id] = is_served(catalog, target);
    }
  }
  return found;
}

// The services that routers, splitters and resolvers name: whose instances traffic goes to because somebody said so.
std::set<std::string> named_by_routes(const EntryMap& entries) {
  std::set<std::string> named;
  for (const auto& [key, entry] : entries) {
    if (key.kind == kServiceDefaults || key.kind == kProxyDefaults) continue;
    named.insert(key.name);
    if (auto* router = std::get_if<ServiceRouter>(&entry->body)) {
      for (const Route& route : router->routes) named.insert(route.destination->service);
    }
    if (auto* splitter = std::get_if<ServiceSplitter>(&entry->body)) {
      for (const Split& split : splitter->splits) named.insert(split.service);
    }
    if (auto* resolver = std::get_if<ServiceResolver>(&entry->body)) {
      if (resolver->redirect) named.insert(resolver->redirect->service);
    }
  }
  return named;
}

// As check_every_prefix; and no entry comes to send traffic where nobody serves it, unless it did so when the plan was
// made; and no instance is taken from where traffic goes if it is the last.
CatalogState check_fleet_prefixes(CatalogState catalog, const DesiredState& desired, const std::vector<Step>& steps) {
  std::set<std::string> known;
  auto learn = [&](const std::map<std::string, bool>& traffic) {
    for (const auto& [target, served] : traffic) {
      if (!served) known.insert(target);
    }
  };
  std::map<std::string, bool> before = traffic_of(catalog, desired);
  learn(before);
  for (const Step& step : steps) {
    INFO("step ", step.id);
    const std::set<std::string> named = named_by_routes(catalog.entries);
    catalog = check_every_prefix(std::move(catalog), {step});
    std::map<std::string, bool> after = traffic_of(catalog, desired);
    const bool is_entry = step.action == Action::kPutEntry || step.action == Action::kDeleteEntry;
    if (!is_entry) {
      for (const auto& item : before) {
        const std::string& target = item.first;
        INFO("left without an instance: ", target);
        if (item.second && named.contains(target.substr(0, 1))) CHECK(after[target]);
      }
      learn(after);
    } else {
      for (const auto& item : after) {
        const std::string& target = item.first;
        INFO("nobody serves: ", target);
        CHECK((item.second || known.contains(target)));
      }
    }
    before = std::move(after);
  }
  return catalog;
}

// The steps on one node stand in a chain of needs.
void check_one_at_a_time(const Plan& plan, const CatalogState& catalog) {
  for (const auto& [node, state] : catalog.nodes) {
    std::string last;
    for (const Step& step : plan.steps) {
      if (step.instance.node != node) continue;
      if (!last.empty()) CHECK(std::ranges::find(step.needs, last) != step.needs.end());
      last = step.id;
    }
  }
}

TEST_CASE("plans for generated fleets") {
  std::size_t steps = 0;
  std::size_t waiting = 0;
  for_each_case(250, [&](std::mt19937_64& random) {
    const FleetWorld world = make_fleet_world(random);
    PlanOptions options;
    options.prune = chance(random, 70);
    auto plan = converge(world.desired, world.catalog, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    check_form(*plan);
    check_one_at_a_time(*plan, world.catalog);
    const CatalogState after = check_fleet_prefixes(world.catalog, world.desired, plan->steps);
    check_fleet_prefixes(world.catalog, world.desired, closed_part(random, *plan));

    DesiredState shuffled = world.desired;
    shuffle(random, shuffled.services);
    shuffle(random, shuffled.entries);
    CHECK(bytes_of(*converge(shuffled, world.catalog, options)) == bytes_of(*plan));

    auto again = converge(world.desired, after, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
    CHECK(again->held == plan->held);

    for (const auto& [name, service] : world.catalog.services) {
      for (const InstanceState& state : service->instances) {
        if (state.instance.meta.contains(std::string(kMarkKey))) continue;
        const InstanceState* there = find_instance(after, name, {state.instance.node, state.instance.id});
        REQUIRE(there != nullptr);
        CHECK(*there == state);
      }
    }
    steps += plan->steps.size();
    waiting += std::ranges::any_of(plan->held, [](const Held& one) { return one.reason == Reason::kNoInstance; });
  });
  MESSAGE(steps, " steps; plans with something waiting for instances: ", waiting);
}

// All checks pass in the end: repeated reading, planning and applying comes to rest with nothing waiting for
// instances that were wanted.
TEST_CASE("a fleet whose checks come to pass converges") {
  for_each_case(150, [&](std::mt19937_64& random) {
    FleetWorld world = make_fleet_world(random);
    PlanOptions options;
    options.prune = true;
    bool at_rest = false;
    for (int round = 0; round < 10 && !at_rest; ++round) {
      auto plan = converge(world.desired, world.catalog, options);
      REQUIRE_OK(plan);
      INFO("round ", round, ":\n", describe(*plan));
      at_rest = plan->steps.empty();
      world.catalog = check_fleet_prefixes(world.catalog, world.desired, plan->steps);
      test::set_checks(world.catalog, CheckStatus::kPassing);
    }
    CHECK(at_rest);
  });
}

}  // namespace
}  // namespace convergence
