// Twenty agents in processes of their own on a real Consul, by catalog registration: good releases and bad ones, nodes
// that come in the middle, SIGKILL at every point of the way there and back, and a Consul that is stopped meanwhile.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/agent_fleet.h"
#include "tests/integration/real_consul.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

using Down = std::set<std::string>;
using std::chrono::seconds;

constexpr int kNodes = 20;
constexpr std::int32_t kBudget = 6;

Strategy strategy(std::int32_t first_wave) {
  Strategy strategy;
  strategy.max_unavailable = kBudget;
  strategy.first_wave = first_wave;
  return strategy;
}

// All nodes run it, all pass, and the document says that it is good.
test::AgentFleet::Arrived arrival(const test::AgentFleet& fleet, const std::string& deployment) {
  return [&fleet, deployment](const Down& down) {
    return down.empty() && fleet.all_run(deployment) && fleet.is_in(FleetPhase::kDone);
  };
}

std::string begin(test::AgentFleet& fleet) {
  fleet.start_all();
  std::string deployment = fleet.want(1, strategy(0));
  fleet.watch(kNodes, arrival(fleet, deployment));
  return deployment;
}

// Each agent is killed at one of the points; when they are fewer, several at one.
void start_with(test::AgentFleet& fleet, const std::vector<std::string>& points) {
  fleet.end_all();
  for (std::size_t i = 0; i < fleet.nodes().size(); ++i) fleet.start(fleet.nodes()[i], points[i % points.size()]);
}

void drop_reached(const test::AgentFleet& fleet, std::vector<std::string>& points) {
  std::erase_if(points, [&](const std::string& point) { return fleet.reached.contains(point); });
}

TEST_CASE("twenty agents killed at every point of the way there and back all arrive, within the budget") {
  test::TemporaryDirectory folder;
  test::AgentFleet fleet(folder.path(), "points", kNodes);
  std::string good = begin(fleet);
  int version = 2;
  for (std::vector<std::string> left = test::points_there(); !left.empty(); drop_reached(fleet, left), ++version) {
    CAPTURE(version);
    REQUIRE(version < 12);  // who loses a race to write the document never comes to that point, but not each time
    start_with(fleet, left);
    good = fleet.want(version, strategy(0));
    fleet.watch(kBudget, arrival(fleet, good));
  }
  for (std::vector<std::string> left = test::points_back(); !left.empty(); drop_reached(fleet, left), ++version) {
    CAPTURE(version);
    REQUIRE(version < 20);
    start_with(fleet, left);
    Strategy each_alone = strategy(0);  // it is not taken back from all, so that each node goes the way back
    each_alone.auto_revert = false;
    each_alone.health_deadline = seconds(1);
    fleet.ill = {fmt::format("{}.0@{}", version, version)};
    const std::string bad = fleet.want(version, each_alone);
    fleet.watch(kBudget, [&](const Down& down) {
      return down.empty() && fleet.all_run(good) && std::ranges::all_of(fleet.nodes(), [&](const std::string& node) {
               return fleet.started(node).ends_with(fmt::format("{} {} ", bad, good));
             });
    });
  }
}

TEST_CASE(
    "a bad release reaches the first wave alone, and who comes in the middle of a good one gets the last good one") {
  test::TemporaryDirectory folder;
  test::AgentFleet fleet(folder.path(), "waves", kNodes);
  begin(fleet);
  Strategy waves = strategy(2);
  waves.bake = seconds(1);
  const std::string good = fleet.want(2, waves);
  fleet.watch(kBudget, arrival(fleet, good));

  fleet.ill = {"3.0@3"};
  waves.first_wave = 1;
  waves.health_deadline = seconds(1);
  CHECK(fleet.want(3, waves) == "3.0@3");
  fleet.watch(
      1, [&](const Down& down) { return down.empty() && fleet.all_run(good) && fleet.is_in(FleetPhase::kReverted); });
  const DesiredService after = fleet.wanted();
  CHECK(after.progress.why == fmt::format("{}: await: its check waves:alive is critical after 1 s", fleet.nodes()[0]));
  for (const std::string& node : fleet.nodes()) {
    const std::string bad = node == fleet.nodes()[0] ? fmt::format("3.0@3 {} ", good) : "";
    CHECK(fleet.started(node) == fmt::format("1.0@1 {} {}", good, bad));
  }

  // The first wave of this one waits for its checks until the new node is there.
  fleet.ill = {"4.0@4"};
  waves.health_deadline = std::chrono::minutes(2);
  const std::string next = fleet.want(4, waves);
  fleet.watch(1, [&](const Down&) { return fleet.runs(fleet.nodes()[0]) == next; });
  const std::string late = fleet.add_node();
  fleet.start(late);
  fleet.watch(1, [&](const Down& down) { return fleet.runs(late) == good && !down.contains(late); }, {}, {late});
  fleet.ill.clear();
  fleet.watch(kBudget, arrival(fleet, next));
  CHECK(fleet.started(late) == fmt::format("{} {} ", good, next));
}

// Where a server was: takes each connection and drops it, until that many have come.
void nobody_at(int port, int connections) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 64) == 0);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (connections > 0) {
    REQUIRE(std::chrono::steady_clock::now() < patience);
    pollfd ready = {listener, POLLIN, 0};
    if (poll(&ready, 1, 1000) <= 0) continue;
    close(accept(listener, nullptr, nullptr));
    --connections;
  }
  close(listener);
}

TEST_CASE("Consul is stopped and begun again in the middle: agents go on, nothing is deregistered, all arrive") {
  test::TemporaryDirectory folder;
  test::AgentFleet fleet(folder.path(), "outage", kNodes);
  const std::string old = begin(fleet);
  // A document that were not seen for a moment would take the service away.
  Strategy removes = strategy(1);
  removes.on_removal = OnRemoval::kUninstall;
  const std::string next = fleet.want(2, removes);
  const std::vector<std::string>& nodes = fleet.nodes();
  auto have_it = [&] {
    return std::ranges::count_if(nodes, [&](const auto& node) { return fleet.runs(node) == next; });
  };
  fleet.watch(kBudget, [&](const Down&) { return have_it() >= kNodes / 4; });
  test::ConsulServer& server = *test::real_consul().server;
  REQUIRE_OK(server.stop());
  REQUIRE(have_it() < kNodes);
  // Two die meanwhile, wherever they are, and begin again without a Consul.
  for (const char* dying : {"outage03", "outage20"}) fleet.kill(dying);
  nobody_at(server.http_port(), 2 * kNodes);
  fleet.revive();
  nobody_at(server.http_port(), 4 * kNodes);
  fleet.revive();
  CHECK(fleet.killed == 2);
  // What was not under way runs.
  const auto stopped = std::ranges::count_if(nodes, [&](const auto& node) { return fleet.runs(node).empty(); });
  CHECK(stopped <= kBudget);
  REQUIRE_OK(server.restart());
  fleet.watch(kBudget, arrival(fleet, next));
  CHECK(fleet.killed == 2);
  for (const std::string& node : nodes) CHECK(fleet.started(node) == fmt::format("{} {} ", old, next));
}

}  // namespace
}  // namespace convergence
