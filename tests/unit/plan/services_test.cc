// Plans for instances, and what binds them to entries, compared whole as people read them.

#include <string>
#include <vector>

#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::after_plan;
using test::catalog_of;
using test::entry;
using test::ours;
using test::service;
using test::set_checks;

CheckDefinition http_check(std::string name) {
  CheckDefinition check;
  check.name = std::move(name);
  check.http = "http://127.0.0.1:80/health";
  check.interval = std::chrono::seconds(90);
  return check;
}

DesiredState desired_of(std::vector<DesiredService> services, std::vector<ConfigEntry> entries = {}) {
  DesiredState desired;
  desired.services = std::move(services);
  desired.entries = std::move(entries);
  return desired;
}

Plan plan_of(const DesiredState& desired, const CatalogState& catalog, const PlanOptions& options = {}) {
  auto plan = converge(desired, catalog, options);
  REQUIRE_OK(plan);
  return *std::move(plan);
}

std::string text_of(const DesiredState& desired, const CatalogState& catalog, const PlanOptions& options = {}) {
  return describe(plan_of(desired, catalog, options));
}

PlanOptions pruning() {
  PlanOptions options;
  options.prune = true;
  return options;
}

// The catalog once these services run and all their checks pass.
CatalogState running(CatalogState catalog, const std::vector<DesiredService>& services) {
  const Plan plan = plan_of(desired_of(services), catalog);  // before the catalog moves
  catalog = after_plan(std::move(catalog), plan);
  set_checks(catalog, CheckStatus::kPassing);
  return catalog;
}

TEST_CASE("a registration carries marks, meta and checks, and one service at a time is changed on a node") {
  const CatalogState catalog = catalog_of({{"n1", "web"}, {"n2", "web"}, {"n3", "db"}});
  DesiredService web = service("web", "1.0", "web", Slice::kBlue);
  web.release.tags = {"http"};
  web.release.meta["team"] = "a";
  web.release.checks = {http_check("health")};
  const Plan plan = plan_of(desired_of({web, service("api", "2.0")}), catalog);

  Plan expected;
  expected.catalog_index = catalog.index;
  auto add = [&](const std::string& node, const std::string& id, const std::string& name, const std::string& version,
                 std::vector<std::string> needs) {
    Step step;
    step.id = "register-service:" + node + "/" + id;
    step.action = Action::kRegisterService;
    step.instance = {node, id};
    step.service = name;
    step.reason = Reason::kMissing;
    step.why = name + " " + version + " is wanted on " + node + " (role web) and not there";
    step.needs = std::move(needs);
    ServiceRegistration body;
    body.instance.node = node;
    body.instance.id = id;
    body.instance.service = name;
    body.instance.port = 80;
    body.instance.meta = {{"managed-by", "convergence"}, {"role", "web"}, {"version", version}};
    if (name == "web") {
      body.instance.tags = {"http"};
      body.instance.meta["team"] = "a";
      body.instance.meta["slice"] = "blue";
      HealthCheck check;
      check.node = node;
      check.id = "web-blue:health";
      check.name = "health";
      check.status = CheckStatus::kCritical;
      check.notes = "managed-by=convergence";
      check.service_id = "web-blue";
      check.service_name = "web";
      check.service_tags = {"http"};
      check.type = "http";
      check.definition = *parse_json(R"({"Interval":"1m30s","HTTP":"http://127.0.0.1:80/health"})", "definition");
      body.checks.push_back(check);
    }
    step.body = body;
    expected.steps.push_back(step);
  };
  add("n1", "api", "api", "2.0", {});
  add("n2", "api", "api", "2.0", {});
  add("n1", "web-blue", "web", "1.0", {"register-service:n1/api"});
  add("n2", "web-blue", "web", "1.0", {"register-service:n2/api"});
  CHECK(plan == expected);
}

TEST_CASE("plans for services") {
  const CatalogState empty = catalog_of({{"n1", "web"}, {"n2", "web"}});
  DesiredService web = service("web", "1.0");
  web.release.checks = {http_check("health")};
  const CatalogState catalog = running(empty, {web});
  struct Row {
    const char* name;
    std::vector<DesiredService> services;
    PlanOptions options;
    std::string expected;
  };
  DesiredService other_port = web;
  other_port.release.port = 81;
  other_port.release.tags = {"x"};
  other_port.release.meta["team"] = "b";
  DesiredService other_check = web;
  other_check.release.checks = {http_check("alive")};
  DesiredService on_one = web;
  on_one.placement.nodes = {"n2"};
  DesiredService nowhere = service("db", "1.0", "db");
  nowhere.placement.node_meta["zone"] = "b";
  const Row rows[] = {
      {"nothing to do", {web}, {}, "nothing to do\n"},
      {"another version",
       {service("web", "1.1")},
       {},
       "1. change-service n1/web [version] n1 runs web 1.0, wanted is 1.1\n"
       "2. change-service n2/web [version] n2 runs web 1.0, wanted is 1.1\n"},
      {"another definition",
       {other_port},
       {},
       "1. change-service n1/web [definition] n1/web differs: port 80 -> 81; tags none -> x; meta team\n"
       "2. change-service n2/web [definition] n2/web differs: port 80 -> 81; tags none -> x; meta team\n"},
      {"another check",
       {other_check},
       {},
       "1. change-service n1/web [definition] n1/web differs: check web:alive; check web:health not wanted\n"
       "2. change-service n2/web [definition] n2/web differs: check web:alive; check web:health not wanted\n"},
      {"not pruned",
       {on_one},
       {},
       "held remove-service:n1/web [not-pruned] n1/web (web 1.0) is ours and not wanted; it is removed only when "
       "pruning\n"},
      {"pruned",
       {on_one},
       pruning(),
       "1. remove-service n1/web [not-wanted] n1/web (web 1.0) is ours and not wanted\n"},
      {"no node",
       {web, nowhere},
       {},
       "held register-service:db/db/none [no-node] db 1.0 is wanted where no node is (role db, zone b; 2 nodes are "
       "known)\n"},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) { CHECK(text_of(desired_of(row.services), catalog, row.options) == row.expected); }
  }
}

