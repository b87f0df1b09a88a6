// appspec.yml as CodeDeploy and Environment Manager's agent take it (environment-manager.md 6.2), and what it may not
// say.
#include "convergence/appspec.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

using std::chrono::seconds;

std::string rows_of(const std::vector<ImportRow>& report) {
  std::string out;
  for (const ImportRow& row : report) {
    out += fmt::format("{} {} {}: {}\n", row.line, row.field, to_string(row.outcome), row.why);
  }
  return out;
}

PackageContext on(std::string platform) {
  PackageContext out;
  out.platform = std::move(platform);
  return out;
}

TEST_CASE("F18, F19, F21, F22: all that an appspec says") {
  const auto read = parse_appspec(R"(version: 0.0
os: linux
files:
  - source: /
    destination: /opt/shop
  - {source: /server/./bin//, destination: /home/shop/app}
permissions:
  - object: /opt/shop
    owner: shop
    group: 1000
    mode: 0755
    pattern: "*.sh"
    except: [a.sh, b.sh]
    type:
      - file
      - directory
  - object: /opt/shop/logs
hooks:
  ApplicationStop:
    - location: hooks/stop.sh
      timeout: 90
      runas: root
  BeforeInstall:
  AfterInstall: []
  ApplicationStart:
    - location: /hooks/start.sh
    - location: hooks/warm.sh
      timeout: "30"
      runas: shop
  ValidateService:
    - {location: hooks/check.sh}
)",
                                  "appspec.yml", on("linux"));
  REQUIRE_OK(read);
  AppSpec want;
  want.os = "linux";
  want.files = {{"/", "/opt/shop"}, {"server/bin", "/home/shop/app"}};
  want.permissions = {{"/opt/shop", "*.sh", {"a.sh", "b.sh"}, {"file", "directory"}, "shop", "1000", 0755},
                      {.object = "/opt/shop/logs"}};
  want.hooks[HookEvent::kApplicationStop] = {{"hooks/stop.sh", seconds(90), "root"}};
  want.hooks[HookEvent::kApplicationStart] = {{"hooks/start.sh", seconds(0), ""},
                                              {"hooks/warm.sh", seconds(30), "shop"}};
  want.hooks[HookEvent::kValidateService] = {{"hooks/check.sh", seconds(0), ""}};
  CHECK(read->spec == want);
  CHECK(rows_of(read->report) == "");
}

TEST_CASE("6.2: what CodeDeploy knows beyond that is accepted, and said") {
  const auto read = parse_appspec(R"(version: 0.1
os: linux
file_exists_behavior: OVERWRITE
files:
  - source: a
    destination: /b
    overwrite: true
permissions:
  - object: /b
    acls: {default: ["u:shop:rwx"]}
    context: {user: u, type: t, range: s0}
    colour: red
hooks:
  BeforeBlockTraffic:
    - location: lb/out.sh
  AfterAllowTraffic: [{location: lb/in.sh}]
  StartApplication:
    - location: start.sh
  AfterInstall:
    location: after.sh
    sudo: true
  ValidateService:
    - location: v.sh
      timeout: 0
Resources: []
)",
                                  "appspec.yml", on("linux"));
  REQUIRE_OK(read);
  CHECK(rows_of(read->report) ==
        "1 version ignored: 0.0 is the one version that there is\n"
        "3 file_exists_behavior ignored: a destination is swapped as a whole, never written into\n"
        "7 files[0].overwrite ignored: a destination is swapped as a whole, never written into\n"
        "10 permissions[0].acls unsupported: no access lists are set here\n"
        "11 permissions[0].context unsupported: no SELinux context is set here\n"
        "12 permissions[0].colour ignored: nothing here is known by this name\n"
        "14 hooks.BeforeBlockTraffic ignored: no event of a node's deployment; nothing of it runs\n"
        "16 hooks.AfterAllowTraffic ignored: no event of a node's deployment; nothing of it runs\n"
        "17 hooks.StartApplication unsupported: nothing of it runs; the events are ApplicationStop, BeforeInstall, "
        "AfterInstall, ApplicationStart, ValidateService\n"
        "19 hooks.AfterInstall translated: one entry without a list\n"
        "21 hooks.AfterInstall.sudo ignored: nothing here is known by this name\n"
        "24 hooks.ValidateService[0].timeout translated: 0 seconds: what is left of the deployment's time\n"
        "25 Resources ignored: nothing here is known by this name\n");
  CHECK(read->spec.hooks.size() == 2);
}

