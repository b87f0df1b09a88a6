// Six agents in processes of their own race for a budget of two on a real Consul, and each of them is killed at some
// point of every roll-out: all points, one after the other.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/integration/agent_fleet.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

constexpr std::int32_t kBudget = 2;

Strategy strategy() {
  Strategy strategy;
  strategy.max_unavailable = kBudget;
  strategy.first_wave = 0;
  return strategy;
}

TEST_CASE("six agents, killed at every point, never take down more than two, and all arrive") {
  test::TemporaryDirectory folder;
  test::AgentFleet fleet(folder.path(), "web", 6);
  const std::vector<std::string>& nodes = fleet.nodes();
  auto arrived = [&](const std::string& deployment) {
    return [&fleet, deployment](const std::set<std::string>& down) {
      return down.empty() && fleet.all_run(deployment) && fleet.is_in(FleetPhase::kDone);
    };
  };
  fleet.start_all();
  fleet.watch(6, arrived(fleet.want(1, strategy())));
  fleet.end_all();
  int version = 2;
  std::vector<std::string> left;
  // What a memory says of a stage that is no effect: integration_fleet.
  for (const std::string& point : test::points_there()) {
    if (point.find("remember") == std::string::npos || point.ends_with(" end")) left.push_back(point);
  }
  const std::size_t all = left.size();
  for (; !left.empty(); ++version) {
    CAPTURE(version);
    REQUIRE(version < 12);
    for (std::size_t i = 0; i < nodes.size(); ++i) fleet.start(nodes[i], left[i % left.size()]);
    fleet.watch(kBudget, arrived(fleet.want(version, strategy())));
    fleet.end_all();
    // Who loses a race to write the document never comes to that point; the next time all race for it.
    std::erase_if(left, [&](const std::string& point) { return fleet.reached.contains(point); });
  }
  CHECK(fleet.reached.size() == all);

  // One that dies with its instance down and is not begun again: its session expires, the others go on with what is
  // left of the budget, and it arrives when it comes back.
  const std::string dead = nodes[2];
  for (const std::string& node : nodes) fleet.start(node, node == dead ? "after stop" : "-");
  const std::string deployment = fleet.want(version, strategy());
  fleet.watch(kBudget,
              [&](const std::set<std::string>& down) {
                return down == std::set<std::string>{dead} && fleet.all_run(deployment, {dead});
              },
              {dead});
  CHECK(fleet.runs(dead) == "");
  fleet.start(dead);
  fleet.watch(kBudget, arrived(deployment));
}

}  // namespace
}  // namespace convergence
