#ifndef CONVERGENCE_LIB_FILTER_AST_H_
#define CONVERGENCE_LIB_FILTER_AST_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace convergence::filter {

enum class Operator { kEqual, kNotEqual, kIn, kNotIn, kIsEmpty, kIsNotEmpty, kMatches, kNotMatches };
// As Consul's error texts name them. `contains` is `in` with its sides exchanged and is not told apart.
std::string_view to_string(Operator op);

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

// What was written, not yet compared with the rows it is meant for.
struct Expression {
  enum class Kind { kAnd, kOr, kNot, kMatch };
  Kind kind = Kind::kMatch;
  ExpressionPtr left;  // of and, or, not
  ExpressionPtr right;
  std::vector<std::string> selector;  // of matches, as are the rest
  Operator op = Operator::kEqual;
  std::string value;
  std::size_t offset = 0;  // of the selector in the text
};

// "Service.Meta.version"; an index reads like a member there.
std::string selector_text(const std::vector<std::string>& selector);

// Consul's prefix to whatever is wrong with a filter, and the detail that all our filter errors carry.
absl::Status filter_error(std::string_view expression, std::string_view problem, std::size_t offset);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_AST_H_
