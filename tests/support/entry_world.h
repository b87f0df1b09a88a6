#ifndef CONVERGENCE_TESTS_SUPPORT_ENTRY_WORLD_H_
#define CONVERGENCE_TESTS_SUPPORT_ENTRY_WORLD_H_

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence::test {

// Generated worlds for planners of config entries: what is there and what is wanted, of a few services that refer to
// one another, in which every chain compiles before and after.
struct EntryWorld {
  EntryMap actual;
  std::vector<ConfigEntry> desired;
};

extern const std::vector<std::string> kServices;
extern const std::vector<std::string> kSubsets;

// `percent_ours`: how many of the entries carry our mark.
EntryWorld make_entry_world(std::mt19937_64& random, std::size_t percent_ours);

std::optional<DiscoveryChain> compile(const EntryMap& entries, const std::string& service);
// The chains of all services of the world.
bool all_compile(const EntryMap& entries);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_ENTRY_WORLD_H_
