#ifndef CONVERGENCE_LIB_BASE_STRING_BRIDGE_H_
#define CONVERGENCE_LIB_BASE_STRING_BRIDGE_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace convergence {

// Debian builds abseil with a string_view of its own; these are right whether or not the two are one type.
inline absl::string_view to_absl(std::string_view text) { return absl::string_view(text.data(), text.size()); }
inline std::string_view to_std(absl::string_view text) { return std::string_view(text.data(), text.size()); }

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_STRING_BRIDGE_H_
