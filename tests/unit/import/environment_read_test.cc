// Environment Manager's keys as services: what is there, and what it may look like (environment-manager.md 1, 7).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using KvMap = std::map<std::string, KvPair>;
using Texts = std::vector<std::pair<std::string, std::string>>;

const EnvironmentRole kWeb = {"pr1", "Web"};
const std::string kRole = "environments/pr1/roles/Web/services/";
const std::string kVersions = "environments/pr1/services/";

KvMap kv_of(const Texts& texts) {
  KvMap kv;
  std::uint64_t index = 100;
  for (const auto& [key, value] : texts) kv[key] = {.key = key, .value = value, .modify_index = ++index};
  return kv;
}

// The worked example of 1.7.
Texts worked() {
  return {
      {kRole + "MyService/none",
       R"({"Name":"MyService","Version":"1.2.3","Slice":"none","DeploymentId":"d-1","InstanceIds":[],"Action":"Install"})"},
      {kVersions + "MyService/1.2.3/definition",
       R"({"Service":{"Name":"pr1-MyService","ID":"pr1-MyService","Address":"","Ports":{"blue":1234,"green":9876},)"
       R"("Tags":["environment_type:Prod","environment:pr1","owning_cluster:Tango","version:1.2.3"]}})"},
      {kVersions + "MyService/1.2.3/installation",
       R"({"PackageBucket":"tl-deployment-prod","PackageKey":"pr1/MyService/MyService-1.2.3.zip","InstallationTimeout":20})"},
  };
}

std::string text_of(const EnvironmentRead& read) {
  std::string out;
  for (const DesiredService& service : read.services) out += to_text(to_json(service)) + "\n";
  for (const UnreadService& one : read.waiting)
    out += fmt::format("waits {}: {}\n", one.service_id, fmt::join(one.needs, " "));
  for (const UnreadService& one : read.broken)
    out += fmt::format("broken {}: {}\n", one.service_id, std::string(one.status.message()));
  return out;
}

TEST_CASE("F1, F2: the worked example is the service that their agent would register") {
  const EnvironmentRead read = import_environment(kv_of(worked()), kWeb);
  CHECK(text_of(read) ==
        R"({"schema":1,"name":"MyService","version":"1.2.3","slice":"none",)"
        R"("placement":{"role":"Web","node_meta":{"environment":"pr1"},"nodes":[]},"port":1234,)"
        R"("tags":["environment_type:Prod","environment:pr1","owning_cluster:Tango","version:1.2.3",)"
        R"("deployment_id:d-1","server_role:Web","slice:none"],"meta":{},"checks":[],"deployment":"d-1",)"
        R"("package":{"source":"s3://tl-deployment-prod/pr1/MyService/MyService-1.2.3.zip"},"deadline":"20m0s",)"
        R"("id":"pr1-MyService","registered_name":"pr1-MyService"})"
        "\n");
  REQUIRE(read.services.size() == 1);
  CHECK(read.services[0].modify_index == 101);
  CHECK(service_id(read.services[0]) == "pr1-MyService");
  CHECK(service_name(read.services[0]) == "pr1-MyService");
  CHECK(from_json<DesiredService>(to_json(read.services[0]), "x").ok());
}

// One record, one definition and one installation, each of them spoiled or spelled otherwise.
struct Record {
  std::string record = R"({"Version":"1","DeploymentId":"d"})";
  std::string definition = R"({"Service":{"Ports":{"blue":10,"green":20}}})";
  std::string installation = R"({"PackageBucket":"b","PackageKey":"k"})";
  std::string key = "s/none";
  std::string version = "1";
};

EnvironmentRead read_one(const Record& record) {
  return import_environment(kv_of({{kRole + record.key, record.record},
                                   {kVersions + "s/" + record.version + "/definition", record.definition},
                                   {kVersions + "s/" + record.version + "/installation", record.installation}}),
                            kWeb);
}

