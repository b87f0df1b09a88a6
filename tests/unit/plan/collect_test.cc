// What ended deployments leave in KV, and which of it may go: tables of named cases on the keys themselves.

#include "convergence/collect.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/deployment.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using std::chrono::hours;

const Time kEnd{hours(24 * 1000)};
Time days_ago(int days) { return kEnd - hours(24 * days); }

KvPair pair(std::string key, std::string value, std::uint64_t index) {
  KvPair out;
  out.key = std::move(key);
  out.value = std::move(value);
  out.modify_index = index;
  return out;
}

std::string report(int days, bool ended = true) {
  NodeReport out;
  out.start = days_ago(days);
  if (ended) out.end = out.start;
  out.status = ended ? NodeStatus::kFailed : NodeStatus::kInProgress;
  return to_text(to_json(out));
}

std::string record(int days) { return to_text(to_json(DeploymentRecord{"1", 1, {"ann", "", days_ago(days)}})); }

void run_on(CatalogState& catalog, const std::string& id, const std::string& deployment,
            std::vector<std::string> tags = {}) {
  InstanceState state;
  state.instance.node = "n1";
  state.instance.id = id;
  state.instance.service = id;
  state.instance.meta[std::string(kMetaDeployment)] = deployment;
  state.instance.tags = std::move(tags);
  ServiceState service;
  service.name = id;
  service.instances = {state};
  catalog.services[id] = service;
}

// Names of what goes, then of what stays with the reason.
std::vector<std::string> lines_of(const CollectPlan& plan) {
  std::vector<std::string> out;
  for (const CollectUnit& unit : plan.goes) out.push_back(fmt::format("{} {} goes", to_string(unit.kind), unit.name));
  for (const CollectKept& kept : plan.stays) {
    out.push_back(fmt::format("{} {} stays: {}", to_string(kept.kind), kept.name, kept.why));
  }
  return out;
}
using Lines = std::vector<std::string>;

// ---- ours --------------------------------------------------------------------------------------------------------

const std::string kOld = "convergence/deployments/web/shop/1.0@1/";

DesiredService wanted_shop() {
  DesiredService out = test::service("shop", "3.0");
  out.generation = 3;
  out.last_good = Release();
  out.last_good->version = "2.0";
  out.last_good->deployment = "2.0@2";
  return out;
}

std::vector<KvPair> with(std::vector<KvPair> pairs, const DesiredService& service) {
  pairs.push_back(desired_to_kv({{service}, {}}, "convergence").front());
  return pairs;
}

CollectPlan planned(const std::vector<KvPair>& pairs, const CatalogState& catalog = {}) {
  const auto history = deployment_history(pairs, "convergence");
  REQUIRE_OK(history);
  return plan_collect(*history, catalog, kEnd, {});
}

TEST_CASE("F28, W-S15: records of deployments that ended go after their retention") {
  struct Case {
    const char* name;
    std::vector<KvPair> pairs;
    const char* why;  // it stays; null: it goes
  };
  const std::string node = kOld + "nodes/n1";
  for (const Case& one : std::vector<Case>{
           {"old and ended", {pair(node, report(31), 7), pair(kOld + "record", record(40), 3)}, nullptr},
           {"a record alone", {pair(kOld + "record", record(31), 3)}, nullptr},
           {"on the day", {pair(node, report(30), 7)}, nullptr},
           {"younger", {pair(node, report(29), 7)}, "it is younger than the retention"},
           {"younger on one node",
            {pair(node, report(40), 7), pair(kOld + "nodes/n2", report(2), 8)},
            "it is younger than the retention"},
           {"from tomorrow, by a clock that goes wrong",
            {pair(node, report(-1), 7)},
            "it is younger than the retention"},
           {"never ended, and the node silent", {pair(node, report(31, false), 7)}, nullptr},
           {"unreadable", {pair(node, "{", 7)}, "no time is known of it"},
       }) {
    CAPTURE(one.name);
    const CollectPlan plan = planned(with(one.pairs, wanted_shop()));
    if (one.why) {
      CHECK(lines_of(plan) == Lines{fmt::format("deployment web/shop 1.0@1 stays: {}", one.why)});
      continue;
    }
    CollectUnit unit;
    unit.name = "web/shop 1.0@1";
    unit.last_sign = plan.goes.empty() ? Time() : plan.goes.front().last_sign;
    for (const KvPair& gone : one.pairs) unit.keys.push_back({gone.key, gone.modify_index});
    CHECK(plan == CollectPlan{{unit}, {}});
  }
  // With a retention that is shorter than nodes may be silent.
  CollectRules rules;
  rules.retention = hours(1);
  const auto history = deployment_history({pair(node, report(2, false), 7)}, "convergence");
  REQUIRE_OK(history);
  CHECK(lines_of(plan_collect(*history, {}, kEnd, rules)) == Lines{"deployment web/shop 1.0@1 stays: a node is at it"});
}

