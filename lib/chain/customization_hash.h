#ifndef CONVERGENCE_LIB_CHAIN_CUSTOMIZATION_HASH_H_
#define CONVERGENCE_LIB_CHAIN_CUSTOMIZATION_HASH_H_

#include <string>

#include "convergence/chain.h"

namespace convergence {

// Consul's CustomizationHash of the overrides that took effect; an override that did not is empty here.
std::string customization_hash(const ChainOverrides& effective);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_CUSTOMIZATION_HASH_H_