TEST_CASE("section 7: the ports that a service may have been given") {
  struct Case {
    const char* name;
    const char* definition;
    const char* key;
    std::int32_t port;
  };
  const Case cases[] = {
      {"both, no slice: the smaller, as theirs", R"({"Service":{"Ports":{"blue":20,"green":10}}})", "s/none", 10},
      {"W-A22: only blue", R"({"Service":{"Ports":{"blue":20,"green":0}}})", "s/none", 20},
      {"W-A22: only green", R"({"Service":{"Ports":{"green":30}}})", "s/none", 30},
      {"W-A22: a null", R"({"Service":{"Ports":{"blue":null,"green":30}}})", "s/none", 30},
      {"of blue", R"({"Service":{"Ports":{"blue":20,"green":10}}})", "s/blue", 20},
      {"of green", R"({"Service":{"Ports":{"blue":20,"green":10}}})", "s/green", 10},
      {"text", R"({"Service":{"Ports":{"blue":"20","green":"10"}}})", "s/green", 10},
      {"empty text", R"({"Service":{"Ports":{"blue":"20","green":""}}})", "s/none", 20},
      {"a number with a fraction of zero", R"({"Service":{"Ports":{"blue":20.0}}})", "s/none", 20},
      {"Port, the legacy form", R"({"Service":{"Port":8080}})", "s/none", 8080},
      {"Port as text", R"({"Service":{"Port":"8080"}})", "s/none", 8080},
      {"Port beside Ports that say nothing", R"({"Service":{"Port":8080,"Ports":{"blue":0,"green":0}}})", "s/none",
       8080},
      {"Port beside Ports", R"({"Service":{"Port":8080,"Ports":{"blue":1,"green":2}}})", "s/none", 1},
      {"none at all", R"({"Service":{}})", "s/none", 0},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const EnvironmentRead read = read_one({.definition = c.definition, .key = c.key});
      CHECK(text_of({{}, read.waiting, read.broken}) == "");
      REQUIRE(read.services.size() == 1);
      CHECK(read.services[0].release.port == c.port);
    }
  }
}

TEST_CASE("section 7: records that say little") {
  struct Case {
    const char* name;
    Record record;
    const char* id;
    DesiredAction action = DesiredAction::kInstall;
  };
  const Case cases[] = {
      {"no Action, no Name, no Slice", {}, "pr1-s"},
      {"the slice of the key", {.key = "s/blue"}, "pr1-s-blue"},
      {"K1': no slice in the key", {.key = "s"}, "pr1-s"},
      {"K1': a slice in the record", {.record = R"({"Version":"1","Slice":"green"})", .key = "s"}, "pr1-s-green"},
      {"an empty slice", {.record = R"({"Version":"1","Slice":""})"}, "pr1-s"},
      {"no deployment", {.record = R"({"Version":"1"})"}, "pr1-s"},
      {"nulls", {.record = R"({"Name":null,"Version":"1","Slice":null,"Action":null,"DeploymentId":null})"}, "pr1-s"},
      {"F8", {.record = R"({"Version":"1","Action":"Ignore"})"}, "pr1-s", DesiredAction::kIgnore},
      {"F9", {.record = R"({"Version":"1","Action":"Uninstall"})"}, "pr1-s", DesiredAction::kUninstall},
      {"a version that is a number", {.record = R"({"Version":1.20})", .version = "1.20"}, "pr1-s"},
      {"an odd version", {.record = R"({"Version":"1.2-rc+5 ü"})", .version = "1.2-rc+5 ü"}, "pr1-s"},
      {"members of others", {.record = R"({"Version":"1","Colour":"red"})"}, "pr1-s"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const EnvironmentRead read = read_one(c.record);
      CHECK(text_of({{}, read.waiting, read.broken}) == "");
      REQUIRE(read.services.size() == 1);
      CHECK(service_id(read.services[0]) == c.id);
      CHECK(read.services[0].action == c.action);
    }
  }
}

