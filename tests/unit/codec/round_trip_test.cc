#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "convergence/codec.h"
#include "convergence/deployment_codec.h"
#include "convergence/error.h"
#include "tests/support/status_check.h"
#include "tests/unit/codec/value_generator.h"

namespace convergence {
namespace {

constexpr int kRounds = 400;

// By the text and not by the tree alone: what is stored is text.
template <typename T>
void check_round_trip(const T& value) {
  const std::string text = to_text(to_json(value));
  CAPTURE(text);
  const absl::StatusOr<T> back = parse<T>(text, "doc");
  REQUIRE_OK(back);
  REQUIRE(*back == value);
  REQUIRE(to_text(to_json(*back)) == text);
}

template <typename Make>
void check_many(Make make) {
  constexpr std::uint64_t kSeed = 20;
  for (std::uint64_t seed = kSeed; seed < kSeed + kRounds; ++seed) {
    CAPTURE(seed);
    test::ValueGenerator generator(seed);
    check_round_trip(make(generator));
  }
}

TEST_CASE("every value comes back from its document") {
  using G = test::ValueGenerator;
  SUBCASE("config entry") {
    check_many([](G& g) { return g.entry(); });
  }
  SUBCASE("chain") {
    check_many([](G& g) { return g.chain(); });
  }
  SUBCASE("node") {
    check_many([](G& g) { return g.node(); });
  }
  SUBCASE("check") {
    check_many([](G& g) { return g.check(); });
  }
  SUBCASE("instance") {
    check_many([](G& g) { return g.instance(); });
  }
  SUBCASE("KV pair") {
    check_many([](G& g) { return g.kv(); });
  }
  SUBCASE("catalog") {
    check_many([](G& g) { return g.catalog(); });
  }
  SUBCASE("application specification") {
    check_many([](G& g) { return g.app_spec(); });
  }
  SUBCASE("an agent's memory") {
    check_many([](G& g) { return g.agent_memory(); });
  }
  SUBCASE("an agent's event") {
    check_many([](G& g) { return g.agent_event(); });
  }
  SUBCASE("the state of an agent") {
    check_many([](G& g) { return g.agent_state(); });
  }
  SUBCASE("a fleet") {
    check_many([](G& g) { return g.fleet(); });
  }
  SUBCASE("a node as its agent sees it") {
    for (std::uint64_t seed = 1; seed < kRounds; ++seed) {
      const std::string text = to_text(to_json(G(seed).node_view()));
      const absl::StatusOr<NodeView> back = parse<NodeView>(text, "doc");
      REQUIRE_OK(back);
      REQUIRE(to_text(to_json(*back)) == text);
    }
  }
  SUBCASE("desired service") {
    check_many([](G& g) { return g.desired_service(); });
  }
  SUBCASE("desired state") {
    check_many([](G& g) { return g.desired(); });
  }
  SUBCASE("node report") {
    check_many([](G& g) { return g.node_report(); });
  }
  SUBCASE("plan") {
    check_many([](G& g) { return g.plan(); });
  }
  SUBCASE("plan options") {
    check_many([](G& g) { return g.plan_options(); });
  }
  SUBCASE("canary policy") {
    check_many([](G& g) { return g.policy(); });
  }
  SUBCASE("canary state") {
    check_many([](G& g) { return g.canary_state(); });
  }
  SUBCASE("canary event") {
    check_many([](G& g) { return g.event(); });
  }
  SUBCASE("canary step") {
    check_many([](G& g) { return g.canary_step(); });
  }
  SUBCASE("route result") {
    check_many([](G& g) { return g.route_result(); });
  }
}

// Every percent of two decimals, not a sample: a hundredth lost is a weight that the server refuses.
TEST_CASE("hundredths of a percent survive every one") {
  for (std::int32_t weight = -10000; weight <= 20000; ++weight) {
    ServiceSplitter splitter;
    splitter.splits.push_back({.weight = weight});
    const ConfigEntry entry = {.kind = "service-splitter", .name = "s", .body = splitter};
    const absl::StatusOr<ConfigEntry> back = from_json<ConfigEntry>(to_json(entry), "doc");
    REQUIRE_OK(back);
    REQUIRE(*back == entry);
    CanaryPolicy policy;
    policy.steps = {weight};
    const absl::StatusOr<CanaryPolicy> policy_back = from_json<CanaryPolicy>(to_json(policy), "doc");
    REQUIRE_OK(policy_back);
    REQUIRE(*policy_back == policy);
  }
}

TEST_CASE("times and indexes at the ends of their range survive") {
  CanaryEvent event;
  event.at = kNever;
  check_round_trip(event);
  event.at = Time::min();
  check_round_trip(event);
  Node node;
  node.create_index = ~std::uint64_t{0};
  check_round_trip(node);
}

template <typename T>
void check_mutations(std::string text, std::uint64_t seed) {
  test::ValueGenerator generator(seed);
  for (std::uint64_t i = 1 + generator.below(3); i > 0 && !text.empty(); --i) {
    const std::size_t at = generator.below(text.size());
    switch (generator.below(4)) {
      case 0:
        text[at] = static_cast<char>(generator.below(256));
        break;
      case 1:
        text.erase(at, 1 + generator.below(8));
        break;
      case 2:
        text.insert(at, text.substr(generator.below(text.size()), 10));
        break;
      default:
        text.resize(at);
        break;
    }
  }
  const absl::StatusOr<T> result = parse<T>(text, "doc");
  if (result.ok()) return;
  CAPTURE(text);
  REQUIRE(error_kind(result.status()) == ErrorKind::kDecode);
  const Json detail = error_detail(result.status());
  REQUIRE(detail.find("document"));
  REQUIRE(*detail.find("document") == Json("doc"));
  REQUIRE(detail.find("pointer")->is_string());
  REQUIRE(detail.find("offset")->to_uint64().value_or(~std::uint64_t{0}) <= text.size());
}

TEST_CASE("a damaged document is read or refused with its place, and never more") {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    CAPTURE(seed);
    test::ValueGenerator generator(seed);
    check_mutations<ConfigEntry>(to_text(to_json(generator.entry())), seed);
    check_mutations<DiscoveryChain>(to_text(to_json(generator.chain())), seed);
    check_mutations<CatalogState>(to_text(to_json(generator.catalog())), seed);
    check_mutations<DesiredState>(to_text(to_json(generator.desired())), seed);
    check_mutations<Plan>(to_text(to_json(generator.plan())), seed);
    check_mutations<CanaryState>(to_text(to_json(generator.canary_state())), seed);
    check_mutations<CanaryEvent>(to_text(to_json(generator.event())), seed);
    check_mutations<RouteResult>(to_text(to_json(generator.route_result())), seed);
  }
}

}  // namespace
}  // namespace convergence
