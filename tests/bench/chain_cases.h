#ifndef CONVERGENCE_TESTS_BENCH_CHAIN_CASES_H_
#define CONVERGENCE_TESTS_BENCH_CHAIN_CASES_H_

#include <string>
#include <vector>

#include "convergence/config_entry.h"

namespace convergence::bench {

// The three cases that performance.md 1 has Consul's own figures for.
struct ChainCase {
  const char* name;
  std::string service;
  std::vector<ConfigEntry> entries;
};

ChainCase trivial();  // a service without entries
ChainCase canary();   // a router of 3 routes, a splitter of 2 legs, a resolver of 2 subsets
// 50 routes to subsets past 50 splitters that stand below each other, each with legs to all subsets of two services;
// 100 services with 3 subsets and failover: 302 nodes, 501 targets.
ChainCase big();

}  // namespace convergence::bench

#endif  // CONVERGENCE_TESTS_BENCH_CHAIN_CASES_H_