TEST_CASE("W-A21, P-I: no hooks are no hooks") {
  for (const char* text : {"os: linux", "os: linux\nhooks:", "os: linux\nhooks: null\nfiles:\npermissions: ~",
                           "os: linux\nhooks: {}", "version: 0.0\nos: 'linux'\n"}) {
    CAPTURE(text);
    const auto read = parse_appspec(text, "x", on("linux"));
    REQUIRE_OK(read);
    CHECK(read->spec == AppSpec{.os = "linux"});
    CHECK(rows_of(read->report) == "");
  }
}

TEST_CASE("W-A30: modes are octal digits, however YAML has them") {
  struct ModeCase {
    const char* text;
    std::uint32_t mode;
  };
  for (const ModeCase& c :
       {ModeCase{"0755", 0755}, ModeCase{"755", 0755}, ModeCase{"\"0755\"", 0755}, ModeCase{"'644'", 0644},
        ModeCase{"0o700", 0700}, ModeCase{"4755", 04755}, ModeCase{"0", 0}, ModeCase{"07777", 07777}}) {
    CAPTURE(c.text);
    const auto read =
        parse_appspec(fmt::format("os: linux\npermissions: [{{object: /a, mode: {}}}]", c.text), "x", on("linux"));
    REQUIRE_OK(read);
    CHECK(read->spec.permissions[0].mode == c.mode);
  }
}

struct Refusal {
  const char* name;
  const char* text;
  const char* message;
};

TEST_CASE("what an appspec may not say is told with line and field") {
  const Refusal cases[] = {
      {"nothing", "", "x: line 1: is empty"},
      {"a list", "- os: linux", "x: line 1: must be an object, is a list"},
      {"two documents", "os: linux\n---\nos: linux", "x: line 1: holds several documents; one is wanted"},
      {"no YAML", "os: [", "x: line "},
      {"no os", "files: []", "x: line 1: needs os: linux on this node"},
      {"another os", "\nos: windows", "x: line 2: os: the package is for \"windows\", and the node is linux"},
      {"an os in capitals", "os: Linux", "x: line 1: os: the package is for \"Linux\""},
      {"files that are none", "os: linux\nfiles: a", "x: line 2: files: must be a list, is text"},
      {"a file that is none", "os: linux\nfiles: [a]", "x: line 2: files[0]: must be an object, is text"},
      {"no source", "os: linux\nfiles:\n  - destination: /a", "x: line 3: files[0]: needs source"},
      {"no destination", "os: linux\nfiles:\n  - source: a", "x: line 3: files[0]: needs destination"},
      {"P-K: a source above", "os: linux\nfiles:\n  - source: a/../../b\n    destination: /a",
       "x: line 3: files[0].source: \"a/../../b\" leads out of the package by \"..\""},
      {"P-K: a source above, by backslashes", "os: linux\nfiles:\n  - source: 'a\\..\\b'\n    destination: /a",
       "leads out of the package"},
      {"an empty source", "os: linux\nfiles:\n  - source: ''\n    destination: /a", "files[0].source: is empty"},
      {"P-K: a destination above", "os: linux\nfiles:\n  - source: a\n    destination: /a/../etc",
       "x: line 4: files[0].destination: \"/a/../etc\" goes up by \"..\""},
      {"a relative destination", "os: linux\nfiles:\n  - source: a\n    destination: b", "\"b\" is no absolute path"},
      {"a line feed", "os: linux\nfiles:\n  - source: \"a\\nb\"\n    destination: /a", "holds a control character"},
      {"no object", "os: linux\npermissions:\n  - mode: 755", "x: line 3: permissions[0]: needs object"},
      {"a relative object", "os: linux\npermissions: [{object: a}]",
       "permissions[0].object: \"a\" is no absolute path"},
      {"W-A30: a mode in tens", "os: linux\npermissions:\n  - object: /a\n    mode: 493",
       "x: line 4: permissions[0].mode: \"493\" is no octal number; if a tool has written it in tens, write \"0755\""},
      {"a mode too large", "os: linux\npermissions: [{object: /a, mode: 10000}]", "\"10000\" is no mode like \"0755\""},
      {"a mode in letters", "os: linux\npermissions: [{object: /a, mode: u+x}]", "\"u+x\" is no mode"},
      {"a negative mode", "os: linux\npermissions: [{object: /a, mode: -755}]", "\"-755\" is no mode"},
      {"an unknown type", "os: linux\npermissions: [{object: /a, type: [link]}]",
       "permissions[0].type[0]: \"link\" is none of file, directory"},
      {"a type without a list", "os: linux\npermissions: [{object: /a, type: file}]", "type: must be a list, is text"},
      {"hooks that are a list", "os: linux\nhooks: [a]", "x: line 2: hooks: must be an object of events, is a list"},
      {"an event that is text", "os: linux\nhooks:\n  AfterInstall: a.sh",
       "x: line 3: hooks.AfterInstall: must be a list, is text"},
      {"a hook without a location", "os: linux\nhooks:\n  AfterInstall:\n    - timeout: 1",
       "x: line 4: hooks.AfterInstall[0]: needs location: a program of the package"},
      {"the second hook", "os: linux\nhooks:\n  AfterInstall:\n    - location: a\n    - location: ../b",
       "x: line 5: hooks.AfterInstall[1].location: \"../b\" leads out"},
      {"the package as a hook", "os: linux\nhooks:\n  AfterInstall:\n    - location: /", "names the package itself"},
      {"a timeout in words", "os: linux\nhooks:\n  AfterInstall:\n    - {location: a, timeout: 5m}",
       "hooks.AfterInstall[0].timeout: must be a whole number from 0 to 604800"},
      {"a negative timeout", "os: linux\nhooks:\n  AfterInstall:\n    - {location: a, timeout: -1}",
       "-1 is not in 0..604800"},
      {"an event twice", "os: linux\nhooks:\n  AfterInstall:\n  AfterInstall:", "\"AfterInstall\" is there twice"},
      {"6.6: a template", "os: linux\n# {{a}}\nhooks:\n  AfterInstall:\n    - location: {{ script }}\n",
       "x: line 5: a {{...}} without quotes: a template that nobody has filled in"},
      {"6.6: a template with something behind", "os: {{os}}/x\nfiles: []", "x: line 1: a {{...}} without quotes"},
      {"W-A14: a tag is text, and none of Python's", "os: !!python/object/apply:os.system [id]", "os: must be text"},
      {"W-A20: checks that are none", "os: linux\nconsul_healthchecks: [a]",
       "x: line 2: consul_healthchecks: must be an object of checks by their ids, is a list"},
  };
  for (const Refusal& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(parse_appspec(c.text, "x", on("linux")), ErrorKind::kDecode, c.message); }
  }
}

