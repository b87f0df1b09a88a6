// An environment as those see it who look after all its roles, and what they do.
#include "convergence/environment_fleet.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "tests/support/status_check.h"
#include "tests/unit/import/environment_operations.h"

namespace convergence {
namespace {

using test::do_write;
using test::operations_of;
using test::Pairs;

const EnvironmentRole kWebOfPr1 = {"pr1", "Web"};
// 2017-11-22 03:57:29 UTC
constexpr Time kAsked = Time(std::chrono::seconds(1511323049));

Pairs pairs_of(const std::vector<std::pair<std::string, std::string>>& texts, std::uint64_t index = 5) {
  Pairs kv;
  for (const auto& [key, text] : texts) kv[key] = {.key = key, .value = text, .modify_index = index};
  return kv;
}

// The worked example of 1.7 one version earlier, which went well.
Pairs version_before() {
  return pairs_of({
      {"environments/pr1/roles/Web/services/MyService/none",
       R"({"Name":"MyService","Version":"1.2.2","Slice":"none","DeploymentId":"d-0","InstanceIds":[],"Action":"Install"})"},
      {"environments/pr1/services/MyService/1.2.2/definition",
       R"({"Service":{"Name":"pr1-MyService","ID":"pr1-MyService","Address":"","Ports":{"blue":1234,"green":9876},)"
       R"("Tags":["environment_type:Prod","environment:pr1","owning_cluster:Tango","version:1.2.2"]}})"},
      {"environments/pr1/services/MyService/1.2.2/installation",
       R"({"PackageBucket":"tl-deployment-prod","PackageKey":"pr1/MyService/MyService-1.2.2.zip","InstallationTimeout":20})"},
      {"deployments/d-0/overall_status", "Success"},
      {"deployments/d-0/service",
       R"({"Name":"MyService","Version":"1.2.2","ServerRole":"Web","Environment":"pr1","Action":"Install","ExpectedNodeDeployments":2})"},
  });
}

DesiredService wanted_in(const Pairs& kv) { return environment_services(kv, "pr1")->services.at(0); }

EnvironmentOrder order_of(const Pairs& kv, const std::string& version, const std::string& deployment) {
  const DesiredService there = wanted_in(kv);
  EnvironmentOrder order;
  order.service = *environment_release(kv, kWebOfPr1, there, version, deployment);
  if (order.service.release.package.source.empty()) {
    order.service.release.package.source =
        fmt::format("s3://tl-deployment-prod/pr1/MyService/MyService-{}.zip", version);
  }
  order.role = kWebOfPr1;
  order.nodes = 2;
  order.asked = {"ann", "", kAsked};
  order.before = there.release.deployment;
  return order;
}

TEST_CASE("F31: the next version is written as the worked example of 1.7 has it, byte for byte") {
  Pairs kv = version_before();
  const auto write = deploy_environment(order_of(kv, "1.2.3", "d-1"), kv);
  REQUIRE_OK(write);
  CHECK(
      operations_of(*write) ==
      "cas environments/pr1/services/MyService/1.2.3/definition 0\n"
      R"(  {"Service":{"Name":"pr1-MyService","ID":"pr1-MyService","Address":"","Ports":{"blue":1234,"green":9876},)"
      R"("Tags":["environment_type:Prod","environment:pr1","owning_cluster:Tango","version:1.2.3"]}})"
      "\ncas environments/pr1/services/MyService/1.2.3/installation 0\n"
      R"(  {"PackageBucket":"tl-deployment-prod","PackageKey":"pr1/MyService/MyService-1.2.3.zip","InstallationTimeout":20})"
      "\ncas deployments/d-1/service 0\n"
      R"(  {"Name":"MyService","Version":"1.2.3","ServerRole":"Web","Environment":"pr1","Action":"Install","ExpectedNodeDeployments":2})"
      "\ncas deployments/d-1/overall_status 0\n"
      "  In Progress"
      "\ncas deployments/d-1/record 0\n"
      R"(  {"schema":1,"version":"1.2.3","by":"ann","at":1511323049000000000})"
      "\ncas environments/pr1/roles/Web/services/MyService/none 5\n"
      R"(  {"Name":"MyService","Version":"1.2.3","Slice":"none","DeploymentId":"d-1","InstanceIds":[],"Action":"Install"})"
      "\n");
  CHECK(write->left_out.empty());
}

TEST_CASE("W-S13: one that is on its way is superseded and ends, in the same transaction") {
  Pairs kv = version_before();
  REQUIRE(do_write(*deploy_environment(order_of(kv, "1.2.3", "d-1"), kv), kv));
  REQUIRE(do_write(*deploy_environment(order_of(kv, "1.2.4", "d-2"), kv), kv));
  CHECK(kv["deployments/d-0/overall_status"].value == "Success");
  CHECK(kv["deployments/d-1/overall_status"].value == "Cancelled");
  CHECK(kv["deployments/d-2/overall_status"].value == "In Progress");
  CHECK(wanted_in(kv).release.deployment == "d-2");
  // A version that is known is deployed again with the package that it had.
  const EnvironmentOrder back = order_of(kv, "1.2.2", "d-3");
  CHECK(back.service.release.package.source == "s3://tl-deployment-prod/pr1/MyService/MyService-1.2.2.zip");
  REQUIRE(do_write(*deploy_environment(back, kv), kv));
  CHECK(kv["deployments/d-2/overall_status"].value == "Cancelled");
}

TEST_CASE("W-S16: a record from before keys had slices goes with the deployment that follows it") {
  Pairs kv = version_before();
  const std::string older = "environments/pr1/roles/Web/services/MyService";
  kv[older] = kv[older + "/none"];
  kv[older].key = older;
  kv.erase(older + "/none");
  REQUIRE(do_write(*deploy_environment(order_of(kv, "1.2.3", "d-1"), kv), kv));
  CHECK(!kv.contains(older));
  CHECK(environment_services(kv, "pr1")->unread.empty());
  CHECK(wanted_in(kv).release.version == "1.2.3");
}

TEST_CASE("a slice does not go into the fleet of the other one") {
  struct Case {
    const char* role;
    Slice slice;
    bool fits;
  };
  const Case cases[] = {{"Web", Slice::kBlue, true},        {"Web-blue", Slice::kBlue, true},
                        {"Web-green", Slice::kGreen, true}, {"Web-green", Slice::kBlue, false},
                        {"Web-blue", Slice::kGreen, false}, {"Web-blue", Slice::kNone, true}};
  for (const Case& c : cases) {
    CAPTURE(c.role);
    EnvironmentOrder order = order_of(version_before(), "1.2.3", "d-1");
    order.role.role = order.service.placement.role = c.role;
    order.service.slice = c.slice;
    order.service.id = order.service.registered_name = "";
    const auto write = deploy_environment(order, {});
    CHECK(write.ok() == c.fits);
    if (!c.fits) CHECK_ERROR(write, ErrorKind::kValidate, fmt::format("the fleet {} is of the other slice", c.role));
  }
}

TEST_CASE("F38, W-S2, W-S8: what is taken back goes to what was good, or is switched off as theirs is") {
  Pairs kv = version_before();
  REQUIRE(do_write(*deploy_environment(order_of(kv, "1.2.3", "d-1"), kv), kv));
  const DesiredService service = wanted_in(kv);
  const EnvironmentRecord record = {"MyService", Slice::kNone, "d-1"};
  std::vector<absl::Status> broken;
  const auto back = last_good_of(service, kWebOfPr1, environment_deployments(kv, "pr1", broken), kv);
  REQUIRE(back);
  CHECK(*back == GoodDeployment{"1.2.2", "d-0"});
  const std::string pointer = "environments/pr1/roles/Web/services/MyService/none";
  const std::uint64_t index = kv[pointer].modify_index;
  const std::string cancelled = fmt::format("cas deployments/d-1/overall_status {}\n  Cancelled\n", index);
  CHECK(
      operations_of(*cancel_environment(record, back, kWebOfPr1, kv)) ==
      cancelled + fmt::format("cas {} {}\n", pointer, index) +
          R"(  {"Name":"MyService","Version":"1.2.2","Slice":"none","DeploymentId":"d-0","InstanceIds":[],"Action":"Install"})"
          "\n");
  CHECK(
      operations_of(*cancel_environment(record, {}, kWebOfPr1, kv)) ==
      cancelled + fmt::format("cas {} {}\n", pointer, index) +
          R"(  {"Name":"MyService","Version":"1.2.3","Slice":"none","DeploymentId":"d-1","InstanceIds":[],"Action":"Ignore"})"
          "\n");
  CHECK_ERROR(cancel_environment({"MyService", Slice::kNone, "d-0"}, {}, kWebOfPr1, kv), ErrorKind::kRefused,
              "MyService: nothing is on its way: d-0 is Success");
  // Another deployment by now.
  kv.merge(pairs_of({{"deployments/d-9/overall_status", "In Progress"}}));
  CHECK_ERROR(cancel_environment({"MyService", Slice::kNone, "d-9"}, {}, kWebOfPr1, kv), ErrorKind::kConflict,
              "carries deployment \"d-1\"");
  // Without its keys a version cannot be had again.
  kv.erase("environments/pr1/services/MyService/1.2.2/installation");
  CHECK(!last_good_of(service, kWebOfPr1, environment_deployments(kv, "pr1", broken), kv));
  CHECK(broken.empty());
}

TEST_CASE("F9, F65: a service is uninstalled or forgotten, and what was on its way ends") {
  Pairs kv = version_before();
  REQUIRE(do_write(*deploy_environment(order_of(kv, "1.2.3", "d-1"), kv), kv));
  const EnvironmentRecord record = {"MyService", Slice::kNone, "d-1"};
  Pairs gone = kv;
  REQUIRE(do_write(*undeploy_environment(record, Undeploy::kUninstall, kWebOfPr1, gone), gone));
  CHECK(wanted_in(gone).action == DesiredAction::kUninstall);
  CHECK(gone["deployments/d-1/overall_status"].value == "Cancelled");
  CHECK(undeploy_environment(record, Undeploy::kUninstall, kWebOfPr1, gone)->operations.empty());
  REQUIRE(do_write(*undeploy_environment(record, Undeploy::kForget, kWebOfPr1, kv), kv));
  std::vector<std::string> keys;
  for (const auto& [key, pair] : kv) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"deployments/d-0/overall_status", "deployments/d-0/service",
                                         "deployments/d-1/overall_status", "deployments/d-1/record",
                                         "deployments/d-1/service",
                                         "environments/pr1/services/MyService/1.2.2/definition",
                                         "environments/pr1/services/MyService/1.2.2/installation"});
  CHECK(kv["deployments/d-1/overall_status"].value == "Cancelled");
}

