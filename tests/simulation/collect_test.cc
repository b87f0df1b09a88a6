// Collecting on the embedded Consul: others write meanwhile, the server fails, it ends half-way.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/fleet_driver.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

const Time kCollectAt{std::chrono::hours(24 * 1000)};

std::string old_report() {
  NodeReport report;
  report.start = Time{std::chrono::hours(24)};
  report.end = report.start;
  return to_text(to_json(report));
}

std::vector<std::string> keys(World& world, const std::string& prefix) {
  const auto pairs =
      world.wait<Answer<std::vector<KvPair>>>([&](auto done) { world.client.kv_recurse(prefix, {}, std::move(done)); });
  REQUIRE_OK(pairs);
  std::vector<std::string> out;
  for (const KvPair& pair : pairs->value) out.push_back(pair.key);
  return out;
}

absl::StatusOr<Collected> collect(World& world, ConsulClient& client, const CollectOptions& options) {
  return world.wait<Collected>(
      [&](auto done) { collect_ended(client, "convergence", options, kCollectAt, std::move(done)); });
}

std::vector<std::string> names(const Collected& collected) {
  std::vector<std::string> out;
  for (const CollectUnit& unit : collected.plan.goes) out.push_back(unit.name);
  return out;
}

CollectOptions of_pr1() {
  CollectOptions options;
  options.environment = "pr1";
  return options;
}

void add_theirs(World& world) {
  world.put_kv("environments/pr1/roles/Web/services/Shop/none", R"({"Version":"2","DeploymentId":"d2"})");
  world.put_kv("environments/pr1/services/Shop/1/definition", "{}");
  world.put_kv("environments/pr1/services/Shop/1/installation", "{}");
  world.put_kv("deployments/d1/nodes/i-1", old_report());
  world.put_kv("deployments/d1/service", R"({"Name":"Shop","Version":"1","Environment":"pr1"})");
}

// Before the first transaction is sent, another hand writes.
World::Decide meanwhile(World& world, const std::string& key, const std::string& value) {
  return [&world, key, value, written = false](std::uint64_t, const HttpRequest& request) mutable {
    if (!written && request.target.find("/v1/txn") != std::string::npos) {
      written = true;
      ConsulClient::KvPut put;
      put.key = key;
      put.value = value;
      world.client.kv_put(put, {}, [](const absl::StatusOr<bool>&) {});
    }
    return Fault();
  };
}

TEST_CASE("W-S15: what ended goes, and nothing else; a second look finds nothing") {
  World world;
  add_theirs(world);
  world.put_kv("environments/pr10/services/Shop/1/definition", "{}");
  world.put_kv("deployments/d10/nodes/i-1", old_report());
  const auto seen = keys(world, "");
  CollectOptions look = of_pr1();
  look.dry_run = true;
  const auto dry = collect(world, world.client, look);
  REQUIRE_OK(dry);
  CHECK(names(*dry) == std::vector<std::string>{"Shop 1", "d1"});
  CHECK(dry->keys == 0);
  CHECK(keys(world, "") == seen);

  const auto done = collect(world, world.client, of_pr1());
  REQUIRE_OK(done);
  CHECK(done->plan == dry->plan);
  CHECK(done->keys == 4);
  CHECK(done->changed == std::vector<std::string>{});
  CHECK(keys(world, "") == std::vector<std::string>{"deployments/d10/nodes/i-1",
                                                    "environments/pr1/roles/Web/services/Shop/none",
                                                    "environments/pr10/services/Shop/1/definition"});
  const auto again = collect(world, world.client, of_pr1());
  REQUIRE_OK(again);
  CHECK(again->plan.goes == std::vector<CollectUnit>{});
}

TEST_CASE("W-S16: a version to which somebody points meanwhile stays whole") {
  for (const char* key : {"environments/pr1/roles/Web/services/Shop/none", "environments/pr1/roles/Web/services/Shop",
                          "environments/pr1/roles/Web/services/Shop/blue"}) {
    CAPTURE(key);
    World world;
    add_theirs(world);
    ConsulClient& client = world.new_client(meanwhile(world, key, R"({"Version":"1","DeploymentId":"d3"})"));
    const auto done = collect(world, client, of_pr1());
    REQUIRE_OK(done);
    CHECK(done->changed == std::vector<std::string>{"Shop 1"});
    CHECK(done->keys == 2);  // of the deployment that ended
    CHECK(keys(world, "environments/pr1/services/").size() == 2);
    CHECK(keys(world, "deployments/").empty());
  }
}

TEST_CASE("a report that changes meanwhile stays, and the others of its transaction go") {
  World world;
  for (const char* deployment : {"1", "2", "3"}) {
    world.put_kv(fmt::format("convergence/deployments/web/shop/{}/nodes/n1", deployment), old_report());
  }
  const std::string changed = "convergence/deployments/web/shop/2/nodes/n1";
  ConsulClient& client = world.new_client(meanwhile(world, changed, "{}"));
  const auto done = collect(world, client, {});
  REQUIRE_OK(done);
  CHECK(done->changed == std::vector<std::string>{"web/shop 2"});
  CHECK(done->keys == 2);
  CHECK(keys(world, "") == std::vector<std::string>{changed});
}

TEST_CASE("it can end before and after each transaction, and is taken up by the next") {
  for (const Fault::Kind kind : {Fault::Kind::kFailBefore, Fault::Kind::kFailAfter}) {
    for (int at = 0; at < 5; ++at) {
      CAPTURE(at);
      World world;
      for (int node = 0; node < 150; ++node) {
        world.put_kv(fmt::format("convergence/deployments/web/shop/1/nodes/n{}", node), old_report());
      }
      ConsulClient& client = world.new_client([kind, at, count = 0](std::uint64_t, const HttpRequest& request) mutable {
        Fault fault;
        if (request.target.find("/v1/txn") != std::string::npos && count++ == at) fault.kind = kind;
        return fault;
      });
      const auto first = collect(world, client, {});
      const bool ended = at < 4;  // whether all may be seen, then 64, 64 and 22
      CHECK(first.ok() == !ended);
      const int batches = std::max(0, at - 1 + (kind == Fault::Kind::kFailAfter ? 1 : 0));
      const std::size_t gone = std::min<std::size_t>(150, 64 * static_cast<std::size_t>(batches));
      CHECK(keys(world, "").size() == (ended ? 150 - gone : 0));
      REQUIRE_OK(collect(world, world.client, {}));
      CHECK(keys(world, "").empty());
    }
  }
}

TEST_CASE("what cannot be read deletes nothing") {
  World world;
  add_theirs(world);
  const auto seen = keys(world, "");
  for (const char* path : {"/v1/kv/environments/", "/v1/kv/deployments/", "/v1/catalog/"}) {
    CAPTURE(path);
    ConsulClient& client = world.new_client([path](std::uint64_t, const HttpRequest& request) {
      Fault fault;
      if (request.target.find(path) != std::string::npos) {
        fault.kind = Fault::Kind::kStatus;
        fault.status = 403;
      }
      return fault;
    });
    CHECK(error_kind(collect(world, client, of_pr1()).status()) == ErrorKind::kDenied);
    CHECK(keys(world, "") == seen);
  }
}

}  // namespace
}  // namespace convergence::test