TEST_CASE("W-A14: aliases that multiply end with an error") {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'i'; ++c) {
    bomb += fmt::format("{}: &{} [", c, c);
    for (int i = 0; i < 10; ++i) bomb += fmt::format("{}*{}", i == 0 ? "" : ", ", static_cast<char>(c - 1));
    bomb += "]\n";
  }
  CHECK_ERROR(parse_appspec(bomb, "x", on("linux")), ErrorKind::kDecode, "do aliases multiply?");
}

TEST_CASE("a detail tells where") {
  const auto read = parse_appspec("os: linux\nfiles: a", "appspec.yml", on("linux"));
  const Json detail = error_detail(read.status());
  CHECK(*detail.find("document")->as_string() == "appspec.yml");
  CHECK(detail.find("line")->to_int64() == 2);
  CHECK(*detail.find("field")->as_string() == "files");
}

TEST_CASE("a package for Windows") {
  const char* const text = R"(version: 0.0
os: windows
files:
  - source: \app\
    destination: C:\inetpub\shop
hooks:
  ApplicationStart:
    - location: \hooks\start.ps1
      timeout: 600
)";
  const auto read = parse_appspec(text, "x", on("windows"));
  REQUIRE_OK(read);
  CHECK(read->spec.files == std::vector<AppFile>{{"app", "C:\\inetpub\\shop"}});
  CHECK(read->spec.hooks.at(HookEvent::kApplicationStart)[0].location == "hooks/start.ps1");
  CHECK_ERROR(parse_appspec(text, "x", on("linux")), ErrorKind::kDecode, "the node is linux");
  for (const char* bad : {"/opt/shop", "C:", "shop", "C:\\a\\..\\b"}) {
    CAPTURE(bad);
    CHECK(!parse_appspec(fmt::format("os: windows\nfiles: [{{source: a, destination: '{}'}}]", bad), "x", on("windows"))
               .ok());
  }
}

TEST_CASE("6.2: checks within an appspec have their scripts in the package's root") {
  const auto read = parse_appspec(R"(os: linux
consul_healthchecks:
  alive: {type: script, name: alive, script: checks/alive.sh, interval: 10}
sensu_healthchecks:
  alive: {type: script, name: alive, script: checks/alive.sh, interval: 10}
)",
                                  "x", on("linux"));
  REQUIRE_OK(read);
  REQUIRE(read->spec.checks.size() == 1);
  CHECK(read->spec.checks[0].args == std::vector<std::string>{"checks/alive.sh"});
  REQUIRE(read->spec.sensu.size() == 1);
  CHECK(read->spec.sensu[0].script == "checks/alive.sh");
}

