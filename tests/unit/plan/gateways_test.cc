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

TEST_CASE("intentions with permissions want a protocol like HTTP in the current dialect") {
  const auto current = [](const char* json) {
    auto parsed = parse<ConfigEntry>(json, "entry");
    REQUIRE_OK(parsed);
    return ours(*std::move(parsed));
  };
  const ConfigEntry http = current(R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})");
  const ConfigEntry tcp = current(R"({"Kind":"service-defaults","Name":"web","Protocol":"tcp"})");
  const ConfigEntry intentions = current(
      R"({"Kind":"service-intentions","Name":"web","Sources":[{"Name":"shop","Permissions":[{"Action":"allow","HTTP":{"PathExact":"/"}}]}]})");
  PlanOptions options;
  options.cluster.dialect = Dialect::kCurrent;
  ConfigEntries store(options.cluster);

  auto plan = plan_config({intentions, http}, store.map(), options);
  REQUIRE_OK(plan);
  std::vector<std::string> steps;
  for (const Step& step : plan->steps) {
    steps.push_back(step.id);
    apply(store, step);
  }
  CHECK(steps == std::vector<std::string>{"put-entry:service-defaults/web", "put-entry:service-intentions/web"});

  plan = plan_config({intentions, tcp}, store.map(), options);
  REQUIRE_OK(plan);
  CHECK(plan->steps.empty());
  REQUIRE(plan->held.size() == 1);
  CHECK(plan->held[0].why ==
        "service-defaults/web stands against service-intentions/web: service \"web\" has protocol \"tcp\", which is "
        "incompatible with L7 intentions permissions");
}

}  // namespace
}  // namespace convergence
