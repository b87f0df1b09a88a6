#ifndef CONVERGENCE_LIB_MODEL_NAMES_H_
#define CONVERGENCE_LIB_MODEL_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

namespace convergence {

// The inverse of to_string() for the enums of the values: CheckStatus, Slice, Action, Reason, CanaryPhase,
// CanaryReason, EvidenceKind, WriteOutcome, CanaryVerb, Dialect, Severity, Drawing. Empty for a name that is none of
// E's.
template <typename E>
std::optional<E> parse_name(std::string_view name);

// "passing, warning, critical": what an error offers instead.
template <typename E>
std::string all_names();

}  // namespace convergence

#endif  // CONVERGENCE_LIB_MODEL_NAMES_H_
