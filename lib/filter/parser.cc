#include "lib/filter/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "convergence/error.h"
#include "lib/filter/unquote.h"
#include "lib/base/utf8.h"

namespace convergence::filter {
namespace {

// Consul's parser tries alternatives in order and, when none fits, names what it could have read at the place that it
// got furthest to. The texts and, in odd cases, the language itself (`not == x` is about a selector called "not")
// follow from that, so this parser goes the same way. Results of the recursive rules are kept by place: trying
// alternatives anew at each level would double the work with each pair of parentheses.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<ExpressionPtr> run();

 private:
  enum class Rule { kOr, kAnd, kNot, kGroup, kMatch };
  struct Known {
    ExpressionPtr result;
    std::size_t end = 0;
  };
  struct Error {
    std::size_t offset = 0;
    std::string text;
    friend bool operator==(const Error&, const Error&) = default;
  };

  bool at_end() const { return at_ >= text_.size(); }
  void missed(std::string_view wanted);
  void error(std::size_t offset, std::string_view rule, std::string_view problem);
  bool literal(std::string_view word);
  template <typename Predicate>
  bool one_of(std::string_view name, Predicate predicate);
  bool space();
  void maybe_space() { space(); }
  bool end();

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
  bool spaced_word(std::string_view word);
  std::optional<Operator> value_operator();

  std::optional<std::vector<std::string>> selector();
  std::optional<std::string> identifier();
  std::optional<std::string> index();
  std::optional<std::string> value();
  std::optional<std::string> number();
  bool digits();
  std::optional<std::string> string();
  std::optional<std::string> quoted(char quote);

  absl::Status failure() const;
  std::string place(std::size_t offset) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t furthest_ = 0;
  std::set<std::string, std::less<>> wanted_;
  std::vector<Error> errors_;
  std::map<std::pair<Rule, std::size_t>, Known> known_;
  int depth_ = 0;
};

constexpr int kMaxDepth = 500;  // of nesting: far above what a person writes, far below what the stack holds

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

void Parser::missed(std::string_view wanted) {
  if (at_ < furthest_) return;
  if (at_ > furthest_) {
    furthest_ = at_;
    wanted_.clear();
  }
  wanted_.emplace(wanted);
}

void Parser::error(std::size_t offset, std::string_view rule, std::string_view problem) {
  Error entry{offset, fmt::format("{}: rule \"{}\": {}", place(offset), rule, problem)};
  if (std::find(errors_.begin(), errors_.end(), entry) == errors_.end()) errors_.push_back(std::move(entry));
}

bool Parser::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) == word) {
    at_ += word.size();
    return true;
  }
  missed(word == "\"" ? std::string("\"\\\"\"") : fmt::format("\"{}\"", word));
  return false;
}

template <typename Predicate>
bool Parser::one_of(std::string_view name, Predicate predicate) {
  if (!at_end() && predicate(text_[at_])) {
    ++at_;
    return true;
  }
  missed(name);
  return false;
}

bool Parser::space() {
  const std::size_t start = at_;
  while (one_of("[ \\t\\r\\n]", is_space)) {
  }
  return at_ > start;
}

bool Parser::end() {
  if (at_end()) return true;
  missed("EOF");
  return false;
}

ExpressionPtr Parser::parse(Rule rule) {
  const auto key = std::make_pair(rule, at_);
  if (auto found = known_.find(key); found != known_.end()) {
    at_ = found->second.end;
    return found->second.result;
  }
  if (depth_ >= kMaxDepth) {
    error(at_, "grouping", fmt::format("nested deeper than {} levels", kMaxDepth));
    return nullptr;
  }
  ++depth_;
  const std::size_t start = at_;
  ExpressionPtr result = parse_fresh(rule);
  if (!result) at_ = start;
  --depth_;
  known_[key] = {result, at_};
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
  ExpressionPtr left = parse(part);
  if (!left) return nullptr;
  const std::size_t after_left = at_;
  if (space() && literal(word) && space()) {
    if (ExpressionPtr right = parse(rest)) {
      Expression both;
      both.kind = kind;
      both.left = std::move(left);
      both.right = std::move(right);
      return std::make_shared<const Expression>(std::move(both));
    }
  }
  at_ = after_left;
  return left;
}

ExpressionPtr Parser::negation() {
  const std::size_t start = at_;
  if (literal("not") && space()) {
    if (ExpressionPtr inner = parse(Rule::kNot)) {
      Expression expression;
      expression.kind = Expression::Kind::kNot;
      expression.left = std::move(inner);
      return std::make_shared<const Expression>(std::move(expression));
    }
  }
  at_ = start;
  return parse(Rule::kGroup);
}

ExpressionPtr Parser::group() {
  const std::size_t start = at_;
  bool open = false;
  if (literal("(")) {
    maybe_space();
    if (ExpressionPtr inner = parse(Rule::kOr)) {
      maybe_space();
      if (literal(")")) return inner;
      open = true;
    }
  }
  const std::size_t stopped = at_;
  at_ = start;
  if (ExpressionPtr plain = parse(Rule::kMatch)) return plain;
  if (open) error(stopped, "grouping", "Unmatched parentheses");
  return nullptr;
}

