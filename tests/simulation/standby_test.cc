// A node in cold standby on an embedded Consul and simulated time.

#include "convergence/standby.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kStandbyKey = cold_standby_key("i-1");

// One node's standby, with what it told.
struct Scene {
  explicit Scene(World::Decide decide = nullptr) : client(world.new_client(std::move(decide))) { begin(); }

  void begin(StandbyOptions options = {}) {
    if (options.key.empty()) options.key = kStandbyKey;
    options.on_change = [this](const std::string& reason) { told.push_back("reason: " + reason); };
    options.on_problem = [this](const absl::Status& problem) {
      told.push_back(fmt::format("problem: {}", to_string(error_kind(problem))));
    };
    standby = std::make_unique<Standby>(client, options);
    standby->run();
  }
  void stop() {
    CHECK_OK(await_done(world.executor, [&](auto done) { standby->stop(done); }));
    standby.reset();
  }
  // "passing: in service: ..." of the check as the local agent has it; "" for none.
  std::string check() {
    using Checks = std::map<std::string, HealthCheck>;
    const auto checks = world.wait<Checks>([&](auto done) { world.client.agent_checks({}, done); });
    REQUIRE(checks.ok());
    const auto found = checks->find("convergence-standby");
    if (found == checks->end()) return "";
    CHECK(found->second.service_id.empty());  // of the node: all its services share it
    return fmt::format("{}: {}", to_string(found->second.status), found->second.output);
  }
  // Within a tenth of a second: long before anything is said again by the clock.
  bool soon(const std::string& wanted) {
    return world.run_until([&] { return check() == wanted; }, milliseconds(100));
  }

  World world;
  ConsulClient& client;
  std::unique_ptr<Standby> standby;
  std::vector<std::string> told;
};

const std::string kInService = "passing: in service: nodes/i-1/cold-standby says nothing";
const std::string kInStandby = "critical: In Maintenance (nodes/i-1/cold-standby)";

TEST_CASE("the check follows the key at once: absent, a reason, white space, empty, deleted") {
  Scene scene;
  CHECK(scene.soon(kInService));
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  CHECK(scene.soon(kInStandby));
  scene.world.put_kv(kStandbyKey, " \n");
  CHECK(scene.soon(kInService));
  scene.world.put_kv(kStandbyKey, "\tIn Maintenance\n");
  CHECK(scene.soon(kInStandby));
  scene.world.put_kv(kStandbyKey, "");
  CHECK(scene.soon(kInService));
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  CHECK(scene.soon(kInStandby));
  CHECK(scene.world.wait<bool>([&](auto done) { scene.client.kv_delete(kStandbyKey, {}, {}, done); }).ok());
  CHECK(scene.soon(kInService));
  const std::string on = "reason: In Maintenance";
  CHECK(scene.told == std::vector<std::string>{"reason: ", on, "reason: ", on, "reason: ", on, "reason: "});
}

TEST_CASE("a reason that is no text for people is made one") {
  Scene scene;
  scene.world.put_kv(kStandbyKey, "a\xff");
  CHECK(scene.soon("critical: a\xEF\xBF\xBD (nodes/i-1/cold-standby)"));
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "\xE2\x82\xAC";
  scene.world.put_kv(kStandbyKey, euros);
  CHECK(scene.soon(fmt::format("critical: {} (nodes/i-1/cold-standby)", euros.substr(0, 510))));
}

TEST_CASE("without a key of its own it is the one of the local node") {
  Scene scene;
  scene.stop();
  scene.standby = nullptr;
  StandbyOptions options;
  options.prefix = "ours";
  options.on_change = [&](const std::string& reason) { scene.told.push_back(reason); };
  const auto self = scene.world.wait<Json>([&](auto done) { scene.client.agent_self(done); });
  REQUIRE(self.ok());
  const std::string key =
      fmt::format("ours/nodes/{}/maintenance", *self->find("Config")->find("NodeName")->as_string());
  scene.standby = std::make_unique<Standby>(scene.client, options);
  scene.standby->run();
  CHECK(scene.soon(fmt::format("passing: in service: {} says nothing", key)));
  scene.world.put_kv(key, "new disk");
  CHECK(scene.soon(fmt::format("critical: new disk ({})", key)));
}

TEST_CASE("W-A33: the check never ends by itself while the process lives, whatever its ttl") {
  for (const Duration ttl : {Duration(seconds(20)), Duration(hours(1))}) {
    Scene scene;
    scene.stop();
    StandbyOptions options;
    options.ttl = ttl;
    options.refresh = seconds(5);
    scene.begin(options);
    CHECK(scene.soon(kInService));
    for (int i = 0; i < 3600; ++i) {
      scene.world.executor.advance(seconds(3));
      REQUIRE(scene.check() == kInService);
    }
  }
}

