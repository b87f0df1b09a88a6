#ifndef CONVERGENCE_LIB_FILTER_BIND_H_
#define CONVERGENCE_LIB_FILTER_BIND_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/regex.h"
#include "lib/filter/ast.h"

namespace convergence::filter {

// The members of a row of /v1/health/service that Consul 1.8 lets a filter speak of, and their types.
struct Field {
  enum class Type { kString, kInt, kBool, kStringList, kStringMap, kStruct, kStructList, kStructMap };
  std::string_view name;
  Type type = Type::kString;
  std::span<const Field> members;  // of structs, and of the structs in lists and maps
};

// The row as a whole.
const Field& health_row();

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
absl::StatusOr<Bound> bind(std::string_view text, const Expression& expression);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_BIND_H_
