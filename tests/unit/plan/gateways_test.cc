// Plans among ingress gateways, whose listeners want protocols of services (discovery-chain.md (b2)).

#include <string>
#include <vector>

#include "tests/support/gateway_worlds.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::entry;
using test::ours;

// What the server's rules make of a write.
void apply(ConfigEntries& entries, const Step& step) {
  if (step.action == Action::kDeleteEntry) {
    CHECK_OK(entries.remove(step.entry.kind, step.entry.name));
  } else {
    CHECK_OK(entries.put(std::get<ConfigEntry>(step.body)));
  }
}

TEST_CASE("gateways and the protocols of their services") {
  for (const test::GatewayWorld& world : test::gateway_worlds()) {
    SUBCASE(world.name) {
      ConfigEntries store;
      for (const std::string& json : world.actual) REQUIRE_OK(store.put(ours(entry(json))));
      std::vector<ConfigEntry> desired;
      for (const std::string& json : world.desired) desired.push_back(entry(json));
      PlanOptions options;
      options.prune = true;
      const auto plan = plan_config(desired, store.map(), options);
      REQUIRE_OK(plan);
      std::vector<std::string> steps;
      for (const Step& step : plan->steps) {
        INFO(step.id);
        steps.push_back(step.id);
        apply(store, step);
      }
      CHECK(steps == world.steps);
      std::vector<std::string> held;
      for (const Held& one : plan->held) held.push_back(one.why);
      CHECK(held == world.held);
      if (!world.held.empty()) return;
      const auto again = plan_config(desired, store.map(), options);
      REQUIRE_OK(again);
      CHECK(again->steps.empty());
    }
  }
}

}  // namespace
}  // namespace convergence
