#ifndef CONVERGENCE_EXAMPLES_CONVERGE_CHAIN_COMMAND_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_CHAIN_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"

namespace cli {

struct ChainAndInstances {
  convergence::DiscoveryChain chain{};
  std::optional<convergence::CatalogState> catalog{};  // of a live Consul
};

// The chain of a service: the live Consul's with the instances there are, or compiled from the entries in the files.
absl::StatusOr<ChainAndInstances> read_chain(const std::string& service, const std::vector<std::string>& files,
                                             const Arguments& arguments);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_CHAIN_COMMAND_H_
