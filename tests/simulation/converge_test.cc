#include <algorithm>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::World;

DesiredService service(std::string name, std::string version, std::string role) {
  DesiredService out;
  out.name = std::move(name);
  out.release.version = std::move(version);
  out.placement.role = std::move(role);
  out.release.port = 80;
  CheckDefinition check;
  check.name = "up";
  check.http = "http://127.0.0.1/up";
  check.interval = std::chrono::seconds(10);
  out.release.checks = {check};
  return out;
}

ConfigEntry entry(std::string_view json) {
  absl::StatusOr<ConfigEntry> parsed = parse<ConfigEntry>(json, "entry");
  REQUIRE_OK(parsed);
  return *std::move(parsed);
}

// Twelve nodes in two roles, web on six and api on the other six, api behind resolver and splitter.
DesiredState wanted(const std::string& api_version = "1.0") {
  DesiredState out;
  out.services = {service("api", api_version, "back"), service("web", "7", "front")};
  out.entries = {
      entry(R"({"Kind":"service-defaults","Name":"api","Protocol":"http"})"),
      entry(R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})"),
      entry(R"({"Kind":"service-resolver","Name":"api","DefaultSubset":"v1","Subsets":{)"
            R"("v1":{"Filter":"Service.Meta.version == \"1.0\""},"v2":{"Filter":"Service.Meta.version == \"2.0\""}}})"),
      entry(R"({"Kind":"service-splitter","Name":"api","Splits":[)"
            R"({"Weight":100,"ServiceSubset":"v1"},{"Weight":0,"ServiceSubset":"v2"}]})"),
      entry(R"({"Kind":"service-router","Name":"web","Routes":[)"
            R"({"Match":{"HTTP":{"PathPrefix":"/api/"}},"Destination":{"Service":"api"}}]})")};
  absl::StatusOr<DesiredState> normal = normalise(out);
  REQUIRE_OK(normal);
  return *std::move(normal);
}

struct Fleet {
  World world;

  Fleet() {
    for (int i = 1; i <= 12; ++i) world.add_node(fmt::format("node-{:02}", i), i <= 6 ? "front" : "back");
  }

  void want(const DesiredState& desired) {
    for (const KvPair& pair : desired_to_kv(desired, kDefaultPrefix)) world.put_kv(pair.key, pair.value);
  }

  absl::StatusOr<ConvergeReport> converge(ConsulClient& client, ConvergeOptions options = {}) {
    rounds.clear();
    return world.wait<ConvergeReport>([&](auto done) {
      converge_once(
          client, options, [this](const ConvergeProgress& progress) { rounds.push_back(progress); }, done);
    });
  }
  absl::StatusOr<ConvergeReport> converge(ConvergeOptions options = {}) { return converge(world.client, options); }

  // What an agent beside the instance would find out.
  void pass_all_checks() {
    const CatalogState catalog = world.catalog();
    for (const auto& [name, state] : catalog.services) {
      for (const InstanceState& instance : state->instances) {
        for (const HealthCheck& check : instance.checks) {
          const Json registration(Json::Object{{"Node", Json(check.node)},
                                               {"Address", Json("10.0.0.1")},
                                               {"SkipNodeUpdate", Json(true)},
                                               {"Check", Json(Json::Object{{"Node", Json(check.node)},
                                                                           {"CheckID", Json(check.id)},
                                                                           {"Name", Json(check.name)},
                                                                           {"Notes", Json(check.notes)},
                                                                           {"ServiceID", Json(check.service_id)},
                                                                           {"Definition", check.definition},
                                                                           {"Status", Json("passing")}})}});
          REQUIRE_OK(
              await_done(world.executor, [&](auto done) { world.client.catalog_register(registration, {}, done); }));
        }
      }
    }
  }

  // Instances by version, and the entries there are.
  std::string summary() {
    const CatalogState catalog = world.catalog();
    std::string out;
    for (const auto& [name, state] : catalog.services) {
      if (name == "consul") continue;
      std::map<std::string, int> versions;
      for (const InstanceState& instance : state->instances) ++versions[instance.instance.meta.at("version")];
      for (const auto& [version, count] : versions) out += fmt::format("{} {} x{}; ", name, version, count);
    }
    for (const auto& [id, one] : catalog.entries) out += fmt::format("{}/{} ", id.kind, id.name);
    return out;
  }

  std::vector<ConvergeProgress> rounds;
};

constexpr const char* kAll =
    "api 1.0 x6; web 7 x6; service-defaults/api service-defaults/web service-resolver/api service-router/web "
    "service-splitter/api ";

