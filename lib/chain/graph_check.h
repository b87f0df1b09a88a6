#ifndef CONVERGENCE_LIB_CHAIN_GRAPH_CHECK_H_
#define CONVERGENCE_LIB_CHAIN_GRAPH_CHECK_H_

#include <vector>

#include "absl/status/status.h"
#include "convergence/chain.h"
#include "lib/chain/reachable.h"

namespace convergence {

// The errors of all chains that the server would compile for this write, in order of the chains' names; empty when it
// takes the write. The server stops at the first that it happens to come to, so any of these is a right answer of it.
std::vector<absl::Status> failing_chains(const EntryMap& stored, const ProposedEntry& proposed,
                                         Dialect dialect = Dialect::k1_8);

// The first of these.
absl::Status check_write(const EntryMap& stored, const ProposedEntry& proposed, Dialect dialect = Dialect::k1_8);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_GRAPH_CHECK_H_
