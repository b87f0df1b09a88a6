// Fleets of agents with the real driver on an embedded Consul and simulated time.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

#include "convergence/codec.h"
#include "tests/simulation/deploy_world.h"

namespace convergence::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

DesiredService web(const std::string& version) {
  DesiredService out;
  out.name = "web";
  out.placement.role = "web";
  out.generation = 1;
  out.release.version = version;
  out.release.port = 80;
  out.release.package.source = "file:///web.zip";
  CheckDefinition check;
  check.name = "alive";
  check.http = "http://127.0.0.1/";
  check.interval = seconds(1);
  out.release.checks = {check};
  out.strategy.max_unavailable = 2;
  out.strategy.bake = minutes(5);
  out.strategy.health_deadline = minutes(2);
  return out;
}

bool is_done(DeployWorld& world, const std::string& version) {
  const auto wanted = world.wanted();
  return wanted && wanted->release.version == version && wanted->progress.phase == FleetPhase::kDone &&
         wanted->progress.generation == wanted->generation;
}

bool is_reverted(DeployWorld& world) {
  const auto wanted = world.wanted();
  return wanted && wanted->progress.phase == FleetPhase::kReverted;
}

void add_nodes(DeployWorld& world, int count) {
  for (int i = 1; i <= count; ++i) world.add(fmt::format("n{}", i));
}

// Version 1.0 on every node, known to be good.
void start(DeployWorld& world, int nodes) {
  add_nodes(world, nodes);
  world.want(web("1.0"));
  REQUIRE(world.run_until([&] { return is_done(world, "1.0"); }, minutes(10)));
  REQUIRE(world.all_run("1.0@1"));
  world.most_down = 0;
}

TEST_CASE("an empty environment is installed everywhere at once, and is then known to be good") {
  for (const int nodes : {1, 20}) {
    DeployWorld world;
    add_nodes(world, nodes);
    world.want(web("1.0"));
    const Time begun = world.executor.now();
    REQUIRE(world.run_until([&] { return is_done(world, "1.0"); }, minutes(10)));
    CHECK(world.all_run("1.0@1"));
    CHECK(world.wanted()->last_good->deployment == "1.0@1");
    // As quick for twenty as for one.
    CHECK(world.executor.now() - begun < seconds(45));
  }
}

TEST_CASE("W-A9: a release goes to a first wave, bakes there, and follows within the budget") {
  DeployWorld world;
  start(world, 10);
  world.max_down = 2;
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return world.wanted()->progress.phase == FleetPhase::kBake; }, minutes(10)));
  CHECK(world.running() ==
        "n1 2.0@2, n10 1.0@1, n2 1.0@1, n3 1.0@1, n4 1.0@1, n5 1.0@1, n6 1.0@1, n7 1.0@1, n8 1.0@1, n9 1.0@1");
  const Time baking = world.executor.now();
  REQUIRE(world.run_until([&] { return is_done(world, "2.0"); }, minutes(60)));
  CHECK(world.executor.now() - baking > minutes(5));
  CHECK(world.all_run("2.0@2"));
  CHECK(world.breach == "");
  CHECK(world.most_down == 2);
  CHECK(world.wanted()->last_good->deployment == "2.0@2");
}

TEST_CASE("a release that does not pass reaches one node, which goes back; the others never see it") {
  DeployWorld world;
  start(world, 6);
  world.max_down = 1;
  world.ill = {"2.0@2"};
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return is_reverted(world); }, minutes(10)));
  REQUIRE(world.run_until([&] { return world.all_run("1.0@1"); }, minutes(10)));
  CHECK(world.wanted()->progress.why == "n1: await: its check web:alive is critical after 120 s");
  CHECK(world.breach == "");
  // W-S8: a node that is added now gets what is good.
  world.max_down = -1;  // a new instance is critical until it passes
  world.add("n9");
  REQUIRE(world.run_until([&] { return world.node("n9").running("web") == "1.0@1"; }, minutes(5)));
}

TEST_CASE("a failure among the rest takes the release back from all") {
  DeployWorld world;
  start(world, 6);
  for (const char* name : {"n5"}) world.node(name).broken[{Stage::kStart, "2.0@2"}] = "it broke";
  world.max_down = 2;
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return is_reverted(world); }, minutes(60)));
  CHECK(world.wanted()->progress.why == "n5: start: it broke");
  REQUIRE(world.run_until([&] { return world.all_run("1.0@1"); }, minutes(60)));
  CHECK(world.breach == "");
}

TEST_CASE("a node added in mid-rollout never gets what is not proven") {
  DeployWorld world;
  start(world, 3);
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return world.wanted()->progress.phase == FleetPhase::kBake; }, minutes(10)));
  world.add("n7");
  REQUIRE(world.run_until([&] { return world.node("n7").running("web") != "nothing"; }, minutes(10)));
  CHECK(world.node("n7").running("web") == "1.0@1");
  REQUIRE(world.run_until([&] { return is_done(world, "2.0"); }, minutes(60)));
  CHECK(world.all_run("2.0@2"));
}