TEST_CASE("F39, F40: deployments of the environment, the latest first, with what is known of who asked") {
  NodeReport ours;
  ours.start = kAsked;
  ours.service = "pr1-MyService-blue";
  ours.node = "ip-10-0-0-5";
  const std::string uuid = deployment_uuid(kAsked + std::chrono::hours(1), 0x1234567890ABCDEF);
  const std::string begun =
      R"({"Name":"MyService","Version":"2","ServerRole":"Web","Environment":"pr1","Action":"Install"})";
  Pairs kv = pairs_of({
      {"deployments/d-0/service", begun},
      {"deployments/d-0/overall_status", "Failed"},
      {"deployments/d-0/nodes/i-1", to_text(to_json(ours))},
      {"deployments/d-0/nodes/i-2", "{"},
      {"deployments/d-0/nodes/i-3/more", "{"},
      {"deployments/" + uuid + "/service", begun},
      {"deployments/d-9/service", R"({"Name":"MyService","Environment":"PR1"})"},
      {"deployments/d-9/nodes/i-1", "{"},
      {"deployments/d-8/overall_status", "Success"},
  });
  std::vector<absl::Status> broken;
  const auto all = environment_deployments(kv, "pr1", broken);
  REQUIRE(all.size() == 2);
  CHECK(all[0].deployment == uuid);
  CHECK(all[0].service_id == "pr1-MyService");
  CHECK(all[0].record == DeploymentRecord{"2", 0, {"", "", kAsked + std::chrono::hours(1)}});
  CHECK(all[1] ==
        PastDeployment{"Web", "pr1-MyService-blue", "d-0", DeploymentRecord{"2", 0, {}}, {{"i-1", ours}}, "Failed"});
  REQUIRE(broken.size() == 1);
  CHECK(std::string(broken[0].message()).starts_with("deployments/d-0/nodes/i-2: "));
}

