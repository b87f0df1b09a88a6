#ifndef CONVERGENCE_LIB_CHAIN_NORMALISE_H_
#define CONVERGENCE_LIB_CHAIN_NORMALISE_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "convergence/chain.h"

namespace convergence {

// Normal form and validation of one body, in the order of the server: the first error wins (discovery-chain.md (a)).
absl::Status normalise(ConfigEntry& entry, ProxyDefaults& body, Dialect dialect);
absl::Status normalise(ConfigEntry& entry, ServiceDefaults& body, Dialect dialect);
absl::Status normalise(ConfigEntry& entry, ServiceRouter& body, Dialect dialect);
absl::Status normalise(ConfigEntry& entry, ServiceSplitter& body, Dialect dialect);
absl::Status normalise(ConfigEntry& entry, ServiceResolver& body, Dialect dialect);
absl::Status normalise(ConfigEntry& entry, OpaqueEntry& body, Dialect dialect);

// What these share: an error of kind "validate" with the server's text, and the checks of every kind.
absl::Status refused(const std::string& text);
absl::Status check_name(const ConfigEntry& entry);
absl::Status check_meta(const std::map<std::string, std::string>& meta);

// Whether requests with the same hash go to the same instance.
bool is_hash_based(const LoadBalancer& balancer);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_NORMALISE_H_
