// What people ask of deployments, and what they are told: tables of named cases, answers compared whole.

#include "convergence/operate.h"

#include <functional>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

const Time kNow{std::chrono::seconds(2000)};

// "1.0" is known to be good, 2.0 is wanted as generation 2.
DesiredService wanted(FleetPhase phase = FleetPhase::kRest) {
  DesiredService out = test::service("web", "2.0");
  out.generation = 2;
  out.last_good = Release();
  out.last_good->version = "1.0";
  out.last_good->deployment = "1.0@1";
  out.progress = {2, phase, Time{std::chrono::seconds(1000)}, {"n1"}, ""};
  return out;
}

TEST_CASE("deploy: the generation goes up with every change that is one") {
  const Release same = wanted().release;
  Release other = same;
  other.version = "3.0";
  struct Case {
    const char* name;
    DesiredService service;
    Release release;
    bool again;
    std::uint64_t want;  // generation
  };
  DesiredService off = wanted();
  off.action = DesiredAction::kIgnore;
  DesiredService fresh = test::service("web", "2.0");
  DesiredService behind = wanted();
  behind.progress.generation = 7;  // somebody took the document back by hand
  for (const Case& one : std::vector<Case>{
           {"another version", wanted(), other, false, 3},
           {"what is on its way", wanted(), same, false, 2},
           {"what is done", wanted(FleetPhase::kDone), same, false, 2},
           {"what is done, again (W-S14)", wanted(FleetPhase::kDone), same, true, 3},
           {"what was taken back", wanted(FleetPhase::kReverted), same, false, 3},
           {"what is switched off", off, same, false, 3},
           {"a new service", fresh, fresh.release, false, 1},
           {"never a generation that was used", behind, other, false, 8},
       }) {
    CAPTURE(one.name);
    DesiredService want = one.service;
    want.release = one.release;
    want.generation = one.want;
    want.action = DesiredAction::kInstall;
    CHECK(deploy(one.service, one.release, one.again) == want);
  }
}

TEST_CASE("cancel takes back what is on its way, and nothing else") {
  const Asked ann{"ann", "too slow", kNow};
  for (const FleetPhase phase : {FleetPhase::kFirstWave, FleetPhase::kBake, FleetPhase::kRest}) {
    CAPTURE(to_string(phase));
    DesiredService want = wanted();
    want.progress = {2, FleetPhase::kReverted, kNow, {"n1"}, "cancelled by ann: too slow"};
    const auto next = cancel(wanted(phase), ann);
    REQUIRE_OK(next);
    CHECK(*next == want);
    // W-S8: a node that comes now gets the last good release, not nothing.
    CHECK(target_on(*next, "n9", "").deployment == "1.0@1");
  }
  DesiredService unseen = wanted();
  unseen.progress.generation = 1;
  const auto next = cancel(unseen, {"", "", kNow});
  REQUIRE_OK(next);
  CHECK(next->progress == FleetProgress{2, FleetPhase::kReverted, kNow, {}, "cancelled by somebody"});
  for (const FleetPhase phase : {FleetPhase::kDone, FleetPhase::kReverted}) {
    const auto refused = cancel(wanted(phase), ann);
    CHECK(error_kind(refused.status()) == ErrorKind::kRefused);
    CHECK(std::string(refused.status().message()) ==
          "web: nothing is on its way: 2.0 is " + std::string(to_string(phase)));
  }
}

TEST_CASE("a lock holds those whom it names") {
  const std::vector<KvPair> pairs = {
      {.key = "p/locks/all", .value = R"({"schema":1,"by":"ann","reason":"freeze","at":5})"},
      {.key = "p/locks/nodes/n1", .value = "by hand"},
      {.key = "p/locks/roles/web", .value = "{}"},
      {.key = "q/locks/all", .value = "{}"}};
  const auto locks = locks_from_kv(pairs, "p");
  CHECK(locks == std::vector<DeployLock>{{"all", {"ann", "freeze", Time{std::chrono::nanoseconds(5)}}},
                                         {"nodes/n1", {"", "by hand", {}}},
                                         {"roles/web", {}}});
  CHECK(locked_for(locks, "web", "n1") == "all deployments are locked by ann: freeze");
  CHECK(locked_for({locks[1]}, "web", "n1") == "deployments on n1 are locked: by hand");
  CHECK(locked_for({locks[1]}, "web", "n2") == "");
  CHECK(locked_for({locks[2]}, "web", "n2") == "deployments of role web are locked");
  CHECK(locked_for({locks[2]}, "web-blue", "n2") == "");
  for (const char* scope : {"", "roles/", "nodes", "roles/a/b", "everything"}) {
    CAPTURE(scope);
    CHECK(error_kind(check_lock_scope(scope)) == ErrorKind::kValidate);
  }
}