TEST_CASE("a service that names its id and its registration is registered so") {
  DesiredService web = service("web", "1.0", "web");
  web.id = "pr1-web";
  web.registered_name = "pr1-web";
  const Plan plan = plan_of(desired_of({web}), catalog_of({{"n1", "web"}}));
  REQUIRE(plan.steps.size() == 1);
  CHECK(plan.steps[0].id == "register-service:n1/pr1-web");
  CHECK(plan.steps[0].service == "pr1-web");
  const auto* body = std::get_if<ServiceRegistration>(&plan.steps[0].body);
  REQUIRE(body != nullptr);
  CHECK(body->instance.id == "pr1-web");
  CHECK(body->instance.service == "pr1-web");
}

TEST_CASE("a change keeps the status of checks and what the document does not speak of") {
  DesiredService web = service("web", "1.0");
  web.release.checks = {http_check("health")};
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), {web});
  ServiceState state = *catalog.services.at("web");
  state.instances[0].instance.address = "10.1.1.1";
  state.instances[0].instance.weights = {5, 1};
  HealthCheck foreign;
  foreign.id = "watch";
  foreign.status = CheckStatus::kWarning;
  state.instances[0].checks.push_back(foreign);
  catalog.services["web"] = state;

  web.release.version = "2.0";
  catalog = after_plan(catalog, plan_of(desired_of({web}), catalog));
  const InstanceState* there = find_instance(catalog, "web", {"n1", "web"});
  REQUIRE(there);
  CHECK(there->instance.address == "10.1.1.1");
  CHECK(there->instance.weights == ServiceWeights{5, 1});
  CHECK(there->instance.meta.at("version") == "2.0");
  REQUIRE(there->checks.size() == 2);
  CHECK(there->checks[0].id == "watch");
  CHECK(there->checks[0].status == CheckStatus::kWarning);
  CHECK(there->checks[1].id == "web:health");
  CHECK(there->checks[1].status == CheckStatus::kPassing);
}

TEST_CASE("instances of others are left alone") {
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), {service("web", "1.0")});
  ServiceState state = *catalog.services.at("web");
  state.instances[0].instance.meta.erase("managed-by");
  catalog.services["web"] = state;
  CHECK(text_of(desired_of({service("web", "2.0")}), catalog) ==
        "held change-service:n1/web [foreign] n1 runs web 1.0, wanted is 2.0; it carries no mark and is changed only "
        "when "
        "taking over\n");
  CHECK(text_of(desired_of({}), catalog, pruning()) == "nothing to do\n");
  PlanOptions take;
  take.take_foreign = true;
  CHECK(text_of(desired_of({service("web", "2.0")}), catalog, take) ==
        "1. change-service n1/web [version] n1 runs web 1.0, wanted is 2.0\n");
}

