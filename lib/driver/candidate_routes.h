#ifndef CONVERGENCE_LIB_DRIVER_CANDIDATE_ROUTES_H_
#define CONVERGENCE_LIB_DRIVER_CANDIDATE_ROUTES_H_

#include <optional>
#include <string>
#include <vector>

#include "convergence/canary.h"
#include "convergence/config_entry.h"

namespace convergence {

// How requests reach the candidate whatever its weight, in the words of Consul's entries. Pure.

// In front of the router's own routes: those of the policy's matches, and of the affinity's cookie.
std::vector<Route> candidate_routes(const CanaryState& state);

// What the candidate's leg answers with, so that its users stay. "name=value; Max-Age=...; Path=/".
std::string affinity_cookie(const CanaryState& state);

struct RouteEdit {
  enum class Kind {
    kNone,  // as it should be
    kPut,
    kDelete,  // nothing is left of a router that a rollout made
  };
  Kind kind = Kind::kNone;
  ConfigEntry entry{};  // to put, or to delete; its modify_index is that of the read, 0 where there was none
};

// Puts the candidate's routes in front, or takes them away; all else stays (I7).
RouteEdit edit_routes(const CanaryState& state, bool routed, const std::optional<ConfigEntry>& router);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_CANDIDATE_ROUTES_H_
