#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/support/status_check.h"
#include "tests/unit/codec/value_generator.h"

namespace convergence {
namespace {

KvPair pair(std::string key, std::string value, std::uint64_t index = 0) {
  KvPair out;
  out.key = std::move(key);
  out.value = std::move(value);
  out.modify_index = index;
  return out;
}

std::vector<std::string> messages(const DesiredRead& read) {
  std::vector<std::string> out;
  for (const absl::Status& status : read.broken) out.push_back(std::string(status.message()));
  return out;
}

TEST_CASE("desired documents are read from their keys") {
  const absl::StatusOr<DesiredRead> read = desired_from_kv(
      {
          pair("p/desired/front/web/none",
               R"({"schema":1,"version":"1.0","port":80,"placement":{"node_meta":{"zone":"a"}}})", 7),
          pair("p/desired/front/web/blue", R"({"name":"web","slice":"blue","placement":{"role":"front"}})", 8),
          pair("p/desired/back/api/green", "{}", 9),
          pair("p/config/service-router/web", R"({"Kind":"service-router","Name":"web","ModifyIndex":3,"Routes":[{}]})",
               10),
          pair("p/config/service-defaults/web", R"({"Protocol":"http"})", 11),
          pair("p/desired/", ""),
          pair("p/desired/front/", ""),
          pair("p/rollouts/web", "not for us"),
      },
      "p");
  REQUIRE_OK(read);
  CHECK(messages(*read) == std::vector<std::string>{});
  DesiredState want;
  want.services.resize(3);
  want.services[0].name = "api";
  want.services[0].slice = Slice::kGreen;
  want.services[0].placement.role = "back";
  want.services[0].modify_index = 9;
  want.services[1].name = "web";
  want.services[1].release.version = "1.0";
  want.services[1].release.port = 80;
  want.services[1].placement = {"front", {{"zone", "a"}}, {}};
  want.services[1].modify_index = 7;
  want.services[2].name = "web";
  want.services[2].slice = Slice::kBlue;
  want.services[2].placement.role = "front";
  want.services[2].modify_index = 8;
  ServiceDefaults defaults;
  defaults.protocol = "http";
  ServiceRouter router;
  router.routes.emplace_back();
  want.entries = {ConfigEntry{.kind = "service-defaults", .name = "web", .body = defaults},
                  ConfigEntry{.kind = "service-router", .name = "web", .body = router}};
  CHECK(read->desired == want);
}

TEST_CASE("a broken document is one error and leaves the others") {
  struct Case {
    const char* name;
    const char* key;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"torn", "p/desired/front/api/none", R"({"name":"api","ver)",
       "p/desired/front/api/none: (offset 18): the text ends in the middle"},
      {"empty", "p/desired/front/api/none", "", "p/desired/front/api/none: (offset 0): no value"},
      {"a list", "p/desired/front/api/none", "[]", "p/desired/front/api/none: (offset 0): must be an object"},
      {"a wrong type", "p/desired/front/api/none", R"({"port":"80"})",
       "p/desired/front/api/none: /port (offset 8): must be a number, is text"},
      {"another name", "p/desired/front/api/none", R"({"name":"web"})",
       "p/desired/front/api/none: /name (offset 8): is \"web\", but the key says \"api\""},
      {"another slice", "p/desired/front/api/none", R"({"slice":"blue"})",
       "p/desired/front/api/none: /slice (offset 9): is \"blue\", but the key says \"none\""},
      {"another role", "p/desired/front/api/none", R"({"placement":{"role":"back"}})",
       "p/desired/front/api/none: /placement/role (offset 21): is \"back\", but the key says \"front\""},
      {"an unknown slice in the key", "p/desired/front/api/red", "{}",
       "p/desired/front/api/red: (offset 0): the key's slice \"red\" is none of none, blue, green"},
      {"a key too short", "p/desired/front/api", "{}",
       "p/desired/front/api: (offset 0): the key must be desired/<role>/<service>/<slice> below the prefix"},
      {"a key too long", "p/desired/front/api/none/x", "{}",
       "p/desired/front/api/none/x: (offset 0): the key must be desired/<role>/<service>/<slice> below the prefix"},
      {"a key with a gap", "p/desired//api/none", "{}",
       "p/desired//api/none: (offset 0): the key must be desired/<role>/<service>/<slice> below the prefix"},
      {"an entry's key too short", "p/config/service-router", "{}",
       "p/config/service-router: (offset 0): the key must be config/<kind>/<name> below the prefix"},
      {"an entry of another kind", "p/config/service-router/x", R"({"Kind":"service-splitter","Name":"x"})",
       "p/config/service-router/x: /Kind (offset 0): is \"service-splitter\", but the key says \"service-router\""},
      {"an entry of another name", "p/config/service-router/x", R"({"Name":"y"})",
       "p/config/service-router/x: /Name (offset 0): is \"y\", but the key says \"x\""},
      {"an entry there twice", "p/config/service-router/WEB", "{}",
       "p/config/service-router/WEB: (offset 0): another key differs from this one only in case; to Consul both are "
       "one entry"},
      {"an unknown schema", "p/desired/front/api/none", R"({"schema":2})",
       "p/desired/front/api/none: /schema (offset 10): unknown schema 2; this library reads 1 to 1"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::StatusOr<DesiredRead> read = desired_from_kv(
          {pair("p/config/service-router/web", "{}"), pair("p/desired/front/web/none", "{}"), pair(c.key, c.value)},
          "p");
      REQUIRE_OK(read);
      CHECK(messages(*read) == std::vector<std::string>{c.message});
      REQUIRE(read->desired.services.size() == 1);
      CHECK(read->desired.services[0].name == "web");
      REQUIRE(read->desired.entries.size() == 1);
      CHECK(read->desired.entries[0].name == "web");
    }
  }
}

