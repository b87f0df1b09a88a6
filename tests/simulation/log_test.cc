// What is left to do about deployments that have ended: logs shipped, reports closed. F29, W-A18, W-A28, W-A5.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/simulation/deploy_world.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

DesiredService shipping(const std::string& version, std::uint64_t generation) {
  DesiredService out;
  out.name = "web";
  out.placement.role = "web";
  out.generation = generation;
  out.release.version = version;
  out.release.port = 80;
  out.release.package.source = "file:///web.zip";
  return out;
}

std::string report_at(const std::string& deployment) {
  return fmt::format("convergence/deployments/web/web/{}/nodes/n1", deployment);
}

struct ShipScene {
  ShipScene() : node(world.add("n1")) {
    node.on_ship = [this](const EndedLog& log, NodeHands::Shipped done) {
      asked.push_back(log);
      if (problems == 0) return done(place);
      --problems;
      done(make_error(ErrorKind::kUnreachable, "s3://logs: nobody answers"));
    };
  }
  std::optional<NodeReport> report(const std::string& deployment) {
    const auto pair = world.wait<Answer<std::optional<KvPair>>>(
        [&](auto done) { world.client.kv_get(report_at(deployment), {}, std::move(done)); });
    if (!pair.ok() || !pair->value) return std::nullopt;
    const auto report = parse<NodeReport>(pair->value->value, "report");
    REQUIRE_OK(report);
    return *report;
  }
  bool reports(const std::string& deployment, const std::function<bool(const NodeReport&)>& is_so) {
    return world.run_until(
        [&] {
          const auto there = report(deployment);
          return there && is_so(*there);
        },
        minutes(30));
  }

  DeployWorld world;
  MadeUpNode& node;
  std::vector<EndedLog> asked;
  int problems = 0;
  std::string place = "s3://logs/web/web/deployment-n1-1.log";
};

TEST_CASE("F29, W-A18: the log of an end is shipped once, and the report says where it lies") {
  ShipScene scene;
  scene.node.broken[{Stage::kStart, "2.0@2"}] = "exit status 3";
  int end = 0;
  for (const char* version : {"1.0", "2.0"}) {
    const std::string deployment = fmt::format("{}@{}", version, ++end);
    CAPTURE(deployment);
    scene.world.want(shipping(version, static_cast<std::uint64_t>(end)));
    REQUIRE(scene.reports(deployment, [&](const NodeReport& report) { return report.log == scene.place; }));
    CHECK(scene.world.run_until([&] { return scene.node.told.size() == static_cast<std::size_t>(end); }, minutes(1)));
    const auto report = scene.report(deployment);
    CHECK(report->status == (end == 1 ? NodeStatus::kSuccess : NodeStatus::kFailed));
    CHECK(report->reason.find("exit status 3") == (end == 1 ? std::string::npos : 7));
    CHECK(report->log_problem.empty());
    const Time ended = scene.node.memory().outcomes.at("web").at(deployment).at;
    CHECK(scene.asked.back() == EndedLog{"web", "n1", "web", deployment, ended});
  }
  scene.world.run_until([] { return false; }, minutes(30));
  CHECK(scene.asked.size() == 2);
  CHECK(scene.node.told == scene.asked);
}

TEST_CASE("a log that cannot be shipped is told and tried again, and changes nothing else") {
  ShipScene scene;
  scene.problems = 4;
  scene.world.want(shipping("1.0", 1));
  REQUIRE(scene.reports("1.0@1", [](const NodeReport& report) { return !report.log_problem.empty(); }));
  const auto told = scene.report("1.0@1");
  CHECK(told->log_problem == "s3://logs: nobody answers");
  CHECK(told->status == NodeStatus::kSuccess);
  CHECK(told->log.empty());
  REQUIRE(scene.reports("1.0@1", [&](const NodeReport& report) { return report.log == scene.place; }));
  NodeReport want = *told;
  want.log_problem.clear();
  want.log = scene.place;
  want.updated = scene.report("1.0@1")->updated;
  CHECK(*scene.report("1.0@1") == want);
  CHECK(scene.asked.size() == 5);
  CHECK(scene.world.all_run("1.0@1"));
}