TEST_CASE("ids are UUIDs of version 1, apart from each other in one moment") {
  CHECK(deployment_uuid(kAsked, 0x1234567890ABCDEF) == "42451a80-cf39-11e7-9234-577890abcdef");
  CHECK(deployment_uuid(kAsked, 1) != deployment_uuid(kAsked, 2));
}

TEST_CASE("W-S9, W-S10, W-S12: a deployment ends when every node that is not lost has ended") {
  const auto report = [](NodeStatus status) {
    NodeReport out;
    out.status = status;
    return out;
  };
  const NodeReport good = report(NodeStatus::kSuccess);
  const NodeReport bad = report(NodeStatus::kFailed);
  const NodeReport busy = report(NodeStatus::kInProgress);
  struct Case {
    const char* name;
    std::vector<std::string> nodes;
    std::map<std::string, NodeReport> reports;
    OverallStatus end;
  };
  const Case cases[] = {
      {"0 of 0", {}, {}, OverallStatus::kSuccess},
      {"not started", {"a"}, {}, OverallStatus::kInProgress},
      {"one is at it", {"a", "b"}, {{"a", bad}, {"b", busy}}, OverallStatus::kInProgress},
      {"one of three", {"a", "b", "c"}, {{"a", good}}, OverallStatus::kInProgress},
      {"all good", {"a", "b"}, {{"a", good}, {"b", good}}, OverallStatus::kSuccess},
      {"one bad", {"a", "b"}, {{"a", good}, {"b", bad}}, OverallStatus::kFailed},
      {"a node that is gone", {"a"}, {{"a", good}, {"b", busy}}, OverallStatus::kSuccess},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(to_string(overall_of(c.nodes, c.reports)) == to_string(c.end));
  }
}

