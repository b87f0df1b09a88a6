#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::World;

ConfigEntry defaults(const std::string& name, const std::string& protocol) {
  absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(
      R"({"Kind":"service-defaults","Name":")" + name + R"(","Protocol":")" + protocol + "\"}", "entry");
  REQUIRE_OK(entry);
  return *std::move(entry);
}

Step put(std::string id, ConfigEntry entry, std::uint64_t cas, std::vector<std::string> needs = {}) {
  Step step;
  step.id = std::move(id);
  step.action = Action::kPutEntry;
  step.entry = entry_key(entry);
  step.body = std::move(entry);
  step.cas_index = cas;
  step.needs = std::move(needs);
  return step;
}

Step remove(std::string id, EntryId entry, std::uint64_t cas) {
  Step step;
  step.id = std::move(id);
  step.action = Action::kDeleteEntry;
  step.entry = std::move(entry);
  step.cas_index = cas;
  return step;
}

// id and outcome of each step
std::vector<std::string> outcomes(const ApplyReport& report) {
  std::vector<std::string> out;
  for (const StepReport& step : report.steps) out.push_back(step.step + " " + std::string(to_string(step.outcome)));
  return out;
}

using Lines = std::vector<std::string>;

ApplyReport apply(World& world, ConsulClient& client, std::vector<Step> steps) {
  Plan plan;
  plan.steps = std::move(steps);
  Lines told;
  const absl::StatusOr<ApplyReport> report = world.wait<ApplyReport>([&](auto done) {
    apply_plan(
        client, plan,
        [&](const StepReport& step) { told.push_back(step.step + " " + std::string(to_string(step.outcome))); }, done);
  });
  REQUIRE_OK(report);
  CHECK(told == outcomes(*report));
  return *report;
}

std::uint64_t index_of(World& world, const std::string& name) {
  const std::optional<ConfigEntry> entry = world.entry(kServiceDefaults, name);
  return entry ? entry->modify_index : 0;
}

TEST_CASE("an empty plan is done, and not inside the call") {
  World world;
  bool inside = true;
  bool done = false;
  apply_plan(world.client, {}, nullptr, [&](absl::StatusOr<ApplyReport> report) {
    CHECK_FALSE(inside);
    REQUIRE_OK(report);
    CHECK(report->steps.empty());
    done = true;
  });
  inside = false;
  world.executor.run_ready();
  CHECK(done);
}

TEST_CASE("a lost race skips what needs it and does the rest") {
  World world;
  world.put_entry(R"({"Kind":"service-defaults","Name":"a","Protocol":"tcp"})");
  const ApplyReport report = apply(world, world.client,
                                   {put("a", defaults("a", "http"), 0), put("b", defaults("b", "http"), 0, {"a"}),
                                    put("c", defaults("c", "http"), 0, {"b"}), put("d", defaults("d", "http"), 0),
                                    remove("e", {"service-defaults", "a"}, 1)});
  CHECK(report.conflict);
  CHECK(outcomes(report) == Lines{"a conflict", "b skipped", "c skipped", "d done", "e conflict"});
  CHECK_ERROR(report.steps[0].status, ErrorKind::kConflict, "a: changed since it was read; read again and plan anew");
  CHECK_ERROR(report.steps[1].status, ErrorKind::kConflict, "b: needs a, which was not done");
  CHECK(std::get<ServiceDefaults>(world.entry(kServiceDefaults, "a")->body).protocol == "tcp");
  CHECK(index_of(world, "b") == 0);
  CHECK(index_of(world, "d") != 0);
}

TEST_CASE("a refused step keeps the server's text; the rest is done") {
  World world;
  absl::StatusOr<ConfigEntry> splitter =
      parse<ConfigEntry>(R"({"Kind":"service-splitter","Name":"a","Splits":[{"Weight":100}]})", "entry");
  REQUIRE_OK(splitter);
  const ApplyReport report = apply(world, world.client, {put("s", *splitter, 0), put("d", defaults("d", "http"), 0)});
  CHECK_FALSE(report.conflict);
  CHECK(outcomes(report) == Lines{"s failed", "d done"});
  CHECK(std::string(report.steps[0].status.message()).find("does not permit advanced routing") != std::string::npos);
}

TEST_CASE("a step continues with the index that an earlier one left") {
  World world;
  Step second = put("second", defaults("a", "grpc"), 0, {"first"});
  second.cas_from = "first";
  Step third = remove("third", {"service-defaults", "a"}, 0);
  third.cas_from = "second";
  const ApplyReport report = apply(world, world.client, {put("first", defaults("a", "http"), 0), second, third});
  CHECK(outcomes(report) == Lines{"first done", "second done", "third done"});
  CHECK(index_of(world, "a") == 0);
}

