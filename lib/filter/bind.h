#ifndef CONVERGENCE_LIB_FILTER_BIND_H_
#define CONVERGENCE_LIB_FILTER_BIND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/regex.h"
#include "lib/filter/ast.h"
#include "lib/filter/fields.h"

namespace convergence::filter {

// One step of a selector down from the row.
struct Step {
  const Field* field = nullptr;
  std::string key;  // of maps: the key that is asked for; else the field's name
  bool in_map = false;
};

// A comparison whose selector exists and whose value has the type of what it is compared with.
struct Match {
  std::vector<Step> path;
  Field::Type type = Field::Type::kString;  // of what the path leads to
  Column column = Column::kNone;            // where values have it, if the row is one of health
  Operator op = Operator::kEqual;
  std::string text;
  std::int64_t number = 0;
  bool truth = false;
  std::optional<Regex> regex;
};

struct Bound {
  Expression::Kind kind = Expression::Kind::kMatch;
  std::vector<Bound> parts;  // one of not, two of and, or
  Match match;
};

// INVALID_ARGUMENT kind "filter" with Consul's text.
absl::StatusOr<Bound> bind(std::string_view text, const Expression& expression, const Field& row);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_BIND_H_