TEST_CASE("W-S17: case counts everywhere, and ids that differ in case alone are one to Consul's catalog") {
  const std::string package = R"({"PackageBucket":"b","PackageKey":"k"})";
  const auto of = [&](const std::string& environment, const std::string& role, const std::string& service) {
    const std::string below = fmt::format("environments/{}/", environment);
    const std::string version = fmt::format("{}services/{}/1/", below, service);
    return std::vector<std::pair<std::string, std::string>>{
        {fmt::format("{}roles/{}/services/{}/none", below, role, service), R"({"Version":"1","DeploymentId":"d"})"},
        {version + "definition", R"({"Service":{}})"},
        {version + "installation", package}};
  };
  Pairs kv;
  for (const auto& one : {of("pr1", "Web", "Shop"), of("pr1", "web", "shop"), of("PR1", "Web", "Shop")}) {
    kv.merge(pairs_of(one));
  }
  const auto names_in = [&](std::string_view environment) {
    const auto read = environment_services(kv, environment);
    REQUIRE_OK(read);
    std::string text;
    for (const DesiredService& service : read->services) {
      text += fmt::format("{}/{} on {} ", service.placement.role, service_id(service),
                          service.placement.node_meta.at("environment"));
    }
    return text;
  };
  CHECK(names_in("pr1") == "Web/pr1-Shop on pr1 web/pr1-shop on pr1 ");
  CHECK(names_in("PR1") == "Web/PR1-Shop on PR1 ");
  CHECK(names_in("Pr1") == "");
  // On one node only one of them would be in the catalog.
  kv.merge(pairs_of(of("pr1", "Web", "shop")));
  const auto services = environment_services(kv, "pr1");
  REQUIRE_OK(services);
  REQUIRE(services->unread.size() == 2);
  CHECK(std::string(services->unread[0].message()) ==
        "environments/pr1/roles/Web/services/Shop/none: (offset 0): its service id pr1-Shop is that of "
        "environments/pr1/roles/Web/services/shop/none too; rename one");
  CHECK(names_in("pr1") == "web/pr1-shop on pr1 ");
  CHECK_ERROR(environment_services(kv, "a/b"), ErrorKind::kValidate, "the environment \"a/b\" holds a slash");
}

TEST_CASE("F41: what was deployed to a node of the environment and is wanted by nobody is unexpected") {
  CatalogState catalog;
  const auto add = [&](const std::string& node, const std::string& role, const std::string& environment,
                       const std::string& id, std::vector<std::string> tags) {
    Node one;
    one.name = node;
    one.meta = {{"role", role}, {"environment", environment}};
    catalog.nodes[node] = NodeState{one, {}};
    InstanceState state;
    state.instance.node = node;
    state.instance.id = state.instance.service = id;
    state.instance.tags = std::move(tags);
    ServiceState service;
    if (const auto there = catalog.services.find(id); there != catalog.services.end()) service = *there->second;
    service.name = id;
    service.instances.push_back(std::move(state));
    catalog.services[id] = std::move(service);
  };
  add("n1", "Web", "pr1", "pr1-MyService", {"version:1.2.2", "deployment_id:d-0"});
  add("n2", "Web", "pr1", "pr1-Old", {"version:1:2", "deployment_id:d-7"});
  add("n3", "Api", "pr1", "pr1-MyService", {"deployment_id:d-0"});
  add("n4", "Web", "pr2", "pr2-Old", {"deployment_id:d-7"});
  add("n5", "Web", "pr1", "consul-exporter", {});
  const auto found = unexpected_in_environment({wanted_in(version_before())}, catalog, "pr1");
  REQUIRE_OK(found);
  CHECK(*found == std::vector<UnexpectedInstance>{{"n3", "pr1-MyService", "pr1-MyService", ""},
                                                  {"n2", "pr1-Old", "pr1-Old", "1:2"}});
}

}  // namespace
}  // namespace convergence
