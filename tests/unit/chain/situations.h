#ifndef CONVERGENCE_TESTS_UNIT_CHAIN_SITUATIONS_H_
#define CONVERGENCE_TESTS_UNIT_CHAIN_SITUATIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "convergence/json.h"

namespace convergence::test {

// One case of situations.json: entries, and the chain that a Consul 1.8.7 answered for them, or why it refused the last
// entry. The integration tests ask a server again.
struct Situation {
  std::string name;
  std::vector<Json> entries;  // as typed, in the order in which they are written
  ChainRequest request;
  Json overrides;          // as posted; null without
  Json chain;              // whole; null when there is an error
  std::string error;       // whole
  bool read_only = false;  // the error shows on reading alone: every write was taken
};

absl::StatusOr<std::vector<Situation>> read_situations();
// Those of current_situations.json, in the same shape: what later Consuls have more, after discovery-chain.md (b3) and
// (d); there is no such server here to ask.
absl::StatusOr<std::vector<Situation>> read_current_situations();

// The body of a POST to /v1/discovery-chain.
absl::StatusOr<ChainOverrides> overrides_from_json(const Json& json);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_CHAIN_SITUATIONS_H_
