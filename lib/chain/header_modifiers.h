#ifndef CONVERGENCE_LIB_CHAIN_HEADER_MODIFIERS_H_
#define CONVERGENCE_LIB_CHAIN_HEADER_MODIFIERS_H_

#include <optional>

#include "convergence/config_entry.h"

namespace convergence {

bool says_nothing(const std::optional<HeaderModifiers>& change);

// What `over` says stands over what `base` says; what either removes is removed.
std::optional<HeaderModifiers> merge_headers(const std::optional<HeaderModifiers>& base,
                                             const std::optional<HeaderModifiers>& over);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_HEADER_MODIFIERS_H_
