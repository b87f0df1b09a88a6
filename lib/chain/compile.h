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

// Whether it would compile: neither what it would be is made nor why not is said.
bool chain_compiles(EntryLookup& lookup, const ChainRequest& request);

// "graph" with the chain's service in the detail.
absl::Status graph_error(std::string_view service, std::string_view text);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_COMPILE_H_
