#ifndef CONVERGENCE_LIB_CHAIN_COMPILE_H_
#define CONVERGENCE_LIB_CHAIN_COMPILE_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "lib/chain/reachable.h"

namespace convergence {

// compile_chain() over the entries that a lookup sees.
absl::StatusOr<DiscoveryChain> compile_chain(EntryLookup& lookup, const ChainRequest& request);

// "graph" with the chain's service in the detail.
absl::Status graph_error(std::string_view service, std::string_view text);

// The steps after the nodes are there (discovery-chain.md (b) step 5).
// "router:a.default -> splitter:b.default -> ..." where routers and splitters lead back to one of them, else OK.
absl::Status check_circles(const DiscoveryChain& chain);
// Splitter legs that lead to a splitter become that one's legs; nodes that nothing leads to any more go.
void flatten_splitters(DiscoveryChain& chain);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_COMPILE_H_
