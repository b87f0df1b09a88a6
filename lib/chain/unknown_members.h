#ifndef CONVERGENCE_LIB_CHAIN_UNKNOWN_MEMBERS_H_
#define CONVERGENCE_LIB_CHAIN_UNKNOWN_MEMBERS_H_

#include <string>
#include <vector>

#include "convergence/config_entry.h"

namespace convergence {

// The full names ("Routes[0].Match.HTTP.PathContains") of the members that Consul 1.8 has no field for, those with a
// field of a later Consul among them; the inner ones first. The server's order varies within one object; ours is that
// of the document.
std::vector<std::string> unknown_members(const ConfigEntry& entry);

// A member that is null is an absent one; the reader leaves members of later Consuls that say nothing as such.
void forget_empty_members(ConfigEntry& entry);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_UNKNOWN_MEMBERS_H_
