#ifndef CONVERGENCE_LIB_PLAN_REFERENCES_H_
#define CONVERGENCE_LIB_PLAN_REFERENCES_H_

#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence::plan {

// The services that an entry of one of the routing kinds names, its own first, as it spells them, and those of which an
// ingress gateway or intentions speak; none for proxy-defaults, which speak of all, and for kinds that say nothing of
// chains.
std::vector<std::string> services_of(const ConfigEntry& entry);

// One of the five kinds that a chain is made of.
bool is_routing_kind(std::string_view kind);

// Where a kind stands in a chain: what others stand on has the lower number.
int rank_of(std::string_view kind);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_REFERENCES_H_