TEST_CASE("a service id that another service has is taken over as a whole") {
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), {service("web", "1.0")});
  ServiceState state = *catalog.services.at("web");
  state.name = state.instances[0].instance.service = "old";
  catalog.services = {{"old", state}};
  const Plan plan = plan_of(desired_of({service("web", "1.0")}), catalog);
  CHECK(describe(plan) == "1. change-service n1/web [definition] n1/web differs: service old -> web\n");
  catalog = after_plan(catalog, plan);
  CHECK(catalog.services.size() == 1);
  CHECK(find_instance(catalog, "web", {"n1", "web"}) != nullptr);
}

// ---- instances and entries together

ConfigEntry http(const std::string& name) {
  return entry(R"({"Kind":"service-defaults","Name":")" + name + R"(","Protocol":"http"})");
}

ConfigEntry subsets() {
  return entry(
      R"({"Kind":"service-resolver","Name":"api","DefaultSubset":"v1","Subsets":{"v1":{"Filter":"Service.Meta.version == \"1.0\""},"v2":{"Filter":"Service.Meta.version == \"2.0\""}}})");
}

ConfigEntry split(int first, int second) {
  return entry(R"({"Kind":"service-splitter","Name":"api","Splits":[{"Weight":)" + std::to_string(first) +
               R"(,"ServiceSubset":"v1"},{"Weight":)" + std::to_string(second) + R"(,"ServiceSubset":"v2"}]})");
}

std::vector<ConfigEntry> canary_entries(int first, int second) {
  return {http("api"), subsets(), split(first, second)};
}

std::vector<DesiredService> blue_and_green(const std::string& blue, const std::string& green) {
  DesiredService first = service("api", blue, "web", Slice::kBlue);
  DesiredService second = service("api", green, "web", Slice::kGreen);
  first.release.checks = {http_check("health")};
  second.release.checks = {http_check("health")};
  second.release.port = 81;
  return {first, second};
}

TEST_CASE("an entry waits for the instances that it sends traffic to") {
  const std::vector<DesiredService> services = blue_and_green("1.0", "2.0");
  const CatalogState empty = catalog_of({{"n1", "web"}});
  const DesiredState desired = desired_of(services, canary_entries(90, 10));

  // Nothing passes yet: instances come, and what sends no traffic by itself.
  const Plan first = plan_of(desired, empty);
  CHECK(describe(first) ==
        "1. register-service n1/api-blue [missing] api 1.0 is wanted on n1 (role web) and not there\n"
        "2. register-service n1/api-green [missing] api 2.0 is wanted on n1 (role web) and not there\n"
        "3. put-entry service-defaults/api [missing] service-defaults/api is wanted and absent\n"
        "held put-entry:service-resolver/api [no-instance] service-resolver/api waits: it gives traffic to "
        "v1.api.default.dc1, where no instance passes its checks\n"
        "held put-entry:service-splitter/api [no-instance] service-splitter/api waits: it gives traffic to "
        "v1.api.default.dc1, v2.api.default.dc1, where no instance passes its checks\n");

  CatalogState catalog = after_plan(empty, first);
  CHECK(plan_of(desired, catalog).steps.empty());
  set_checks(catalog, CheckStatus::kPassing);
  const Plan second = plan_of(desired, catalog);
  CHECK(describe(second) ==
        "1. put-entry service-resolver/api [missing] service-resolver/api is wanted and absent\n"
        "2. put-entry service-splitter/api [missing] service-splitter/api is wanted and absent\n");
  CHECK(text_of(desired, after_plan(catalog, second)) == "nothing to do\n");
}

TEST_CASE("what is sent nowhere already is not held, new weight is") {
  const std::vector<DesiredService> services = blue_and_green("1.0", "2.0");
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), services);
  catalog = after_plan(catalog, plan_of(desired_of(services, canary_entries(90, 10)), catalog));
  set_checks(catalog, CheckStatus::kCritical);
  CHECK(text_of(desired_of(services, canary_entries(80, 20)), catalog) ==
        "1. put-entry service-splitter/api [content] service-splitter/api differs: v1 90%, v2 10% -> v1 80%, v2 20%\n");
  CHECK(text_of(desired_of(services, canary_entries(100, 0)), catalog) ==
        "1. put-entry service-splitter/api [content] service-splitter/api differs: v1 90%, v2 10% -> v1 100%, v2 0%\n");
}

