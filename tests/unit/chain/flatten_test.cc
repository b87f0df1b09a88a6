#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "tests/support/status_check.h"
#include "tests/unit/chain/entries.h"

namespace convergence {
namespace {

using test::entry_map;
using test::proxy_defaults;
using test::splitter;

ConfigEntry all_http() {
  ProxyDefaults body;
  body.config.set("protocol", "http");
  return proxy_defaults(body);
}

// The legs of the outermost of these splitters, each of which gives `weight` to the next one and the rest to "end":
// "s2 4500, end 5500".
std::string nested(const std::vector<std::int32_t>& weights) {
  std::vector<ConfigEntry> entries = {all_http()};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    entries.push_back(splitter(fmt::format("s{}", i), {{.weight = weights[i], .service = fmt::format("s{}", i + 1)},
                                                       {.weight = 10000 - weights[i], .service = "end"}}));
  }
  const auto chain = compile_chain(entry_map(entries), {.service = "s0"});
  REQUIRE_OK(chain);
  CHECK(chain->nodes.size() == 3);  // the inner splitters are gone
  std::vector<std::string> legs;
  for (const ChainSplit& split : std::get<SplitterNode>(find_node(*chain, "splitter:s0.default")->body).splits) {
    const auto& resolver = std::get<ResolverNode>(chain->nodes[split.next_node].body);
    legs.push_back(fmt::format("{} {}", chain->targets[resolver.target].service, split.weight));
  }
  return fmt::format("{}", fmt::join(legs, ", "));
}

TEST_CASE("weights of splitters below splitters") {
  struct Case {
    const char* name;
    std::vector<std::int32_t> weights;
    const char* legs;
  };
  const Case cases[] = {
      {"whole tens", {9000, 5000}, "s2 4500, end 4500, end 1000"},
      {"rounded to the nearest hundredth", {3333, 3333}, "s2 1111, end 2222, end 6667"},
      {"a leg that becomes nothing stays", {1, 1}, "s2 0, end 1, end 9999"},
      {"half a hundredth goes up", {5000, 1}, "s2 1, end 5000, end 5000"},
      {"half a hundredth below zero goes down", {-5000, 1}, "s2 -1, end -5000, end 15000"},
      {"below zero", {-1000, 5000}, "s2 -500, end -500, end 11000"},
      {"the innermost of three levels first: from outside the second leg would be 18.42",
       {2202, 9326, 1034},
       "s3 212, end 1841, end 148, end 7798"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK(nested(c.weights) == c.legs); }
  }
}

TEST_CASE("weights that no server would see as sane do not leave their type") {
  CHECK(nested({2000000000, 2000000000}) == "s2 2147483647, end -2147483647, end -1999990000");
}

TEST_CASE("splitters side by side that share what is below them") {
  // 2^16 ways lead down, through 33 splitters: circles are looked for once for each node, not for each way.
  std::vector<ConfigEntry> entries = {all_http(), splitter("top", {{.weight = 10000, .service = "a0"}})};
  const int levels = 16;
  for (int i = 0; i < levels; ++i) {
    for (const char* side : {"a", "b"}) {
      entries.push_back(splitter(side + std::to_string(i), {{.weight = 5000, .service = "a" + std::to_string(i + 1)},
                                                            {.weight = 5000, .service = "b" + std::to_string(i + 1)}}));
    }
  }
  const auto chain = compile_chain(entry_map(entries), {.service = "top"});
  REQUIRE_OK(chain);
  CHECK(std::get<SplitterNode>(find_node(*chain, "splitter:top.default")->body).splits.size() == std::size_t{1}
                                                                                                     << levels);
  CHECK(chain->nodes.size() == 3);
}

}  // namespace
}  // namespace convergence
