#include "lib/filter/bind.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"

namespace convergence::filter {
namespace {

using Type = Field::Type;

bool supports(Type type, Operator op) {
  switch (op) {
    case Operator::kEqual:
    case Operator::kNotEqual:
      return type == Type::kString || type == Type::kInt || type == Type::kBool;
    case Operator::kMatches:
    case Operator::kNotMatches:
      return type == Type::kString;
    case Operator::kIn:
    case Operator::kNotIn:
      return type == Type::kString || type == Type::kStringList || type == Type::kStringMap || type == Type::kStructMap;
    case Operator::kIsEmpty:
    case Operator::kIsNotEmpty:
      return type == Type::kStringList || type == Type::kStringMap || type == Type::kStructMap ||
             type == Type::kStructList;
  }
  return false;
}

enum class NumberProblem { kSyntax, kRange };

// An underscore may stand between digits and behind a base's prefix, and only where the base is told by a prefix.
bool underscores_fit(std::string_view digits, bool prefixed) {
  char before = prefixed ? '0' : '_';
  for (char c : digits) {
    if (c == '_' && before == '_') return false;
    before = c;
  }
  return before != '_';
}

// Go's integers of any base: 80, 0x50, 0o120, 0120, 0b1010000, with a sign.
std::variant<std::int64_t, NumberProblem> parse_int(std::string_view text) {
  const bool negative = text.substr(0, 1) == "-";
  if (negative || text.substr(0, 1) == "+") text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    const bool lettered = letter == 'x' || letter == 'b' || letter == 'o';
    if (lettered && text.size() == 2) return NumberProblem::kSyntax;
    text.remove_prefix(lettered ? 2 : 1);
  }
  if (!underscores_fit(text, base != 10)) return NumberProblem::kSyntax;
  std::string digits;
  for (char c : text) {
    if (c != '_') digits += c;
  }
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error == std::errc::result_out_of_range) return NumberProblem::kRange;  // Go does not look at what follows then
  if (digits.empty() || end != digits.data() + digits.size()) return NumberProblem::kSyntax;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value > kMax + (negative ? 1 : 0)) return NumberProblem::kRange;
  return static_cast<std::int64_t>(negative ? 0 - value : value);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (std::string_view word : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == word) return true;
  }
  for (std::string_view word : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

// RE2 knows \C, any byte, which Go's own engine refuses.
bool has_any_byte(std::string_view pattern) {
  bool literal = false;  // between \Q and \E
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    const char letter = pattern[++i];
    if (letter == 'C' && !literal) return true;
    if (letter == 'Q') literal = true;
    if (letter == 'E') literal = false;
  }
  return false;
}

std::optional<std::string> coerce_regex(const std::string& pattern, std::string_view quoted, Match& match) {
  const std::string where = fmt::format("Failed to compile regular expression {}: error parsing regexp: ", quoted);
  if (has_any_byte(pattern)) return where + "invalid escape sequence: `\\C`";
  auto regex = Regex::compile(pattern);
  if (regex.ok()) {
    match.regex = *std::move(regex);
    return std::nullopt;
  }
  const Json detail = error_detail(regex.status());
  const Json* problem = detail.find("problem");
  return where + (problem && problem->as_string() ? *problem->as_string() : std::string());
}

// Gives `match` its value in the type of what it is compared with; a text where that cannot be.
std::optional<std::string> coerce(const Expression& from, Match& match) {
  match.text = from.value;
  const std::string quoted = go_quote(from.value);
  const std::string where =
      fmt::format("Failed to coerce value {} for selector {}: strconv", quoted, go_quote(selector_text(from.selector)));
  if (match.type == Type::kInt) {
    auto number = parse_int(from.value);
    if (auto* problem = std::get_if<NumberProblem>(&number)) {
      return fmt::format("{}.ParseInt: parsing {}: {}", where, quoted,
                         *problem == NumberProblem::kRange ? "value out of range" : "invalid syntax");
    }
    match.number = std::get<std::int64_t>(number);
  }
  if (match.type == Type::kBool) {
    auto truth = parse_bool(from.value);
    if (!truth) return fmt::format("{}.ParseBool: parsing {}: invalid syntax", where, quoted);
    match.truth = *truth;
  }
  if (match.op == Operator::kMatches || match.op == Operator::kNotMatches) {
    return coerce_regex(from.value, quoted, match);
  }
  return std::nullopt;
}

absl::StatusOr<Match> bind_match(std::string_view text, const Expression& expression, const Field& row) {
  Match match;
  const Field* field = &row;
  std::vector<std::string> walked;
  for (const std::string& name : expression.selector) {
    walked.push_back(name);
    const bool in_map = field->type == Type::kStringMap || field->type == Type::kStructMap;
    field = below(*field, name);
    if (!field) {
      return filter_error(text, fmt::format("Selector {} is not valid", go_quote(selector_text(walked))),
                          expression.offset);
    }
    if (field->column != Column::kNone) match.column = field->column;
    match.path.push_back(Step{field, name, in_map});
  }
  match.type = field->type;
  match.op = expression.op;
  if (!supports(match.type, match.op)) {
    return filter_error(text,
                        fmt::format("Invalid match operator \"{}\" for selector {}", to_string(match.op),
                                    go_quote(selector_text(expression.selector))),
                        expression.offset);
  }
  if (auto problem = coerce(expression, match)) return filter_error(text, *problem, expression.offset);
  return match;
}

}  // namespace

absl::StatusOr<Bound> bind(std::string_view text, const Expression& expression, const Field& row) {
  Bound bound;
  bound.kind = expression.kind;
  if (expression.kind == Expression::Kind::kMatch) {
    CVG_ASSIGN_OR_RETURN(bound.match, bind_match(text, expression, row));
    return bound;
  }
  for (const ExpressionPtr& part : {expression.left, expression.right}) {
    if (!part) continue;
    CVG_ASSIGN_OR_RETURN(Bound one, bind(text, *part, row));
    bound.parts.push_back(std::move(one));
  }
  return bound;
}

}  // namespace convergence::filter
