#include "lib/base/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "convergence/error.h"

namespace convergence {
namespace {

re2::StringPiece to_piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::StatusOr<Regex> Regex::compile(std::string_view pattern) {
  auto program = std::make_shared<const re2::RE2>(to_piece(pattern), re2::RE2::Quiet);
  if (program->ok()) return Regex(std::move(program));
  Json detail;
  detail.set("pattern", pattern);
  return make_error(
      ErrorKind::kValidate,
      fmt::format("regular expression {}: {}; see RE2's syntax", to_text(Json(pattern)), program->error()),
      std::move(detail));
}

bool Regex::full_match(std::string_view text) const { return re2::RE2::FullMatch(to_piece(text), *program_); }

bool Regex::partial_match(std::string_view text) const { return re2::RE2::PartialMatch(to_piece(text), *program_); }

}  // namespace convergence
