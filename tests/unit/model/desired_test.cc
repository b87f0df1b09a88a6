#include "convergence/desired.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "convergence/error.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using std::chrono::seconds;

DesiredService web() {
  DesiredService out;
  out.name = "web";
  out.release.version = "1.0";
  out.placement.role = "front";
  out.release.port = 80;
  out.release.meta = {{"team", "a"}};
  out.release.checks.push_back(
      {.name = "http", .http = "http://localhost/", .interval = seconds(10), .timeout = seconds(2)});
  return out;
}

ConfigEntry entry(std::string kind, std::string name) {
  ConfigEntry out;
  out.kind = std::move(kind);
  out.name = std::move(name);
  return out;
}

TEST_CASE("the service id carries the slice") {
  DesiredService service = web();
  CHECK(service_id(service) == "web");
  service.slice = Slice::kBlue;
  CHECK(service_id(service) == "web-blue");
  service.slice = Slice::kGreen;
  CHECK(service_id(service) == "web-green");
  CHECK(service_name(service) == "web");
  service.id = "pr1-web-green";
  service.registered_name = "pr1-web-green";
  CHECK(service_id(service) == "pr1-web-green");
  CHECK(service_name(service) == "pr1-web-green");
}

TEST_CASE("what can be is valid") {
  DesiredState desired;
  CHECK_OK(validate(desired));
  desired.services = {web(), web(), web()};
  desired.services[1].slice = Slice::kBlue;
  desired.services[2].placement.role = "back";  // the same service on other nodes
  desired.services[2].release.version = "";
  desired.services[2].release.meta["version"] = "";
  desired.services[2].release.port = 65535;
  desired.services[2].release.checks = {{.name = "t", .ttl = seconds(10)},
                                        {.name = "c", .tcp = "h:1", .interval = seconds(1)}};
  desired.entries = {entry("service-router", "web"), entry("service-splitter", "web"), entry("service-router", "api")};
  CHECK_OK(validate(desired));
}

TEST_CASE("what cannot be is refused with service and field") {
  using Services = std::vector<DesiredService>;
  struct Case {
    const char* name;
    std::function<void(Services&)> spoil;
    std::string where;
    std::string field;
    std::string problem;
  };
  const std::string self = "desired service front/web/none";
  const Case cases[] = {
      {"no name", [](Services& s) { s[0].name = ""; }, "desired service front//none", "name", "is empty"},
      {"a slash in the name", [](Services& s) { s[0].name = "a/b"; }, "desired service front/a/b/none", "name",
       "holds a slash"},
      {"a long name", [](Services& s) { s[0].name = std::string(129, 'x'); },
       "desired service front/" + std::string(129, 'x') + "/none", "name", "has 129 bytes; 128 is the most"},
      {"a line feed in the name", [](Services& s) { s[0].name = "a\nb"; }, "desired service front/a\nb/none", "name",
       "holds a control character"},
      {"a slash in the id", [](Services& s) { s[0].id = "a/b"; }, self, "id", "holds a slash"},
      {"a slash in the registered name", [](Services& s) { s[0].registered_name = "a/b"; }, self, "registered_name",
       "holds a slash"},
      {"no role", [](Services& s) { s[0].placement.role = ""; }, "desired service /web/none", "placement.role",
       "is empty"},
      {"a slash in the role", [](Services& s) { s[0].placement.role = "a/"; }, "desired service a//web/none",
       "placement.role", "holds a slash"},
      {"a long version", [](Services& s) { s[0].release.version = std::string(513, '1'); }, self, "version",
       "has 513 bytes; 512 is the most"},
      {"a negative port", [](Services& s) { s[0].release.port = -1; }, self, "port", "-1 is not in 0..65535"},
      {"a large port", [](Services& s) { s[0].release.port = 65536; }, self, "port", "65536 is not in 0..65535"},
      {"too much meta",
       [](Services& s) {
         for (int i = 0; i < 64; ++i) s[0].release.meta[std::to_string(i)] = "";
       },
       self, "meta", "has 65 pairs; 64 is the most"},
      {"an empty meta key", [](Services& s) { s[0].release.meta[""] = ""; }, self, "meta[]",
       "a key has 1 to 128 bytes"},
      {"a long meta value", [](Services& s) { s[0].release.meta["k"] = std::string(513, 'x'); }, self, "meta[k]",
       "has 513 bytes; 512 is the most"},
      {"two versions", [](Services& s) { s[0].release.meta["version"] = "2.0"; }, self, "meta[version]",
       "is \"2.0\", but the version is \"1.0\"; leave it out"},
      {"a check without a name", [](Services& s) { s[0].release.checks[0].name = ""; }, self, "checks[0]",
       "has no name"},
      {"a check of no kind", [](Services& s) { s[0].release.checks[0].http = ""; }, self, "checks[0]",
       "has 0 of http, tcp, grpc, args and ttl; one is needed"},
      {"a check of two kinds", [](Services& s) { s[0].release.checks[0].ttl = seconds(1); }, self, "checks[0]",
       "has 2 of http, tcp, grpc, args and ttl; one is needed"},
      {"a check without an interval", [](Services& s) { s[0].release.checks[0].interval = seconds(0); }, self,
       "checks[0]", "has no interval"},
      {"a negative timeout", [](Services& s) { s[0].release.checks[0].timeout = seconds(-1); }, self, "checks[0]",
       "timeout is negative"},
      {"a negative ttl", [](Services& s) { s[0].release.checks[0] = {.name = "t", .ttl = seconds(-1)}; }, self,
       "checks[0]", "ttl is negative"},
      {"two checks of one name", [](Services& s) { s[0].release.checks.push_back(s[0].release.checks[0]); }, self,
       "checks[1]", "the id \"web:http\" is there twice"},
      {"a package of an unknown kind", [](Services& s) { s[0].release.package.source = "ftp://h/p.zip"; }, self,
       "package", "the source \"ftp://h/p.zip\" is none of file:///..., http://..., https://... and s3://bucket/key"},
      {"a digest that is none",
       [](Services& s) {
         s[0].release.package = {"file:///p.zip", "ABC", 0};
       },
       self, "package", "the sha256 is not 64 digits of 0-9 and a-f"},
      {"a digest of no package", [](Services& s) { s[0].release.package.size = 1; }, self, "package",
       "has a sha256 or a size, but no source"},
      {"W-A11: a deployment that leads out of its folder",
       [](Services& s) { s[0].release.deployment = "../../../pwn"; }, self, "deployment", "holds a slash"},
      {"W-A11: a deployment that is a folder above", [](Services& s) { s[0].release.deployment = ".."; }, self,
       "deployment", "\"..\" can be no folder's name"},
      {"an environment variable without a name", [](Services& s) { s[0].release.environment[""] = "1"; }, self,
       "environment[]", "can be no environment variable"},
      {"an environment variable with two names", [](Services& s) { s[0].release.environment["A=B"] = "1"; }, self,
       "environment[A=B]", "can be no environment variable"},
      {"a service that waits for itself", [](Services& s) { s[0].release.depends_on = {"web"}; }, self, "depends_on",
       "names the service itself"},
      {"a last good release that cannot be",
       [](Services& s) {
         s[0].last_good = s[0].release;
         s[0].last_good->port = -1;
       },
       self, "last_good.port", "-1 is not in 0..65535"},
      {"a budget of nothing", [](Services& s) { s[0].strategy.max_unavailable = 0; }, self, "strategy.max_unavailable",
       "0 is below 1"},
      {"a negative bake time", [](Services& s) { s[0].strategy.bake = seconds(-1); }, self, "strategy.bake",
       "is negative"},
      {"one service twice", [](Services& s) { s.push_back(s[0]); }, self, "name", "the service is there twice"},
      {"two services with one id on a role",
       [](Services& s) {
         s[0].slice = Slice::kBlue;
         s.push_back(web());
         s[1].name = "web-blue";
         s[1].release.checks.clear();
       },
       "desired service front/web-blue/none", "name", "another service of this role has the id \"web-blue\" too"},
      {"two services with one check id on a role",
       [](Services& s) {
         s.push_back(web());
         s[1].name = "api";
         s[1].release.checks[0].id = "web:http";
       },
       "desired service front/api/none", "checks", "another service of this role has a check \"web:http\" too"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      DesiredState desired;
      desired.services = {web()};
      c.spoil(desired.services);
      const absl::Status status = validate(desired);
      CHECK(std::string(status.message()) == c.where + ": " + c.field + ": " + c.problem);
      CHECK(error_kind(status) == ErrorKind::kValidate);
      CHECK(error_detail(status) == Json().set("where", c.where).set("field", c.field).set("kind", "validate"));
    }
  }
}