TEST_CASE("what is installed: where from, in how long") {
  struct Case {
    const char* name;
    const char* installation;
    Package package;
    Duration deadline;
  };
  const Case cases[] = {
      {"minutes",
       R"({"PackageBucket":"b","PackageKey":"k/l","InstallationTimeout":20})",
       {"s3://b/k/l", "", 0},
       std::chrono::minutes(20)},
      {"minutes in text",
       R"({"PackageBucket":"b","PackageKey":"k","InstallationTimeout":"1.5"})",
       {"s3://b/k", "", 0},
       std::chrono::seconds(90)},
      {"none", R"({"PackageBucket":"b","PackageKey":"k"})", {"s3://b/k", "", 0}, Duration(0)},
      {"W-A12: digest and size, members of ours",
       R"({"PackageBucket":"b","PackageKey":"k","PackageSha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","PackageSize":4})",
       {"s3://b/k", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 4},
       Duration(0)},
      {"PackagePath, in the oldest", R"({"PackagePath":"https://h/p.zip"})", {"https://h/p.zip", "", 0}, Duration(0)},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const EnvironmentRead read = read_one({.installation = c.installation});
      CHECK(text_of({{}, read.waiting, read.broken}) == "");
      REQUIRE(read.services.size() == 1);
      CHECK(read.services[0].release.package == c.package);
      CHECK(read.services[0].release.deadline == c.deadline);
    }
  }
}

TEST_CASE("their agent's tags take the place of those that begin alike (1.3)") {
  const EnvironmentRead read =
      read_one({.record = R"({"Version":"1","DeploymentId":"d:2"})",
                .definition =
                    R"({"Service":{"Tags":["slice:blue","a:b:c","deployment_id:old","server_role:Other","slices:x"]}})",
                .key = "s/green"});
  REQUIRE(read.services.size() == 1);
  CHECK(read.services[0].release.tags ==
        std::vector<std::string>{"a:b:c", "slices:x", "deployment_id:d:2", "server_role:Web", "slice:green"});
}

