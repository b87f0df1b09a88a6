#ifndef CONVERGENCE_LIB_CODEC_AGENT_CODEC_H_
#define CONVERGENCE_LIB_CODEC_AGENT_CODEC_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "convergence/agent.h"
#include "lib/codec/place.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, AgentMemory& out);
absl::Status decode(const Json& json, const Place& place, Installed& out);
absl::Status decode(const Json& json, const Place& place, InstanceState& out);
absl::Status decode(const Json& json, const Place& place, FleetNode& out);

Json encode(const AppSpec& spec);
Json encode(const Installed& installed);
Json encode(const AgentMemory& memory);
Json encode(const InstanceState& state);
Json encode(const FleetNode& node);

// A service's index is no part of its own document, so that it stands beside.
Json encode_indexes(const std::vector<DesiredService>& services);
absl::Status put_indexes(const Json& json, const Place& place, const std::vector<std::uint64_t>& indexes,
                         std::vector<DesiredService>& services);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_AGENT_CODEC_H_