TEST_CASE("entries without a name, or there twice, are refused") {
  DesiredState desired;
  desired.entries = {entry("service-router", "")};
  CHECK_ERROR(validate(desired), ErrorKind::kValidate, "desired entry service-router/: Name: is empty");
  desired.entries = {entry("", "web")};
  CHECK_ERROR(validate(desired), ErrorKind::kValidate, "desired entry /web: Kind: is empty");
  desired.entries = {entry("service-router", "web"), entry("service-router", "Web")};
  CHECK_ERROR(validate(desired), ErrorKind::kValidate,
              "desired entry service-router/Web: Name: the entry is there twice; case makes no difference");
  CHECK_ERROR(normalise(desired), ErrorKind::kValidate,
              "desired entry service-router/Web: Name: the entry is there twice; case makes no difference");
  desired.entries.clear();
  desired.services = {web(), web()};
  CHECK_ERROR(normalise(desired), ErrorKind::kValidate,
              "desired service front/web/none: name: the service is there twice");
}

TEST_CASE("normal form is sorted, whatever the order given") {
  DesiredState want;
  for (const char* role : {"a", "b"}) {
    for (const char* name : {"api", "web"}) {
      for (Slice slice : {Slice::kNone, Slice::kBlue, Slice::kGreen}) {
        DesiredService service = web();
        service.placement.role = role;
        service.placement.nodes = {"n1", "n2"};
        service.name = name;
        service.slice = slice;
        want.services.push_back(service);
      }
    }
  }
  want.entries = {entry("proxy-defaults", "global"), entry("service-router", "API"), entry("service-router", "web")};
  DesiredState given = want;
  for (int round = 0; round < 24; ++round) {
    std::rotate(given.services.begin(), given.services.begin() + 5, given.services.end());
    std::rotate(given.entries.begin(), given.entries.begin() + 1, given.entries.end());
    given.services[0].placement.nodes = {"n2", "n1", "n2"};
    const absl::StatusOr<DesiredState> normal = normalise(given);
    REQUIRE_OK(normal);
    CHECK(*normal == want);
  }
}

}  // namespace
}  // namespace convergence
