#include "lib/filter/ast.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "convergence/error.h"
#include "lib/base/utf8.h"

namespace convergence::filter {

std::string_view to_string(Operator op) {
  switch (op) {
    case Operator::kEqual:
      return "Equal";
    case Operator::kNotEqual:
      return "Not Equal";
    case Operator::kIn:
      return "In";
    case Operator::kNotIn:
      return "Not In";
    case Operator::kIsEmpty:
      return "Is Empty";
    case Operator::kIsNotEmpty:
      return "Is Not Empty";
    case Operator::kMatches:
      return "Matches";
    case Operator::kNotMatches:
      return "Not Matches";
  }
  return "";
}

std::string selector_text(const std::vector<std::string>& selector) {
  return fmt::format("{}", fmt::join(selector, "."));
}

absl::Status filter_error(std::string_view expression, std::string_view problem, std::size_t offset) {
  Json detail;
  detail.set("expression", printable_utf8(expression));
  detail.set("offset", static_cast<std::uint64_t>(offset));
  const std::string text = fmt::format("Failed to create boolean expression evaluator: {}", problem);
  return make_error(ErrorKind::kFilter, printable_utf8(text), std::move(detail));
}

}  // namespace convergence::filter
