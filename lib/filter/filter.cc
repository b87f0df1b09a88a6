#include "convergence/filter.h"

#include <fmt/format.h>

#include <utility>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/filter/bind.h"
#include "lib/filter/evaluate.h"
#include "lib/filter/fields.h"
#include "lib/filter/parser.h"

namespace convergence {

namespace {

struct KindName {
  RowKind kind;
  std::string_view name;
};
constexpr KindName kKindNames[] = {
    {RowKind::kHealth, "health"},   {RowKind::kNode, "node"},   {RowKind::kCatalogService, "catalog-service"},
    {RowKind::kService, "service"}, {RowKind::kCheck, "check"},
};

}  // namespace

std::string_view to_string(RowKind kind) {
  for (const KindName& one : kKindNames) {
    if (one.kind == kind) return one.name;
  }
  return "";
}

absl::StatusOr<RowKind> row_kind_from_text(std::string_view text) {
  for (const KindName& one : kKindNames) {
    if (one.name == text) return one.kind;
  }
  return make_error(ErrorKind::kUsage,
                    fmt::format("row kind: \"{}\" is none; give health, node, catalog-service, service or check",
                                printable_utf8(text)));
}

// Compared with the kind of rows once, when it is parsed. Consul complains before it has looked at any row, so that
// the complaint is kept for the first use, be there rows or not.
struct Filter::Node {
  absl::StatusOr<filter::Bound> bound;
};

Filter::Filter() = default;

absl::StatusOr<Filter> Filter::parse(std::string_view expression, RowKind kind) {
  Filter result;
  result.text_ = std::string(expression);
  result.kind_ = kind;
  if (expression.empty()) return result;
  CVG_ASSIGN_OR_RETURN(const filter::ExpressionPtr parsed, filter::parse(expression));
  result.root_ = std::make_shared<const Node>(Node{filter::bind(expression, *parsed, filter::row_of(kind))});
  return result;
}

absl::Status Filter::check() const { return root_ ? root_->bound.status() : absl::OkStatus(); }

absl::StatusOr<bool> Filter::matches(const Json& row) const {
  if (!root_) return true;
  CVG_RETURN_IF_ERROR(root_->bound.status());
  return filter::evaluate(*root_->bound, row);
}

absl::StatusOr<bool> Filter::matches(const InstanceState& instance, const NodeState& node) const {
  if (kind_ != RowKind::kHealth) {
    return make_error(ErrorKind::kUsage, fmt::format("filter: is one of {} rows and cannot be asked about an instance; "
                                                     "parse it for health rows",
                                                     to_string(kind_)));
  }
  if (!root_) return true;
  CVG_RETURN_IF_ERROR(root_->bound.status());
  return filter::evaluate(*root_->bound, instance, node);
}

absl::StatusOr<Json::Array> filter_rows(const Filter& filter, const Json::Array& rows) {
  CVG_RETURN_IF_ERROR(filter.check());
  Json::Array kept;
  for (const Json& row : rows) {
    CVG_ASSIGN_OR_RETURN(const bool wanted, filter.matches(row));
    if (wanted) kept.push_back(row);
  }
  return kept;
}

}  // namespace convergence
