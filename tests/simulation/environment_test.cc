// An environment of Environment Manager on the embedded Consul: read within bounds, written once.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/environment_driver.h"
#include "convergence/error.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

const EnvironmentRole kWebRole = {"pr1", "Web"};
const std::string kOverall = "deployments/d-1/overall_status";

class EnvironmentWorld : public World {
 public:
  void put_node(const std::string& name, const std::string& environment = "pr1", bool lost = false) {
    Json body;
    body.set("Node", name).set("Address", "10.0.0.1");
    body.set("NodeMeta", Json().set("role", "Web").set("environment", environment));
    if (lost) body.set("Check", Json().set("CheckID", "serfHealth").set("Name", "s").set("Status", "critical"));
    REQUIRE_OK(wait<bool>([&](auto done) {
      client.catalog_register(body, {}, [done](const absl::Status& status) {
        if (status.ok()) return done(true);
        done(status);
      });
    }));
  }
  // Of i-<name>, as nodes are called there whose instances have another name.
  void put_node_report(const std::string& name, NodeStatus status, const std::string& deployment = "d-1") {
    NodeReport report;
    report.status = status;
    report.node = name;
    put_kv(node_report_key(deployment, "i-" + name), to_text(to_json(report)));
  }
  void put_service(const std::string& name, const std::string& version, const std::string& deployment) {
    put_kv(fmt::format("environments/pr1/roles/Web/services/{}/none", name),
           fmt::format(R"({{"Version":"{}","DeploymentId":"{}"}})", version, deployment));
    const std::string below = fmt::format("environments/pr1/services/{}/{}/", name, version);
    put_kv(below + "definition", R"({"Service":{"Ports":{"blue":1,"green":1}}})");
    put_kv(below + "installation", R"({"PackageBucket":"b","PackageKey":"k"})");
    put_kv(fmt::format("deployments/{}/service", deployment),
           fmt::format(R"({{"Name":"{}","Version":"{}","ServerRole":"Web","Environment":"pr1"}})", name, version));
  }
  std::string text_at(const std::string& key) {
    const auto pair = wait<Answer<std::optional<KvPair>>>([&](auto done) { client.kv_get(key, {}, std::move(done)); });
    REQUIRE_OK(pair);
    return pair->value ? pair->value->value : "(none)";
  }
  std::string settled(ConsulClient& by) {
    const auto status =
        wait<std::string>([&](auto done) { settle_overall_status(by, kWebRole, "d-1", std::move(done)); });
    return status.ok() ? *status : status.status().ToString();
  }
  absl::StatusOr<EnvironmentSeen> seen(DeploymentScope scope, ConsulClient& by) {
    return wait<EnvironmentSeen>(
        [&](auto done) { read_environment(by, "pr1", "convergence", scope, {}, std::move(done)); });
  }
};

TEST_CASE("W-S12, W-S28: of many who see the end of a deployment one writes it, once") {
  EnvironmentWorld world;
  for (const char* name : {"n1", "n2"}) world.put_node(name);
  world.put_node("gone", "pr1", true);
  world.put_node("other", "pr2");
  CHECK(world.settled(world.client) == "");  // nobody keeps one
  world.put_kv(kOverall, "In Progress");
  CHECK(world.settled(world.client) == "In Progress");
  world.put_node_report("n1", NodeStatus::kFailed);
  world.put_node_report("n2", NodeStatus::kInProgress);
  CHECK(world.settled(world.client) == "In Progress");
  world.put_node_report("n2", NodeStatus::kSuccess);
  int writes = 0;
  std::vector<std::string> answers;
  for (int i = 0; i < 10; ++i) {
    ConsulClient& one = world.new_client([&writes](std::uint64_t, const HttpRequest& request) {
      if (request.method == "PUT") ++writes;
      return Fault();
    });
    settle_overall_status(one, kWebRole, "d-1", [&](const absl::StatusOr<std::string>& status) {
      answers.push_back(status.ok() ? *status : status.status().ToString());
    });
  }
  REQUIRE(world.run_until([&] { return answers.size() == 10; }));
  CHECK(answers == std::vector<std::string>(10, "Failed"));
  CHECK(writes > 1);  // all but one in vain
  CHECK(world.text_at(kOverall) == "Failed");
  // What has ended stays as it ended.
  world.put_node_report("n1", NodeStatus::kSuccess);
  CHECK(world.settled(world.client) == "Failed");
}

