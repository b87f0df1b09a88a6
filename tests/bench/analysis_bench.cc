// What one interval of a rollout costs: the evidence of errors and of eight boundaries, the verdict, and the state's
// size.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "convergence/analysis.h"

namespace convergence {
namespace {

AnalysisOptions options() {
  AnalysisOptions out;
  out.bounds = {25, 50, 100, 250, 500, 1000, 2500, 5000};
  return out;
}

Interval interval() {
  const auto arm = [](double n) {
    return ArmCount{n, n * 0.001, {n * 0.03, n * 0.22, n * 0.64, n * 0.97, n * 0.99, n, n, n}};
  };
  Interval out{arm(5000), arm(5000)};
  out.primary_instances = {arm(1250), arm(1250), arm(1250), arm(1250)};
  return out;
}

std::size_t bytes_of(const MetricEvidence& metric) {
  return sizeof metric + (metric.worse.capacity() + metric.fine.capacity()) * sizeof(double);
}

std::size_t bytes_of(const AnalysisState& state) {
  std::size_t bytes = sizeof state + bytes_of(state.errors);
  for (const MetricEvidence& metric : state.latency) bytes += bytes_of(metric);
  for (const auto* sums : {&state.upper_a, &state.upper_g, &state.lower_a, &state.lower_g}) {
    bytes += sums->capacity() * sizeof(double);
  }
  return bytes + state.plan->boundaries.capacity() * sizeof(Boundary);
}

void one_interval(benchmark::State& bench) {
  const AnalysisOptions how = options();
  const Interval counted = interval();
  AnalysisState state = *add_interval(how, {}, counted);
  for (auto _ : bench) {
    state = *add_interval(how, std::move(state), counted);
    Judgement judgement = judge(how, state);
    if (judgement.verdict == AnalysisVerdict::kRollback) std::abort();
    benchmark::DoNotOptimize(judgement);
  }
  bench.counters["state_bytes"] = static_cast<double>(bytes_of(state));
}
BENCHMARK(one_interval)->Unit(benchmark::kMicrosecond);

void an_interval_without_requests(benchmark::State& bench) {
  const AnalysisOptions how = options();
  Interval counted;
  counted.canary.buckets = counted.primary.buckets = std::vector<double>(8, 0);
  AnalysisState state = *add_interval(how, {}, interval());
  for (auto _ : bench) {
    state = *add_interval(how, std::move(state), counted);
    benchmark::DoNotOptimize(state);
  }
}
BENCHMARK(an_interval_without_requests)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convergence

BENCHMARK_MAIN();