TEST_CASE("F28: what is wanted, known to be good or carried by an instance stays however old it is") {
  std::vector<KvPair> pairs;
  for (const char* deployment : {"1.0@1", "2.0@2", "3.0@3", "2.5@9"}) {
    for (const char* role : {"web", "web-blue", "webadmin"}) {
      pairs.push_back(
          pair(fmt::format("convergence/deployments/{}/shop/{}/nodes/n1", role, deployment), report(99), 5));
    }
  }
  // Neither of these is a report or record of ours.
  pairs.push_back(pair("convergence/deployments/web/shop/1.0@1/notes", "mine", 6));
  pairs.push_back(pair("convergence/deployments/web/shop/1.0@1/nodes/n1/more", report(99), 6));
  CatalogState catalog;
  run_on(catalog, "shop", "2.5@9");
  const CollectPlan plan = planned(with(pairs, wanted_shop()), catalog);
  CHECK(lines_of(plan) == Lines{
                              // W-S6: what web wants is nothing to web-blue and webadmin.
                              "deployment web/shop 1.0@1 goes",
                              "deployment web-blue/shop 1.0@1 goes",
                              "deployment web-blue/shop 2.0@2 goes",
                              "deployment web-blue/shop 3.0@3 goes",
                              "deployment webadmin/shop 1.0@1 goes",
                              "deployment webadmin/shop 2.0@2 goes",
                              "deployment webadmin/shop 3.0@3 goes",
                              "deployment web/shop 2.0@2 stays: it is known to be good",
                              "deployment web/shop 2.5@9 stays: an instance carries it",
                              "deployment web/shop 3.0@3 stays: it is wanted",
                              "deployment web-blue/shop 2.5@9 stays: an instance carries it",
                              "deployment webadmin/shop 2.5@9 stays: an instance carries it",
                          });
  CHECK(plan.goes.front().keys == std::vector<SeenKey>{{kOld + "nodes/n1", 5}});

  // W-A4: a document that cannot be read holds back its role, and no other.
  std::vector<KvPair> torn = {pair(kOld + "record", record(99), 3),
                              pair("convergence/deployments/db/sql/1/record", record(99), 4),
                              pair("convergence/desired/web/shop/none", "{", 5)};
  CHECK(lines_of(planned(torn)) ==
        Lines{"deployment db/sql 1 goes", "deployment web/shop 1.0@1 stays: a document of its role cannot be read"});
}

TEST_CASE("a service that was to be uninstalled, and is, goes after its retention") {
  DesiredService gone = wanted_shop();
  gone.action = DesiredAction::kUninstall;
  gone.modify_index = 11;
  const std::string key = "convergence/deployments/web/shop/3.0@3/nodes/n1";
  std::vector<KvPair> pairs = with({pair(key, report(31), 7)}, gone);
  const CollectPlan plan = planned(pairs);
  CHECK(lines_of(plan) == Lines{"service web/shop goes", "deployment web/shop 3.0@3 stays: it is wanted"});
  CHECK(plan.goes.front().keys == std::vector<SeenKey>{{"convergence/desired/web/shop/none", 11}});

  CatalogState catalog;
  run_on(catalog, "shop", "3.0@3");
  CHECK(lines_of(planned(pairs, catalog)).back() == "service web/shop stays: an instance of it is there");
  pairs[0].value = report(1);
  CHECK(lines_of(planned(pairs)).back() == "service web/shop stays: it is younger than the retention");
  CHECK(lines_of(planned(with({}, gone))).back() == "service web/shop stays: no time is known of it");
  DesiredService off = gone;
  off.action = DesiredAction::kIgnore;
  CHECK(planned(with({}, off)) == CollectPlan{});
}

// ---- Environment Manager's ---------------------------------------------------------------------------------------

