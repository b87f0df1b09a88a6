#ifndef CONVERGENCE_LIB_CODEC_CONFIG_ENTRY_CODEC_H_
#define CONVERGENCE_LIB_CODEC_CONFIG_ENTRY_CODEC_H_

#include "absl/status/status.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "lib/codec/place.h"

namespace convergence::codec {

// The parts of config entries that other documents hold too.

absl::Status decode(const Json& json, const Place& place, ConfigEntry& out);
absl::Status decode(const Json& json, const Place& place, Route& out);
absl::Status decode(const Json& json, const Place& place, RouteDestination& out);
absl::Status decode(const Json& json, const Place& place, ResolverSubset& out);

absl::Status decode(const Json& json, const Place& place, Split& out);
absl::Status decode(const Json& json, const Place& place, HeaderModifiers& out);
absl::Status decode(const Json& json, const Place& place, LoadBalancer& out);
absl::Status decode(const Json& json, const Place& place, FailoverPolicy& out);
absl::Status decode(const Json& json, const Place& place, LocalityPriority& out);
absl::Status decode(const Json& json, const Place& place, TransparentProxy& out);

Json encode(const ConfigEntry& entry);
Json encode(const Route& route);
Json encode(const RouteDestination& destination);
Json encode(const ResolverSubset& subset);
Json encode(const Split& split);
Json encode(const HeaderModifiers& change);
Json encode(const LoadBalancer& balancer);
Json encode(const FailoverPolicy& policy);
Json encode(const LocalityPriority& priority);
Json encode(const TransparentProxy& proxy);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_CONFIG_ENTRY_CODEC_H_
