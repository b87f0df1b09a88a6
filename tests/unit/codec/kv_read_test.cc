#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "convergence/codec.h"
#include "tests/support/fleet_check.h"
#include "tests/support/fleet_shapes.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

std::string pair_of(std::string_view value) {
  return R"({"LockIndex":0,"Key":"a/b","Flags":0,"Value":)" + std::string(value) +
         R"(,"CreateIndex":5,"ModifyIndex":6})";
}

bool is_kv_scanned(const std::string& answer) {
  KvView view;
  view.bytes = answer;
  const bool scanned = codec::scan_kv(view);
  if (!scanned) {
    CHECK(view.bytes == answer);
    CHECK(view.entries.empty());
  }
  return scanned;
}

TEST_CASE("keys and their values") {
  const absl::StatusOr<KvView> view = read_kv("[" + pair_of("\"aGVsbG8=\"") + "," + pair_of("null") + "]", "answer");
  REQUIRE_OK(view);
  REQUIRE(view->size() == 2);
  CHECK(view->key(0) == "a/b");
  CHECK(view->value(0) == "hello");
  CHECK(view->entries[0].modify_index == 6);
  CHECK(view->value(1) == "");
}

TEST_CASE("values of every length are what they were before they were encoded") {
  std::string answer = "[";
  std::vector<std::string> values;
  for (std::size_t size = 0; size < 70; ++size) {
    std::string value;
    for (std::size_t i = 0; i < size; ++i) value += static_cast<char>(test::mix(size * 100 + i));
    answer += (size == 0 ? "" : ",") + pair_of("\"" + base64_encode(value) + "\"");
    values.push_back(std::move(value));
  }
  answer += "]";
  CHECK(is_kv_scanned(answer));
  const absl::StatusOr<KvView> view = read_kv(answer, "answer");
  REQUIRE_OK(view);
  REQUIRE(view->size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(view->value(i) == values[i]);
}

TEST_CASE("whatever an answer of keys says, it is read as by the strict reader") {
  const std::string usual = test::kv_json(1, 2);
  const std::string bare = R"({"Key":"k"})";
  struct Case {
    std::string name;
    std::string row;
    bool scanned;
  };
  const std::vector<Case> cases = {
      {"usual", usual, true},
      {"least", bare, true},
      {"no key", R"({"Value":""})", false},
      {"a key that is null", R"({"Key":null})", false},
      {"nulls",
       R"({"Key":"k","Value":null,"Flags":null,"LockIndex":null,"Session":null,"CreateIndex":null,"ModifyIndex":null})",
       true},
      {"a session",
       R"({"LockIndex":1,"Key":"k","Flags":0,"Value":"aA==","Session":"s","CreateIndex":1,"ModifyIndex":2})", true},
      {"other order", R"({"ModifyIndex":2,"Value":"aA==","Key":"k","Other":[1,{}]})", true},
      {"blanks", "{ \"Key\" : \"k\",\n \"Value\" : \"aGk=\" }", true},
      {"a key twice", R"({"Key":"k","Value":"aA==","Key":"k"})", false},
      {"an escape in a key", R"({"Key":"\u006b","Value":"aA=="})", false},
      {"a key beyond ASCII", "{\"Key\":\"k\xC3\xA9\",\"Value\":\"aA==\"}", true},
      {"no UTF-8", "{\"Key\":\"k\xC3\",\"Value\":\"aA==\"}", false},
      {"an index as large as can be", R"({"Key":"k","ModifyIndex":18446744073709551615})", false},
      {"a negative index", R"({"Key":"k","ModifyIndex":-1})", false},
      {"flags with a fraction", R"({"Key":"k","Flags":1.5})", false},
      {"a length that cannot be", pair_of("\"aGVsbG8\""), false},
      {"a letter that is none", pair_of("\"aGVs?G8=\""), false},
      {"a letter that is none, late", pair_of("\"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ*\""), false},
      {"a letter that is none, first", pair_of("\"*GVsbG8gd29ybGQgaGVsbG8gd29ybGQh\""), false},
      {"padding in the middle", pair_of("\"aA==bG8=\""), false},
      {"padding of three", pair_of("\"a===\""), false},
      {"padding before a letter", pair_of("\"aA=a\""), false},
      {"bits past the end of one byte", pair_of("\"aB==\""), false},
      {"bits past the end of two", pair_of("\"aGl=\""), false},
      {"an escape in a value", pair_of("\"aG\\/s\""), false},
      {"a value beyond ASCII", pair_of("\"aG\xC3\xA9\""), false},
      {"a value that is a number", pair_of("1"), false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    for (const std::string& answer : {"[" + c.row + "]", "[" + usual + "," + c.row + "," + bare + "]", c.row}) {
      CHECK(test::kv_difference(answer) == "");
    }
    CHECK(is_kv_scanned("[" + usual + "," + c.row + "," + bare + "]") == c.scanned);
  }
  for (const char* answer : {"", "[]", " [ ] ", "{}", "null", "[", "[]]", "[,]"})
    CHECK(test::kv_difference(answer) == "");
}

TEST_CASE("an answer of keys that ends anywhere, and one of which a byte is another") {
  const std::string whole = test::kv_recurse_json(2, 1);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    CHECK(test::kv_difference(whole.substr(0, size)) == "");
    for (const char byte : {'"', '\\', '}', '0', '=', '\x80'}) {
      std::string other = whole;
      if (size < whole.size()) other[size] = byte;
      CHECK(test::kv_difference(other) == "");
    }
  }
}

}  // namespace
}  // namespace convergence
