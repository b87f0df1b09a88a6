// One node's agent on a made-up node: what it does, in order; what is there afterwards; and the same with the agent
// killed after every single effect.

#include "convergence/agent.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/agent_node.h"

namespace convergence {
namespace {

using test::AgentNode;

DesiredService package(std::string name, std::string version) {
  DesiredService out;
  out.name = std::move(name);
  out.placement.role = "web";
  out.release.version = std::move(version);
  out.release.port = 80;
  out.release.package.source = "file:///p.zip";
  CheckDefinition check;
  check.name = "alive";
  check.http = "http://127.0.0.1/";
  check.interval = std::chrono::seconds(1);
  out.release.checks = {check};
  return out;
}

// A node on which web 1.0 and api 1.0 run.
AgentNode two_services() {
  AgentNode node;
  node.wanted = {package("api", "1.0"), package("web", "1.0")};
  CHECK(node.run());
  CHECK(node.text() ==
        "api: runs 1.0, files 1.0, registered 1.0, installed 1.0\n"
        "web: runs 1.0, files 1.0, registered 1.0, installed 1.0\n");
  node.trace.clear();
  node.reports.clear();
  return node;
}

std::string trace(const AgentNode& node) { return fmt::format("{}", fmt::join(node.trace, "\n")); }

constexpr const char* kUpgraded =
    "api: runs 1.0, files 1.0, registered 1.0, installed 1.0\n"
    "web: runs 2.0, files 2.0, registered 2.0, installed 2.0\n";
constexpr const char* kAsBefore =
    "api: runs 1.0, files 1.0, registered 1.0, installed 1.0\n"
    "web: runs 1.0, files 1.0, registered 1.0, installed 1.0\n";

TEST_CASE("an upgrade finds out all it can before it touches what runs") {
  AgentNode node = two_services();
  node.wanted[1] = package("web", "2.0");
  CHECK(node.run());
  CHECK(trace(node) ==
        "check-node web 2.0\n"
        "fetch web 2.0\n"
        "unpack web 2.0\n"
        "check-package web 2.0\n"
        "place-aside web 2.0\n"
        "acquire web 2.0\n"
        "quiet web 2.0\n"
        "stop web 1.0\n"
        "before-install web 2.0\n"
        "swap web 2.0\n"
        "after-install web 2.0\n"
        "start web 2.0\n"
        "validate-service web 2.0\n"
        "register web 2.0\n"
        "loud web 2.0");
  CHECK(node.text() == kUpgraded);
  CHECK(node.breach == "");
}

// Every stage of an upgrade, and what is there when it fails.
TEST_CASE("W-A1, W-A9: a failure at any stage leaves the old version running, registered and in the traffic") {
  for (const StageRow& row : stages_of([] {
         Task task;
         task.next.release.package.source = task.next.release.version = "p";
         task.previous = task.next;
         return task;
       }())) {
    if (row.stage == Stage::kLoud || row.stage == Stage::kAwait) continue;  // the one is repeated, the other below
    CAPTURE(to_string(row.stage));
    AgentNode node = two_services();
    node.wanted[1] = package("web", "2.0");
    const std::string subject = row.stage == Stage::kStop ? "1.0" : "2.0";
    node.broken[{row.stage, subject}] = "it broke";
    const bool waits = row.on_failure == "wait";
    CHECK(node.run(std::nullopt, 5) == !waits);
    CHECK(node.text() == kAsBefore);
    CHECK(node.breach == "");
    const std::string failed = fmt::format("web 2.0: {}: it broke\n", to_string(row.stage));
    CHECK(node.outcomes() == "api 1.0: succeeded\nweb 1.0: succeeded\n" + (waits ? "" : failed));
    if (row.on_failure == "nothing") {
      // Nothing of the old version was as much as looked at.
      for (const std::string& line : node.trace) CHECK(line.ends_with("web 2.0"));
    }
    // W-A2: the next process does not begin again.
    node.trace.clear();
    if (!waits) {
      CHECK(node.run());
      CHECK(trace(node) == "");
    }
  }
}

TEST_CASE("a version that does not pass is put back, in order") {
  AgentNode node = two_services();
  node.wanted[1] = package("web", "2.0");
  node.ill = {"2.0"};
  CHECK(node.run());
  CHECK(node.text() == kAsBefore);
  CHECK(node.breach == "");
  CHECK(node.outcomes() ==
        "api 1.0: succeeded\nweb 1.0: succeeded\nweb 2.0: await: its check web:alive is critical after 300 s\n");
  const std::string all = trace(node);
  CHECK(all.substr(all.find("register")) ==
        "register web 2.0\n"
        "back-stop web 2.0\n"
        "back-swap web 2.0\n"
        "back-start web 1.0\n"
        "back-register web 1.0\n"
        "back-loud web 2.0");
  const ReportNode& last = node.reports.back();
  CHECK(last.finished);
  CHECK(!last.succeeded);
  CHECK(last.why == "await: its check web:alive is critical after 300 s");
}

TEST_CASE("an old version whose stop hook fails is in nobody's way once it does not pass") {
  AgentNode node = two_services();
  node.wanted[1] = package("web", "2.0");
  node.broken[{Stage::kStop, "1.0"}] = "cannot stop";
  node.ill = {"1.0"};
  CHECK(node.run());
  CHECK(node.disk.installed.at("web").deployment == "2.0");
}

TEST_CASE("a first installation that fails leaves nothing") {
  AgentNode node;
  node.wanted = {package("web", "1.0")};
  node.ill = {"1.0"};
  CHECK(node.run());
  CHECK(node.text() == "");
  CHECK(node.outcomes() == "web 1.0: await: its check web:alive is critical after 300 s\n");
}

TEST_CASE("W-A4: a service that fails is in no other's way") {
  AgentNode node;
  node.wanted = {package("api", "1.0"), package("web", "1.0")};
  node.broken[{Stage::kUnpack, "1.0"}] = "a damaged archive";
  node.wanted[1].release.deployment = "good";
  CHECK(node.run());
  CHECK(node.text() == "web: runs good, files good, registered good, installed good\n");
  CHECK(node.outcomes() == "api 1.0: unpack: a damaged archive\nweb good: succeeded\n");
}

TEST_CASE("a node that cannot take a service waits, and takes it when it can") {
  AgentNode node = two_services();
  node.wanted[1] = package("web", "2.0");
  node.wanted[1].release.demands.disk = 2000;
  CHECK(!node.run(std::nullopt, 3));
  CHECK(node.text() == kAsBefore);
  CHECK(trace(node) == "check-node web 2.0\ncheck-node web 2.0\ncheck-node web 2.0\ncheck-node web 2.0");
  node.disk_free = 2000;
  CHECK(node.run());
  CHECK(node.text() == kUpgraded);
}

TEST_CASE("a slot that is taken is waited for, and other services go on meanwhile") {
  AgentNode node = two_services();
  node.wanted[0] = package("api", "2.0");
  node.wanted[1] = package("web", "2.0");
  node.wanted.push_back(package("zip", "1.0"));
  node.slots_free = false;
  CHECK(!node.run(std::nullopt, 2));
  CHECK(node.text() == std::string(kAsBefore) + "zip: runs 1.0, files 1.0, registered 1.0, installed 1.0\n");
  node.slots_free = true;
  CHECK(node.run());
  CHECK(node.text() ==
        "api: runs 2.0, files 2.0, registered 2.0, installed 2.0\n"
        "web: runs 2.0, files 2.0, registered 2.0, installed 2.0\n"
        "zip: runs 1.0, files 1.0, registered 1.0, installed 1.0\n");
}

TEST_CASE("W-A16: what is to go is stopped, deregistered and removed") {
  AgentNode node = two_services();
  node.wanted[1].action = DesiredAction::kUninstall;
  CHECK(node.run());
  CHECK(trace(node) == "quiet web 1.0\nstop web 1.0\nderegister web 1.0\nremove web 1.0");
  CHECK(node.text() == "api: runs 1.0, files 1.0, registered 1.0, installed 1.0\n");
}

TEST_CASE("P-L, W-A5: what was taken out of the catalog comes back without a restart") {
  AgentNode node = two_services();
  node.lose_registration("web");
  CHECK(node.run());
  CHECK(trace(node) == "register web 1.0");
  CHECK(node.text() == kAsBefore);
}

TEST_CASE("a check that is changed is registered again, once, and is what a way back registers") {
  AgentNode node = two_services();
  node.wanted[1].release.checks[0].http = "http://127.0.0.1/other";
  CHECK(node.run());
  CHECK(trace(node) == "register web 1.0");
  CHECK(node.text() == kAsBefore);
  CHECK(node.disk.installed.at("web").release.checks == node.wanted[1].release.checks);
  node.trace.clear();
  CHECK(node.run());
  CHECK(trace(node) == "");
}

TEST_CASE("the last look at checks is waited for, however long it takes") {
  AgentNode node = two_services();
  node.ill = {"2.0"};
  node.wanted[1] = package("web", "2.0");
  CHECK(!node.run(std::nullopt, 1));
  REQUIRE(node.disk.task);
  REQUIRE(node.disk.task->stage == Stage::kAwait);
  AgentState state;
  state.config = node.config;
  state.memory = node.disk;
  const Time late = node.disk.task->deadline + std::chrono::seconds(1);
  const AgentStep step = agent_step(state, {late, Woken{}});
  CHECK(step.effects == std::vector<AgentEffect>{ReadLocal{}, WakeAgent{late + node.config.await_poll}});
}

// What an agent writes of a fleet that it sees at that time; empty: nothing.
std::string phase_at(AgentState& state, std::chrono::seconds at, const ServiceFleet& fleet) {
  AgentStep step = agent_step(std::move(state), {Time(at), FleetSeen{"web", fleet}});
  state = std::move(step.state);
  for (const AgentEffect& effect : step.effects) {
    if (const auto* write = std::get_if<WriteDesired>(&effect)) {
      return std::string(to_string(write->service.progress.phase));
    }
  }
  return "";
}

TEST_CASE("W-S11: a release bakes by the clock of whoever looks, however far that of the others is from it") {
  using std::chrono::seconds;
  const seconds now(100000);
  for (const int skew : {-36000, 0, 36000}) {
    CAPTURE(skew);
    DesiredService web = package("web", "2.0");
    web.generation = 2;
    web.last_good = package("web", "1.0").release;
    web.strategy.bake = seconds(120);
    web.progress = {2, FleetPhase::kBake, Time(now + seconds(skew)), {"n1"}, "", 2};
    AgentState state;
    state.config.node = "n2";
    state = agent_step(std::move(state), {Time(now), DesiredSeen{{web}, {}, ""}}).state;
    const ServiceFleet fleet = {
        {{"n1", false, "2.0@2", CheckStatus::kPassing}, {"n2", false, "1.0@1", CheckStatus::kPassing}}};
    CHECK(phase_at(state, now + seconds(60), fleet) == "");
    // More nodes come: the same phase, seen from when it began.
    web.progress.nodes = 20;
    state = agent_step(std::move(state), {Time(now + seconds(70)), DesiredSeen{{web}, {}, ""}}).state;
    CHECK(phase_at(state, now + seconds(119), fleet) == "");
    CHECK(phase_at(state, now + seconds(120), fleet) == "rest");
    // Another release that bakes, whatever its time.
    web.generation = web.progress.generation = 3;
    state = agent_step(std::move(state), {Time(now + seconds(200)), DesiredSeen{{web}, {}, ""}}).state;
    CHECK(phase_at(state, now + seconds(319), fleet) == "");
    CHECK(phase_at(state, now + seconds(320), fleet) == "rest");
  }
}

TEST_CASE("F28, W-S15: what stays of ended deployments") {
  AgentMemory memory;
  const auto installed = [](const std::string& deployment, const std::string& digest) {
    Installed out;
    out.deployment = deployment;
    out.release.package.sha256 = digest;
    return out;
  };
  memory.installed = {{"web", installed("3", "c3")}};
  for (int i = 1; i <= 6; ++i) {
    memory.outcomes["web"][std::to_string(i)] = {i != 5, Stage::kStart, "", 1, Time{std::chrono::seconds(i)}};
  }
  memory.outcomes["gone"]["9"] = {true, Stage::kRemove, "", 1, {}};
  Task task;
  task.service_id = "api";
  task.next = installed("2.0", "a2");
  task.previous = installed("1.0", "a1");
  memory.task = task;
  DesiredService web = package("web", "7");
  web.release.package.sha256 = "c7";
  web.last_good = Release();
  web.last_good->deployment = "2";
  web.last_good->package.sha256 = "c2";
  CHECK(what_stays(memory, {web}, 2) ==
        Collect{{{"api", {"1.0", "2.0"}}, {"gone", {"9"}}, {"web", {"2", "3", "5", "6", "7"}}},
                {{"web", "3"}},
                {"a1", "a2", "c2", "c3", "c7"}});
  CHECK(what_stays({}, {}, 2) == Collect{});

  AgentNode node = two_services();
  node.broken[{Stage::kStart, "2.0"}] = "exit status 3";
  node.wanted[1] = package("web", "2.0");
  CHECK(node.run());
  CHECK(node.collected == Collect{{{"api", {"1.0"}}, {"web", {"1.0", "2.0"}}}, {{"api", "1.0"}, {"web", "1.0"}}, {}});
}

TEST_CASE("files that are gone are installed again") {
  AgentNode node = two_services();
  node.files.erase("web");
  CHECK(node.run());
  CHECK(node.text() == kAsBefore);
  CHECK(node.breach == "");
}

TEST_CASE("W-A6: a deployment over which processes die again and again ends, and a version runs") {
  for (int effects = 1; effects < 60; ++effects) {
    CAPTURE(effects);
    AgentNode node = two_services();
    node.wanted[1] = package("web", "2.0");
    int lives = 0;
    while (!node.run(effects) && ++lives < 40) {
    }
    CHECK(node.breach == "");
    CHECK(node.run());
    CHECK(node.breach == "");
    const std::string end = node.text();
    if (end != kUpgraded) CHECK(end == kAsBefore);
  }
}

struct Story {
  const char* name;
  std::function<void(AgentNode&)> change;
};

// W-A5, W-A6, W-A7, P-M, P-N. Killed after each effect, before the next: the end is that of an agent nobody killed.
TEST_CASE("killed at every point, the next process brings it to the same end") {
  const Story stories[] = {
      {"first installation", [](AgentNode& node) { node.wanted.push_back(package("zip", "1.0")); }},
      {"upgrade", [](AgentNode& node) { node.wanted[1] = package("web", "2.0"); }},
      {"upgrade that does not pass",
       [](AgentNode& node) {
         node.wanted[1] = package("web", "2.0");
         node.ill = {"2.0"};
       }},
      {"upgrade that does not start",
       [](AgentNode& node) {
         node.wanted[1] = package("web", "2.0");
         node.broken[{Stage::kStart, "2.0"}] = "it broke";
       }},
      {"upgrade with a package that cannot be had",
       [](AgentNode& node) {
         node.wanted[1] = package("web", "2.0");
         node.broken[{Stage::kFetch, "2.0"}] = "no such object";
       }},
      {"removal", [](AgentNode& node) { node.wanted[1].action = DesiredAction::kUninstall; }},
      {"registration lost", [](AgentNode& node) { node.lose_registration("web"); }},
      {"two services at once",
       [](AgentNode& node) {
         node.wanted[0] = package("api", "2.0");
         node.wanted[1] = package("web", "2.0");
       }},
  };
  for (const Story& story : stories) {
    CAPTURE(story.name);
    AgentNode undisturbed = two_services();
    story.change(undisturbed);
    REQUIRE(undisturbed.run());
    int killed = 0;
    for (bool ended = false; !ended; ++killed) {
      CAPTURE(killed);
      AgentNode node = two_services();
      story.change(node);
      ended = node.run(killed);
      CHECK(node.run());
      CHECK(node.text() == undisturbed.text());
      CHECK(node.outcomes() == undisturbed.outcomes());
      CHECK(node.breach == "");
    }
    CHECK(killed > 5);
  }
}

}  // namespace
}  // namespace convergence