TEST_CASE("W-S28: one that was taken back meanwhile stays so") {
  EnvironmentWorld world;
  world.put_kv(kOverall, "In Progress");
  // Nobody is there, so it is good; right before that is written somebody takes it back.
  ConsulClient::KvPut taken_back;
  taken_back.key = kOverall;
  taken_back.value = "Cancelled";
  ConsulClient& late = world.new_client([&world, &taken_back](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (request.method == "PUT") {
      world.client.kv_put(taken_back, {}, [](const absl::StatusOr<bool>&) {});
    }
    return fault;
  });
  CHECK(world.settled(late) == "Cancelled");
  CHECK(world.text_at(kOverall) == "Cancelled");
}

TEST_CASE("W-S27: what is wanted is read without the history, however long it is") {
  EnvironmentWorld world;
  for (int i = 0; i < 70; ++i) {
    const std::string id = fmt::format("d-{:03}", i);
    world.put_service(fmt::format("s{:03}", i), "1", id);
    world.put_kv(fmt::format("deployments/{}/overall_status", id), "Success");
    world.put_node_report("n1", NodeStatus::kSuccess, id);
  }
  world.put_kv("deployments/old/service", R"({"Name":"s000","Version":"0","ServerRole":"Web","Environment":"pr1"})");
  std::vector<std::string> requests;
  ConsulClient& counted = world.new_client([&](std::uint64_t, const HttpRequest& request) {
    if (request.target.starts_with("/v1/kv/") || request.target.starts_with("/v1/txn")) {
      requests.push_back(request.target.substr(0, request.target.find('?')));
    }
    return Fault();
  });
  const auto wanted = world.seen(DeploymentScope::kWanted, counted);
  REQUIRE_OK(wanted);
  CHECK(wanted->fleets.services.size() == 70);
  CHECK(wanted->fleets.deployments.size() == 70);
  CHECK(wanted->fleets.broken.empty());
  CHECK(reports_of(wanted->fleets, wanted->fleets.services[0]).contains("n1"));
  std::ranges::sort(requests);
  CHECK(requests ==
        std::vector<std::string>{"/v1/kv/convergence/locks/", "/v1/kv/environments/pr1/", "/v1/txn", "/v1/txn"});
  const auto all = world.seen(DeploymentScope::kAll, world.client);
  REQUIRE_OK(all);
  CHECK(all->fleets.deployments.size() == 71);
}

TEST_CASE("F35, W-S1: a deployment is written whole, or not at all where it is locked or somebody was faster") {
  EnvironmentWorld world;
  world.put_service("Shop", "1", "d-0");
  const auto seen = world.seen(DeploymentScope::kAll, world.client);
  REQUIRE_OK(seen);
  EnvironmentOrder order;
  order.service = *environment_release(seen->kv, kWebRole, seen->fleets.services.at(0), "2", "d-1");
  order.service.release.package.source = "s3://b/k2";
  order.role = kWebRole;
  const auto write = deploy_environment(order, seen->kv);
  REQUIRE_OK(write);
  const auto do_it = [&] {
    absl::Status out;
    bool ended = false;
    write_environment(world.client, *write, kWebRole, "convergence", HeldByLocks::kYes, [&](absl::Status status) {
      out = std::move(status);
      ended = true;
    });
    REQUIRE(world.run_until([&] { return ended; }));
    return out;
  };
  world.put_kv("convergence/locks/roles/Web", "{}");
  CHECK_ERROR(do_it(), ErrorKind::kRefused, "pr1/Web: deployments are locked (roles/Web); see converge lock");
  CHECK(world.text_at(kOverall) == "(none)");
  world.client.kv_delete("convergence/locks/roles/Web", {}, {}, [](const absl::StatusOr<bool>&) {});
  world.put_service("Shop", "1", "d-9");
  CHECK_ERROR(do_it(), ErrorKind::kConflict, "pr1/Web: its keys have changed meanwhile");
  CHECK(world.text_at(kOverall) == "(none)");
  CHECK(world.text_at("environments/pr1/services/Shop/2/definition") == "(none)");
}

}  // namespace
}  // namespace convergence::test