TEST_CASE("an agent that died before it had shipped or told does so when it comes back") {
  ShipScene scene;
  bool silent = true;
  scene.node.on_ship = [&](const EndedLog& log, NodeHands::Shipped done) {
    scene.asked.push_back(log);
    if (!silent) done(scene.place);
  };
  scene.world.want(shipping("1.0", 1));
  REQUIRE(scene.world.run_until([&] { return !scene.asked.empty(); }, minutes(10)));
  const auto ended = scene.report("1.0@1");
  scene.world.kill("n1");
  // W-A5: as if its last word had not come through either.
  NodeReport open = *ended;
  open.end.reset();
  open.status = NodeStatus::kInProgress;
  open.last_completed_stage.clear();
  open.stage = "await";
  open.reason.clear();
  scene.world.put_kv(report_at("1.0@1"), to_text(to_json(open)));
  silent = false;
  scene.world.revive("n1");
  REQUIRE(scene.reports("1.0@1", [&](const NodeReport& report) { return report.log == scene.place && report.end; }));
  NodeReport want = *ended;
  want.reason.clear();
  want.log = scene.place;
  want.updated = scene.report("1.0@1")->updated;
  CHECK(*scene.report("1.0@1") == want);
  CHECK(scene.node.told.size() == 1);
  CHECK(scene.asked.front() == scene.asked.back());
}

TEST_CASE("W-A18: a last word that Consul does not take is said again until it does, and then no more") {
  using Kind = Fault::Kind;
  for (const Kind kind : {Kind::kFailBefore, Kind::kFailAfter, Kind::kStatus}) {
    CAPTURE(static_cast<int>(kind));
    DeployWorld world;
    bool spoiled = false;
    int taken = 0;
    world.spoil = [&](std::uint64_t, const HttpRequest& request) {
      Fault fault;
      const bool report = request.method == "PUT" && request.target.find("/deployments/") != std::string::npos;
      if (report && spoiled) fault.kind = kind;
      if (report && !spoiled) ++taken;
      return fault;
    };
    MadeUpNode& node = world.add("n1");
    // From the last stage on.
    node.on_work = [&](const Work& work, bool) { spoiled |= work.stage == Stage::kStart; };
    std::vector<EndedLog> asked;
    node.on_ship = [&](const EndedLog& log, NodeHands::Shipped done) {
      asked.push_back(log);
      done(std::string("/logs/one"));
    };
    world.want(shipping("1.0", 1));
    REQUIRE(world.run_until([&] { return !node.memory().outcomes.empty(); }, minutes(10)));
    world.run_until([] { return false; }, minutes(5));
    CHECK(asked.empty());  // the report stands first
    spoiled = false;
    taken = 0;
    REQUIRE(world.run_until([&] { return node.told.size() == 1; }, minutes(1)));
    world.run_until([] { return false; }, minutes(5));
    CHECK(taken == 2);  // the end, and where the log lies
    CHECK(asked.size() == 1);
    const auto pair = world.wait<Answer<std::optional<KvPair>>>(
        [&](auto done) { world.client.kv_get(report_at("1.0@1"), {}, std::move(done)); });
    REQUIRE_OK(pair);
    REQUIRE(pair->value.has_value());
    const auto report = parse<NodeReport>(pair->value->value, "report");
    REQUIRE_OK(report);
    CHECK(report->status == NodeStatus::kSuccess);
    CHECK(report->end.has_value());
    CHECK(report->log == "/logs/one");
  }
}

TEST_CASE("a report that is collected or unreadable meanwhile is left as it is") {
  for (const bool unreadable : {false, true}) {
    ShipScene scene;
    NodeHands::Shipped answer;
    scene.node.on_ship = [&](const EndedLog&, NodeHands::Shipped done) { answer = std::move(done); };
    scene.world.want(shipping("1.0", 1));
    REQUIRE(scene.world.run_until([&] { return answer != nullptr; }, minutes(10)));
    if (unreadable) {
      scene.world.put_kv(report_at("1.0@1"), "{");
    } else {
      CHECK(scene.world.wait<bool>([&](auto done) { scene.world.client.kv_delete(report_at("1.0@1"), {}, {}, done); })
                .ok());
    }
    answer(scene.place);
    CHECK(scene.world.run_until([&] { return scene.node.told.size() == 1; }, minutes(1)));
    const auto pair = scene.world.wait<Answer<std::optional<KvPair>>>(
        [&](auto done) { scene.world.client.kv_get(report_at("1.0@1"), {}, std::move(done)); });
    REQUIRE_OK(pair);
    CHECK(pair->value.has_value() == unreadable);
    if (unreadable) CHECK(pair->value->value == "{");
  }
}

}  // namespace
}  // namespace convergence::test
