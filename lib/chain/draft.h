#ifndef CONVERGENCE_LIB_CHAIN_DRAFT_H_
#define CONVERGENCE_LIB_CHAIN_DRAFT_H_

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convergence/chain.h"
#include "lib/base/scratch.h"
#include "lib/chain/reachable.h"

namespace convergence {

// The community edition knows one of each.
inline constexpr std::string_view kDefaultNamespace = "default";
inline constexpr std::string_view kDefaultPartition = "default";

// A chain while it is made: nodes and targets are numbers, texts are views into entries, request and scratch memory.
// Nothing is copied before it is known to be part of the answer.
struct Draft {
  using Number = std::uint32_t;
  static constexpr Number kNone = TextIndex::kNone;

  // Of a split, kCurrent: the leg as configured, a part of `owner`; or what came of merging it with those above it.
  struct LegDefinition {
    const Split* stored = nullptr;
    const Shared<ConfigEntry>* owner = nullptr;
    const Shared<Split>* merged = nullptr;
  };
  struct Leg {
    std::int32_t weight = 0;
    Number node = kNone;
    LegDefinition definition{};
  };
  struct RouteEdge {
    const Route* stored = nullptr;  // null: the catch-all that the compiler adds
    Number node = kNone;
  };
  enum class Type : std::uint8_t { kResolver, kRouter, kSplitter };
  struct Node {
    Type type = Type::kResolver;
    std::string_view name{};
    std::span<RouteEdge> routes{};  // of routers
    std::span<Leg> legs{};          // of splitters
    Number target = kNone;          // of resolvers, as are the rest
    std::span<Number> failover{};
    bool is_default = false;
    Duration connect_timeout{0};
    const ServiceResolver* entry = nullptr;  // null: the service has none
    const FailoverPolicy* failover_policy = nullptr;
    const LoadBalancer* load_balancer = nullptr;  // of splitters
  };
  struct Target {
    std::string_view id{};
    Number service = kNone;
    std::string_view subset{};
    std::string_view namespace_name{};
    std::string_view datacenter{};
    std::string_view peer{};
    Number node = kNone;    // the resolver recorded for it
    bool retained = false;  // part of the answer; hops on the way are not
    const ResolverSubset* subset_entry = nullptr;
    std::string_view mesh_gateway_mode{};
    std::string_view external_sni{};
    bool dialed_directly = false;
    Duration connect_timeout{0};
    const LocalityPriority* locality = nullptr;
  };

  explicit Draft(Scratch& memory) : scratch(memory), nodes(memory), targets(memory) {}

  Scratch& scratch;
  ScratchVector<Node> nodes;
  ScratchVector<Target> targets;
  std::list<Shared<Split>> merged{};  // pointed to, so they stay where they are
  Number start = kNone;
  bool nested = false;  // there is a splitter that leads to a splitter
};

// discovery-chain.md (b) step 5: circles among routers and splitters, as a list of node keys for the server's text;
// empty where there are none.
std::vector<std::string> find_circle(const Draft& draft);
// Splitter legs that lead to a splitter become that one's legs.
void flatten_splitters(Draft& draft);
// Which nodes the start node leads to: splitters that were only there to be flattened drop out.
ScratchVector<bool> reached_nodes(const Draft& draft);

// The value of it all, its maps in the order of their keys. The draft is used up.
void write_nodes_and_targets(Draft& draft, const ReachableEntries& entries, const ChainRequest& request,
                             DiscoveryChain& chain);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_DRAFT_H_