TEST_CASE("what cannot be read is told with key and member") {
  struct Case {
    const char* name;
    Record record;
    std::string message;
  };
  const std::string key = kRole + "s/none: ";
  const std::string definition = kVersions + "s/1/definition: ";
  const std::string installation = kVersions + "s/1/installation: ";
  const Case cases[] = {
      {"P-B2: an empty record", {.record = "{}"}, key + "(offset 0): needs a member \"Version\""},
      {"no JSON", {.record = "{"}, key},
      {"no object", {.record = "[]"}, key + "(offset 0): must be an object"},
      {"another name",
       {.record = R"({"Name":"t","Version":"1"})"},
       "/Name (offset 8): is \"t\", but the key says \"s\""},
      {"another slice",
       {.record = R"({"Slice":"blue","Version":"1"})"},
       "/Slice (offset 9): is \"blue\", but the key says \"none\""},
      {"no slice of theirs",
       {.record = R"({"Slice":"red","Version":"1"})", .key = "s"},
       "\"red\" is none of none, blue, green"},
      {"an unknown action",
       {.record = R"({"Version":"1","Action":"Stop"})"},
       "\"Stop\" is none of Install, Ignore, Uninstall"},
      {"W-S24: a version that leads elsewhere", {.record = R"({"Version":"../../x"})"}, "holds a slash"},
      {"W-S24: a version with a backslash", {.record = R"({"Version":"a\\b"})"}, "holds a slash"},
      {"W-S24: a folder above", {.record = R"({"Version":".."})"}, "can be no folder's name"},
      {"W-S24: a version with a line feed", {.record = R"({"Version":"1\n"})"}, "holds a control character"},
      {"an empty version", {.record = R"({"Version":""})"}, "/Version (offset 11): is empty"},
      {"W-A11: a deployment that leads elsewhere",
       {.record = R"({"Version":"1","DeploymentId":"../../../pwn"})"},
       "holds a slash"},
      {"a key of an unknown slice", {.key = "s/red"}, "the key's slice \"red\" is none of none, blue, green"},
      {"a key that goes on", {.key = "s/none/x"}, "the key's slice \"none/x\" is none of"},
      {"a key that is a folder above", {.key = "../none"}, "the service of the key \"..\" can be no folder's name"},
      {"no Service", {.definition = "{}"}, definition + "(offset 0): needs a member \"Service\""},
      {"a port too large",
       {.definition = R"({"Service":{"Ports":{"blue":65536}}})"},
       "/Service/Ports/blue (offset 28): must be a port, 0 to 65535"},
      {"a port that is no number", {.definition = R"({"Service":{"Port":"http"}})"}, "must be a port"},
      {"tags that are none", {.definition = R"({"Service":{"Tags":"a"}})"}, "must be a list"},
      {"no package", {.installation = "{}"}, installation + "(offset 0): needs PackageBucket and PackageKey"},
      {"half a package", {.installation = R"({"PackageBucket":"b"})"}, "needs PackageBucket and PackageKey"},
      {"a bucket that is a path", {.installation = R"({"PackageBucket":"b/c","PackageKey":"k"})"}, "is no bucket"},
      {"a package from elsewhere",
       {.installation = R"({"PackagePath":"ftp://h/p"})"},
       "package: the source \"ftp://h/p\""},
      {"a negative time",
       {.installation = R"({"PackageBucket":"b","PackageKey":"k","InstallationTimeout":-1})"},
       "must be a number of minutes"},
      {"W-A12: a digest that is none",
       {.installation = R"({"PackageBucket":"b","PackageKey":"k","PackageSha256":"x"})"},
       "the sha256 is not 64 digits"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const EnvironmentRead read = read_one(c.record);
      CHECK(read.services.empty());
      CHECK(read.waiting.empty());
      REQUIRE(read.broken.size() == 1);
      const std::string message(read.broken[0].status.message());
      INFO(message);
      CHECK(message.find(c.message) != std::string::npos);
    }
  }
}

TEST_CASE("W-A4, P-B: one that is torn or broken leaves the others") {
  Texts texts = worked();
  texts.push_back({kRole + "Torn/none", R"({"Version":"7","DeploymentId":"d-7"})"});
  texts.push_back({kVersions + "Torn/7/installation", R"({"PackageBucket":"b","PackageKey":"k"})"});
  texts.push_back({kRole + "Bad/none", "{}"});
  texts.push_back({kRole + "Gone/none", R"({"Version":"1","Action":"Ignore"})"});
  texts.push_back({kRole, ""});
  texts.push_back({kRole + "Folder/", ""});
  const EnvironmentRead read = import_environment(kv_of(texts), kWeb);
  REQUIRE(read.services.size() == 2);
  CHECK(service_id(read.services[0]) == "pr1-Gone");  // what is ignored needs no package
  CHECK(service_id(read.services[1]) == "pr1-MyService");
  CHECK(text_of({{}, read.waiting, read.broken}) ==
        "waits pr1-Torn: environments/pr1/services/Torn/7/definition\n"
        "broken pr1-Bad: environments/pr1/roles/Web/services/Bad/none: (offset 0): needs a member \"Version\"\n");
  CHECK_ERROR(read.waiting[0].status, ErrorKind::kNotFound, "waits for environments/pr1/services/Torn/7/definition");
}

TEST_CASE("F10, W-A26: the keys to read next, each once") {
  Texts texts = worked();
  texts.resize(1);
  texts.push_back({kRole + "MyService/blue", R"({"Version":"1.2.3"})"});
  texts.push_back({kRole + "MyService/green", R"({"Version":"1.2.4"})"});
  texts.push_back({kRole + "Bad/none", "{}"});
  texts.push_back({kRole + "Bad/red", R"({"Version":"1"})"});
  texts.push_back({kRole, ""});
  CHECK(environment_keys(kv_of(texts), kWeb) == std::vector<std::string>{
                                                    kVersions + "MyService/1.2.3/definition",
                                                    kVersions + "MyService/1.2.3/installation",
                                                    kVersions + "MyService/1.2.4/definition",
                                                    kVersions + "MyService/1.2.4/installation",
                                                });
}

TEST_CASE("W-A24, W-S6: Web is neither WebAdmin nor Web-blue") {
  CHECK(role_prefix(kWeb) == "environments/pr1/roles/Web/services/");
  const Texts texts = {
      {"environments/pr1/roles/WebAdmin/services/a/none", R"({"Version":"1"})"},
      {"environments/pr1/roles/Web-blue/services/a/blue", R"({"Version":"1"})"},
      {"environments/pr1/roles/Web/services-x/a/none", R"({"Version":"1"})"},
      {"environments/pr1/roles/Web/configuration", "{}"},
      {"environments/pr10/roles/Web/services/a/none", R"({"Version":"1"})"},
      {"environments/PR1/roles/Web/services/a/none", R"({"Version":"1"})"},
  };
  CHECK(import_environment(kv_of(texts), kWeb) == EnvironmentRead());
  CHECK(environment_keys(kv_of(texts), kWeb).empty());
  CHECK(environment_keys(kv_of(texts), {"pr1", "Web-blue"}).size() == 2);
}

TEST_CASE("W-A23, P-Q: names with a dash stay whole; two that would be one id are both left alone") {
  const std::string package = R"({"PackageBucket":"b","PackageKey":"k"})";
  Texts texts = {
      {"environments/my-env/roles/a-b/services/my-shop/blue", R"({"Version":"1"})"},
      {"environments/my-env/roles/a-b/services/my/none", R"({"Version":"1"})"},
      {"environments/my-env/services/my-shop/1/definition", R"({"Service":{}})"},
      {"environments/my-env/services/my-shop/1/installation", package},
      {"environments/my-env/services/my/1/definition", R"({"Service":{}})"},
      {"environments/my-env/services/my/1/installation", package},
  };
  const EnvironmentRole role = {"my-env", "a-b"};
  EnvironmentRead read = import_environment(kv_of(texts), role);
  REQUIRE(read.services.size() == 2);
  CHECK(read.services[0].name == "my");
  CHECK(read.services[1].name == "my-shop");
  CHECK(service_id(read.services[1]) == "my-env-my-shop-blue");
  texts.push_back({"environments/my-env/roles/a-b/services/my-shop-blue/none", R"({"Version":"1"})"});
  texts.push_back({"environments/my-env/services/my-shop-blue/1/definition", R"({"Service":{}})"});
  texts.push_back({"environments/my-env/services/my-shop-blue/1/installation", package});
  read = import_environment(kv_of(texts), role);
  REQUIRE(read.services.size() == 1);
  CHECK(read.services[0].name == "my");
  CHECK(text_of({{}, {}, read.broken}) ==
        "broken my-env-my-shop-blue: environments/my-env/roles/a-b/services/my-shop-blue/none: (offset 0): its service "
        "id "
        "my-env-my-shop-blue is that of environments/my-env/roles/a-b/services/my-shop/blue too; rename one\n"
        "broken my-env-my-shop-blue: environments/my-env/roles/a-b/services/my-shop/blue: (offset 0): its service id "
        "my-env-my-shop-blue is that of environments/my-env/roles/a-b/services/my-shop-blue/none too; rename one\n");
}

TEST_CASE("W-S16: a K1' that was left behind does not count beside K1") {
  Texts texts = worked();
  texts.push_back({kRole + "MyService", R"({"Version":"0.9","DeploymentId":"d-0"})"});
  EnvironmentRead read = import_environment(kv_of(texts), kWeb);
  REQUIRE(read.services.size() == 1);
  CHECK(read.services[0].release.version == "1.2.3");
  CHECK(text_of({{}, {}, read.broken}) ==
        "broken pr1-MyService: environments/pr1/roles/Web/services/MyService: (offset 0): "
        "environments/pr1/roles/Web/services/MyService/none speaks of the same service and counts; delete this key\n");
  // Nor does it when K1 is broken: what it points to is older.
  texts[0].second = "{}";
  CHECK(import_environment(kv_of(texts), kWeb).services.empty());
}

}  // namespace
}  // namespace convergence
