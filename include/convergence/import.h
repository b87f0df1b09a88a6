#ifndef CONVERGENCE_IMPORT_H_
#define CONVERGENCE_IMPORT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/json.h"

namespace convergence {

// Documents in the languages of others, as JSON.

// HCL 1, the language in which `consul config write` takes entries: attributes, blocks (with labels: an object within an
// object), lists, heredocs, comments. Something that is said more than once is a list of all that was said, as Consul
// has it; from_json<ConfigEntry>() takes that as the server does. Text that begins with a brace is read as JSON.
// INVALID_ARGUMENT kind "decode", "<document>: line L, column C: <problem>"; detail has document, line and column. Depth
// at most 64.
absl::StatusOr<Json> parse_hcl(std::string_view text, std::string_view document);

}  // namespace convergence

#endif  // CONVERGENCE_IMPORT_H_
