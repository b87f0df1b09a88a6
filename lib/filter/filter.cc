#include "convergence/filter.h"

#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/filter/bind.h"
#include "lib/filter/evaluate.h"
#include "lib/filter/parser.h"

namespace convergence {

// Compared with the rows of /v1/health/service once, when it is parsed. Consul complains before it has looked at any
// row, so that the complaint is kept for the first use, be there rows or not.
struct Filter::Node {
  absl::StatusOr<filter::Bound> bound;
};

Filter::Filter() = default;

absl::StatusOr<Filter> Filter::parse(std::string_view expression) {
  Filter result;
  result.text_ = std::string(expression);
  if (expression.empty()) return result;
  CVG_ASSIGN_OR_RETURN(const filter::ExpressionPtr parsed, filter::parse(expression));
  result.root_ = std::make_shared<const Node>(Node{filter::bind(expression, *parsed)});
  return result;
}

absl::StatusOr<bool> Filter::matches(const InstanceState& instance, const NodeState& node) const {
  if (!root_) return true;
  CVG_RETURN_IF_ERROR(root_->bound.status());
  return filter::evaluate(*root_->bound, instance, node);
}

absl::StatusOr<bool> Filter::matches(const Json& row) const {
  if (!root_) return true;
  CVG_RETURN_IF_ERROR(root_->bound.status());
  return filter::evaluate(*root_->bound, row);
}

absl::StatusOr<Json::Array> filter_rows(const Filter& filter, const Json::Array& rows) {
  // Asked of an empty row first: the complaint about a selector does not depend on there being rows.
  CVG_RETURN_IF_ERROR(filter.matches(Json()).status());
  Json::Array kept;
  for (const Json& row : rows) {
    CVG_ASSIGN_OR_RETURN(const bool wanted, filter.matches(row));
    if (wanted) kept.push_back(row);
  }
  return kept;
}

}  // namespace convergence
