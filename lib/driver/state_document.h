#ifndef CONVERGENCE_LIB_DRIVER_STATE_DOCUMENT_H_
#define CONVERGENCE_LIB_DRIVER_STATE_DOCUMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "convergence/canary.h"
#include "convergence/consul_client.h"

namespace convergence {

// A rollout's state as it stands in KV: one document, written by compare-and-set.
struct StateDocument {
  CanaryState state{};
  std::uint64_t index = 0;  // ModifyIndex; 0: not there
};

std::string rollout_key(std::string_view prefix, std::string_view service);
bool is_rollout_key(std::string_view key, std::string_view prefix);

absl::StatusOr<StateDocument> state_from(const std::optional<KvPair>& pair);

// Of reads that something is decided on: asks the leader, and the leader its followers.
ReadOptions latest();

// Index 0 when there is none. The latest.
void read_state(ConsulClient& client, const std::string& key, ConsulClient::Callback<StateDocument> done);

// Writes it in the place of the one with index `cas` (0: of none) and gives its new index; empty when another was
// faster. An answer that was lost is made good by reading what stands there.
void write_state(ConsulClient& client, const std::string& key, const CanaryState& state, std::uint64_t cas,
                 ConsulClient::Callback<std::optional<std::uint64_t>> done);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_STATE_DOCUMENT_H_