const char* const kMadeLongAgo = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";  // 1998-02-04 22:13:53.1511824 UTC

std::string pointer(const std::string& version, const std::string& deployment) {
  return fmt::format(R"({{"Name":"Shop","Version":"{}","DeploymentId":"{}"}})", version, deployment);
}
std::string subject(const std::string& version, const std::string& environment = "pr1") {
  return fmt::format(R"({{"Name":"Shop","Version":"{}","ServerRole":"Web","Environment":"{}","Action":"Install"}})",
                     version, environment);
}

// Version 1 by deployment d1 long ago, 2 by d2 wanted in Web-blue.
std::vector<KvPair> their_pairs() {
  return {
      pair("environments/pr1/roles/Web-blue/services/Shop/blue", pointer("2", "d2"), 1),
      pair("environments/pr1/services/Shop/1/definition", "{}", 2),
      pair("environments/pr1/services/Shop/1/installation", "{}", 3),
      pair("environments/pr1/services/Shop/2/definition", "{}", 4),
      pair("deployments/d1/nodes/i-1", report(99), 5),
      pair("deployments/d1/overall_status", "Success", 6),
      pair("deployments/d1/record", R"({"version":"1","at":1})", 10),
      pair("deployments/d1/service", subject("1"), 7),
      pair("deployments/d2/nodes/i-1", report(99), 8),
      pair("deployments/d2/service", subject("2"), 9),
  };
}

CollectPlan their_plan(const std::vector<KvPair>& pairs, const CatalogState& catalog = {}, Time now = kEnd) {
  const auto history = environment_history(pairs, "pr1");
  REQUIRE_OK(history);
  return plan_collect(*history, catalog, now, {});
}

TEST_CASE("W-S15, W-S6: exact keys of ended deployments and of versions that nobody points to") {
  CollectUnit version;
  version.kind = CollectKind::kVersion;
  version.name = "Shop 1";
  version.last_sign = days_ago(99);
  version.keys = {{"environments/pr1/services/Shop/1/definition", 2},
                  {"environments/pr1/services/Shop/1/installation", 3}};
  const std::string blue = "environments/pr1/roles/Web-blue/services/Shop";
  version.unchanged = {{blue, 0}, {blue + "/blue", 1}, {blue + "/green", 0}, {blue + "/none", 0}};
  CollectUnit deployment;
  deployment.name = "d1";
  deployment.last_sign = days_ago(99);
  deployment.keys = {{"deployments/d1/nodes/i-1", 5},
                     {"deployments/d1/overall_status", 6},
                     {"deployments/d1/record", 10},
                     {"deployments/d1/service", 7}};
  CHECK(their_plan(their_pairs()) == CollectPlan{{version, deployment},
                                                 {{CollectKind::kDeployment, "d2", "a role points to it"},
                                                  {CollectKind::kVersion, "Shop 2", "a role points to it"}}});
}

TEST_CASE("W-S16, W-A4: what any role points to stays, and what may be pointed to") {
  struct Case {
    const char* name;
    KvPair more;
    Lines want;  // of d1 and version 1
  };
  const Lines both = {"deployment d1 stays: a role points to it", "version Shop 1 stays: a role points to it"};
  const std::string unread = "a record of its service cannot be read";
  const Lines unknown = {"deployment d1 stays: " + unread, "version Shop 1 stays: " + unread};
  const Lines goes = {"version Shop 1 goes", "deployment d1 goes"};
  for (const Case& one : std::vector<Case>{
           {"a record of another role",
            pair("environments/pr1/roles/WebAdmin/services/Shop/none", pointer("1", "d1"), 20), both},
           {"a record without a slice", pair("environments/pr1/roles/Web/services/Shop", pointer("1", "d1"), 20), both},
           {"another deployment of the version",
            pair("environments/pr1/roles/Web/services/Shop/none", pointer("1", "d9"), 20),
            {"deployment d1 goes", "version Shop 1 stays: a role points to it"}},
           {"a record that cannot be read", pair("environments/pr1/roles/Web/services/Shop/none", "{", 20), unknown},
           {"a key that says no slice", pair("environments/pr1/roles/Web/services/Shop/pink", "{}", 20), unknown},
           {"another service's that cannot be read", pair("environments/pr1/roles/Web/services/Other/none", "{", 20),
            goes},
           {"another environment's", pair("environments/pr10/roles/Web/services/Shop/none", pointer("1", "d1"), 20),
            goes},
           {"a younger deployment of the version",
            pair("deployments/d3/service", subject("1"), 20),
            {"deployment d1 goes", "version Shop 1 stays: a deployment of it stays"}},
       }) {
    CAPTURE(one.name);
    std::vector<KvPair> pairs = their_pairs();
    pairs.push_back(one.more);
    Lines lines = lines_of(their_plan(pairs));
    std::erase_if(lines, [](const std::string& line) {
      return line.find(" d1 ") == std::string::npos && line.find("Shop 1 ") == std::string::npos;
    });
    CHECK(lines == one.want);
  }
  CatalogState catalog;
  run_on(catalog, "pr1-Shop", "", {"deployment_id:d1"});
  CHECK(lines_of(their_plan(their_pairs(), catalog)).front() == "deployment d1 stays: an instance carries it");
}