// ---- how it stands -----------------------------------------------------------------------------------------------

void put(CatalogState& catalog, const std::string& node, const std::string& deployment, CheckStatus status) {
  ServiceState state = catalog.services.contains("web") ? *catalog.services["web"] : ServiceState{"web", {}};
  InstanceState& there = state.instances.emplace_back();
  there.instance.node = node;
  there.instance.id = there.instance.service = "web";
  there.instance.meta = {
      {"deployment", deployment}, {"version", deployment.substr(0, 3)}, {"managed-by", "convergence"}};
  HealthCheck& check = there.checks.emplace_back();
  check.id = "web:http";
  check.status = status;
  catalog.services["web"] = std::move(state);
}

CatalogState fleet() {
  CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "web"}, {"n3", "web"}, {"n4", "web"}, {"n5", "web"}});
  put(catalog, "n1", "2.0@2", CheckStatus::kPassing);
  put(catalog, "n2", "2.0@2", CheckStatus::kCritical);
  put(catalog, "n3", "1.0@1", CheckStatus::kPassing);
  put(catalog, "n4", "1.0@1", CheckStatus::kPassing);
  return catalog;
}

std::string text_of(const ServiceStatus& status) {
  std::string text = status.phase + (status.satisfied ? " satisfied" : " open");
  for (const NodeLine& line : status.nodes) {
    text += "\n" + line.node + " " + std::string(to_string(line.standing)) + " " + line.version + ": " + line.why;
  }
  return text;
}

TEST_CASE("each node of a service stands somewhere") {
  NodeReport failed;
  failed.status = NodeStatus::kFailed;
  failed.last_completed_stage = "start";
  failed.reason = "exit status 3";
  NodeReport busy;
  busy.stage = "fetch";
  const std::map<std::string, NodeReport> reports = {{"n1", busy}, {"n3", failed}, {"n5", busy}};
  auto status = status_of(wanted(), fleet(), reports);
  REQUIRE_OK(status);
  CHECK(text_of(*status) ==
        "rest open\n"
        "n1 as-wanted 2.0: \n"
        "n2 ill 2.0: is critical\n"
        "n3 failed 1.0: start: exit status 3\n"
        "n4 behind 1.0: 1.0@1 runs, 2.0@2 is wanted\n"
        "n5 changing : at fetch");
  CHECK(end_of(wanted(), 2, *status) == RolloutEnd::kUnderWay);
  CHECK(end_of(wanted(), 1, *status) == RolloutEnd::kSuperseded);
  CHECK(end_of(wanted(FleetPhase::kDone), 2, *status) == RolloutEnd::kGood);
  CHECK(end_of(wanted(FleetPhase::kReverted), 2, *status) == RolloutEnd::kTakenBack);

  // Out of traffic on purpose it stands as the others do, and is known to be so.
  CatalogState quiet = fleet();
  NodeState there = *quiet.nodes.at("n1");
  HealthCheck& check = there.checks.emplace_back();
  check.node = "n1";
  check.id = std::string(kNodeMaintenanceCheck);
  quiet.nodes["n1"] = there;
  const auto of_quiet = status_of(wanted(), quiet, reports);
  REQUIRE_OK(of_quiet);
  CHECK(text_of(*of_quiet) == text_of(*status));
  for (const NodeLine& line : of_quiet->nodes) CHECK(line.out_of_traffic == (line.node == "n1"));

  DesiredService off = wanted();
  off.action = DesiredAction::kIgnore;
  status = status_of(off, fleet(), {});
  REQUIRE_OK(status);
  CHECK(status->satisfied);

  // W-S10: of no node all are as wanted.
  DesiredService nowhere = wanted(FleetPhase::kFirstWave);
  nowhere.placement.role = "none";
  status = status_of(nowhere, fleet(), {});
  REQUIRE_OK(status);
  CHECK(text_of(*status) == "first-wave satisfied");
  CHECK(end_of(nowhere, 2, *status) == RolloutEnd::kGood);
}

