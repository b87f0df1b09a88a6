#include "lib/driver/service_txn.h"

#include "convergence/json.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

ServiceRegistration registration() {
  ServiceRegistration out;
  out.instance.node = "n1";
  out.instance.id = "api";
  out.instance.service = "api";
  out.instance.port = 80;
  out.instance.meta = {{"version", "2"}};
  HealthCheck check;
  check.node = "n1";
  check.id = "api:up";
  check.name = "up";
  check.service_id = "api";
  check.service_name = "api";
  out.checks = {check};
  return out;
}

Step step_of(StepBody body) {
  Step step;
  step.id = "s";
  step.action = Action::kChangeService;
  step.instance = {"n1", "api"};
  step.service = "api";
  step.body = std::move(body);
  return step;
}

// kind, verb, node, id, index
std::string line(const TxnOperation& operation) {
  const Json::Member& only = operation.operation.as_object()->front();
  const Json& thing = *only.value.find(only.name);
  std::string out = only.name + " " + *only.value.find("Verb")->as_string();
  const Json* node = only.value.find("Node") ? only.value.find("Node") : thing.find("Node");
  const Json* id = thing.find("ID") ? thing.find("ID") : thing.find("CheckID");
  const Json* index = thing.find("ModifyIndex");
  out += " " + *node->as_string() + " " + *id->as_string();
  return out + " " + (index ? index->as_number()->text : "-");
}

std::vector<std::string> lines(const Step& step, std::uint64_t cas) {
  std::vector<std::string> out;
  for (const TxnOperation& operation : service_operations(step, cas)) out.push_back(line(operation));
  return out;
}

TEST_CASE("an instance and its checks are one transaction") {
  using Lines = std::vector<std::string>;
  const ServiceRegistration wanted = registration();
  CHECK(lines(step_of(wanted), 0) == Lines{"Service cas n1 api 0", "Check cas n1 api:up 0"});
}

// A status that somebody found out in the meantime must not be overwritten by the one that was read.
TEST_CASE("checks that were there are compared with what was read") {
  using Lines = std::vector<std::string>;
  ServiceRegistration before = registration();
  before.checks[0].modify_index = 9;
  before.checks.push_back(before.checks[0]);
  before.checks[1].id = "old";
  before.checks[1].modify_index = 8;
  ServiceRegistration wanted = registration();
  wanted.checks.push_back(wanted.checks[0]);
  wanted.checks[1].id = "new";
  wanted.remove_checks = {"old"};
  Step step = step_of(wanted);
  step.before = before;
  CHECK(lines(step, 17) ==
        Lines{"Service cas n1 api 17", "Check cas n1 api:up 9", "Check cas n1 new 0", "Check delete-cas n1 old 8"});
  // After an earlier step of ours their indexes are others; the service's, which that step left behind, guards them.
  step.cas_from = "earlier";
  CHECK(lines(step, 18) ==
        Lines{"Service cas n1 api 18", "Check set n1 api:up 0", "Check set n1 new 0", "Check delete n1 old 0"});
}

TEST_CASE("a removal names what it removes, and its index") {
  Step step = step_of({});
  step.action = Action::kRemoveService;
  const std::vector<TxnOperation> operations = service_operations(step, 17);
  REQUIRE(operations.size() == 1);
  CHECK(to_text(operations[0].operation) ==
        R"({"Service":{"Verb":"delete-cas","Node":"n1","Service":{"ID":"api","Service":"api","ModifyIndex":17}}})");
}

TEST_CASE("only a stale index is a lost race") {
  CHECK_FALSE(lost_race({}));
  CHECK(lost_race({{0, "failed to set service \"n1/api\", index is stale"}}));
  CHECK_FALSE(lost_race({{0, "Missing node registration"}}));
  CHECK_FALSE(lost_race({{0, "index is stale"}, {1, "Missing node registration"}}));
}

TEST_CASE("a registration is known again by what was asked for") {
  struct Case {
    const char* name;
    void (*change)(HealthRow&);
    bool same;
  };
  const Case cases[] = {
      {"as written", [](HealthRow&) {}, true},
      {"the check has been run", [](HealthRow& r) { r.checks[0].status = CheckStatus::kPassing; }, true},
      {"indexes", [](HealthRow& r) { r.instance.modify_index = 5; }, true},
      {"the server's own members",
       [](HealthRow& r) {
         r.instance.unknown = {{"Connect", Json(Json::Object{})}};
       },
       true},
      {"a check of the node beside it", [](HealthRow& r) { r.checks.push_back(HealthCheck{}); }, true},
      {"another version", [](HealthRow& r) { r.instance.meta["version"] = "3"; }, false},
      {"another port", [](HealthRow& r) { r.instance.port = 81; }, false},
      {"another tag", [](HealthRow& r) { r.instance.tags = {"x"}; }, false},
      {"no check", [](HealthRow& r) { r.checks.clear(); }, false},
      {"a check by another name", [](HealthRow& r) { r.checks[0].name = "down"; }, false},
      {"the check that was to go", [](HealthRow& r) { r.checks.push_back(r.checks[0]), r.checks[1].id = "old"; },
       false},
  };
  ServiceRegistration wanted = registration();
  wanted.remove_checks = {"old"};
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      HealthRow row;
      row.node.name = "n1";
      row.instance = wanted.instance;
      row.checks = wanted.checks;
      c.change(row);
      CHECK(same_registration(wanted, row) == c.same);
    }
  }
}

}  // namespace
}  // namespace convergence
