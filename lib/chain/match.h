#ifndef CONVERGENCE_LIB_CHAIN_MATCH_H_
#define CONVERGENCE_LIB_CHAIN_MATCH_H_

#include <string>

#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence {

// Whether a route takes a request, decided as Envoy decides with what Consul makes of the route.
struct MatchResult {
  bool matches = false;
  std::string why;  // the condition that failed, or all that held: `path prefix "/v1", method GET`
};

// A route without a match takes every path that begins with a slash. INVALID_ARGUMENT kind "validate" for a regular
// expression that is none.
absl::StatusOr<MatchResult> match_route(const Route& route, const HttpRequestShape& request);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_MATCH_H_