TEST_CASE("from nothing to what is wanted, and then there is nothing to do") {
  Fleet fleet;
  fleet.want(wanted());
  // The entries that send traffic to instances wait until one of these passes.
  absl::StatusOr<ConvergeReport> report = fleet.converge();
  REQUIRE_OK(report);
  CHECK(report->last_plan.steps.empty());
  CHECK(report->conflicts == 0);
  CHECK(report->broken.empty());
  fleet.pass_all_checks();
  report = fleet.converge();
  REQUIRE_OK(report);
  CHECK(report->last_plan.steps.empty());
  CHECK(report->last_plan.held.empty());
  CHECK(fleet.summary() == kAll);
  const std::uint64_t index = fleet.world.consul.state().index;
  report = fleet.converge();
  REQUIRE_OK(report);
  CHECK(report->rounds == 1);
  CHECK(report->steps_done == 0);
  CHECK(fleet.world.consul.state().index == index);  // not one write
}

TEST_CASE("progress tells each plan, then each of its steps") {
  Fleet fleet;
  fleet.want(wanted());
  const absl::StatusOr<ConvergeReport> report = fleet.converge();
  REQUIRE_OK(report);
  std::size_t steps = 0;
  std::int32_t round = 0;
  for (const ConvergeProgress& progress : fleet.rounds) {
    if (!progress.step) {
      CHECK(progress.round == ++round);
      CHECK(progress.done == 0);
      steps = 0;
      continue;
    }
    CHECK(progress.step->step == progress.plan.steps[steps].id);
    CHECK(progress.step->outcome == StepOutcome::kDone);
    CHECK(progress.done == ++steps);
  }
  CHECK(round == report->rounds);
}

TEST_CASE("a new version replaces the old one; what is not wanted goes only with prune") {
  Fleet fleet;
  fleet.want(wanted());
  REQUIRE_OK(fleet.converge());
  fleet.pass_all_checks();
  REQUIRE_OK(fleet.converge());
  DesiredState next = wanted();
  for (DesiredService& one : next.services) {
    if (one.name == "web") one.release.version = "8";
  }
  fleet.want(next);
  absl::StatusOr<ConvergeReport> report = fleet.converge();
  REQUIRE_OK(report);
  CHECK(report->steps_done == 6);
  CHECK(fleet.summary().starts_with("api 1.0 x6; web 8 x6; "));

  for (const KvPair& pair : desired_to_kv(next, kDefaultPrefix)) {
    if (pair.key.find("web") == std::string::npos) continue;
    REQUIRE_OK(
        fleet.world.wait<bool>([&](auto done) { fleet.world.client.kv_delete(pair.key, std::nullopt, {}, done); }));
  }
  report = fleet.converge();
  REQUIRE_OK(report);
  CHECK(report->last_plan.steps.empty());
  CHECK(!report->last_plan.held.empty());
  CHECK(fleet.summary().starts_with("api 1.0 x6; web 8 x6; "));
  ConvergeOptions prune;
  prune.plan.prune = true;
  report = fleet.converge(prune);
  REQUIRE_OK(report);
  CHECK(fleet.summary() == "api 1.0 x6; service-defaults/api service-resolver/api service-splitter/api ");
}

TEST_CASE("a broken document is reported; the others are done") {
  Fleet fleet;
  fleet.want(wanted());
  fleet.world.put_kv("convergence/desired/front/broken/none", "{\"schema\":1,");
  const absl::StatusOr<ConvergeReport> report = fleet.converge();
  REQUIRE_OK(report);
  REQUIRE(report->broken.size() == 1);
  CHECK_ERROR(report->broken[0], ErrorKind::kDecode, "convergence/desired/front/broken/none");
  CHECK(fleet.summary().starts_with("api 1.0 x6; web 7 x6; "));
}

TEST_CASE("somebody else writes between the plan and the step: read and planned again") {
  Fleet fleet;
  fleet.want(wanted());
  REQUIRE_OK(fleet.converge());
  fleet.pass_all_checks();
  REQUIRE_OK(fleet.converge());
  DesiredState next = wanted("1.0");
  for (DesiredService& one : next.services) {
    if (one.name == "web") one.release.port = 81;
  }
  fleet.want(next);
  // While the first step is on its way, another changes the instance of the second.
  bool meddled = false;
  ConsulClient& client = fleet.world.new_client([&](std::uint64_t, const HttpRequest& request) {
    if (!meddled && request.target.starts_with("/v1/txn")) {
      meddled = true;
      const Json registration(Json::Object{
          {"Node", Json("node-03")},
          {"Address", Json("10.0.0.1")},
          {"SkipNodeUpdate", Json(true)},
          {"Service", Json(Json::Object{{"ID", Json("web")}, {"Service", Json("web")}, {"Port", Json(99)}})}});
      fleet.world.client.catalog_register(registration, {}, [](absl::Status status) { CHECK_OK(status); });
    }
    return Fault{};
  });
  const absl::StatusOr<ConvergeReport> report = fleet.converge(client);
  REQUIRE_OK(report);
  CHECK(report->conflicts == 1);
  // What another took over carries no mark of ours any more: left alone, and said.
  const CatalogState catalog = fleet.world.catalog();
  CHECK(find_instance(catalog, "web", {"node-03", "web"})->instance.port == 99);
  CHECK(find_instance(catalog, "web", {"node-04", "web"})->instance.port == 81);
  CHECK(report->last_plan.steps.empty());
}

