#include "lib/filter/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "lib/filter/scanner.h"
#include "lib/filter/unquote.h"

namespace convergence::filter {
namespace {

// Consul's grammar, rule by rule and alternative by alternative: the texts of errors and, in odd cases, the language
// itself (`not == x` is about a selector called "not") follow from the order. Results of the recursive rules are kept
// by place: trying alternatives anew at each level would double the work with each pair of parentheses.
class Parser {
 public:
  explicit Parser(std::string_view text) : in_(text) {}

  absl::StatusOr<ExpressionPtr> run();

 private:
  using Within = Scanner::Within;
  enum class Rule { kOr, kAnd, kNot, kGroup, kMatch };
  struct Known {
    ExpressionPtr result;
    std::size_t end = 0;
  };

  ExpressionPtr parse(Rule rule);
  ExpressionPtr parse_fresh(Rule rule);
  ExpressionPtr input();
  ExpressionPtr chain(Rule part, std::string_view word, Rule rest, Expression::Kind kind);
  ExpressionPtr negation();
  ExpressionPtr group();
  ExpressionPtr match();
  ExpressionPtr selector_op_value();
  ExpressionPtr selector_op();
  ExpressionPtr value_op_selector();
  bool spaced_words(std::string_view rule_name, std::string_view words, bool space_behind);
  bool symbol(std::string_view rule_name, std::string_view text);
  std::optional<Operator> value_operator();

  std::optional<std::vector<std::string>> selector();
  std::optional<std::string> identifier();
  std::optional<std::string> index();
  std::optional<std::string> value();
  std::optional<std::string> number();
  bool digits();
  bool integer_or_float();
  bool number_ends();
  std::optional<std::string> string();
  bool characters(char quote);
  std::optional<std::string> quoted(char quote);

