// Differences of whole fleets, over generated worlds: the small form says of instances what converge() says of the rich
// one, in whatever order rows come. CONVERGENCE_SEED and CONVERGENCE_CASES choose the worlds.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "convergence/fleet_diff.h"
#include "lib/plan/steps.h"
#include "tests/support/plan_values.h"
#include "tests/support/random_cases.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::below;
using test::chance;
using test::for_each_case;
using test::pick;

// Id of a step, or of what is held, and why. Without what nobody can see in a fleet view.
using Reasons = std::map<std::string, Reason>;

Action action_of(Reason reason) {
  switch (reason) {
    case Reason::kMissing:
      return Action::kRegisterService;
    case Reason::kNotWanted:
    case Reason::kNotPruned:
      return Action::kRemoveService;
    default:
      return Action::kChangeService;
  }
}

Reasons reasons_of(const Plan& plan) {
  Reasons reasons;
  for (const Step& step : plan.steps) reasons[step.id] = step.reason;
  for (const Held& held : plan.held) {
    if (held.reason == Reason::kForeign || held.reason == Reason::kNotPruned) reasons[held.id] = held.reason;
  }
  return reasons;
}

InstanceId instance_of(const FleetChange& change, const WantedFleet& wanted, const FleetView& view) {
  const bool is_wanted = change.wanted != FleetChange::kNone;
  const NameId node = is_wanted ? wanted.nodes[change.wanted] : view.nodes[change.observed];
  const ServiceIdRef id = is_wanted ? wanted.ids[change.wanted] : view.ids[change.observed];
  std::string text(view.names.text(id.name()));
  if (id.node_follows()) text += view.names.text(node);
  return {std::string(view.names.text(node)), text};
}

Reasons reasons_of(const FleetDiff& diff, const WantedFleet& wanted, const FleetView& view) {
  Reasons reasons;
  for (const FleetChange& change : diff.changes) {
    if (change.reason == Reason::kAgent) continue;
    reasons[plan::step_id(action_of(change.reason), instance_of(change, wanted, view))] = change.reason;
  }
  return reasons;
}

struct World {
  CatalogState catalog;
  DesiredState desired;
  PlanOptions options;
};

DesiredService make_service(std::mt19937_64& random, const std::string& name, const std::string& role, Slice slice) {
  DesiredService service = test::service(name, pick(random, std::vector<std::string>{"1", "2"}), role, slice);
  service.release.deployment = pick(random, std::vector<std::string>{"d1", "d1", "d1", "d2"});
  if (chance(random, 20)) service.release.package.source = "https://packages/x";
  if (chance(random, 10)) service.placement.filter = "Node != n3";
  return service;
}

std::vector<DesiredService> make_services(std::mt19937_64& random) {
  std::vector<DesiredService> services;
  for (int i = 0; i < 12; ++i) {
    const std::string name = fmt::format("s{}", i);
    const std::string role = pick(random, std::vector<std::string>{"web", "web", "db", "none"});
    if (chance(random, 60)) services.push_back(make_service(random, name, role, Slice::kNone));
    if (chance(random, 20)) services.push_back(make_service(random, name, role, Slice::kBlue));
  }
  return services;
}

void add_instance(CatalogState& catalog, const std::string& node, const DesiredService& service,
                  std::mt19937_64& random) {
  InstanceState state;
  ServiceInstance& instance = state.instance;
  instance.node = node;
  instance.id = service_id(service);
  instance.service = service.name;
  instance.port = service.release.port;
  instance.meta["version"] = pick(random, std::vector<std::string>{service.release.version, "1", "2", "3"});
  instance.meta["deployment"] = pick(random, std::vector<std::string>{service.release.deployment, "d1", "d2"});
  instance.meta["role"] = service.placement.role;
  if (service.slice != Slice::kNone) instance.meta["slice"] = std::string(to_string(service.slice));
  if (!chance(random, 10)) instance.meta["managed-by"] = chance(random, 90) ? "convergence" : "other";
  instance.modify_index = ++catalog.index;
  ServiceState block = catalog.services.contains(service.name) ? *catalog.services[service.name]
                                                               : ServiceState{.name = service.name, .instances = {}};
  block.instances.push_back(std::move(state));
  std::ranges::sort(block.instances, {}, [](const InstanceState& one) {
    return InstanceId{one.instance.node, one.instance.id};
  });
  catalog.services[service.name] = std::move(block);
}

