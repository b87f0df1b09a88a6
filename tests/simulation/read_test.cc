#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::World;

TEST_CASE("the catalog is read whole: nodes, their checks, instances, entries") {
  World world;
  world.add_api();
  const CatalogState catalog = world.catalog();
  CHECK(catalog.datacenter == "dc1");
  CHECK(catalog.index > 0);
  CHECK(catalog.index <= world.consul.state().index);
  CHECK(catalog.nodes.size() == 5);  // the embedded server's own too
  REQUIRE(catalog.services.contains("api"));
  const ServiceState& api = *catalog.services.at("api");
  REQUIRE(api.instances.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(api.instances[i].instance.node == fmt::format("n{}", i + 1));
    REQUIRE(api.instances[i].checks.size() == 1);
    CHECK(api.instances[i].checks[0].id == "api:up");
  }
  CHECK(catalog.entries.size() == 3);
  CHECK(std::get<ServiceDefaults>(catalog.entries.at({"service-defaults", "api"})->body).protocol == "http");
}

TEST_CASE("only the services that were named") {
  World world;
  world.add_api();
  world.add_instance("n1", "web", "1");
  const absl::StatusOr<CatalogState> catalog = world.wait<CatalogState>([&](auto done) {
    read_catalog(world.client, {"web", "nowhere"}, {}, done);
  });
  REQUIRE_OK(catalog);
  CHECK(catalog->services.size() == 1);
  CHECK(catalog->services.contains("web"));
  CHECK(catalog->nodes.size() == 5);
}

TEST_CASE("many services are read a few at a time") {
  World world;
  world.add_node("n1");
  for (int i = 0; i < 60; ++i) world.add_instance("n1", fmt::format("s{:02}", i), "1");
  int open = 0;
  int most = 0;
  ConsulClient& client = world.new_client([&](std::uint64_t, const HttpRequest&) {
    most = std::max(most, ++open);
    world.executor.post_at(world.executor.now() + std::chrono::milliseconds(5), [&] { --open; });
    Fault fault;
    fault.kind = Fault::Kind::kDelay;
    fault.delay = std::chrono::milliseconds(5);
    return fault;
  });
  const absl::StatusOr<CatalogState> catalog =
      world.wait<CatalogState>([&](auto done) { read_catalog(client, {}, {}, done); });
  REQUIRE_OK(catalog);
  CHECK(catalog->services.size() >= 60);
  CHECK(most <= 16);
  CHECK(most > 8);
}

TEST_CASE("a read that fails is an error, with the reads that were under way left alone") {
  World world;
  world.add_api();
  ConsulClient& client = world.new_client([&](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (request.target.starts_with("/v1/health/service/api")) {
      fault.kind = Fault::Kind::kStatus;
      fault.status = 403;
      fault.body = "Permission denied";
    }
    return fault;
  });
  CHECK_ERROR(world.wait<CatalogState>([&](auto done) { read_catalog(client, {}, {}, done); }), ErrorKind::kDenied,
              "Permission denied");
}

TEST_CASE("desired documents are read beside the rollouts, broken ones by name") {
  World world;
  world.put_kv("convergence/rollouts/api", "no desired document");
  DesiredState desired;
  DesiredService service;
  service.name = "web";
  service.release.version = "1";
  service.placement.role = "front";
  service.release.port = 80;
  desired.services = {service};
  for (const KvPair& pair : desired_to_kv(desired, "convergence")) world.put_kv(pair.key, pair.value);
  world.put_kv("convergence/config/service-defaults/api", "{");
  world.put_kv("elsewhere/desired/x", "{");
  const absl::StatusOr<Answer<DesiredRead>> read =
      world.wait<Answer<DesiredRead>>([&](auto done) { read_desired(world.client, "convergence", {}, done); });
  REQUIRE_OK(read);
  REQUIRE(read->value.desired.services.size() == 1);
  CHECK(read->value.desired.services[0].name == "web");
  REQUIRE(read->value.broken.size() == 1);
  CHECK_ERROR(read->value.broken[0], ErrorKind::kDecode, "convergence/config/service-defaults/api");
  CHECK(read->index > 0);
}

TEST_CASE("nothing desired is an empty state") {
  World world;
  const absl::StatusOr<Answer<DesiredRead>> read =
      world.wait<Answer<DesiredRead>>([&](auto done) { read_desired(world.client, "convergence", {}, done); });
  REQUIRE_OK(read);
  CHECK(read->value.desired == DesiredState{});
}

}  // namespace
}  // namespace convergence