TEST_CASE("any one request may go wrong in any way, and it converges all the same") {
  using Kind = Fault::Kind;
  struct Way {
    const char* name;
    Kind kind;
  };
  const Way ways[] = {{"fails before", Kind::kFailBefore},
                      {"fails after", Kind::kFailAfter},
                      {"cut body", Kind::kCutBody},
                      {"garbage", Kind::kGarbage},
                      {"late", Kind::kDelay},
                      {"stalls", Kind::kStall}};
  for (const Way& way : ways) {
    SUBCASE(way.name) {
      std::uint64_t requests = 1;
      std::uint64_t index = 0;
      for (std::uint64_t bad = 0; bad <= requests; bad += bad < 30 ? 1 : 3) {
        Fleet fleet;
        fleet.want(wanted());
        std::string target;
        std::uint64_t count = 0;
        ConsulClient& client = fleet.world.new_client([&](std::uint64_t number, const HttpRequest& request) {
          count = number + 1;
          Fault fault;
          if (number != bad) return fault;
          target = request.method + " " + request.target;
          fault.kind = way.kind;
          fault.body = "<html>";
          fault.delay = std::chrono::seconds(5);
          return fault;
        });
        absl::StatusOr<ConvergeReport> report = fleet.converge(client);
        INFO("request ", bad, ": ", target);
        // A read that fails for good is an error; what was done until then stays, and the next call goes on.
        if (!report.ok()) report = fleet.converge(client);
        REQUIRE_OK(report);
        CHECK(report->last_plan.steps.empty());
        fleet.pass_all_checks();
        REQUIRE_OK(fleet.converge());
        CHECK(fleet.summary() == kAll);
        requests = count;
        // Nothing was written twice.
        if (index == 0) index = fleet.world.consul.state().index;
        CHECK(fleet.world.consul.state().index == index);
      }
      CHECK(requests > 25);
    }
  }
}

// The document says 100 to 0; the rollout has moved the weights. Converging must not fight it, nor forget its stamps.
TEST_CASE("converging in the middle of a rollout leaves the weights to it") {
  World world;
  world.add_api();
  const char* splitter = R"({"Kind":"service-splitter","Name":"api","Meta":{"owner":"ann"},"Splits":[)"
                         R"({"Weight":100,"ServiceSubset":"v1"},{"Weight":0,"ServiceSubset":"v2"}]})";
  world.put_kv("convergence/config/service-splitter/api", splitter);
  test::ScriptedMetrics metrics(test::all_good);
  RolloutDriver driver(world.new_client(), metrics, "api", {});
  std::optional<absl::StatusOr<CanaryState>> end;
  driver.start(test::api_policy(), test::api_start(),
               [&](absl::StatusOr<CanaryState> state) { end = std::move(state); });
  ConvergeOptions options;
  options.plan.take_foreign = true;
  std::vector<std::int32_t> weights;
  while (!end) {
    const absl::StatusOr<ConvergeReport> report =
        world.wait<ConvergeReport>([&](auto done) { converge_once(world.client, options, nullptr, done); });
    REQUIRE_OK(report);
    const std::int32_t weight = world.candidate_weight();
    if (weights.empty() || weights.back() != weight) weights.push_back(weight);
    world.executor.advance(std::chrono::seconds(1));
    REQUIRE(weights.size() < 10);
  }
  REQUIRE_OK(*end);
  CHECK((*end)->phase == CanaryPhase::kSucceeded);
  CHECK(test::decisions(**end).size() == 10);  // not one hold
  const absl::StatusOr<ConvergeReport> report =
      world.wait<ConvergeReport>([&](auto done) { converge_once(world.client, options, nullptr, done); });
  REQUIRE_OK(report);
  CHECK(world.candidate_weight() == 10000);
  CHECK(report->steps_done == 0);
}

}  // namespace
}  // namespace convergence
