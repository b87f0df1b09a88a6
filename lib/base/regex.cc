#include "lib/base/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "convergence/error.h"

namespace convergence {
namespace {

// The words that Go has for what RE2 found: Consul's texts have them.
std::string_view go_words(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass:
      return "invalid character class";
    case re2::RE2::ErrorBadCharRange:
      return "invalid character class range";
    case re2::RE2::ErrorMissingBracket:
      return "missing closing ]";
    case re2::RE2::ErrorMissingParen:
      return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    default:
      return "expression too large";
  }
}

re2::StringPiece to_piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string escape_regex(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

absl::StatusOr<Regex> Regex::compile(std::string_view pattern) {
  auto program = std::make_shared<const re2::RE2>(to_piece(pattern), re2::RE2::Quiet);
  if (program->ok()) return Regex(std::move(program));
  Json detail;
  detail.set("pattern", pattern);
  detail.set("problem", fmt::format("{}: `{}`", go_words(program->error_code()), program->error_arg()));
  return make_error(
      ErrorKind::kValidate,
      fmt::format("regular expression {}: {}; see RE2's syntax", to_text(Json(pattern)), program->error()),
      std::move(detail));
}

bool Regex::full_match(std::string_view text) const { return re2::RE2::FullMatch(to_piece(text), *program_); }

bool Regex::partial_match(std::string_view text) const { return re2::RE2::PartialMatch(to_piece(text), *program_); }

}  // namespace convergence
