// Planning of a thousand config entries: 250 services, each with defaults, resolver, splitter and router.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "convergence/plan.h"

namespace convergence::bench {
namespace {

constexpr std::size_t kServices = 250;

template <typename T>
T must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(1);
}

struct Shape {
  std::string protocol = "http";
  std::string canary = "v2";  // the name of the second subset, in resolver and splitter
  std::int32_t weight = 1000;
  std::size_t reach = 1;  // a router leads to the service `reach` further on, in groups of `group`
  std::size_t group = 1;
};

std::string name(std::size_t service) { return fmt::format("service-{:03}", service); }

ConfigEntry make(std::string_view kind, const std::string& service, EntryBody body) {
  ConfigEntry entry;
  entry.kind = std::string(kind);
  entry.name = service;
  entry.body = std::move(body);
  entry.meta[std::string(kMarkKey)] = std::string(kMarkValue);
  return entry;
}

std::vector<ConfigEntry> make_entries(const Shape& shape) {
  std::vector<ConfigEntry> entries;
  for (std::size_t i = 0; i < kServices; ++i) {
    const std::string service = name(i);
    ServiceDefaults defaults;
    defaults.protocol = shape.protocol;
    entries.push_back(make(kServiceDefaults, service, defaults));
    ServiceResolver resolver;
    resolver.subsets["v1"].filter = "Service.Meta.version == v1";
    resolver.subsets[shape.canary].filter = "Service.Meta.version == v2";
    entries.push_back(make(kServiceResolver, service, resolver));
    ServiceSplitter splitter;
    splitter.splits.resize(2);
    splitter.splits[0].weight = 10000 - shape.weight;
    splitter.splits[0].service_subset = "v1";
    splitter.splits[1].weight = shape.weight;
    splitter.splits[1].service_subset = shape.canary;
    entries.push_back(make(kServiceSplitter, service, splitter));
    ServiceRouter router;
    Route route;
    route.match.emplace().http.emplace().path_prefix = "/next";
    const std::size_t first = i / shape.group * shape.group;
    route.destination.emplace().service = name((first + (i - first + shape.reach) % shape.group) % kServices);
    router.routes.push_back(std::move(route));
    entries.push_back(make(kServiceRouter, service, router));
  }
  return entries;
}

EntryMap stored(const std::vector<ConfigEntry>& entries) {
  EntryMap map;
  std::uint64_t index = 10;
  for (const ConfigEntry& entry : entries) {
    ConfigEntry normal = must(normalise_entry(entry, Dialect::k1_8));
    normal.create_index = normal.modify_index = ++index;
    const EntryId key = entry_key(normal);
    map.emplace(key, std::move(normal));
  }
  return map;
}

void plan(benchmark::State& state, const EntryMap& actual, const std::vector<ConfigEntry>& desired) {
  PlanOptions options;
  options.prune = true;
  const Plan plan = must(plan_config(desired, actual, options));
  if (!plan.held.empty()) state.SkipWithError(plan.held.front().why.c_str());
  for (auto _ : state) benchmark::DoNotOptimize(plan_config(desired, actual, options));
  state.counters["steps"] = static_cast<double>(plan.steps.size());
}

void nothing_to_do(benchmark::State& state) { plan(state, stored(make_entries({})), make_entries({})); }
void all_new(benchmark::State& state) { plan(state, {}, make_entries({})); }
void other_weights(benchmark::State& state) {
  Shape after;
  after.weight = 2000;
  plan(state, stored(make_entries({})), make_entries(after));
}
// Every resolver and splitter changes, and a subset has another name.
void subset_renamed(benchmark::State& state) {
  Shape after;
  after.canary = "v3";
  plan(state, stored(make_entries({})), make_entries(after));
}
// Five services lead to one another, and all of them move to another protocol: entries have to make way.
void protocols_in_fives(benchmark::State& state) {
  Shape before;
  before.group = 5;
  Shape after = before;
  after.protocol = "grpc";
  plan(state, stored(make_entries(before)), make_entries(after));
}
// All services hang together.
void all_in_one(benchmark::State& state) {
  Shape before;
  before.group = kServices;
  Shape after = before;
  after.canary = "v3";
  plan(state, stored(make_entries(before)), make_entries(after));
}
void all_in_one_protocols(benchmark::State& state) {
  Shape before;
  before.group = kServices;
  Shape after = before;
  after.protocol = "grpc";
  plan(state, stored(make_entries(before)), make_entries(after));
}

BENCHMARK(nothing_to_do)->Unit(benchmark::kMillisecond);
BENCHMARK(all_new)->Unit(benchmark::kMillisecond);
BENCHMARK(other_weights)->Unit(benchmark::kMillisecond);
BENCHMARK(subset_renamed)->Unit(benchmark::kMillisecond);
BENCHMARK(protocols_in_fives)->Unit(benchmark::kMillisecond);
BENCHMARK(all_in_one)->Unit(benchmark::kMillisecond);
BENCHMARK(all_in_one_protocols)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace convergence::bench

BENCHMARK_MAIN();
