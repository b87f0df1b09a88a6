#ifndef CONVERGENCE_LIB_FILTER_SCANNER_H_
#define CONVERGENCE_LIB_FILTER_SCANNER_H_

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"

namespace convergence::filter {

// A place in an expression, what could have been read at the furthest one, and what was found wrong on the way.
//
// Consul's parser tries alternatives in order and, when none fits, names what it could have read at the place that it
// got furthest to. It complains of a byte that is no UTF-8 wherever it steps onto it, looking ahead included, in the
// name of the rule that it is trying.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { look(0); }

  // While it lives, `rule` is being tried: its name as Consul says it.
  class Within {
   public:
    Within(Scanner& scanner, std::string_view rule) : scanner_(scanner), outer_(scanner.rule_) { scanner.rule_ = rule; }
    ~Within() { scanner_.rule_ = outer_; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Scanner& scanner_;
    std::string_view outer_;
  };

  std::size_t at() const { return at_; }
  void go_to(std::size_t offset) { at_ = offset; }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  std::string_view since(std::size_t start) const { return text_.substr(start, at_ - start); }
  std::size_t size() const { return text_.size(); }

  // Over one character, or one byte that is none.
  void step();
  // As if it had stepped over the character here.
  void look_ahead();

  // Each of these reads what it is named for, or stays and remembers that it was wanted.
  bool literal(std::string_view word);
  template <typename Predicate>
  bool one_of(std::string_view name, Predicate predicate) {
    if (!at_end() && predicate(peek())) {
      step();
      return true;
    }
    missed(name);
    return false;
  }
  bool space();
  void maybe_space() { space(); }
  bool end();

  void error(std::size_t offset, std::string_view problem);
  bool has_errors() const { return !errors_.empty(); }
  // The errors, or what was wanted, in Consul's words.
  absl::Status failure() const;

 private:
  struct Error {
    std::size_t offset = 0;
    std::string_view rule;
    std::string problem;
  };

  void look(std::size_t offset);
  void missed(std::string_view wanted);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view rule_;
  std::size_t furthest_ = 0;
  std::set<std::string, std::less<>> wanted_;
  std::vector<Error> errors_;
  std::set<std::tuple<std::size_t, std::string_view, std::string>> known_errors_;
};

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_SCANNER_H_
