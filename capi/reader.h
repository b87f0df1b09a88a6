#ifndef CONVERGENCE_CAPI_READER_H_
#define CONVERGENCE_CAPI_READER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence::capi {

// Options and arguments are small JSON objects whose members are declared in tables. check_members() looks at all of
// them first, so that the getters below need not fail.
enum class Shape { kText, kTextList, kInteger, kBool, kDuration, kObject, kArray };

struct Parameter {
  std::string_view name;
  Shape shape = Shape::kText;
  bool required = false;
};

// INVALID_ARGUMENT kind "decode" for a member of another shape, kind "usage" for one that is missing or unknown, which
// names those that are known. A null member counts as absent.
absl::Status check_members(const Json& json, std::span<const Parameter> parameters, std::string_view document);

// Absent members give empty values.
std::string text_of(const Json& json, std::string_view name);
std::vector<std::string> texts_of(const Json& json, std::string_view name);
std::optional<std::int64_t> integer_of(const Json& json, std::string_view name);
bool flag_of(const Json& json, std::string_view name, bool otherwise = false);
std::optional<Duration> duration_of(const Json& json, std::string_view name);  // integer nanoseconds or "10s"

}  // namespace convergence::capi

#endif  // CONVERGENCE_CAPI_READER_H_
