#ifndef CONVERGENCE_FILTER_H_
#define CONVERGENCE_FILTER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/json.h"

namespace convergence {

// What a filter is asked about. Consul has the same selectors for all rows of a kind.
enum class RowKind {
  kHealth,          // a row of /v1/health/service
  kNode,            // of /v1/catalog/nodes
  kCatalogService,  // of /v1/catalog/service
  kService,         // a service of /v1/catalog/node, /v1/catalog/node-services or /v1/agent/services
  kCheck,           // of /v1/health/node, /v1/health/checks, /v1/health/state or /v1/agent/checks
};
// "health", "node", "catalog-service", "service", "check".
std::string_view to_string(RowKind kind);
// Kind "usage" for any other text.
absl::StatusOr<RowKind> row_kind_from_text(std::string_view text);

// One of Consul's filter expressions (`Service.Meta.version == v2 and Checks.Status != critical`), parsed once and
// evaluated on rows. On those of /v1/health/service it is the language by which a resolver chooses the instances of a
// subset. The language is that of Consul 1.8.7 (docs/filters.md says what later ones added).
// An immutable value; copies share the tree; any thread.
class Filter {
 public:
  struct Node;  // defined in lib/filter

  // INVALID_ARGUMENT kind "filter" with Consul's text and the offset. The empty expression selects every row.
  static absl::StatusOr<Filter> parse(std::string_view expression, RowKind kind = RowKind::kHealth);

  Filter();

  // INVALID_ARGUMENT kind "filter" when a selector does not exist on rows of this kind.
  absl::Status check() const;
  // A row in Consul's JSON; fails as check() does. What a row lacks counts as empty.
  absl::StatusOr<bool> matches(const Json& row) const;
  // A row of kind "health" as values; kind "usage" for filters of another kind.
  absl::StatusOr<bool> matches(const InstanceState& instance, const NodeState& node) const;

  const std::string& text() const { return text_; }
  RowKind kind() const { return kind_; }
  friend bool operator==(const Filter& a, const Filter& b) { return a.text_ == b.text_ && a.kind_ == b.kind_; }

 private:
  std::string text_;
  RowKind kind_ = RowKind::kHealth;
  std::shared_ptr<const Node> root_;
};

// The rows that match, in their order; fails as check() does, be there rows or not.
absl::StatusOr<Json::Array> filter_rows(const Filter& filter, const Json::Array& rows);

}  // namespace convergence

#endif  // CONVERGENCE_FILTER_H_
