#ifndef CONVERGENCE_LIB_BASE_REGEX_H_
#define CONVERGENCE_LIB_BASE_REGEX_H_

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace convergence {

// The pattern that matches `text` and nothing else.
std::string escape_regex(std::string_view text);

// A regular expression in the language that Go and Envoy share; matching takes time linear in the text. Copies share
// the compiled program and may be used from any thread.
class Regex {
 public:
  // INVALID_ARGUMENT kind "validate" with the pattern and what is wrong with it; "problem" in the detail has Go's
  // words.
  static absl::StatusOr<Regex> compile(std::string_view pattern);

  bool full_match(std::string_view text) const;
  bool partial_match(std::string_view text) const;

 private:
  explicit Regex(std::shared_ptr<const re2::RE2> program) : program_(std::move(program)) {}
  std::shared_ptr<const re2::RE2> program_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_REGEX_H_
