#ifndef CONVERGENCE_LIB_CHAIN_MATCH_H_
#define CONVERGENCE_LIB_CHAIN_MATCH_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "lib/base/regex.h"

namespace convergence {

// Whether a route takes a request, decided as Envoy decides with what Consul makes of the route.
struct MatchResult {
  bool matches = false;
  std::string why;  // the condition that failed, or all that held: `path prefix "/v1", method GET`
};

// Regular expressions that were compiled before they are asked for; others are compiled when they are.
class Regexes {
 public:
  Regexes() = default;
  // Those of all routes of a chain. One that is none is complained about when it is come to.
  explicit Regexes(const DiscoveryChain& chain);

  absl::StatusOr<bool> full_match(const std::string& pattern, std::string_view text) const;

 private:
  void add(const std::string& pattern);
  std::map<std::string, absl::StatusOr<Regex>> known_;
};

// A route without a match takes every path that begins with a slash. INVALID_ARGUMENT kind "validate" for a regular
// expression that is none.
absl::StatusOr<MatchResult> match_route(const Route& route, const HttpRequestShape& request, const Regexes& regexes);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_MATCH_H_
