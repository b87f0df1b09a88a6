#ifndef CONVERGENCE_LIB_PLAN_OPAQUE_H_
#define CONVERGENCE_LIB_PLAN_OPAQUE_H_

#include "convergence/config_entry.h"

namespace convergence::plan {

// Whether two entries of a kind that is only kept mean the same to the server, which spells members its own way, leaves
// out or adds what is empty, and fills in some: a gateway's protocol, an intention's precedence.
bool same_meaning(const OpaqueEntry& wanted, const OpaqueEntry& there);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_OPAQUE_H_
