// How a release spreads: phases passed on one by one, compared as whole documents.

#include <functional>
#include <string>
#include <vector>

#include "convergence/deployment.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const Time kStart{seconds(1000)};

DesiredService rolling(std::uint64_t generation = 2) {
  DesiredService out = test::service("web", "2.0");
  out.generation = generation;
  out.last_good = Release();
  out.last_good->version = "1.0";
  out.last_good->deployment = "1.0@1";
  out.strategy.bake = minutes(5);
  return out;
}

FleetNode node(std::string name, std::string deployment, CheckStatus status = CheckStatus::kPassing) {
  return {std::move(name), false, std::move(deployment), status, ""};
}

FleetProgress progress(FleetPhase phase, Time since = kStart, std::vector<std::string> first_wave = {"n1"},
                       std::string why = "") {
  return {2, phase, since, std::move(first_wave), std::move(why)};
}

// The answer of advance() as text: the phase, its first wave and reason, and what is then known to be good.
std::string text_of(const std::optional<DesiredService>& next) {
  if (!next) return "as it is";
  std::string text = std::string(to_string(next->progress.phase));
  for (const std::string& name : next->progress.first_wave) text += " " + name;
  if (!next->progress.why.empty()) text += " (" + next->progress.why + ")";
  return text + "; good: " + (next->last_good ? next->last_good->deployment : "none");
}

