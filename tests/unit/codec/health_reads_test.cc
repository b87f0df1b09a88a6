#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/fleet_check.h"
#include "tests/support/fleet_shapes.h"
#include "tests/support/random_cases.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::list_of;

std::vector<std::string> usual_rows(std::uint64_t count) {
  std::vector<std::string> rows;
  for (std::uint64_t node = 0; node < count; ++node) rows.push_back(test::health_row_json(node, 1));
  return rows;
}

HealthChanges next(HealthReads& reads, const std::vector<std::string>& rows) {
  std::string answer = list_of(rows);
  const absl::StatusOr<HealthChanges> changes = read_next_health(answer, "answer", std::size_t{1} << 20, reads);
  REQUIRE_OK(changes);
  return *changes;
}

TEST_CASE("what the next answer of a watch changes") {
  const std::vector<std::string> rows = usual_rows(6);
  HealthReads reads;
  CHECK(next(reads, rows) == HealthChanges{.whole = true});
  const auto ref = [&](std::size_t row) { return InstanceRef{reads.view.nodes[row], reads.view.ids[row]}; };
  const InstanceRef second = ref(1);
  const InstanceRef last = ref(5);

  std::vector<std::string> other = rows;
  CHECK(next(reads, other) == HealthChanges{});
  other[2] = test::health_row_json(2, 1, "9.9.9");
  CHECK(next(reads, other) == HealthChanges{.rows = {2}});
  other.erase(other.begin() + 1);
  CHECK(next(reads, other) == HealthChanges{.gone = {second}});
  other.pop_back();
  CHECK(next(reads, other) == HealthChanges{.gone = {last}});
  other.insert(other.begin() + 1, rows[1]);
  CHECK(next(reads, other) == HealthChanges{.rows = {1}});
  other.push_back(rows[5]);
  CHECK(next(reads, other) == HealthChanges{.rows = {5}});
  other[0] = test::health_row_json(0, 1, "9.9.9");
  other.erase(other.begin() + 3);
  other.push_back(test::health_row_json(7, 1));
  const InstanceRef fourth = ref(3);
  CHECK(next(reads, other) == HealthChanges{.rows = {0, 5}, .gone = {fourth}});
}

TEST_CASE("what no row tells of is no change") {
  std::vector<std::string> rows = usual_rows(3);
  HealthReads reads;
  next(reads, rows);
  rows[1].replace(rows[1].find("Agent alive"), 5, "Host!");
  CHECK(next(reads, rows) == HealthChanges{});
}

TEST_CASE("an answer above the budget is not kept, and the next one read whole") {
  const std::string text = list_of(usual_rows(3));
  std::string answer = text;
  HealthReads reads;
  REQUIRE_OK(read_next_health(answer, "answer", text.size() - 1, reads));
  CHECK(reads.answer.empty());
  CHECK(reads.begins.empty());
  CHECK(answer == text);
  CHECK(*read_next_health(answer, "answer", text.size(), reads) == HealthChanges{.whole = true});
  CHECK(reads.answer == text);
  CHECK(answer.empty());
  answer = text;
  CHECK(*read_next_health(answer, "answer", text.size(), reads) == HealthChanges{});
  CHECK(answer == text);  // the one before
  CHECK(*read_next_health(answer, "answer", 0, reads) == HealthChanges{});
  CHECK(reads.answer.empty());
}

TEST_CASE("names that nothing has any more are forgotten in time") {
  HealthReads reads;
  std::vector<std::string> rows = usual_rows(4);
  next(reads, rows);
  bool whole = false;
  for (int i = 0; i < 3000 && !whole; ++i) {
    rows[1] = test::health_row_json(1, 1, fmt::format("0.0.{}", i));
    whole = next(reads, rows).whole;
  }
  CHECK(whole);
  CHECK(reads.view.names.size() < 40);
}

TEST_CASE("an answer that ends anywhere, after one that did not") {
  const std::string first = list_of(usual_rows(3));
  std::vector<std::string> rows = usual_rows(3);
  rows[1] = test::health_row_json(1, 1, "9.9.9");
  const std::string next = list_of(rows);
  for (std::size_t size = 0; size <= next.size(); ++size) {
    CHECK(test::next_health_difference(first, next.substr(0, size)) == "");
  }
}

// Rows that are like the server's and in its order, with blanks here and there.
std::string random_answer(std::mt19937_64& random, const std::vector<std::string>& rows) {
  if (!test::chance(random, 10)) return list_of(rows);
  return fmt::format("[ {} ]\n", fmt::join(rows, test::chance(random, 50) ? ",\n" : ","));
}

TEST_CASE("reading one answer after the other is reading the last one alone") {
  test::for_each_case(300, [](std::mt19937_64& random) {
    std::vector<std::string> before = usual_rows(1 + test::below(random, 60));
    std::vector<std::string> after;
    const std::size_t percent = test::pick(random, std::vector<std::size_t>{2, 10, 50});
    for (std::size_t node = 0; node < before.size() + 3; ++node) {
      if (node < before.size() && !test::chance(random, percent)) {
        after.push_back(before[node]);
        continue;
      }
      switch (test::below(random, 5)) {
        case 0:
          break;
        case 1:
          after.push_back(test::health_row_json(node, 1, "9.9.9"));
          break;
        case 2:
          if (node < before.size()) after.push_back(before[node]);
          after.push_back(test::health_row_json(node + 1000, 1));
          break;
        case 3:
          after.push_back(test::health_row_json(node, 2));
          break;
        default:
          after.push_back(R"({"Service":{"Service":"s","ID":"i"},"Node":{"Node":"n"}})");
      }
    }
    const std::string first = random_answer(random, before);
    std::string next = random_answer(random, after);
    if (test::chance(random, 10)) next[test::below(random, next.size())] = '"';
    CHECK(test::next_health_difference(first, next) == "");
    CHECK(test::next_health_difference(next, first) == "");
  });
}

}  // namespace
}  // namespace convergence
