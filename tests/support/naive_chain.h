#ifndef CONVERGENCE_TESTS_SUPPORT_NAIVE_CHAIN_H_
#define CONVERGENCE_TESTS_SUPPORT_NAIVE_CHAIN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "convergence/chain.h"
#include "convergence/json.h"

namespace convergence::test {

// A second compiler, written from discovery-chain.md (b) and (b3) alone and apart from lib/chain: it walks the graph of
// names as one would with a pencil, on strings and maps, without a thought for speed. It serves twice: what it says has
// to be what compile_chain() says, and the benchmarks tell how much faster that is. It is not to be made faster.
struct NaiveChain {
  std::string error{};  // whole; empty when there is a chain
  std::string protocol{};
  std::string start{};
  struct Leg {
    std::int32_t weight = 0;
    std::string to{};
    friend bool operator==(const Leg&, const Leg&) = default;
  };
  struct Node {
    std::vector<std::string> routes{};  // where each leads
    std::vector<Leg> legs{};
    std::string target{};  // of resolvers
    std::vector<std::string> failover{};
    std::int64_t connect_timeout = 0;
    bool is_default = false;
    friend bool operator==(const Node&, const Node&) = default;
  };
  struct Target {
    std::string service{};
    std::string subset{};
    std::string space{};
    std::string datacenter{};
    std::string peer{};
    std::string sni{};
    std::string name{};
    std::string gateway{};
    std::string filter{};
    bool external = false;
    friend bool operator==(const Target&, const Target&) = default;
  };
  std::map<std::string, Node> nodes{};
  std::map<std::string, Target> targets{};
  friend bool operator==(const NaiveChain&, const NaiveChain&) = default;
};

NaiveChain naive_compile(const EntryMap& entries, const ChainRequest& request);

// The same of what compile_chain() said.
NaiveChain as_naive(const absl::StatusOr<DiscoveryChain>& chain);

// For messages.
std::string to_text(const NaiveChain& chain);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_NAIVE_CHAIN_H_