TEST_CASE("an agent that dies while its instance is down keeps the budget, and goes on when it comes back") {
  DeployWorld world;
  start(world, 5);
  world.max_down = 2;
  DesiredService next = web("2.0");
  next.strategy.first_wave = 0;
  world.want(next);
  auto is_down = [&](const std::string& name) { return world.node(name).running("web") == "nothing"; };
  std::string dead;
  REQUIRE(world.run_until(
      [&] {
        for (const char* name : {"n1", "n2", "n3", "n4", "n5"}) {
          if (is_down(name)) dead = name;
        }
        return !dead.empty();
      },
      minutes(10)));
  world.kill(dead);
  // Long after its session and the lock delay.
  world.run_until([] { return false; }, minutes(15));
  CHECK(world.breach == "");
  CHECK(is_down(dead));
  for (const char* name : {"n1", "n2", "n3", "n4", "n5"}) {
    if (name != dead) CHECK(world.node(name).running("web") == "2.0@2");
  }
  world.revive(dead);
  REQUIRE(world.run_until([&] { return is_done(world, "2.0"); }, minutes(20)));
  CHECK(world.all_run("2.0@2"));
  CHECK(world.breach == "");
}

// W-A16, P-L: there nobody looks again until the next change of the role.
TEST_CASE("a service that somebody deregisters comes back by the audit, and its process is left alone") {
  DeployWorld world;
  start(world, 3);
  world.remove_instance("n2", "web");
  const AgentMemory before = world.node("n2").memory();
  auto is_registered = [&] { return find_instance(world.catalog(), "web", {"n2", "web"}) != nullptr; };
  CHECK(!is_registered());
  REQUIRE(world.run_until(is_registered, minutes(6)));
  CHECK(world.all_run("1.0@1"));
  CHECK(world.node("n2").memory().outcomes == before.outcomes);
}

// There the index was read after the work, so that the change was seen five minutes later.
TEST_CASE("W-A3, P-E: a change while a node is at work is taken up without another one") {
  DeployWorld world;
  start(world, 1);
  for (const Stage stage : {Stage::kFetch, Stage::kAwait}) {
    const auto generation = world.wanted()->generation;
    world.want(web("2.0"));
    REQUIRE(world.run_until(
        [&] {
          const auto& task = world.node("n1").memory().task;
          return task && task->stage == stage;
        },
        minutes(2)));
    world.want(web("3.0"));
    const std::string last = fmt::format("3.0@{}", generation + 2);
    CHECK(world.run_until([&] { return world.all_run(last); }, minutes(2)));
  }
}

TEST_CASE("a second change in the middle of the first is taken up") {
  DeployWorld world;
  start(world, 4);
  world.max_down = 2;
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return world.wanted()->progress.phase == FleetPhase::kBake; }, minutes(10)));
  world.want(web("3.0"));
  REQUIRE(world.run_until([&] { return is_done(world, "3.0"); }, minutes(60)));
  CHECK(world.all_run("3.0@3"));
  CHECK(world.breach == "");
}

TEST_CASE(
    "nodes in standby or maintenance are deployed to like the others, all of them even; the budget is for the rest") {
  for (const std::string_view check_id : {kStandbyCheck, kNodeMaintenanceCheck}) {
    for (const int away : {1, 2, 3, 4}) {
      CAPTURE(check_id);
      CAPTURE(away);
      DeployWorld world;
      start(world, 4);
      for (int i = 1; i <= away; ++i) {
        const std::string name = fmt::format("n{}", i);
        Json check;
        check.set("Node", name).set("CheckID", check_id).set("Name", "On purpose").set("Status", "critical");
        Json body;
        body.set("Node", name).set("Address", "10.0.0.1").set("SkipNodeUpdate", true).set("Check", check);
        REQUIRE(await_done(world.executor, [&](auto done) { world.client.catalog_register(body, {}, done); }).ok());
      }
      world.max_down = away + 2;  // two of those that have traffic, as the strategy says
      world.want(web("2.0"));
      REQUIRE(world.run_until([&] { return is_done(world, "2.0"); }, hours(1)));
      CHECK(world.all_run("2.0@2"));
      CHECK(world.breach == "");
    }
  }
}

TEST_CASE("the journal of what an agent was told gives the same states and effects again") {
  DeployWorld world;
  start(world, 3);
  world.ill = {"2.0@2"};
  world.want(web("2.0"));
  REQUIRE(world.run_until([&] { return is_reverted(world); }, minutes(10)));
  REQUIRE(world.run_until([&] { return world.all_run("1.0@1"); }, minutes(10)));
  for (const auto& one : world.journals) {
    CAPTURE(one.first);
    const DeployWorld::Journal& journal = one.second;
    REQUIRE(journal.events.size() > 20);
    AgentState state;
    state.config = journal.config;
    state.memory = journal.memory;
    for (std::size_t i = 0; i < journal.events.size(); ++i) {
      const absl::StatusOr<AgentEvent> event = parse<AgentEvent>(journal.events[i], "journal");
      REQUIRE(event.ok());
      const AgentStep step = agent_step(state, *event);
      REQUIRE(step.effects == journal.steps[i].effects);
      REQUIRE(step.state == journal.steps[i].state);
      REQUIRE(to_text(to_json(step)) == to_text(to_json(journal.steps[i])));
      // From any point on: the whole state goes through its document.
      absl::StatusOr<AgentState> again = parse<AgentState>(to_text(to_json(step.state)), "state");
      REQUIRE(again.ok());
      REQUIRE(*again == step.state);
      state = *std::move(again);
    }
  }
}

}  // namespace
}  // namespace convergence::test