World make_world(std::mt19937_64& random) {
  World world;
  std::vector<std::pair<std::string, std::string>> nodes;
  const std::size_t count = 1 + below(random, 40);
  for (std::size_t i = 0; i < count; ++i) {
    nodes.emplace_back(fmt::format("n{}", i), pick(random, std::vector<std::string>{"web", "web", "db"}));
  }
  world.catalog = test::catalog_of(nodes);
  world.desired.services = make_services(random);
  const std::vector<DesiredService> others = make_services(random);
  const std::vector<DesiredService>& there = chance(random, 80) ? world.desired.services : others;
  const std::size_t percent = pick(random, std::vector<std::size_t>{50, 90, 99});
  for (const DesiredService& service : there) {
    for (const auto& [name, role] : nodes) {
      if (role == service.placement.role && chance(random, percent)) add_instance(world.catalog, name, service, random);
    }
  }
  world.options.prune = chance(random, 50);
  world.options.take_foreign = chance(random, 30);
  return world;
}

FleetView shuffled(std::mt19937_64& random, const FleetView& view) {
  std::vector<std::size_t> order(view.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (chance(random, 50)) {
    test::shuffle(random, order);
  } else {
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (chance(random, 10)) std::swap(order[i - 1], order[i]);
    }
  }
  FleetView other;
  other.names = view.names;
  std::string id;
  for (std::size_t i : order) add_row(other, row_at(view, i, id));
  return other;
}

TEST_CASE("a fleet differs in what converge() says of its instances") {
  std::size_t changes = 0;
  for_each_case(400, [&](std::mt19937_64& random) {
    const World world = make_world(random);
    const auto plan = converge(world.desired, world.catalog, world.options);
    REQUIRE_OK(plan);
    FleetView view = fleet_view(world.catalog);
    const auto wanted = wanted_fleet(world.desired, world.catalog.nodes, view.names);
    REQUIRE_OK(wanted);
    const FleetDiff diff = diff_fleet(*wanted, view, world.options);
    CHECK(reasons_of(diff, *wanted, view) == reasons_of(*plan));
    changes += diff.changes.size();

    const FleetView other = shuffled(random, view);
    const FleetDiff diff_of_other = diff_fleet(*wanted, other, world.options);
    CHECK(reasons_of(diff_of_other, *wanted, other) == reasons_of(*plan));
    CHECK(diff_of_other.same == diff.same);
  });
  MESSAGE(changes, " changes");
}

TEST_CASE("row by row it says the same as all at once") {
  for_each_case(200, [](std::mt19937_64& random) {
    const World world = make_world(random);
    FleetView view = fleet_view(world.catalog);
    const auto wanted = wanted_fleet(world.desired, world.catalog.nodes, view.names);
    REQUIRE_OK(wanted);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < view.size(); ++row) rows.push_back(row);
    std::vector<InstanceRef> gone;
    const WantedIndex there = [&] {
      WantedFleet observed;
      std::string id;
      for (std::uint32_t row : rows) {
        add_wanted(observed, view.names, {.node = row_at(view, row, id).node, .service_id = id});
      }
      return WantedIndex(observed);
    }();
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      const InstanceRef instance{wanted->nodes[i], wanted->ids[i]};
      if (there.find(instance) == FleetChange::kNone) gone.push_back(instance);
    }
    const WantedIndex index(*wanted);
    CHECK(diff_rows(*wanted, index, view, rows, gone, world.options) == diff_fleet(*wanted, view, world.options));
  });
}

}  // namespace
}  // namespace convergence
