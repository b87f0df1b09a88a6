// Differences of a fleet of a million instances: (node, service) -> version on both sides, one in a hundred differs,
// one in a thousand is missing and one in a thousand is not wanted. Beside them stand a plain join by
// std::unordered_map<std::string, std::string>, which is not to be made faster, and the reading of both sides' memory.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "convergence/fleet_diff.h"
#include "tests/bench/must.h"
#include "tests/support/fleet_shapes.h"

namespace convergence::bench {
namespace {

constexpr std::uint64_t kServices = 100;

struct Instance {
  std::string node;
  std::string service;
  std::string version;
};

// By node, then by service, on both sides; `by_service` has what is there by service, then by node.
struct Sides {
  std::vector<Instance> wanted;
  std::vector<Instance> there;
  std::vector<Instance> there_by_service;
};

void add(Sides& sides, std::uint64_t node, std::uint64_t service, std::vector<Instance>& there) {
  const std::uint64_t draw = test::mix(node * 65537 + service) % 1000;
  const Instance instance{test::node_name(node), test::service_name(service), test::version_of(node, service)};
  if (&there == &sides.there && draw != 0) sides.wanted.push_back(instance);
  if (draw == 1) return;
  there.push_back(instance);
  if (draw >= 2 && draw < 12) there.back().version = "0.0.0";
}

const Sides& sides_of(std::uint64_t instances) {
  static std::unordered_map<std::uint64_t, Sides> made;
  const auto [found, is_new] = made.try_emplace(instances);
  Sides& sides = found->second;
  if (!is_new) return sides;
  const std::uint64_t nodes = instances / kServices;
  for (std::uint64_t node = 0; node < nodes; ++node) {
    for (std::uint64_t service = 0; service < kServices; ++service) add(sides, node, service, sides.there);
  }
  for (std::uint64_t service = 0; service < kServices; ++service) {
    for (std::uint64_t node = 0; node < nodes; ++node) add(sides, node, service, sides.there_by_service);
  }
  return sides;
}

// ---- the plain join

struct PlainDiff {
  std::size_t missing = 0;
  std::size_t other_version = 0;
  std::size_t not_wanted = 0;
  std::size_t same = 0;
};

std::string key_of(const Instance& instance) { return instance.node + "/" + instance.service; }

PlainDiff plain_join(const std::vector<Instance>& wanted, const std::vector<Instance>& there) {
  std::unordered_map<std::string, std::string> versions;
  for (const Instance& instance : there) versions[key_of(instance)] = instance.version;
  PlainDiff diff;
  for (const Instance& instance : wanted) {
    const auto found = versions.find(key_of(instance));
    if (found == versions.end()) {
      ++diff.missing;
      continue;
    }
    ++(found->second == instance.version ? diff.same : diff.other_version);
    versions.erase(found);
  }
  diff.not_wanted = versions.size();
  return diff;
}

void plain(benchmark::State& state) {
  const Sides& sides = sides_of(1000000);
  for (auto _ : state) benchmark::DoNotOptimize(plain_join(sides.wanted, sides.there));
  state.SetItemsProcessed(state.iterations() * 1000000);
}

// ---- ours

struct Fleet {
  FleetView view;
  WantedFleet wanted;
};

Fleet fleet_of(const std::vector<Instance>& wanted, const std::vector<Instance>& there) {
  Fleet fleet;
  reserve_rows(fleet.view, there.size());
  for (const Instance& instance : there) {
    FleetRow row;
    row.node = instance.node;
    row.service = row.service_id = instance.service;
    row.version = instance.version;
    row.owner = kMarkValue;
    add_row(fleet.view, row);
  }
  for (const Instance& instance : wanted) {
    WantedRow row;
    row.node = instance.node;
    row.service_id = instance.service;
    row.version = instance.version;
    add_wanted(fleet.wanted, fleet.view.names, row);
  }
  return fleet;
}

void check(const FleetDiff& diff, const Sides& sides) {
  const PlainDiff plain = plain_join(sides.wanted, sides.there);
  PlainDiff ours;
  ours.same = diff.same;
  for (const FleetChange& change : diff.changes) {
    ++(change.reason == Reason::kMissing   ? ours.missing
       : change.reason == Reason::kVersion ? ours.other_version
                                           : ours.not_wanted);
  }
  must(ours.missing == plain.missing && ours.other_version == plain.other_version &&
           ours.not_wanted == plain.not_wanted && ours.same == plain.same,
       "both joins find the same");
}

void from_strings(benchmark::State& state, bool same_order) {
  const Sides& sides = sides_of(1000000);
  const std::vector<Instance>& there = same_order ? sides.there : sides.there_by_service;
  FleetDiff diff;
  for (auto _ : state) {
    const Fleet fleet = fleet_of(sides.wanted, there);
    diff = diff_fleet(fleet.wanted, fleet.view);
    benchmark::DoNotOptimize(diff);
  }
  check(diff, sides);
  state.SetItemsProcessed(state.iterations() * 1000000);
}

void interned(benchmark::State& state, bool same_order) {
  const Sides& sides = sides_of(1000000);
  const Fleet fleet = fleet_of(sides.wanted, same_order ? sides.there : sides.there_by_service);
  for (auto _ : state) benchmark::DoNotOptimize(diff_fleet(fleet.wanted, fleet.view));
  check(diff_fleet(fleet.wanted, fleet.view), sides);
  state.SetItemsProcessed(state.iterations() * 1000000);
}

// The least that any join has to do: both sides, 16 bytes an instance.
void read_packed(benchmark::State& state) {
  const std::vector<std::uint64_t> wanted(2000000, 1);
  const std::vector<std::uint64_t> there(2000000, 2);
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) sum += wanted[i] ^ there[i];
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * 1000000);
}

void changed_rows(benchmark::State& state) {
  constexpr std::size_t kChanges = 1000;
  const Sides& sides = sides_of(static_cast<std::uint64_t>(state.range(0)));
  const Fleet fleet = fleet_of(sides.wanted, sides.there);
  const WantedIndex index(fleet.wanted);
  std::mt19937_64 random(1);
  std::vector<std::vector<std::uint32_t>> draws(64);
  for (auto& rows : draws) {
    for (std::size_t i = 0; i < kChanges; ++i) rows.push_back(static_cast<std::uint32_t>(random() % fleet.view.size()));
  }
  std::size_t turn = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(diff_rows(fleet.wanted, index, fleet.view, draws[turn++ % draws.size()], {}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kChanges));
}

BENCHMARK(plain)->Name("join/plain")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(from_strings, same_order, true)->Name("join/from_strings")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(from_strings, other_order, false)
    ->Name("join/from_strings_other_order")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(read_packed)->Name("join/read_both_packed")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(interned, same_order, true)->Name("join/interned")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(interned, other_order, false)->Name("join/interned_other_order")->Unit(benchmark::kMillisecond);
BENCHMARK(changed_rows)->Name("changes/1000_of")->Arg(100000)->Arg(1000000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convergence::bench

BENCHMARK_MAIN();
