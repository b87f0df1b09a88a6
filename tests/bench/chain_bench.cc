// The compiler of discovery chains, beside a plain one that never changes (tests/support/naive_chain.h).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "tests/bench/chain_cases.h"
#include "tests/support/naive_chain.h"

namespace convergence::bench {
namespace {

template <typename T>
T must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(1);
}

EntryMap stored(const ChainCase& c) {
  EntryMap out;
  for (const ConfigEntry& entry : c.entries) {
    ConfigEntry normal = must(normalise_entry(entry, Dialect::k1_8));
    const EntryId key = entry_key(normal);
    out.emplace(key, std::move(normal));
  }
  return out;
}

void compile(benchmark::State& state, ChainCase (*make)()) {
  const ChainCase c = make();
  const EntryMap entries = stored(c);
  ChainRequest request;
  request.service = c.service;
  const DiscoveryChain chain = must(compile_chain(entries, request));
  for (auto _ : state) benchmark::DoNotOptimize(compile_chain(entries, request));
  state.counters["nodes"] = static_cast<double>(chain.nodes.size());
  state.counters["targets"] = static_cast<double>(chain.targets.size());
}
BENCHMARK_CAPTURE(compile, trivial, trivial);
BENCHMARK_CAPTURE(compile, canary, canary);
BENCHMARK_CAPTURE(compile, big, big);

void naive(benchmark::State& state, ChainCase (*make)()) {
  const ChainCase c = make();
  const EntryMap entries = stored(c);
  ChainRequest request;
  request.service = c.service;
  for (auto _ : state) benchmark::DoNotOptimize(test::naive_compile(entries, request));
}
BENCHMARK_CAPTURE(naive, trivial, trivial);
BENCHMARK_CAPTURE(naive, canary, canary);
BENCHMARK_CAPTURE(naive, big, big);

// The whole way of a document: entries as text, to the chain as text.
void parse_compile_write(benchmark::State& state) {
  const ChainCase c = canary();
  std::vector<std::string> texts;
  for (const ConfigEntry& entry : c.entries) texts.push_back(to_text(to_json(entry)));
  ChainRequest request;
  request.service = c.service;
  for (auto _ : state) {
    EntryMap entries;
    for (const std::string& text : texts) {
      ConfigEntry entry = *normalise_entry(*parse<ConfigEntry>(text, "entry"), Dialect::k1_8);
      const EntryId key = entry_key(entry);
      entries.emplace(key, std::move(entry));
    }
    benchmark::DoNotOptimize(to_text(to_json(*compile_chain(entries, request))));
  }
}
BENCHMARK(parse_compile_write);

}  // namespace
}  // namespace convergence::bench

BENCHMARK_MAIN();