TEST_CASE("a release passes from phase to phase") {
  using Nodes = std::vector<FleetNode>;
  const auto kCritical = CheckStatus::kCritical;
  FleetNode lost = node("n1", "1.0@1");
  lost.lost = true;
  FleetNode away = node("n1", "1.0@1");
  away.out_of_traffic = true;
  FleetNode failed = node("n2", "1.0@1");
  failed.failed = "ApplicationStart ended with 1";
  const Nodes old = {node("n1", "1.0@1"), node("n2", "1.0@1"), node("n3", "1.0@1")};
  struct Case {
    const char* name;
    std::function<void(DesiredService&)> change;
    Nodes nodes;
    Duration after;
    std::string want;
  };
  auto phase = [](FleetPhase to) { return [to](DesiredService& s) { s.progress = progress(to); }; };
  const Case cases[] = {
      {"a new release chooses its first wave", [](DesiredService&) {}, old, {}, "first-wave n1; good: 1.0@1"},
      {"of as many as asked for",
       [](DesiredService& s) { s.strategy.first_wave = 2; },
       old,
       {},
       "first-wave n1 n2; good: 1.0@1"},
      {"those out of traffic come last",
       [](DesiredService& s) { s.strategy.first_wave = 2; },
       {away, node("n2", "1.0@1"), node("n3", "1.0@1")},
       {},
       "first-wave n2 n3; good: 1.0@1"},
      {"but before none",
       [](DesiredService& s) { s.strategy.first_wave = 2; },
       {away, node("n2", "1.0@1"), lost},
       {},
       "first-wave n2 n1; good: 1.0@1"},
      {"lost nodes are not in it",
       [](DesiredService&) {},
       {lost, node("n2", "1.0@1")},
       {},
       "first-wave n2; good: 1.0@1"},
      {"without a first wave all nodes follow at once",
       [](DesiredService& s) { s.strategy.first_wave = 0; },
       old,
       {},
       "rest; good: 1.0@1"},
      {"an earlier release's progress says nothing",
       [](DesiredService& s) {
         s.progress = {1, FleetPhase::kDone, {}, {}, ""};
       },
       old,
       {},
       "first-wave n1; good: 1.0@1"},
      {"the first wave is waited for", phase(FleetPhase::kFirstWave), old, minutes(60), "as it is"},
      {"until it passes",
       phase(FleetPhase::kFirstWave),
       {node("n1", "2.0@2", kCritical), node("n2", "1.0@1")},
       {},
       "as it is"},
      {"then it bakes",
       phase(FleetPhase::kFirstWave),
       {node("n1", "2.0@2"), node("n2", "1.0@1")},
       {},
       "bake n1; good: 1.0@1"},
      {"a first wave that is lost is chosen anew",
       phase(FleetPhase::kFirstWave),
       {lost, node("n2", "1.0@1")},
       {},
       "first-wave n2; good: 1.0@1"},
      {"it bakes its time",
       phase(FleetPhase::kBake),
       {node("n1", "2.0@2"), node("n2", "1.0@1")},
       minutes(5) - seconds(1),
       "as it is"},
      {"and no longer",
       phase(FleetPhase::kBake),
       {node("n1", "2.0@2"), node("n2", "1.0@1")},
       minutes(5),
       "rest n1; good: 1.0@1"},
      {"one that falls ill while it bakes is taken back",
       phase(FleetPhase::kBake),
       {node("n1", "2.0@2", kCritical), node("n2", "1.0@1")},
       seconds(1),
       "reverted n1 (n1: is critical while it bakes); good: 1.0@1"},
      {"unless that was not asked for",
       [](DesiredService& s) {
         s.progress = progress(FleetPhase::kBake);
         s.strategy.auto_revert = false;
       },
       {node("n1", "2.0@2", kCritical), node("n2", "1.0@1")},
       seconds(1),
       "as it is"},
      {"a failure anywhere takes it back",
       phase(FleetPhase::kRest),
       {node("n1", "2.0@2"), failed},
       {},
       "reverted n1 (n2: ApplicationStart ended with 1); good: 1.0@1"},
      {"without a good release there is nothing to go back to",
       [](DesiredService& s) {
         s.progress = progress(FleetPhase::kFirstWave);
         s.last_good.reset();
       },
       {node("n1", "1.0@1"), failed},
       {},
       "as it is"},
      {"the rest is waited for", phase(FleetPhase::kRest), {node("n1", "2.0@2"), node("n2", "1.0@1")}, {}, "as it is"},
      {"W-S9: a node that comes late is waited for too",
       phase(FleetPhase::kRest),
       {node("n1", "2.0@2"), node("n9", "", kCritical)},
       {},
       "as it is"},
      {"a lost node is not", phase(FleetPhase::kRest), {lost, node("n2", "2.0@2")}, {}, "done n1; good: 2.0@2"},
      {"all pass: the release is the last good one",
       phase(FleetPhase::kRest),
       {node("n1", "2.0@2"), node("n2", "2.0@2")},
       {},
       "done n1; good: 2.0@2"},
      {"W-S10: a fleet of none waits for nobody, and makes nothing good", phase(FleetPhase::kRest), {}, {}, "as it is"},
      {"a fleet seen before its nodes are in the catalog chooses no wave", [](DesiredService&) {}, {}, {}, "as it is"},
      {"nor does one whose nodes are all lost", phase(FleetPhase::kFirstWave), {lost}, {}, "as it is"},
      {"what is done stays", phase(FleetPhase::kDone), {node("n1", "1.0@1", kCritical)}, {}, "as it is"},
      {"what is taken back stays so", phase(FleetPhase::kReverted), {node("n1", "2.0@2")}, {}, "as it is"},
      {"an empty environment is installed everywhere at once",
       [](DesiredService& s) { s.last_good.reset(); },
       {node("n1", "", kCritical), node("n2", "", kCritical)},
       {},
       "rest; good: none"},
      {"and the first that passes is the last good one",
       [](DesiredService& s) {
         s.last_good.reset();
         s.progress = progress(FleetPhase::kRest, kStart, {});
       },
       {node("n1", "", kCritical), node("n2", "2.0@2")},
       {},
       "rest; good: 2.0@2"},
      {"one where something runs is not empty",
       [](DesiredService& s) { s.last_good.reset(); },
       {node("n1", "?"), node("n2", "", kCritical)},
       {},
       "first-wave n1; good: none"},
      {"documents of others have no phases", [](DesiredService& s) { s.generation = 0; }, old, {}, "as it is"},
      {"nor has what is to be left as it is",
       [](DesiredService& s) { s.action = DesiredAction::kIgnore; },
       old,
       {},
       "as it is"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    DesiredService service = rolling();
    c.change(service);
    const auto next = advance(service, {c.nodes, c.after}, kStart + c.after);
    CHECK(text_of(next) == c.want);
    // What it wrote is not written again: agents that see it come to rest.
    if (next && next->progress.phase != FleetPhase::kRest) CHECK(!advance(*next, {c.nodes}, kStart + c.after));
  }
}

TEST_CASE("what a node should run") {
  struct Case {
    const char* name;
    FleetProgress progress;
    std::string node;
    std::string running;
    std::string want;  // deployment: why
  };
  const Case cases[] = {
      {"a release nobody has seen yet moves nothing", {}, "n1", "1.0@1", ": 2.0: its first wave is not chosen yet"},
      {"a new node gets the last good one meanwhile", {}, "n9", "", "1.0@1: 2.0 is on its way"},
      {"the first wave changes", progress(FleetPhase::kFirstWave), "n1", "1.0@1", "2.0@2: first wave"},
      {"the others wait for it", progress(FleetPhase::kFirstWave), "n2", "1.0@1", ": 2.0 waits for the first wave: n1"},
      {"and while it bakes", progress(FleetPhase::kBake), "n2", "1.0@1",
       ": 2.0 waits for the first wave: n1, which bakes"},
      {"a node added in mid-rollout never gets what is not proven", progress(FleetPhase::kBake), "n9", "",
       "1.0@1: 2.0 is on its way"},
      {"not even when the rest follows", progress(FleetPhase::kRest), "n9", "", "1.0@1: 2.0 is on its way"},
      {"the rest follows", progress(FleetPhase::kRest), "n2", "1.0@1", "2.0@2: wanted"},
      {"who has it keeps it", progress(FleetPhase::kBake), "n3", "2.0@2", "2.0@2: wanted"},
      {"all is done", progress(FleetPhase::kDone), "n9", "", "2.0@2: wanted, and known to be good"},
      {"all goes back", progress(FleetPhase::kReverted, kStart, {"n1"}, "n1: it broke"), "n1", "2.0@2",
       "1.0@1: 2.0 was taken back (n1: it broke)"},
      {"W-S8: new nodes too", progress(FleetPhase::kReverted, kStart, {"n1"}, "n1: it broke"), "n9", "",
       "1.0@1: 2.0 was taken back (n1: it broke)"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    DesiredService service = rolling();
    service.progress = c.progress;
    const NodeTarget target = target_on(service, c.node, c.running);
    CHECK(target.deployment + ": " + target.why == c.want);
    CHECK(target.release.has_value() == !target.deployment.empty());
  }
}

TEST_CASE("a budget keeps what has to stay healthy") {
  const ServiceFleet five = {{node("a", "1"), node("b", "1"), node("c", "1"), node("d", "1"), node("e", "")}};
  CHECK(slots_of({.max_unavailable = 2}, five) == 2);
  CHECK(slots_of({.max_unavailable = 9}, five) == 4);
  CHECK(slots_of({.max_unavailable = 9, .min_healthy = 3}, five) == 1);
  CHECK(slots_of({.max_unavailable = 1, .min_healthy = 4}, five) == 0);
  CHECK(slots_of({.max_unavailable = 1}, {}) == 0);
}

TEST_CASE("deployments have names that can be folders") {
  Release release;
  release.version = "1.0";
  CHECK(deployment_key(release, 0) == "1.0");
  CHECK(deployment_key(release, 3) == "1.0@3");
  release.version = "../../../pwn";
  CHECK(deployment_key(release, 0) == "%2E.%2F..%2F..%2Fpwn");
  release.version = "";
  CHECK(deployment_key(release, 1) == "unversioned@1");
  release.deployment = "d-42";
  CHECK(deployment_key(release, 1) == "d-42");
}

TEST_CASE("of a node's own checks each that is critical makes it lost, but those of standby and of maintenance") {
  struct Case {
    std::string name;
    std::vector<std::string> critical;
    bool lost;
    bool out_of_traffic;
  };
  const std::string standby(kStandbyCheck);
  const std::string maintenance(kNodeMaintenanceCheck);
  const Case cases[] = {
      {"none", {}, false, false},
      {"its Consul agent is away", {"serfHealth"}, true, false},
      {"in standby", {standby}, false, true},
      {"in Consul's maintenance", {maintenance}, false, true},
      {"in both", {maintenance, standby}, false, true},
      {"in standby and away", {"serfHealth", standby}, true, true},
      {"another's", {"disk"}, true, false},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    CatalogState catalog;
    NodeState there;
    there.node.name = "n1";
    there.node.meta = {{"role", "web"}};
    for (const std::string& id : one.critical) {
      HealthCheck check;
      check.node = "n1";
      check.id = id;
      check.status = CheckStatus::kCritical;
      there.checks.push_back(check);
    }
    catalog.nodes["n1"] = there;
    InstanceState instance;
    instance.instance.node = "n1";
    instance.instance.id = "web";
    instance.instance.service = "web";
    instance.instance.meta = {{"deployment", "2.0@2"}};
    ServiceState state;
    state.name = "web";
    state.instances = {instance};
    catalog.services["web"] = state;
    DesiredService service;
    service.name = "web";
    service.placement.role = "web";
    const absl::StatusOr<ServiceFleet> fleet = fleet_of(service, catalog, {});
    REQUIRE(fleet.ok());
    FleetNode wanted;
    wanted.name = "n1";
    wanted.lost = one.lost;
    wanted.out_of_traffic = one.out_of_traffic;
    wanted.deployment = "2.0@2";
    wanted.status = one.lost ? CheckStatus::kCritical : CheckStatus::kPassing;
    CHECK(fleet->nodes == std::vector<FleetNode>{wanted});
  }
}

}  // namespace
}  // namespace convergence