ExpressionPtr Parser::match() {
  const std::size_t start = at_;
  for (auto form : {&Parser::selector_op_value, &Parser::selector_op, &Parser::value_op_selector}) {
    at_ = start;
    if (ExpressionPtr found = (this->*form)()) return found;
  }
  return nullptr;
}

// space word; leaves the place alone when it fails.
bool Parser::spaced_word(std::string_view word) {
  const std::size_t start = at_;
  std::size_t from = 0;
  while (from <= word.size()) {
    const std::size_t blank = std::min(word.find(' ', from), word.size());
    if (!space() || !literal(word.substr(from, blank - from))) {
      at_ = start;
      return false;
    }
    from = blank + 1;
  }
  return true;
}

// An operator that stands between a selector and a value, with the space around it.
std::optional<Operator> Parser::value_operator() {
  struct Row {
    std::string_view text;
    Operator op;
  };
  const std::size_t start = at_;
  for (const Row& row : {Row{"==", Operator::kEqual}, Row{"!=", Operator::kNotEqual}}) {
    maybe_space();
    if (literal(row.text)) {
      maybe_space();
      return row.op;
    }
    at_ = start;
  }
  for (const Row& row : {Row{"contains", Operator::kIn}, Row{"not contains", Operator::kNotIn},
                         Row{"matches", Operator::kMatches}, Row{"not matches", Operator::kNotMatches}}) {
    if (spaced_word(row.text) && space()) return row.op;
    at_ = start;
  }
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
  const std::size_t start = at_;
  auto left = selector();
  if (!left) return nullptr;
  auto op = value_operator();
  if (!op) return nullptr;
  auto right = value();
  if (!right) return nullptr;
  return make_match(*std::move(left), *op, *std::move(right), start);
}

ExpressionPtr Parser::selector_op() {
  const std::size_t start = at_;
  auto left = selector();
  if (!left) return nullptr;
  if (spaced_word("is empty")) return make_match(*std::move(left), Operator::kIsEmpty, "", start);
  if (spaced_word("is not empty")) return make_match(*std::move(left), Operator::kIsNotEmpty, "", start);
  return nullptr;
}

ExpressionPtr Parser::value_op_selector() {
  auto left = value();
  if (!left) return nullptr;
  std::optional<Operator> op;
  const std::size_t start = at_;
  if (spaced_word("in") && space()) op = Operator::kIn;
  if (!op) {
    at_ = start;
    if (spaced_word("not in") && space()) op = Operator::kNotIn;
  }
  if (!op) return nullptr;
  const std::size_t place_of_selector = at_;
  auto right = selector();
  if (right) return make_match(*std::move(right), *op, *std::move(left), place_of_selector);
  at_ = place_of_selector;
  error(at_, "match", "Invalid selector");
  return nullptr;
}

std::optional<std::vector<std::string>> Parser::selector() {
  const std::size_t start = at_;
  auto first = identifier();
  if (!first) return std::nullopt;
  std::vector<std::string> parts{*std::move(first)};
  for (;;) {
    const std::size_t before = at_;
    std::optional<std::string> part;
    if (literal(".")) part = identifier();
    if (!part) {
      at_ = before;
      part = index();
    }
    if (!part) {
      at_ = before;
      break;
    }
    parts.push_back(*std::move(part));
  }
  if (at_ == start) return std::nullopt;
  return parts;
}

std::optional<std::string> Parser::identifier() {
  const std::size_t start = at_;
  if (!one_of("[a-zA-Z]", is_letter)) return std::nullopt;
  while (one_of("[a-zA-Z0-9_]", [](char c) { return is_letter(c) || is_digit(c) || c == '_'; })) {
  }
  return std::string(text_.substr(start, at_ - start));
}

std::optional<std::string> Parser::index() {
  if (!literal("[")) return std::nullopt;
  maybe_space();
  const std::size_t inside = at_;
  auto name = string();
  if (!name) {
    at_ = inside;
    error(at_, "index", "Invalid index");
    return std::nullopt;
  }
  maybe_space();
  if (literal("]")) return name;
  error(at_, "index", "Unclosed index expression");
  return std::nullopt;
}

std::optional<std::string> Parser::value() {
  const std::size_t start = at_;
  if (auto path = selector()) return selector_text(*path);
  at_ = start;
  if (auto found = number()) return found;
  at_ = start;
  return string();
}

bool Parser::digits() {
  const std::size_t start = at_;
  while (one_of("[0-9]", is_digit)) {
  }
  return at_ > start;
}