TEST_CASE("W-S15: the id tells how old a deployment is that no node has reported") {
  const std::string folder = fmt::format("deployments/{}/", kMadeLongAgo);
  const std::vector<KvPair> pairs = {
      pair(folder + "service", subject("7"), 3), pair("deployments/d5/service", subject("7"), 4),
      pair("deployments/d6/nodes/i-1", report(99), 5), pair("deployments/d7/service", subject("7", "pr10"), 6),
      pair("deployments/d8/notes", "mine", 7)};
  const Time made{std::chrono::nanoseconds(886630433151182400)};
  const auto history = environment_history(pairs, "pr1");
  REQUIRE_OK(history);
  CHECK(history->deployments.front().last_sign == made);
  const Lines others = {"deployment d5 stays: no time is known of it",
                        "deployment d6 stays: nothing tells which environment it is of"};
  Lines young = {fmt::format("deployment {} stays: it is younger than the retention", kMadeLongAgo)};
  young.insert(young.end(), others.begin(), others.end());
  CHECK(lines_of(their_plan(pairs, {}, made + hours(24 * 29))) == young);
  Lines old = {fmt::format("deployment {} goes", kMadeLongAgo)};
  old.insert(old.end(), others.begin(), others.end());
  CHECK(lines_of(their_plan(pairs, {}, made + hours(24 * 31))) == old);
}

TEST_CASE("an environment whose name would reach elsewhere is refused") {
  for (const char* name : {"", "..", "pr1/roles/Web", "a\nb"}) {
    CAPTURE(name);
    CHECK(error_kind(environment_history({}, name).status()) == ErrorKind::kValidate);
  }
}

// ---- transactions ------------------------------------------------------------------------------------------------

CollectUnit unit_of(std::size_t keys, std::size_t unchanged) {
  CollectUnit out;
  for (std::size_t i = 0; i < keys; ++i) out.keys.push_back({fmt::format("k{}", i), i + 1});
  for (std::size_t i = 0; i < unchanged; ++i) out.unchanged.push_back({fmt::format("u{}", i), i});
  return out;
}

TEST_CASE("small units share a transaction, large ones go in several, those that look at others stand alone") {
  const auto sizes = [](const std::vector<CollectUnit>& goes) {
    std::vector<std::size_t> out;
    for (const CollectBatch& batch : collect_batches({goes, {}})) out.push_back(batch.operations.size());
    return out;
  };
  using Sizes = std::vector<std::size_t>;
  CHECK(sizes({}) == Sizes{});
  CHECK(sizes({unit_of(2, 0), unit_of(3, 0)}) == Sizes{5});
  CHECK(sizes({unit_of(60, 0), unit_of(70, 0)}) == Sizes{64, 64, 2});
  CHECK(sizes({unit_of(2, 4), unit_of(2, 4), unit_of(2, 0), unit_of(2, 0), unit_of(2, 4)}) == Sizes{6, 6, 4, 6});
  const std::vector<CollectBatch> batches = collect_batches({{unit_of(1, 2)}, {}});
  REQUIRE(batches.size() == 1);
  std::string text;
  for (const Json& operation : batches.front().operations) text += to_text(operation);
  CHECK(text == R"({"KV":{"Verb":"check-not-exists","Key":"u0"}})"
                R"({"KV":{"Verb":"check-index","Key":"u1","Index":1}})"
                R"({"KV":{"Verb":"delete-cas","Key":"k0","Index":1}})");
}

}  // namespace
}  // namespace convergence