TEST_CASE("F6, F41: what Environment Manager's agent has deployed is known by its tags") {
  DesiredService service = wanted();
  service.generation = 0;
  service.release.deployment = "d-2";
  CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "web"}});
  put(catalog, "n1", "x", CheckStatus::kPassing);
  put(catalog, "n2", "x", CheckStatus::kPassing);
  ServiceState state = *catalog.services.at("web");
  for (InstanceState& one : state.instances) {
    one.instance.meta.clear();
    one.instance.tags = {"a", one.instance.node == "n1" ? "deployment_id:d-2" : "deployment_id:d-1", "version:7:1"};
  }
  catalog.services["web"] = std::move(state);
  const auto status = status_of(service, catalog, {});
  REQUIRE_OK(status);
  CHECK(text_of(*status) ==
        "wanted open\n"
        "n1 as-wanted 7:1: \n"
        "n2 behind 7:1: d-1 runs, d-2 is wanted");
}

TEST_CASE("F36: a record keeps what was told, the latest of it, and no line without end") {
  DeploymentRecord record{"1.0", 1, {"ann", "", kNow}, {}};
  record = with_lines(with_lines(record, {"a"}), {"b", std::string(398, 'c') + "\xC3\xBC\xC3\xBC"});
  CHECK(record.log == std::vector<std::string>{"a", "b", std::string(398, 'c') + "\xC3\xBC"});
  const auto back = parse<DeploymentRecord>(to_text(to_json(record)), "x");
  REQUIRE_OK(back);
  CHECK(*back == record);
  record = with_lines(record, std::vector<std::string>(kMostLogLines - 1, "d"));
  CHECK(record.log.size() == kMostLogLines);
  CHECK(record.log[0].starts_with("ccc"));
  CHECK(record.log[1] == "d");
}

TEST_CASE("what carries our mark and is wanted by nobody is unexpected") {
  CatalogState catalog = fleet();
  put(catalog, "gone", "0.9@1", CheckStatus::kPassing);
  const auto found = unexpected_instances({wanted()}, catalog, "convergence");
  REQUIRE_OK(found);
  CHECK(*found == std::vector<UnexpectedInstance>{{"gone", "web", "web", "0.9"}});
  CHECK(unexpected_instances({wanted()}, catalog, "another").value().empty());
  CHECK(unexpected_instances({}, catalog, "convergence").value().size() == 5);
}

TEST_CASE("past deployments are read by their exact keys, the latest first") {
  NodeReport report;
  report.start = kNow;
  const std::string text = to_text(to_json(report));
  const std::string record = to_text(to_json(DeploymentRecord{"1.0", 1, {"ann", "", Time{std::chrono::seconds(1)}}}));
  std::vector<absl::Status> broken;
  const auto all = deployments_from_kv({{.key = "p/deployments/web/shop/1.0@1/record", .value = record},
                                        {.key = "p/deployments/web/shop/2.0@2/nodes/n1", .value = text},
                                        {.key = "p/deployments/web-blue/shop/2.0@2/nodes/n1", .value = "{"},
                                        {.key = "p/deployments/d-1/nodes/n1", .value = text},
                                        {.key = "p/deployments/web/shop/2.0@2/nodes/n1/more", .value = text}},
                                       "p", broken);
  REQUIRE(all.size() == 3);
  CHECK(all[0] == PastDeployment{"web", "shop", "2.0@2", std::nullopt, {{"n1", report}}, ""});
  CHECK(all[1].record == DeploymentRecord{"1.0", 1, {"ann", "", Time{std::chrono::seconds(1)}}});
  CHECK(all[2].deployment == "2.0@2");
  REQUIRE(broken.size() == 1);
  CHECK(std::string(broken[0].message()).starts_with("p/deployments/web-blue/shop/2.0@2/nodes/n1: "));
}

TEST_CASE("the rules name no more than the scope") {
  CHECK(agent_rules({"p", "", "web", "n1", {"shop"}}) ==
        "# what is wanted, and how far it has come\n"
        "key_prefix \"p/desired/web/\" { policy = \"write\" }\n"
        "key_prefix \"p/deployments/web/\" { policy = \"write\" }\n"
        "# the budget of a fleet\n"
        "key_prefix \"p/slots/web/\" { policy = \"write\" }\n"
        "session \"n1\" { policy = \"write\" }\n"
        "# what holds it back\n"
        "key_prefix \"p/locks/\" { policy = \"read\" }\n"
        "key_prefix \"p/nodes/n1/\" { policy = \"read\" }\n"
        "# its node, and what it registers there\n"
        "agent \"n1\" { policy = \"read\" }\n"
        "node \"n1\" { policy = \"write\" }\n"
        "service \"shop\" { policy = \"write\" }\n"
        "# how the fleet stands\n"
        "node_prefix \"\" { policy = \"read\" }\n"
        "service_prefix \"\" { policy = \"read\" }\n");
}

}  // namespace
}  // namespace convergence