TEST_CASE("a process that is gone leaves the check as it is for its ttl") {
  Scene scene;
  CHECK(scene.soon(kInService));
  scene.standby.reset();
  scene.world.executor.advance(minutes(59));
  CHECK(scene.check() == kInService);
  scene.world.executor.advance(minutes(2));
  CHECK(scene.check().starts_with("critical: TTL expired"));
  scene.begin();
  CHECK(scene.soon(kInService));
}

TEST_CASE("one that is stopped leaves no check behind, but for a node in standby") {
  Scene scene;
  CHECK(scene.soon(kInService));
  scene.stop();
  CHECK(scene.check() == "");
  scene.begin();
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  CHECK(scene.soon(kInStandby));
  scene.stop();
  CHECK(scene.check() == kInStandby);
  // Stopped while its first word is under way: that one is not left behind either.
  scene.world.put_kv(kStandbyKey, "");
  scene.begin();
  scene.world.run_until([&] { return scene.told.back() == "reason: "; });
  scene.stop();
  CHECK(scene.check() == "");
}

TEST_CASE("a node that comes up in standby is at no time in service") {
  std::vector<std::string> said;
  Scene scene([&](std::uint64_t, const HttpRequest& request) {
    if (request.target.starts_with("/v1/agent/check/")) said.push_back(request.body);
    return Fault();
  });
  CHECK(scene.soon(kInService));
  scene.stop();
  said.clear();
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  scene.begin();
  CHECK(scene.soon(kInStandby));
  REQUIRE(said.size() == 2);
  for (const std::string& body : said) CHECK(body.find("\"Status\":\"critical\"") != std::string::npos);
}

TEST_CASE("a check that the local agent has forgotten is told to it again") {
  Scene scene;
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  CHECK(scene.soon(kInStandby));
  CHECK_OK(await_done(scene.world.executor,
                      [&](auto done) { scene.world.client.agent_check_deregister("convergence-standby", done); }));
  CHECK(scene.check() == "");
  scene.world.executor.advance(seconds(16));
  CHECK(scene.check() == kInStandby);
  CHECK(scene.told == std::vector<std::string>{"reason: In Maintenance"});
}

TEST_CASE("W-A19: a check that may not be registered is told once, and tried again") {
  bool denied = true;
  Scene scene([&](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (denied && request.target.starts_with("/v1/agent/check/")) {
      fault.kind = Fault::Kind::kStatus;
      fault.status = 403;
      fault.body = "Permission denied";
    }
    return fault;
  });
  scene.world.executor.advance(hours(1));
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  scene.world.executor.advance(hours(1));
  CHECK(scene.check() == "");
  CHECK(scene.told == std::vector<std::string>{"reason: ", "problem: denied", "reason: In Maintenance"});
  denied = false;
  scene.world.executor.advance(seconds(16));
  CHECK(scene.check() == kInStandby);
  denied = true;
  scene.world.executor.advance(seconds(16));
  CHECK(scene.told.back() == "problem: denied");  // another outage
}

TEST_CASE("while the key cannot be read the node stays what it was") {
  bool broken = false;
  Scene scene([&](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (broken && request.target.starts_with("/v1/kv/")) fault.kind = Fault::Kind::kStatus;
    return fault;
  });
  scene.world.put_kv(kStandbyKey, "In Maintenance");
  CHECK(scene.soon(kInStandby));
  broken = true;
  scene.world.executor.advance(hours(3));
  CHECK(scene.check() == kInStandby);
  CHECK(scene.told == std::vector<std::string>{"reason: In Maintenance", "problem: server"});
  scene.world.put_kv(kStandbyKey, "");
  broken = false;
  scene.world.executor.advance(seconds(10));
  CHECK(scene.check() == kInService);
}

TEST_CASE("a local agent that is away is waited for") {
  bool away = true;
  Scene scene([&](std::uint64_t, const HttpRequest&) {
    Fault fault;
    if (away) fault.kind = Fault::Kind::kFailBefore;
    return fault;
  });
  scene.standby = nullptr;
  scene.told.clear();
  StandbyOptions options;
  options.on_problem = [&](const absl::Status& problem) { scene.told.push_back(std::string(problem.message())); };
  scene.standby = std::make_unique<Standby>(scene.client, options);
  scene.standby->run();
  scene.world.executor.advance(minutes(10));
  REQUIRE(scene.told.size() == 1);
  CHECK(scene.told[0].starts_with("standby: the local agent: "));
  away = false;
  scene.world.executor.advance(seconds(20));
  CHECK(scene.check().starts_with("passing: in service: convergence/nodes/"));
}

}  // namespace
}  // namespace convergence::test
