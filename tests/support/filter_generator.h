#ifndef CONVERGENCE_TESTS_SUPPORT_FILTER_GENERATOR_H_
#define CONVERGENCE_TESTS_SUPPORT_FILTER_GENERATOR_H_

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/filter.h"
#include "convergence/json.h"

namespace convergence::test {

struct FilterSelector {
  std::string_view text;
  char type = '-';
};

// Rows, and expressions about them: most of them right, some wrong in their text, their selectors or their values. The
// same seed gives the same on every machine.
class FilterGenerator {
 public:
  explicit FilterGenerator(std::uint64_t seed) : random_(seed) {}

  // A row as /v1/health/service answers it, for node and instance number `i`; without indexes.
  Json health_row(int i);
  std::string expression(RowKind kind);

 private:
  using Words = std::vector<std::string_view>;
  struct Selector {
    std::string text;
    char type = '-';
  };

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }
  std::string_view pick(const Words& words) { return words[below(words.size())]; }
  std::string space() { return chance(20) ? " " : ""; }

  Json labels(const Words& keys);
  Json tags();
  Json service(int i);
  Json proxy();
  Json check(int i, std::string_view id, bool of_node);

  std::string condition(RowKind kind, int depth);
  std::string match(RowKind kind);
  Selector below_prefix(std::string_view prefix, std::span<const FilterSelector> table);
  Selector member(RowKind kind);
  std::string respelled(const std::string& selector);
  std::string quoted(std::string_view text);
  std::string literal(std::string_view word);
  std::string spoilt(std::string text);

  std::mt19937_64 random_;
};

// The body of PUT /v1/catalog/register that makes such a row.
Json registration_of(const Json& health_row);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_FILTER_GENERATOR_H_
