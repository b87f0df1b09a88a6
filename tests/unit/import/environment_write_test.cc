// Services as Environment Manager's keys: one transaction, pointer last, nothing written over what was not seen.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "tests/support/status_check.h"
#include "tests/unit/import/environment_operations.h"

namespace convergence {
namespace {

using test::do_write;
using test::operations_of;
using test::Pairs;

const EnvironmentRole kRoleWeb = {"pr1", "Web"};
const std::string kPointer = "environments/pr1/roles/Web/services/MyService";

DesiredService my_service() {
  DesiredService out;
  out.name = "MyService";
  out.id = out.registered_name = "pr1-MyService";
  out.placement = {.role = "Web", .node_meta = {{"environment", "pr1"}}};
  out.release.version = "1.2.3";
  out.release.deployment = "d-1";
  out.release.package.source = "s3://tl-deployment-prod/pr1/MyService/MyService-1.2.3.zip";
  out.release.port = 1234;
  out.release.tags = {
      "environment_type:Prod", "environment:pr1", "owning_cluster:Tango", "version:1.2.3", "deployment_id:d-1",
      "server_role:Web",       "slice:none"};
  out.release.deadline = std::chrono::minutes(20);
  return out;
}

TEST_CASE("F3, F31, W-S1: the worked example of 1.7 in one transaction, its pointer last") {
  const auto write = export_environment(my_service(), kRoleWeb, {}, 2);
  REQUIRE_OK(write);
  CHECK(
      operations_of(*write) ==
      "cas environments/pr1/services/MyService/1.2.3/definition 0\n"
      R"(  {"Service":{"Name":"pr1-MyService","ID":"pr1-MyService","Address":"","Ports":{"blue":1234,"green":1234},)"
      R"("Tags":["environment_type:Prod","environment:pr1","owning_cluster:Tango","version:1.2.3"]}})"
      "\ncas environments/pr1/services/MyService/1.2.3/installation 0\n"
      R"(  {"PackageBucket":"tl-deployment-prod","PackageKey":"pr1/MyService/MyService-1.2.3.zip","InstallationTimeout":20})"
      "\ncas deployments/d-1/service 0\n"
      R"(  {"Name":"MyService","Version":"1.2.3","ServerRole":"Web","Environment":"pr1","Action":"Install","ExpectedNodeDeployments":2})"
      "\ncas deployments/d-1/overall_status 0\n"
      "  In Progress"
      "\ncas environments/pr1/roles/Web/services/MyService/none 0\n"
      R"(  {"Name":"MyService","Version":"1.2.3","Slice":"none","DeploymentId":"d-1","InstanceIds":[],"Action":"Install"})"
      "\n");
  CHECK(write->left_out.empty());
  CHECK(to_text(write->operations[3]) ==
        R"({"KV":{"Verb":"cas","Key":"deployments/d-1/overall_status","Value":"SW4gUHJvZ3Jlc3M=","Index":0}})");
}

TEST_CASE("the same again is nothing; another deployment compares what stays and writes the rest") {
  Pairs kv;
  DesiredService service = my_service();
  REQUIRE(do_write(*export_environment(service, kRoleWeb, kv), kv));
  CHECK(operations_of(*export_environment(service, kRoleWeb, kv)) == "");
  for (auto& [key, pair] : kv) pair.modify_index = 7;
  service.release.deployment = "d-2";
  CHECK(
      operations_of(*export_environment(service, kRoleWeb, kv)) ==
      "check-index environments/pr1/services/MyService/1.2.3/definition 7\n"
      "check-index environments/pr1/services/MyService/1.2.3/installation 7\n"
      "cas deployments/d-2/service 0\n"
      R"(  {"Name":"MyService","Version":"1.2.3","ServerRole":"Web","Environment":"pr1","Action":"Install","ExpectedNodeDeployments":0})"
      "\ncas deployments/d-2/overall_status 0\n"
      "  In Progress"
      "\ncas environments/pr1/roles/Web/services/MyService/none 7\n"
      R"(  {"Name":"MyService","Version":"1.2.3","Slice":"none","DeploymentId":"d-2","InstanceIds":[],"Action":"Install"})"
      "\n");
  // A deployment id is spent once: another version under it is refused, and what became of it stays.
  service.release.deployment = "d-1";
  service.release.version = "1.2.4";
  CHECK_ERROR(export_environment(service, kRoleWeb, kv), ErrorKind::kConflict,
              "deployments/d-1/service: is another deployment already");
  service.release.version = "1.2.3";
  kv["deployments/d-1/overall_status"].value = "Success";
  service.release.port = 99;
  const std::string text = operations_of(*export_environment(service, kRoleWeb, kv));
  CHECK(text.find("overall_status") == std::string::npos);
  CHECK(text.find("\"blue\":99") != std::string::npos);
}

TEST_CASE("slices share the definition of a version: each keeps its port (1.7)") {
  Pairs kv;
  DesiredService blue = my_service();
  blue.slice = Slice::kBlue;
  blue.id = blue.registered_name = "pr1-MyService-blue";
  DesiredService green = blue;
  green.slice = Slice::kGreen;
  green.id = green.registered_name = "pr1-MyService-green";
  green.release.port = 9876;
  green.release.deployment = "d-2";
  REQUIRE(do_write(*export_environment(blue, kRoleWeb, kv), kv));
  const auto of_green = export_environment(green, kRoleWeb, kv);
  REQUIRE(do_write(*of_green, kv));
  CHECK(!do_write(*of_green, kv));  // what was decided on is gone
  const EnvironmentRead read = import_environment(kv, kRoleWeb);
  REQUIRE(read.services.size() == 2);
  CHECK(read.services[0].release.port == 1234);
  CHECK(read.services[1].release.port == 9876);
}

TEST_CASE("what would mean something else there is refused; what is only lost is named") {
  struct Case {
    const char* name;
    std::function<void(DesiredService&)> spoil;
    std::string message;
  };
  const Case cases[] = {
      {"no deployment", [](auto& s) { s.release.deployment = ""; }, "the deployment is empty"},
      {"no version", [](auto& s) { s.release.version = ""; }, "version: is empty"},
      {"W-S24", [](auto& s) { s.release.version = "a/b"; }, "version: \"a/b\" holds a slash"},
      {"W-S6: a service that reaches into another subtree", [](auto& s) { s.name = "a/b"; },
       "the service \"a/b\" holds"},
      {"another role", [](auto& s) { s.placement.role = "Api"; }, "\"Api\" is not the role Web"},
      {"some nodes", [](auto& s) { s.placement.nodes = {"n1"}; }, "placement.nodes: their roles reach all nodes"},
      {"a filter", [](auto& s) { s.placement.filter = "Node == a"; }, "placement.filter: their roles reach all nodes"},
      {"another environment", [](auto& s) { s.placement.node_meta["environment"] = "pr2"; },
       "placement.node_meta[environment]"},
      {"node meta", [](auto& s) { s.placement.node_meta["zone"] = "a"; }, "placement.node_meta[zone]"},
      {"an id of its own", [](auto& s) { s.id = "x"; },
       "id: \"x\" cannot be said there; their agent makes it pr1-MyService"},
      {"a name of its own", [](auto& s) { s.registered_name = "x"; }, "registered_name: \"x\" cannot be said"},
      {"a package from elsewhere", [](auto& s) { s.release.package.source = "https://h/p"; },
       "\"https://h/p\" is not s3://bucket/key"},
      {"a bucket alone", [](auto& s) { s.release.package.source = "s3://b/"; }, "is not s3://bucket/key"},
      {"no package", [](auto& s) { s.release.package.source = ""; }, "is not s3://bucket/key"},
      {"what is not valid at all", [](auto& s) { s.release.port = -1; }, "port: -1 is not in 0..65535"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      DesiredService service = my_service();
      c.spoil(service);
      CHECK_ERROR(export_environment(service, kRoleWeb, {}), ErrorKind::kValidate, c.message);
    }
  }
  DesiredService rich = my_service();
  rich.release.meta = {{"a", "b"}};
  rich.release.checks.push_back({.name = "t", .ttl = std::chrono::seconds(9)});
  rich.release.hooks[HookEvent::kAfterInstall] = {{.location = "x"}};
  rich.release.environment = {{"A", "b"}};
  rich.release.run_as = "u";
  rich.release.depends_on = {"x"};
  rich.release.demands.disk = 1;
  rich.release.deadline = std::chrono::seconds(61);
  rich.generation = 1;
  rich.last_good = Release();
  rich.strategy.max_unavailable = 2;
  rich.progress.generation = 1;
  rich.unknown = {{"x", Json(1)}};
  const auto write = export_environment(rich, kRoleWeb, {});
  REQUIRE_OK(write);
  CHECK(write->left_out == std::vector<std::string>{"meta", "checks", "hooks", "environment", "run_as", "depends_on",
                                                    "demands", "deadline: rounded up to whole minutes", "generation",
                                                    "last_good", "strategy", "progress", "unknown members"});
  CHECK(operations_of(*write).find("\"InstallationTimeout\":2}") != std::string::npos);
}

TEST_CASE("F38, W-S2: a toggle changes Action alone, and only of the deployment that was seen") {
  Pairs kv;
  const std::string key = kPointer + "/none";
  kv[key] = {.key = key, .value = R"({"Version":"1","DeploymentId":"d-1","Colour":"red"})", .modify_index = 42};
  const EnvironmentRecord seen = {"MyService", Slice::kNone, "d-1"};
  CHECK(operations_of(*toggle_environment(seen, DesiredAction::kIgnore, kRoleWeb, kv)) ==
        "cas " + key + " 42\n" + R"(  {"Version":"1","DeploymentId":"d-1","Colour":"red","Action":"Ignore"})" + "\n");
  CHECK(operations_of(*toggle_environment(seen, DesiredAction::kInstall, kRoleWeb, kv)) == "");
  CHECK_ERROR(toggle_environment({"MyService", Slice::kNone, "d-0"}, DesiredAction::kIgnore, kRoleWeb, kv),
              ErrorKind::kConflict, "carries deployment \"d-1\" of slice none, not \"d-0\"");
  CHECK_ERROR(toggle_environment({"MyService", Slice::kBlue, "d-1"}, DesiredAction::kIgnore, kRoleWeb, kv),
              ErrorKind::kNotFound, kPointer + "/blue: is not there");
  CHECK_ERROR(toggle_environment({"../x", Slice::kNone, "d-1"}, DesiredAction::kIgnore, kRoleWeb, kv),
              ErrorKind::kValidate, "holds a slash");
}

TEST_CASE("F65, W-S2, W-S6, W-S16: removal takes exact keys, the slice-less one with them, and no others") {
  Pairs kv;
  const auto put = [&](const std::string& key, const std::string& value) {
    kv[key] = {.key = key, .value = value, .modify_index = 50 + kv.size()};
  };
  const std::string version = "environments/pr1/services/MyService/1/";
  put(kPointer + "/none", R"({"Version":"1","DeploymentId":"d-1"})");
  put(kPointer, R"({"Version":"0","DeploymentId":"d-0"})");
  put(kPointer + "Two/none", R"({"Version":"1","DeploymentId":"d-1"})");
  put("environments/pr1/roles/Web-blue/services/MyService/blue", R"({"Version":"2","DeploymentId":"d-3"})");
  put(version + "definition", "{}");
  put(version + "installation", "{}");
  put("environments/pr1/services/MyService/1.5/definition", "{}");
  const EnvironmentRecord seen = {"MyService", Slice::kNone, "d-1"};
  const std::string pointers = "delete-cas " + kPointer + "/none 50\ndelete-cas " + kPointer + " 51\n";
  CHECK(operations_of(*remove_from_environment(seen, kRoleWeb, kv)) == pointers);
  const std::string versions = "delete-cas " + version + "definition 54\ndelete-cas " + version + "installation 55\n";
  CHECK(operations_of(*remove_from_environment(seen, kRoleWeb, kv, KvScope::kEnvironment)) == pointers + versions);
  SUBCASE("a version that another role points to stays") {
    put("environments/pr1/roles/Api/services/MyService/none", R"({"Version":"1"})");
    CHECK(operations_of(*remove_from_environment(seen, kRoleWeb, kv, KvScope::kEnvironment)) == pointers);
  }
  SUBCASE("and so it does while another record of the service cannot be read") {
    put("environments/pr1/roles/Api/services/MyService/none", "{");
    CHECK(operations_of(*remove_from_environment(seen, kRoleWeb, kv, KvScope::kEnvironment)) == pointers);
  }
  SUBCASE("another deployment by now") {
    CHECK_ERROR(remove_from_environment({"MyService", Slice::kNone, "d-0"}, kRoleWeb, kv), ErrorKind::kConflict,
                "look again");
  }
  SUBCASE("the slice-less one alone") {
    kv.erase(kPointer + "/none");
    CHECK(operations_of(*remove_from_environment({"MyService", Slice::kNone, "d-0"}, kRoleWeb, kv)) ==
          "delete-cas " + kPointer + " 51\n");
  }
  SUBCASE("nothing there") {
    CHECK_ERROR(remove_from_environment({"MyService", Slice::kGreen, "d-1"}, kRoleWeb, kv), ErrorKind::kNotFound,
                "/green: is not there");
  }
  REQUIRE(do_write(*remove_from_environment({"MyService", Slice::kBlue, "d-3"}, {"pr1", "Web-blue"}, kv), kv));
  CHECK(!kv.contains("environments/pr1/roles/Web-blue/services/MyService/blue"));
}

// Services that their documents can say, under names that look like each other.
class EnvironmentGenerator {
 public:
  explicit EnvironmentGenerator(std::uint64_t seed) : random_(seed) {}

