#ifndef CONVERGENCE_LIB_FILTER_PARSER_H_
#define CONVERGENCE_LIB_FILTER_PARSER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "lib/filter/ast.h"

namespace convergence::filter {

// INVALID_ARGUMENT kind "filter", with the text that Consul answers and in the detail "offset".
absl::StatusOr<ExpressionPtr> parse(std::string_view text);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_PARSER_H_
