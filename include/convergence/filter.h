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

// One of Consul's filter expressions (`Service.Meta.version == v2 and Checks.Status != critical`), parsed once and
// evaluated on rows of /v1/health/service: the language by which a resolver chooses the instances of a subset.
// An immutable value; copies share the tree; any thread.
class Filter {
 public:
  struct Node;  // defined in lib/filter

  // INVALID_ARGUMENT kind "filter" with Consul's text and the offset. The empty expression selects every row.
  static absl::StatusOr<Filter> parse(std::string_view expression);

  Filter();

  // INVALID_ARGUMENT kind "filter" when a selector does not exist on such rows.
  absl::StatusOr<bool> matches(const InstanceState& instance, const NodeState& node) const;
  // A row in the JSON shape of /v1/health/service.
  absl::StatusOr<bool> matches(const Json& row) const;

  const std::string& text() const { return text_; }
  friend bool operator==(const Filter& a, const Filter& b) { return a.text_ == b.text_; }

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

// The rows that match, in their order.
absl::StatusOr<Json::Array> filter_rows(const Filter& filter, const Json::Array& rows);

}  // namespace convergence

#endif  // CONVERGENCE_FILTER_H_
