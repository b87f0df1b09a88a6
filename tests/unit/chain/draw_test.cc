// Pictures compared whole with those in tests/golden/draw; CONVERGENCE_UPDATE_GOLDEN=1 writes them anew, to be looked
// at.
#include "convergence/draw.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/status_check.h"
#include "tests/unit/chain/entries.h"

namespace convergence {
namespace {

using test::defaults;
using test::http;
using test::resolver;
using test::route_with;
using test::router;
using test::splitter;

void check_golden(const std::string& name, const std::string& text) {
  const std::string path = CONVERGENCE_SOURCE_DIR "/tests/golden/draw/" + name;
  CAPTURE(path);
  if (std::getenv("CONVERGENCE_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  CHECK(text == std::string(std::istreambuf_iterator<char>(file), {}));
}

void check_pictures(const std::string& name, const std::vector<ConfigEntry>& entries,
                    const std::map<std::string, TargetHealth>& health = {}) {
  const auto chain = compile_chain(test::entry_map(entries), {.service = "shop"});
  REQUIRE_OK(chain);
  check_golden(name + ".txt", draw(*chain, Drawing::kTree, health));
  check_golden(name + ".dot", draw(*chain, Drawing::kDot, health));
  check_golden(name + ".mmd", draw(*chain, Drawing::kMermaid, health));
  check_golden(name + ".svg", draw(*chain, Drawing::kSvg, health));
}

const std::map<std::string, ResolverSubset> kSubsets = {{"v1", {.filter = "Service.Meta.version == v1"}},
                                                        {"v2", {.filter = "Service.Meta.version == v2"}}};

TEST_CASE("a canary with the health of its instances") {
  check_pictures(
      "canary",
      {http("shop"),
       router("shop", {route_with({.path_prefix = "/admin", .methods = {"POST"}}, {.service_subset = "v1"}),
                       route_with({.path_prefix = "/"}, {.num_retries = 3, .retry_on_status_codes = {500, 503}})}),
       splitter("shop", {{.weight = 9750, .service_subset = "v1"}, {.weight = 250, .service_subset = "v2"}}),
       resolver("shop", {.default_subset = "v1", .subsets = kSubsets})},
      {{"v1.shop.default.dc1", {true, 12, 12}}, {"v2.shop.default.dc1", {true, 0, 1}}});
}

TEST_CASE("failover, other datacenters, something external, a leg of weight 0") {
  check_pictures(
      "failover",
      {http("shop"), defaults("mail", {.protocol = "http", .external_sni = "mail.example.com"}), http("till"),
       splitter("shop", {{.weight = 10000}, {.weight = 0, .service = "till"}, {.weight = 0, .service = "mail"}}),
       resolver("shop", {.failover = {{"*", {.datacenters = {"dc2", "dc3"}}}}}),
       resolver("till", {.failover = {{"*", {.service = "shop"}}}})});
}

TEST_CASE("names and values that each language has to escape") {
  check_pictures(
      "escapes",
      {http("shop"),
       router("shop",
              {route_with({.path_regex = R"(/a"\d<b>&[x]{1,2}|`#;)",
                           .header = {{.name = "x-very-long-header-name", .exact = "a value that goes on and on"}}},
                          {})}),
       resolver("shop",
                {.default_subset = "v1",
                 .subsets = {{"v1", {.filter = "Service.Meta[\"a<b\"] == \"c&d\" or Node.Meta.zöne == \"ü\""}}}})});
}

TEST_CASE("a service without entries") { check_pictures("plain", {}); }

TEST_CASE("a drawing is known by its name") {
  for (Drawing drawing : {Drawing::kTree, Drawing::kDot, Drawing::kMermaid, Drawing::kSvg}) {
    CHECK(drawing_from(to_string(drawing)).value() == drawing);
  }
  CHECK_ERROR(drawing_from("oil"), ErrorKind::kUsage, "\"oil\" is no drawing: tree, dot, mermaid, svg");
}

}  // namespace
}  // namespace convergence
