#include "lib/driver/rollout_legs.h"

#include "tests/support/status_check.h"

namespace convergence {
namespace {

ConfigEntry splitter(std::int32_t v1, std::int32_t v2, std::map<std::string, std::string> meta = {}) {
  ConfigEntry entry;
  entry.kind = "service-splitter";
  entry.name = "api";
  entry.meta = std::move(meta);
  ServiceSplitter body;
  body.splits.resize(2);
  body.splits[0].weight = v1;
  body.splits[0].service_subset = "v1";
  body.splits[1].weight = v2;
  body.splits[1].service_subset = "v2";
  entry.body = body;
  return entry;
}

CanaryState rollout(CanaryPhase phase) {
  CanaryState state;
  state.policy.service = "api";
  state.policy.stable_subset = "v1";
  state.policy.candidate_subset = "v2";
  state.phase = phase;
  return state;
}

CatalogState there(const ConfigEntry& entry) {
  CatalogState catalog;
  catalog.entries.emplace(entry_key(entry), entry);
  return catalog;
}

using Entries = std::vector<ConfigEntry>;

TEST_CASE("while a rollout moves, its legs stay as they stand, and so do its stamps") {
  const std::map<std::string, std::string> stamps = {
      {"convergence-rollout", "r1/4"}, {"convergence-state-index", "7"}, {"convergence-weight", "500"}};
  const CatalogState catalog = there(splitter(9500, 500, stamps));
  for (CanaryPhase phase :
       {CanaryPhase::kSettling, CanaryPhase::kObserving, CanaryPhase::kPromoting, CanaryPhase::kRollingBack}) {
    CHECK(keep_rollout_legs({splitter(10000, 0)}, {rollout(phase)}, catalog) == Entries{splitter(9500, 500, stamps)});
  }
  // At its end the document's weights hold, as entries_for() has put them there.
  CHECK(keep_rollout_legs({splitter(0, 10000)}, {rollout(CanaryPhase::kSucceeded)}, catalog) ==
        Entries{splitter(0, 10000, stamps)});
  CHECK(keep_rollout_legs({splitter(10000, 0)}, {}, catalog) == Entries{splitter(10000, 0, stamps)});
}

TEST_CASE("what is no splitter of the rollout's is left alone") {
  const std::vector<CanaryState> moving = {rollout(CanaryPhase::kObserving)};
  CHECK(keep_rollout_legs({splitter(10000, 0)}, moving, {}) == Entries{splitter(10000, 0)});
  ConfigEntry other = splitter(10000, 0);
  other.name = "web";
  CHECK(keep_rollout_legs({other}, moving, there(splitter(9500, 500))) == Entries{other});
  ConfigEntry three = splitter(9500, 500);
  std::get<ServiceSplitter>(three.body).splits[1].service_subset = "v3";
  CHECK(keep_rollout_legs({splitter(10000, 0)}, moving, there(three)) == Entries{splitter(10000, 0)});
}

TEST_CASE("names are compared as Consul compares them") {
  ConfigEntry upper = splitter(10000, 0);
  upper.name = "API";
  ConfigEntry want = upper;
  std::get<ServiceSplitter>(want.body).splits[0].weight = 9500;
  std::get<ServiceSplitter>(want.body).splits[1].weight = 500;
  CHECK(keep_rollout_legs({upper}, {rollout(CanaryPhase::kObserving)}, there(splitter(9500, 500))) == Entries{want});
}

}  // namespace
}  // namespace convergence
