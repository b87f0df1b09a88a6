// Hundreds of real agents, ten thousand each night: seeded faults, and what must hold after each event.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/simulation/fleet_world.h"

namespace convergence::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

int setting(const char* name, int usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::atoi(text);
}

DesiredService release(const std::string& name, const std::string& version, int nodes) {
  DesiredService out;
  out.name = name;
  out.placement.role = "web";
  out.generation = 1;
  out.release.version = version;
  out.release.package.source = "file:///" + name + ".zip";
  out.release.demands.disk = 500;
  CheckDefinition check;
  check.name = "alive";
  check.http = "http://127.0.0.1/";
  check.interval = seconds(1);
  out.release.checks = {check};
  out.strategy.max_unavailable = std::max(1, nodes / 20);
  out.strategy.bake = minutes(2);
  out.strategy.health_deadline = minutes(2);
  return out;
}

std::string name_of(int number) { return fmt::format("n{:05}", number); }

bool is_in(const FleetWorld& world, const std::string& service, FleetPhase phase) {
  const auto wanted = world.wanted(service);
  return wanted && wanted->progress.generation == wanted->generation && wanted->progress.phase == phase;
}

std::string breaches(const FleetWorld& world) { return fmt::format("{}", fmt::join(world.breaches, "\n")); }

// Looked at once a second: the condition itself is not free.
bool run_until(FleetWorld& world, const std::function<bool()>& done, Duration patience) {
  const Time end = world.executor.now() + patience;
  while (world.executor.now() < end) {
    if (done()) return true;
    world.executor.advance(seconds(1));
  }
  return done();
}

// How long an empty fleet takes until the last of its nodes passes.
Duration time_of(int nodes) {
  FleetWorld world(1);
  for (int i = 0; i < nodes; ++i) world.add(name_of(i));
  world.executor.advance(minutes(1));
  world.want(release("web", "1.0", nodes));
  const Time begun = world.executor.now();
  REQUIRE(run_until(
      world, [&] { return is_in(world, "web", FleetPhase::kDone); }, minutes(10)));
  CHECK(world.all_run("web", "1.0@1"));
  CHECK(breaches(world) == "");
  return world.passed_at.at("web") - begun;
}

TEST_CASE("a thousand empty nodes take no longer than one") { CHECK(time_of(1000) <= time_of(1)); }

struct Faults {
  int killed = 0;
  int lost = 0;
  int full = 0;
};

// Some of it each few seconds: agents killed at one of their next effects, machines lost and found.
void disturb(FleetWorld& world, const std::vector<std::string>& names, Faults& faults, Time until) {
  if (world.executor.now() >= until) return;
  const std::string& name = names[world.random() % names.size()];
  switch (world.random() % 4) {
    case 0:
    case 1:
      ++faults.killed;
      world.kill_at(name, static_cast<int>(world.random() % 12), seconds(20 + world.random() % 100));
      break;
    case 2:
      ++faults.lost;
      world.lose(name);
      world.executor.post_at(world.executor.now() + seconds(30 + world.random() % 300),
                             [&world, name] { world.find(name); });
      break;
    default:
      ++faults.full;
      world.node(name).broken[{Stage::kCheckNode, "2.0@2"}] = "its disk is full";
      world.executor.post_at(world.executor.now() + seconds(200), [&world, name] { world.node(name).broken.clear(); });
      break;
  }
  const auto nodes = static_cast<std::int64_t>(names.size());
  const Duration pause = std::chrono::milliseconds(500 + world.random() % 1500) * 1000 / nodes;
  world.executor.post_at(world.executor.now() + pause,
                         [&world, &names, &faults, until] { disturb(world, names, faults, until); });
}

void live_through(std::uint64_t seed, int nodes) {
  CAPTURE(seed);
  FleetWorld world(seed);
  for (int i = 0; i < nodes; ++i) world.add(name_of(i));
  const std::vector<std::string> names = world.names();
  for (const char* service : {"web", "side"}) world.want(release(service, "1.0", nodes));
  auto done = [&](const char* service) { return is_in(world, service, FleetPhase::kDone); };
  REQUIRE(run_until(
      world, [&] { return done("web") && done("side"); }, hours(1)));
  CHECK(world.all_run("web", "1.0@1"));
  CHECK(world.all_run("side", "1.0@1"));

  Faults faults;
  for (const char* service : {"web", "side"}) world.want(release(service, "2.0", nodes));
  world.executor.post([&] { disturb(world, names, faults, world.executor.now() + minutes(20)); });
  const Time away = world.executor.now() + minutes(5);
  world.executor.post_at(away, [&] { world.away = true; });
  world.executor.post_at(away + seconds(50), [&] { world.away = false; });
  REQUIRE(run_until(
      world, [&] { return world.running("web", "2.0@2") > nodes / 3; }, hours(2)));
  for (int i = 0; i < 5; ++i) world.add(fmt::format("new{}", i));  // scaled up in the middle of it
  REQUIRE(run_until(
      world, [&] { return done("web") && done("side"); }, hours(4)));
  run_until(
      world, [&] { return world.all_run("web", "2.0@2") && world.all_run("side", "2.0@2"); }, hours(1));
  CHECK(world.all_run("web", "2.0@2"));
  CHECK(world.all_run("side", "2.0@2"));
  CHECK(breaches(world) == "");
  CHECK(faults.killed > nodes / 20);
  CHECK(faults.lost > nodes / 50);

  // A release that never passes: one node sees it, and goes back.
  world.ill = {"3.0@3"};
  world.want(release("web", "3.0", nodes));
  REQUIRE(run_until(
      world, [&] { return is_in(world, "web", FleetPhase::kReverted); }, hours(1)));
  REQUIRE(run_until(
      world, [&] { return world.all_run("web", "2.0@2"); }, hours(1)));
  CHECK(breaches(world) == "");
  MESSAGE(fmt::format("{} nodes, seed {}: {} events, {} kills, {} lost, {} full; {} down at most", nodes, seed,
                      world.events, faults.killed, faults.lost, faults.full, world.most_down));
}

TEST_CASE("a large fleet comes through kills, losses, full disks and a Consul that is away") {
  const bool nightly = std::getenv("CONVERGENCE_NIGHTLY") != nullptr;
#ifdef NDEBUG
  const int usual = 500;
#else
  const int usual = 60;
#endif
  const int nodes = setting("CONVERGENCE_FLEET_NODES", nightly ? 10000 : usual);
  const int seeds = setting("CONVERGENCE_FLEET_SEEDS", nightly ? 3 : 1);
  for (int seed = 1; seed <= seeds; ++seed) live_through(static_cast<std::uint64_t>(seed), nodes);
}

}  // namespace
}  // namespace convergence::test
