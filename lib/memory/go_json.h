#ifndef CONVERGENCE_LIB_MEMORY_GO_JSON_H_
#define CONVERGENCE_LIB_MEMORY_GO_JSON_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence::memory {

// JSON as Go's encoding/json writes and reads it, because bodies and error texts of the server are made by that.

// Compact, or indented by four spaces with a final newline (?pretty). <, > and & as \u003c, \u003e, \u0026.
std::string go_text(const Json& json, bool pretty);

// parse_json with the texts of Go's decoder: "EOF", "unexpected EOF", "invalid character 'x' looking for ...".
// The status carries the text alone.
absl::StatusOr<Json> parse_body(std::string_view body);

std::string lower(std::string_view text);

// Reads an object into variables as Go decodes one into a struct: names match in any case, null leaves the variable as
// it is, the first mistake is kept and the rest goes on.
class GoDecoder {
 public:
  using Setter = std::function<void(const Json&)>;
  struct Field {
    std::string_view name;
    Setter set;
  };

  // `unknown_refused`: the decoder was told to DisallowUnknownFields. `snake_case`: names may be written so too.
  explicit GoDecoder(bool unknown_refused, bool snake_case = false)
      : unknown_refused_(unknown_refused), snake_case_(snake_case) {}

  // `type` is the Go name of the struct, for messages; `value_type` what it is called when the value is no object.
  void object(const Json& json, std::string_view type, std::string_view value_type, const std::vector<Field>& fields);

  Setter text(std::string& into);
  Setter flag(bool& into);
  Setter number(std::int64_t& into, std::string_view type = "int");
  Setter count(std::uint64_t& into);
  Setter texts(std::vector<std::string>& into);
  Setter labels(std::optional<std::map<std::string, std::string>>& into);
  Setter raw(Json& into);
  // "10s" or nanoseconds.
  Setter duration(Duration& into);
  Setter each(std::function<void(const Json&)> read, std::string_view type);
  Setter ignored();

  void fail(std::string text);
  const std::string& error() const { return error_; }

 private:
  void mismatch(const Json& json, std::string_view wanted);

  bool unknown_refused_;
  bool snake_case_;
  std::string error_;
  std::string type_;               // of the innermost struct
  std::vector<std::string> path_;  // members from the outermost struct
};

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_GO_JSON_H_