  DesiredService service(const EnvironmentRole& role, Slice slice, std::int32_t number) {
    static constexpr const char* kNames[] = {"Web", "WebAdmin", "my-shop", "ü", "a.b", "Web_2"};
    DesiredService out;
    out.name = fmt::format("{}{}", kNames[below(6)], number);
    out.slice = slice;
    out.id = out.registered_name = environment_service_id(role, out.name, slice);
    out.placement = {.role = role.role, .node_meta = {{"environment", role.environment}}};
    out.action = static_cast<DesiredAction>(below(3));
    Release& release = out.release;
    release.version = fmt::format("{}.{}{}", below(3), below(100), below(2) == 0 ? "" : "-rc+1 ");
    release.deployment = fmt::format("d-{}", random_());
    release.package.source = fmt::format("s3://bucket{}/a/{}.zip", below(9), release.version);
    if (below(2) == 0) release.package.sha256 = std::string(64, "0123456789abcdef"[below(16)]);
    if (below(2) == 0) release.package.size = random_();
    release.port = static_cast<std::int32_t>(below(65536));
    release.deadline = std::chrono::minutes(below(100));
    if (below(2) == 0) release.tags.push_back("a:b:c");
    release.tags.push_back("environment:" + role.environment);
    release.tags.push_back("version:" + release.version);
    release.tags.push_back("deployment_id:" + release.deployment);
    release.tags.push_back("server_role:" + role.role);
    release.tags.push_back(fmt::format("slice:{}", to_string(slice)));
    return out;
  }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

 private:
  std::mt19937_64 random_;
};

TEST_CASE("what is exported is imported as it was") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    EnvironmentGenerator generator(seed);
    const EnvironmentRole role = {"pr-1", generator.below(2) == 0 ? "Web" : "Web-blue"};
    Pairs kv;
    std::vector<DesiredService> wanted;
    for (std::int32_t i = 0; i < 4; ++i) {
      wanted.push_back(generator.service(role, static_cast<Slice>(generator.below(3)), i));
      const auto write = export_environment(wanted.back(), role, kv);
      REQUIRE_OK(write);
      CHECK(write->left_out.empty());
      REQUIRE(write->operations.size() <= 64);
      REQUIRE(do_write(*write, kv));
    }
    EnvironmentRead read = import_environment(kv, role);
    CHECK(read.waiting.empty());
    CHECK(read.broken.empty());
    std::ranges::sort(wanted, {}, &DesiredService::name);
    for (DesiredService& service : read.services) {
      CHECK(service.modify_index > 0);
      service.modify_index = 0;
    }
    CHECK(read.services == wanted);
  }
}

}  // namespace
}  // namespace convergence