  Scanner in_;
  std::map<std::pair<Rule, std::size_t>, Known> known_;
  int depth_ = 0;
};

constexpr int kMaxDepth = 500;  // of nesting: far above what a person writes, far below what the stack holds

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

ExpressionPtr Parser::parse(Rule rule) {
  const auto key = std::make_pair(rule, in_.at());
  if (auto found = known_.find(key); found != known_.end()) {
    in_.go_to(found->second.end);
    return found->second.result;
  }
  if (depth_ >= kMaxDepth) {
    in_.error(in_.at(), fmt::format("nested deeper than {} levels", kMaxDepth));
    return nullptr;
  }
  ++depth_;
  const std::size_t start = in_.at();
  ExpressionPtr result = parse_fresh(rule);
  if (!result) in_.go_to(start);
  --depth_;
  known_[key] = {result, in_.at()};
  return result;
}

ExpressionPtr Parser::parse_fresh(Rule rule) {
  switch (rule) {
    case Rule::kOr:
      return chain(Rule::kAnd, "or", Rule::kOr, Expression::Kind::kOr);
    case Rule::kAnd:
      return chain(Rule::kNot, "and", Rule::kAnd, Expression::Kind::kAnd);
    case Rule::kNot:
      return negation();
    case Rule::kGroup:
      return group();
    case Rule::kMatch:
      return match();
  }
  return nullptr;
}

// part space word space rest, or part alone.
ExpressionPtr Parser::chain(Rule part, std::string_view word, Rule rest, Expression::Kind kind) {
  const Within rule(in_, kind == Expression::Kind::kOr ? "OrExpression" : "AndExpression");
  ExpressionPtr left = parse(part);
  if (!left) return nullptr;
  const std::size_t after_left = in_.at();
  if (in_.space() && in_.literal(word) && in_.space()) {
    if (ExpressionPtr right = parse(rest)) {
      Expression both;
      both.kind = kind;
      both.left = std::move(left);
      both.right = std::move(right);
      return std::make_shared<const Expression>(std::move(both));
    }
  }
  in_.go_to(after_left);
  return left;
}

ExpressionPtr Parser::negation() {
  const Within rule(in_, "NotExpression");
  const std::size_t start = in_.at();
  if (in_.literal("not") && in_.space()) {
    if (ExpressionPtr inner = parse(Rule::kNot)) {
      Expression expression;
      expression.kind = Expression::Kind::kNot;
      expression.left = std::move(inner);
      return std::make_shared<const Expression>(std::move(expression));
    }
  }
  in_.go_to(start);
  return parse(Rule::kGroup);
}

ExpressionPtr Parser::group() {
  const Within rule(in_, "\"grouping\"");
  const std::size_t start = in_.at();
  bool open = false;
  if (in_.literal("(")) {
    in_.maybe_space();
    if (ExpressionPtr inner = parse(Rule::kOr)) {
      in_.maybe_space();
      if (in_.literal(")")) return inner;
      open = true;
    }
  }
  const std::size_t stopped = in_.at();
  in_.go_to(start);
  if (ExpressionPtr plain = parse(Rule::kMatch)) return plain;
  if (open) in_.error(stopped, "Unmatched parentheses");
  return nullptr;
}

ExpressionPtr Parser::match() {
  const Within rule(in_, "\"match\"");
  const std::size_t start = in_.at();
  for (auto form : {&Parser::selector_op_value, &Parser::selector_op, &Parser::value_op_selector}) {
    in_.go_to(start);
    if (ExpressionPtr found = (this->*form)()) return found;
  }
  return nullptr;
}

// An operator of words with space before each and, if a value or selector is to follow, behind; leaves the place alone
// when it fails.
bool Parser::spaced_words(std::string_view rule_name, std::string_view words, bool space_behind) {
  const Within rule(in_, rule_name);
  const std::size_t start = in_.at();
  for (std::size_t from = 0; from <= words.size();) {
    const std::size_t blank = std::min(words.find(' ', from), words.size());
    if (!in_.space() || !in_.literal(words.substr(from, blank - from))) {
      in_.go_to(start);
      return false;
    }
    from = blank + 1;
  }
  if (!space_behind || in_.space()) return true;
  in_.go_to(start);
  return false;
}

bool Parser::symbol(std::string_view rule_name, std::string_view text) {
  const Within rule(in_, rule_name);
  const std::size_t start = in_.at();
  in_.maybe_space();
  if (!in_.literal(text)) {
    in_.go_to(start);
    return false;
  }
  in_.maybe_space();
  return true;
}

// An operator that stands between a selector and a value, with the space around it.
std::optional<Operator> Parser::value_operator() {
  if (symbol("MatchEqual", "==")) return Operator::kEqual;
  if (symbol("MatchNotEqual", "!=")) return Operator::kNotEqual;
  if (spaced_words("MatchContains", "contains", true)) return Operator::kIn;
  if (spaced_words("MatchNotContains", "not contains", true)) return Operator::kNotIn;
  if (spaced_words("MatchMatches", "matches", true)) return Operator::kMatches;
  if (spaced_words("MatchNotMatches", "not matches", true)) return Operator::kNotMatches;
  return std::nullopt;
}

ExpressionPtr make_match(std::vector<std::string> selector, Operator op, std::string value, std::size_t offset) {
  Expression expression;
  expression.selector = std::move(selector);
  expression.op = op;
  expression.value = std::move(value);
  expression.offset = offset;
  return std::make_shared<const Expression>(std::move(expression));
}

ExpressionPtr Parser::selector_op_value() {
  const std::size_t start = in_.at();
  auto left = selector();
  if (!left) return nullptr;
  auto op = value_operator();
  if (!op) return nullptr;
  auto right = value();
  if (!right) return nullptr;
  return make_match(*std::move(left), *op, *std::move(right), start);
}

ExpressionPtr Parser::selector_op() {
  const std::size_t start = in_.at();
  auto left = selector();
  if (!left) return nullptr;
  if (spaced_words("MatchIsEmpty", "is empty", false))
    return make_match(*std::move(left), Operator::kIsEmpty, "", start);
  if (spaced_words("MatchIsNotEmpty", "is not empty", false))
    return make_match(*std::move(left), Operator::kIsNotEmpty, "", start);
  return nullptr;
}

ExpressionPtr Parser::value_op_selector() {
  auto left = value();
  if (!left) return nullptr;
  std::optional<Operator> op;
  if (spaced_words("MatchIn", "in", true)) op = Operator::kIn;
  if (!op && spaced_words("MatchNotIn", "not in", true)) op = Operator::kNotIn;
  if (!op) return nullptr;
  const std::size_t place_of_selector = in_.at();
  auto right = selector();
  if (right) return make_match(*std::move(right), *op, *std::move(left), place_of_selector);
  in_.go_to(place_of_selector);
  in_.error(in_.at(), "Invalid selector");
  return nullptr;
}

std::optional<std::vector<std::string>> Parser::selector() {
  const Within rule(in_, "\"selector\"");
  const std::size_t start = in_.at();
  auto first = identifier();
  if (!first) return std::nullopt;
  std::vector<std::string> parts{*std::move(first)};
  for (;;) {
    const Within step_rule(in_, "SelectorOrIndex");
    const std::size_t before = in_.at();
    std::optional<std::string> part;
    if (in_.literal(".")) part = identifier();
    if (!part) {
      in_.go_to(before);
      part = index();
    }
    if (!part) {
      in_.go_to(before);
      break;
    }
    parts.push_back(*std::move(part));
  }
  if (in_.at() == start) return std::nullopt;
  return parts;
}

std::optional<std::string> Parser::identifier() {
  const Within rule(in_, "Identifier");
  const std::size_t start = in_.at();
  if (!in_.one_of("[a-zA-Z]", is_letter)) return std::nullopt;
  while (in_.one_of("[a-zA-Z0-9_]", [](char c) { return is_letter(c) || is_digit(c) || c == '_'; })) {
  }
  return std::string(in_.since(start));
}

std::optional<std::string> Parser::index() {
  const Within rule(in_, "\"index\"");
  if (!in_.literal("[")) return std::nullopt;
  in_.maybe_space();
  const std::size_t inside = in_.at();
  auto name = string();
  if (!name) {
    in_.go_to(inside);
    in_.error(in_.at(), "Invalid index");
    return std::nullopt;
  }
  in_.maybe_space();
  if (in_.literal("]")) return name;
  in_.error(in_.at(), "Unclosed index expression");
  return std::nullopt;
}

std::optional<std::string> Parser::value() {
  const std::size_t start = in_.at();
  if (auto path = selector()) return selector_text(*path);
  in_.go_to(start);
  if (auto found = number()) return found;
  in_.go_to(start);
  return string();
}

bool Parser::digits() {
  const std::size_t start = in_.at();
  while (in_.one_of("[0-9]", is_digit)) {
  }
  return in_.at() > start;
}

bool Parser::integer_or_float() {
  const Within rule(in_, "IntegerOrFloat");
  if (!in_.literal("0")) {
    if (!in_.one_of("[1-9]", [](char c) { return c >= '1' && c <= '9'; })) return false;
    digits();
  }
  const std::size_t whole = in_.at();
  if (!in_.literal(".") || !digits()) in_.go_to(whole);
  return true;
}

// What may follow a number, looked at and left standing.
bool Parser::number_ends() {
  const Within rule(in_, "AfterNumbers");
  const std::size_t start = in_.at();
  const bool ends = in_.space() || in_.end() || in_.literal(")");
  in_.go_to(start);
  return ends;
}

std::optional<std::string> Parser::number() {
  const Within rule(in_, "\"number\"");
  const std::size_t start = in_.at();
  in_.literal("-");
  if (!integer_or_float()) return std::nullopt;
  if (number_ends()) return std::string(in_.since(start));
  in_.error(in_.at(), "Invalid number literal");
  return std::nullopt;
}

std::optional<std::string> Parser::string() {
  const Within rule(in_, "\"string\"");
  if (in_.literal("`")) return quoted('`');
  if (in_.literal("\"")) return quoted('"');
  return std::nullopt;
}

// Up to the closing quote, which stays; false where there is none.
bool Parser::characters(char quote) {
  const Within rule(in_, quote == '`' ? "RawStringChar" : "DoubleStringChar");
  while (!in_.at_end() && in_.peek() != quote) in_.step();
  if (in_.at_end()) return false;
  in_.look_ahead();
  return true;
}

// What stands behind the opening quote. A backslash does not hide a quote: "a\"b" ends at the second one.
std::optional<std::string> Parser::quoted(char quote) {
  const std::size_t start = in_.at();
  if (!characters(quote)) {
    in_.error(in_.size(), "Unterminated string literal");
    return std::nullopt;
  }
  const std::string_view inside = in_.since(start);
  in_.step();
  if (quote == '`') {  // Go drops carriage returns from these
    std::string raw(inside);
    raw.erase(std::remove(raw.begin(), raw.end(), '\r'), raw.end());
    return raw;
  }
  if (auto plain = unquote(inside)) return plain;
  in_.error(start - 1, "invalid syntax");
  return std::string();  // Consul reads on, too
}

ExpressionPtr Parser::input() {
  const Within rule(in_, "Input");
  // A text in parentheses as a whole comes first. The second form takes all that the first does.
  in_.maybe_space();
  if (in_.literal("(")) {
    in_.maybe_space();
    if (ExpressionPtr inner = parse(Rule::kOr)) {
      in_.maybe_space();
      if (in_.literal(")")) {
        in_.maybe_space();
        if (in_.end()) return inner;
      }
    }
  }
  in_.go_to(0);
  in_.maybe_space();
  ExpressionPtr whole = parse(Rule::kOr);
  if (!whole) return nullptr;
  in_.maybe_space();
  return in_.end() ? whole : nullptr;
}

absl::StatusOr<ExpressionPtr> Parser::run() {
  ExpressionPtr whole = input();
  if (whole && !in_.has_errors()) return whole;
  return in_.failure();
}

}  // namespace

absl::StatusOr<ExpressionPtr> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace convergence::filter