std::optional<std::string> Parser::number() {
  const std::size_t start = at_;
  literal("-");
  if (!literal("0")) {
    if (!one_of("[1-9]", [](char c) { return c >= '1' && c <= '9'; })) return std::nullopt;
    digits();
  }
  const std::size_t whole = at_;
  if (!literal(".") || !digits()) at_ = whole;
  const std::size_t after = at_;
  // What may follow a number, looked at and left standing.
  if (space() || end() || literal(")")) {
    at_ = after;
    return std::string(text_.substr(start, after - start));
  }
  at_ = after;
  error(after, "number", "Invalid number literal");
  return std::nullopt;
}

std::optional<std::string> Parser::string() {
  const std::size_t start = at_;
  for (char quote : {'`', '"'}) {
    at_ = start;
    if (!literal(std::string_view(&quote, 1))) continue;
    return quoted(quote);
  }
  return std::nullopt;
}

// `at_` stands behind the opening quote. A backslash does not hide a quote: "a\"b" ends at the second one.
std::optional<std::string> Parser::quoted(char quote) {
  const std::size_t start = at_;
  const std::size_t close = text_.find(quote, start);
  if (auto bad = invalid_utf8(text_.substr(start, close - start))) error(start + *bad, "string", "invalid encoding");
  if (close == std::string_view::npos) {
    error(text_.size(), "string", "Unterminated string literal");
    return std::nullopt;
  }
  const std::string_view inside = text_.substr(start, close - start);
  at_ = close + 1;
  if (quote == '`') {  // Go drops carriage returns from these
    std::string raw(inside);
    raw.erase(std::remove(raw.begin(), raw.end(), '\r'), raw.end());
    return raw;
  }
  if (auto plain = unquote(inside)) return plain;
  error(start - 1, "string", "invalid syntax");
  return std::string();  // Consul reads on, too
}

ExpressionPtr Parser::input() {
  // Consul's grammar has a first alternative for a text in parentheses as a whole; it accepts what the second does.
  maybe_space();
  ExpressionPtr whole = parse(Rule::kOr);
  if (!whole) return nullptr;
  maybe_space();
  return end() ? whole : nullptr;
}

absl::StatusOr<ExpressionPtr> Parser::run() {
  ExpressionPtr whole = input();
  if (whole && errors_.empty()) return whole;
  return failure();
}

// Lines count from 1 and columns in characters from 1; a line feed is column 0 of the line that it begins.
std::string Parser::place(std::size_t offset) const {
  std::size_t line = 1;
  std::size_t column = 0;
  for (std::size_t i = 0; i <= offset; ++i) {
    const bool inside = i < text_.size();
    if (inside && (static_cast<unsigned char>(text_[i]) & 0xC0) == 0x80) continue;
    ++column;
    if (inside && text_[i] == '\n') {
      ++line;
      column = 0;
    }
  }
  return fmt::format("{}:{} ({})", line, column, offset);
}

absl::Status Parser::failure() const {
  if (!errors_.empty()) {
    std::vector<std::string_view> texts;
    for (const Error& entry : errors_) texts.push_back(entry.text);
    return filter_error(text_, fmt::format("{}", fmt::join(texts, "\n")), errors_.front().offset);
  }
  if (invalid_utf8(text_.substr(furthest_, 4)) == 0U) {
    return filter_error(text_, fmt::format("{}: invalid encoding", place(furthest_)), furthest_);
  }
  std::vector<std::string_view> wanted(wanted_.begin(), wanted_.end());
  if (auto last = std::find(wanted.begin(), wanted.end(), "EOF"); last != wanted.end()) {
    std::rotate(last, last + 1, wanted.end());
  }
  std::string list(wanted.front());
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    list += fmt::format("{}{}", i + 1 == wanted.size() ? " or " : ", ", wanted[i]);
  }
  return filter_error(text_, fmt::format("{}: no match found, expected: {}", place(furthest_), list), furthest_);
}

}  // namespace

std::string_view to_string(Operator op) {
  switch (op) {
    case Operator::kEqual:
      return "Equal";
    case Operator::kNotEqual:
      return "Not Equal";
    case Operator::kIn:
      return "In";
    case Operator::kNotIn:
      return "Not In";
    case Operator::kIsEmpty:
      return "Is Empty";
    case Operator::kIsNotEmpty:
      return "Is Not Empty";
    case Operator::kMatches:
      return "Matches";
    case Operator::kNotMatches:
      return "Not Matches";
  }
  return "";
}

std::string selector_text(const std::vector<std::string>& selector) {
  return fmt::format("{}", fmt::join(selector, "."));
}

absl::Status filter_error(std::string_view expression, std::string_view problem, std::size_t offset) {
  Json detail;
  detail.set("expression", printable_utf8(expression));
  detail.set("offset", static_cast<std::uint64_t>(offset));
  const std::string text = fmt::format("Failed to create boolean expression evaluator: {}", problem);
  return make_error(ErrorKind::kFilter, printable_utf8(text), std::move(detail));
}

absl::StatusOr<ExpressionPtr> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace convergence::filter