TEST_CASE("what another wrote in between is not taken for ours") {
  World world;
  Step second = put("second", defaults("a", "grpc"), 0, {"first"});
  second.cas_from = "first";
  bool meddled = false;
  ConsulClient& client = world.new_client([&](std::uint64_t, const HttpRequest& request) {
    // Before the index of the first step is read again.
    if (!meddled && request.method == "GET") {
      meddled = true;
      world.client.config_put(defaults("a", "http2"), std::nullopt, {},
                              [](absl::StatusOr<bool> put) { CHECK_OK(put); });
    }
    return Fault{};
  });
  const ApplyReport report = apply(world, client, {put("first", defaults("a", "http"), 0), second});
  CHECK(outcomes(report) == Lines{"first done", "second skipped"});
  CHECK(std::get<ServiceDefaults>(world.entry(kServiceDefaults, "a")->body).protocol == "http2");
}

TEST_CASE("a write whose answer is lost is looked for, not repeated") {
  using Kind = Fault::Kind;
  struct Case {
    const char* name;
    Kind kind;
    const char* outcome;
  };
  const Case cases[] = {{"it arrived", Kind::kFailAfter, "done"},
                        {"its answer was cut", Kind::kCutBody, "done"},
                        {"its answer was garbage", Kind::kGarbage, "done"},
                        {"it did not arrive", Kind::kFailBefore, "failed"}};
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      World world;
      world.add_node("n1");
      world.put_entry(R"({"Kind":"service-defaults","Name":"gone","Protocol":"tcp"})");
      int writes = 0;
      ConsulClient& client = world.new_client([&](std::uint64_t, const HttpRequest& request) {
        Fault fault;
        if (request.method == "GET") return fault;
        ++writes;
        fault.kind = c.kind;
        fault.body = "<html>";
        return fault;
      });
      Step registration;
      registration.id = "r";
      registration.action = Action::kRegisterService;
      registration.instance = {"n1", "api"};
      registration.service = "api";
      ServiceRegistration body;
      body.instance.node = "n1";
      body.instance.id = body.instance.service = "api";
      body.instance.port = 80;
      HealthCheck check;
      check.node = "n1";
      check.id = "api:up";
      check.name = "up";
      check.service_id = check.service_name = "api";
      body.checks = {check};
      registration.body = body;
      const ApplyReport report = apply(world, client,
                                       {registration, put("p", defaults("a", "http"), 0),
                                        remove("d", {"service-defaults", "gone"}, index_of(world, "gone"))});
      const std::string outcome = c.outcome;
      CHECK(outcomes(report) == Lines{"r " + outcome, "p " + outcome, "d " + outcome});
      CHECK(writes == 3);
      CHECK_FALSE(report.conflict);
      const bool arrived = c.kind != Kind::kFailBefore;
      CHECK((find_instance(world.catalog(), "api", {"n1", "api"}) != nullptr) == arrived);
      CHECK((index_of(world, "a") != 0) == arrived);
      CHECK((index_of(world, "gone") == 0) == arrived);
    }
  }
}

TEST_CASE("an instance's checks come and go with it") {
  World world;
  world.add_node("n1");
  world.add_instance("n1", "api", "1.0");
  const CatalogState before = world.catalog();
  const InstanceState& there = *find_instance(before, "api", {"n1", "api"});
  Step step;
  step.id = "change";
  step.action = Action::kChangeService;
  step.instance = {"n1", "api"};
  step.service = "api";
  step.cas_index = there.instance.modify_index;
  ServiceRegistration body{there.instance, there.checks, {}};
  step.before = body;
  body.instance.meta["version"] = "2.0";
  body.checks[0].id = "api:alive";
  body.remove_checks = {"api:up"};
  step.body = body;
  SUBCASE("as it was read") {
    CHECK(outcomes(apply(world, world.client, {step})) == Lines{"change done"});
    const CatalogState after = world.catalog();
    const InstanceState& now = *find_instance(after, "api", {"n1", "api"});
    CHECK(now.instance.meta.at("version") == "2.0");
    REQUIRE(now.checks.size() == 1);
    CHECK(now.checks[0].id == "api:alive");
    CHECK(now.checks[0].status == CheckStatus::kPassing);
    Step removal;
    removal.id = "remove";
    removal.action = Action::kRemoveService;
    removal.instance = step.instance;
    removal.service = "api";
    removal.cas_index = now.instance.modify_index;
    CHECK(outcomes(apply(world, world.client, {removal})) == Lines{"remove done"});
    CHECK(find_instance(world.catalog(), "api", {"n1", "api"}) == nullptr);
  }
  SUBCASE("its check has failed since: nothing of it is written") {
    world.add_instance("n1", "api", "1.0", CheckStatus::kCritical);
    const ApplyReport report = apply(world, world.client, {step});
    CHECK(outcomes(report) == Lines{"change conflict"});
    const CatalogState after = world.catalog();
    const InstanceState& now = *find_instance(after, "api", {"n1", "api"});
    CHECK(now.instance.meta.at("version") == "1.0");
    CHECK(now.checks[0].status == CheckStatus::kCritical);
  }
  SUBCASE("its node is gone") {
    const Json what(Json::Object{{"Node", Json("n1")}});
    REQUIRE_OK(await_done(world.executor, [&](auto done) { world.client.catalog_deregister(what, {}, done); }));
    CHECK_FALSE(apply(world, world.client, {step}).steps[0].outcome == StepOutcome::kDone);
  }
}

}  // namespace
}  // namespace convergence
