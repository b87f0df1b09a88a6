#include "lib/filter/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/utf8.h"
#include "lib/filter/ast.h"

namespace convergence::filter {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::size_t step_over(std::string_view text, std::size_t at) {
  return std::max<std::size_t>(utf8_length(text.substr(std::min(at, text.size()), 4)), 1);
}

// Lines count from 1 and columns in characters from 1; a line feed is column 0 of the line that it begins.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}

  // Quick when the offsets rise.
  std::string text_of(std::size_t offset) {
    if (offset < next_) *this = Places(text_);
    while (next_ <= offset) {
      ++column_;
      if (next_ < text_.size() && text_[next_] == '\n') {
        ++line_;
        column_ = 0;
      }
      next_ += step_over(text_, next_);
    }
    return fmt::format("{}:{} ({})", line_, column_, offset);
  }

 private:
  std::string_view text_;
  std::size_t next_ = 0;  // all before it are counted
  std::size_t line_ = 1;
  std::size_t column_ = 0;
};

}  // namespace

void Scanner::look(std::size_t offset) {
  if (offset < text_.size() && utf8_length(text_.substr(offset, 4)) == 0) error(offset, "invalid encoding");
}

void Scanner::step() {
  at_ += step_over(text_, at_);
  look(at_);
}

void Scanner::look_ahead() { look(at_ + step_over(text_, at_)); }

void Scanner::missed(std::string_view wanted) {
  if (at_ < furthest_) return;
  if (at_ > furthest_) {
    furthest_ = at_;
    wanted_.clear();
  }
  wanted_.emplace(wanted);
}

bool Scanner::literal(std::string_view word) {
  const std::size_t start = at_;
  for (char c : word) {
    if (at_end() || peek() != c) {
      at_ = start;
      missed(word == "\"" ? std::string("\"\\\"\"") : fmt::format("\"{}\"", word));
      return false;
    }
    step();
  }
  return true;
}

bool Scanner::space() {
  const Within rule(*this, "\"whitespace\"");
  const std::size_t start = at_;
  while (one_of("[ \\t\\r\\n]", is_space)) {
  }
  return at_ > start;
}

bool Scanner::end() {
  if (at_end()) return true;
  const Within rule(*this, "EOF");
  look_ahead();
  missed("EOF");
  return false;
}

void Scanner::error(std::size_t offset, std::string_view problem) {
  if (!known_errors_.emplace(offset, rule_, problem).second) return;
  errors_.push_back({offset, rule_, std::string(problem)});
}

absl::Status Scanner::failure() const {
  Places places(text_);
  if (!errors_.empty()) {
    std::string text;
    for (const Error& one : errors_) {
      if (!text.empty()) text += '\n';
      text += places.text_of(one.offset);
      if (!one.rule.empty()) text += fmt::format(": rule {}", one.rule);
      text += fmt::format(": {}", one.problem);
    }
    return filter_error(text_, text, errors_.front().offset);
  }
  std::vector<std::string_view> wanted(wanted_.begin(), wanted_.end());
  if (auto last = std::find(wanted.begin(), wanted.end(), "EOF"); last != wanted.end()) {
    std::rotate(last, last + 1, wanted.end());
  }
  std::string list(wanted.front());
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    list += fmt::format("{}{}", i + 1 == wanted.size() ? " or " : ", ", wanted[i]);
  }
  return filter_error(text_, fmt::format("{}: no match found, expected: {}", places.text_of(furthest_), list),
                      furthest_);
}

}  // namespace convergence::filter