TEST_CASE("entries that speak of services nobody knows here are not held") {
  const CatalogState empty = catalog_of({{"n1", "web"}});
  CHECK(text_of(desired_of({}, {http("api"), subsets(), split(50, 50)}), empty) ==
        "1. put-entry service-defaults/api [missing] service-defaults/api is wanted and absent\n"
        "2. put-entry service-resolver/api [missing] service-resolver/api is wanted and absent\n"
        "3. put-entry service-splitter/api [missing] service-splitter/api is wanted and absent\n");
}

TEST_CASE("instances without checks pass at once, so that entries follow in the same plan and need them") {
  const CatalogState empty = catalog_of({{"n1", "web"}});
  const Plan plan = plan_of(desired_of({service("api", "1.0")}, canary_entries(100, 0)), empty);
  CHECK(describe(plan) ==
        "1. register-service n1/api [missing] api 1.0 is wanted on n1 (role web) and not there\n"
        "2. put-entry service-defaults/api [missing] service-defaults/api is wanted and absent\n"
        "3. put-entry service-resolver/api [missing] service-resolver/api is wanted and absent\n"
        "4. put-entry service-splitter/api [missing] service-splitter/api is wanted and absent\n");
  CHECK(plan.steps[1].needs == std::vector<std::string>{"register-service:n1/api"});
}

TEST_CASE("an instance goes when no entry sends traffic to it any more") {
  const std::vector<DesiredService> both = blue_and_green("1.0", "2.0");
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), both);
  catalog = after_plan(catalog, plan_of(desired_of(both, canary_entries(90, 10)), catalog));
  // Only green is wanted, and the splitter is to send everything there.
  const Plan plan = plan_of(desired_of({both[1]}, canary_entries(0, 100)), catalog, pruning());
  CHECK(describe(plan) ==
        "1. put-entry service-splitter/api [content] service-splitter/api differs: v1 90%, v2 10% -> v1 0%, v2 100%\n"
        "2. remove-service n1/api-blue [not-wanted] n1/api-blue (api 1.0) is ours and not wanted\n");
  CHECK(plan.steps[1].needs == std::vector<std::string>{"put-entry:service-splitter/api"});
  // While the splitter keeps sending, it stays.
  CHECK(text_of(desired_of({both[1]}, canary_entries(90, 10)), catalog, pruning()) ==
        "held remove-service:n1/api-blue [no-instance] n1/api-blue (api 1.0) is ours and not wanted; it waits: "
        "v1.api.default.dc1 gets traffic and would be left without a passing instance\n");
}

TEST_CASE("the last instance of a version that gets traffic is changed after the traffic has moved") {
  const CatalogState empty = catalog_of({{"n1", "web"}, {"n2", "web"}});
  CatalogState catalog = running(empty, {service("api", "1.0")});
  catalog = after_plan(catalog, plan_of(desired_of({service("api", "1.0")}, canary_entries(100, 0)), catalog));
  const DesiredState desired = desired_of({service("api", "2.0")}, canary_entries(0, 100));
  const Plan plan = plan_of(desired, catalog);
  CHECK(describe(plan) ==
        "1. change-service n1/api [version] n1 runs api 1.0, wanted is 2.0\n"
        "2. put-entry service-splitter/api [content] service-splitter/api differs: v1 100%, v2 0% -> v1 0%, v2 100%\n"
        "3. change-service n2/api [version] n2 runs api 1.0, wanted is 2.0\n");
  CHECK(plan.steps[1].needs == std::vector<std::string>{"change-service:n1/api"});
  CHECK(plan.steps[2].needs == std::vector<std::string>{"put-entry:service-splitter/api", "change-service:n1/api"});
  CHECK(text_of(desired, after_plan(catalog, plan)) == "nothing to do\n");
}

// ---- undo, previews