TEST_CASE("keys of another prefix are the caller's mistake") {
  CHECK_ERROR(desired_from_kv({pair("prefix2/desired/a/b/none", "{}")}, "prefix"), ErrorKind::kUsage,
              "the key prefix2/desired/a/b/none is not below prefix");
}

TEST_CASE("a desired state comes back from KV") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    test::ValueGenerator generator(seed);
    DesiredState desired = generator.desired();
    // Names that a key can hold, each once.
    int number = 0;
    for (DesiredService& service : desired.services) {
      service.name = "s" + std::to_string(++number);
      service.placement.role = "r" + std::to_string(generator.below(2));
      service.modify_index = generator.index();
    }
    for (ConfigEntry& entry : desired.entries) {
      entry.name = "E" + std::to_string(++number);
      entry.create_index = entry.modify_index = 0;
    }
    const absl::StatusOr<DesiredState> normal = normalise(desired);
    REQUIRE_OK(normal);
    std::vector<KvPair> pairs = desired_to_kv(*normal, "a/b");
    std::ranges::reverse(pairs);
    const absl::StatusOr<DesiredRead> read = desired_from_kv(pairs, "a/b");
    REQUIRE_OK(read);
    REQUIRE(messages(*read) == std::vector<std::string>{});
    REQUIRE(read->desired == *normal);
  }
}

TEST_CASE("keys and documents are written like this") {
  DesiredState desired;
  DesiredService& web = desired.services.emplace_back();
  web.name = "web";
  web.slice = Slice::kBlue;
  web.placement.role = "front";
  desired.entries = {ConfigEntry{
      .kind = "service-router", .name = "web", .body = ServiceRouter{}, .create_index = 1, .modify_index = 2}};
  const std::vector<KvPair> pairs = desired_to_kv(desired, "convergence");
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].key == "convergence/desired/front/web/blue");
  CHECK(pairs[0].value == to_pretty_text(to_json(web)));
  CHECK(pairs[1].key == "convergence/config/service-router/web");
  CHECK(pairs[1].value == "{\n  \"Kind\": \"service-router\",\n  \"Name\": \"web\",\n  \"Routes\": null\n}");
}

}  // namespace
}  // namespace convergence