// The documents that Environment Manager itself is deployed with. They are its owner's and not kept here.
TEST_CASE("6.1: real documents, where they are") {
  const std::filesystem::path folder =
      std::filesystem::path(CONVERGENCE_SOURCE_DIR).parent_path() / "shared/data/environment-manager/server";
  const auto read_file = [&](const char* name) {
    std::ifstream file(folder / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string appspec = read_file("appspec.yml");
  if (appspec.empty()) {
    MESSAGE("skipped: no real documents beside this tree");
    return;
  }
  const auto read = parse_appspec(appspec, "appspec.yml", on("linux"));
  REQUIRE_OK(read);
  CHECK(rows_of(read->report) == "");
  CHECK(read->spec.files == std::vector<AppFile>{{"/", "/opt/environment-manager"}});
  CHECK(read->spec.hooks.size() == 5);
  CHECK(read->spec.hooks.at(HookEvent::kAfterInstall) ==
        std::vector<Hook>{{"deployment/code-deploy/on-after-install.sh", seconds(0), "root"}});
  const auto sensu =
      parse_sensu_healthchecks(read_file("healthchecks/sensu/healthchecks.yml"), "healthchecks.yml", on("linux"));
  REQUIRE_OK(sensu);
  CHECK(sensu->checks.empty());  // 6.6: all of the old form
  REQUIRE(sensu->report.size() == 2);
  CHECK(sensu->report[0].outcome == ImportOutcome::kUnsupported);
  CHECK(sensu->report[0].why.starts_with("local_script without a type is the old form"));
}

TEST_CASE("documents and archive go together, or the first complaint tells where") {
  AppSpec spec;
  spec.files = {{"/", "/opt/a"}, {"server", "/opt/b"}, {"conf/app.conf", "/etc/a"}};
  spec.hooks[HookEvent::kApplicationStart] = {{.location = "hooks/start.sh"}, {.location = "hooks/warm.sh"}};
  spec.checks = {{.id = "c1", .name = "c1", .args = {"healthchecks/consul/alive.sh", "-v"}},
                 {.id = "c2", .name = "c2", .args = {"/usr/bin/true"}},
                 {.id = "c3", .name = "c3", .http = "http://h"}};
  spec.sensu = {{"s1", "healthchecks/sensu/ping.py", {}}, {"s2", "", {}}};
  const std::vector<PackedFile> files = {{"server/main.js"},
                                         {"./conf/app.conf"},
                                         {"hooks/", true},
                                         {"hooks/start.sh", false, false},
                                         {"hooks/warm.sh"},
                                         {"healthchecks/consul/alive.sh"},
                                         {"healthchecks/sensu/ping.py"}};
  CHECK_OK(check_package(spec, files));
  CHECK_OK(check_package(AppSpec(), {}));

  struct PackageCase {
    const char* name;
    std::function<void(AppSpec&)> spoil;
    std::string message;
  };
  const PackageCase cases[] = {
      {"a source", [](AppSpec& s) { s.files[2].source = "conf/x"; },
       "the package: files[2].source: conf/x is not in the archive"},
      {"a beginning of a name is no folder", [](AppSpec& s) { s.files[1].source = "serv"; }, "files[1].source: serv"},
      {"a hook", [](AppSpec& s) { s.hooks[HookEvent::kApplicationStart][1].location = "x"; },
       "the package: hooks.ApplicationStart[1].location: x is not in the archive"},
      {"a hook in another case",
       [](AppSpec& s) { s.hooks[HookEvent::kApplicationStart][1].location = "hooks/Warm.sh"; },
       "hooks/Warm.sh is not in the archive; hooks/warm.sh is, and case counts"},
      {"a folder as a hook", [](AppSpec& s) { s.hooks[HookEvent::kApplicationStop] = {{.location = "hooks"}}; },
       "hooks.ApplicationStop[0].location: hooks is a folder, no program"},
      {"a script", [](AppSpec& s) { s.checks[0].args[0] = "x"; }, "checks.c1.script: x is not in the archive"},
      {"a Sensu script", [](AppSpec& s) { s.sensu[0].script = "x"; }, "sensu.s1.script: x is not in the archive"},
      {"two ids", [](AppSpec& s) { s.checks[2].id = "C1"; }, "checks.C1: \"c1\" is an id already"},
      {"two Sensu ids", [](AppSpec& s) { s.sensu[1].id = "S1"; }, "sensu.S1: \"s1\" is an id already"},
  };
  for (const PackageCase& c : cases) {
    SUBCASE(c.name) {
      AppSpec spoiled = spec;
      c.spoil(spoiled);
      CHECK_ERROR(check_package(spoiled, files), ErrorKind::kValidate, c.message);
    }
  }
}

}  // namespace
}  // namespace convergence