TEST_CASE("undo takes back services and entries, each written from the index that the step produced") {
  const std::vector<DesiredService> both = blue_and_green("1.0", "2.0");
  CatalogState catalog = running(catalog_of({{"n1", "web"}}), both);
  catalog = after_plan(catalog, plan_of(desired_of(both, canary_entries(90, 10)), catalog));
  const Plan plan = plan_of(desired_of({both[1]}, canary_entries(0, 100)), catalog, pruning());
  const Plan back = undo(plan);
  CHECK(describe(back) ==
        "1. register-service n1/api-blue [missing] takes back remove-service:n1/api-blue\n"
        "2. put-entry service-splitter/api [content] takes back put-entry:service-splitter/api\n");
  CHECK(back.steps[0].cas_index == 0);
  CHECK(back.steps[0].cas_from.empty());
  CHECK(back.steps[1].needs == std::vector<std::string>{"register-service:n1/api-blue"});
  CHECK(back.steps[1].cas_from == "put-entry:service-splitter/api");
  const CatalogState restored = after_plan(after_plan(catalog, plan), back);
  CHECK(same_content(*restored.entries.at({"service-splitter", "api"}),
                     *catalog.entries.at({"service-splitter", "api"})));
  CHECK(find_instance(restored, "api", {"n1", "api-blue"})->checks.front().status == CheckStatus::kPassing);
}

TEST_CASE("after_step refuses what the server would refuse") {
  const CatalogState catalog = running(catalog_of({{"n1", "web"}}), {service("web", "1.0")});
  Plan plan = plan_of(desired_of({service("web", "2.0")}, {http("web")}), catalog);
  REQUIRE(plan.steps.size() == 2);
  Step stale = plan.steps[0];
  stale.cas_index -= 1;
  CHECK_ERROR(after_step(catalog, stale), ErrorKind::kConflict, "step change-service:n1/web: decided on index");
  Step nowhere = plan.steps[0];
  nowhere.instance.node = "n9";
  CHECK_ERROR(after_step(catalog, nowhere), ErrorKind::kRefused, "there is no node n9");
  Step empty = plan.steps[0];
  empty.body = {};
  CHECK_ERROR(after_step(catalog, empty), ErrorKind::kUsage, "has not the body");
  Step again = plan.steps[1];
  CatalogState with = *after_step(catalog, again);
  CHECK_ERROR(after_step(with, again), ErrorKind::kConflict, "decided on index 0");
  CHECK(with.index == catalog.index + 1);
  Step graph;
  graph.id = "x";
  graph.action = Action::kPutEntry;
  graph.entry = {"service-splitter", "db"};
  graph.body = entry(R"({"Kind":"service-splitter","Name":"db","Splits":[{"Weight":100}]})");
  CHECK_ERROR(after_step(catalog, graph), ErrorKind::kGraph, "does not permit advanced routing");
}

TEST_CASE("a desired state that contradicts itself is refused") {
  const CatalogState catalog = catalog_of({{"n1", "web"}});
  CHECK_ERROR(converge(desired_of({service("web", "1"), service("web", "2")}), catalog), ErrorKind::kValidate, "twice");
  CHECK_ERROR(converge(desired_of({service("we/b", "1")}), catalog), ErrorKind::kValidate, "slash");
}

TEST_CASE("a filter over nodes narrows a placement, and one that nodes cannot be asked is refused with the service") {
  CatalogState catalog = catalog_of({{"n1", "web"}, {"n2", "web"}});
  NodeState n2 = *catalog.nodes.at("n2");
  n2.node.meta["zone"] = "b";
  catalog.nodes["n2"] = std::move(n2);
  DesiredService web = service("web", "1.0");
  web.placement.filter = "Meta.zone != b";
  CHECK(describe(plan_of(desired_of({web}), catalog)) ==
        "1. register-service n1/web [missing] web 1.0 is wanted on n1 (role web) and not there\n");
  web.placement.filter = "Service.Meta.zone == b";
  CHECK(converge(desired_of({web}), catalog).status().message() ==
        "desired service web/web/none: placement.filter: Failed to create boolean expression evaluator: "
        "Selector \"Service\" is not valid");
}

TEST_CASE("what has a package is left to the agents, and not pruned") {
  DesiredService web = service("web", "1.0");
  const CatalogState catalog = running(catalog_of({{"n1", "web"}}), {web});
  web.release.version = "2.0";
  web.release.package.source = "file:///web-2.0.zip";
  const Plan plan = plan_of(desired_of({web}), catalog, pruning());
  CHECK(plan.steps.empty());
  CHECK(plan.held == std::vector<Held>{{"register-service:web/web/none", Reason::kAgent,
                                        "web 2.0 is deployed by the agents of its nodes (install)"}});
}

}  // namespace
}  // namespace convergence
