// The planner against an exhaustive search (tests/support/exhaustive_order.h): it never refuses where the search finds
// a way, and never takes more writes. CONVERGENCE_CASES (5000, at night 100000) worlds from CONVERGENCE_SEED (1) on.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "convergence/plan.h"
#include "tests/support/entry_world.h"
#include "tests/support/exhaustive_order.h"
#include "tests/support/plan_values.h"
#include "tests/support/random_cases.h"

namespace convergence::test {
namespace {

EntryMap as_map(const std::vector<ConfigEntry>& entries) {
  EntryMap map;
  for (const ConfigEntry& entry : entries) map.emplace(entry_key(entry), entry);
  return map;
}

std::size_t differences(const EntryMap& actual, const EntryMap& wanted) {
  std::size_t count = 0;
  for (const auto& [key, entry] : wanted) {
    auto there = actual.find(key);
    count += there == actual.end() || there->second->body != entry->body ? 1 : 0;
  }
  for (const auto& [key, entry] : actual) count += wanted.contains(key) ? 0 : 1;
  return count;
}

TEST_CASE(
    "up to six writes: a plan wherever a search finds one, and none is shorter; more: at most one extra an entry") {
  constexpr std::size_t kMostWrites = 6;
  constexpr std::size_t kMostExtra = 3;
  std::size_t large = 0;
  std::size_t plain = 0;
  std::size_t with_more = 0;
  std::size_t refused = 0;
  std::size_t undecided = 0;
  for_each_case(std::getenv("CONVERGENCE_NIGHTLY") != nullptr ? 100000 : 5000, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 100);
    const EntryMap wanted = as_map(world.desired);
    const std::size_t least = differences(world.actual, wanted);
    PlanOptions options;
    options.prune = true;
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    if (least > kMostWrites) {  // too many to search through
      ++large;
      CHECK(plan->held.empty());
      CHECK(plan->steps.size() <= least + world.actual.size());
      return;
    }
    if (plan->held.empty() && plan->steps.size() == least) {  // fewer there cannot be
      ++plain;
      return;
    }
    const std::size_t most = plan->held.empty() ? plan->steps.size() - 1 : least + kMostExtra;
    const ExhaustiveOrder shortest = fewest_writes(world.actual, wanted, most);
    undecided += shortest.gave_up ? 1 : 0;
    ++(plan->held.empty() ? with_more : refused);
    INFO("shorter:\n", shortest.way);
    CHECK_FALSE(shortest.writes);
  });
  MESSAGE("more writes: ", large, "; each write once: ", plain, ", with forms in between: ", with_more,
          ", refused by both: ", refused, ", too many states to tell: ", undecided);
  if (std::getenv("CONVERGENCE_CASES") != nullptr) return;
  CHECK(large > 100);
  CHECK(plain > 1000);
  CHECK(with_more > 50);
  CHECK(undecided * 5 < with_more + refused);
}

}  // namespace
}  // namespace convergence::test
