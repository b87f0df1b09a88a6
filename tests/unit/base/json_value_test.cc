#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "convergence/json.h"

namespace convergence {
namespace {

TEST_CASE("numbers keep their text and convert only when nothing is lost") {
  struct Case {
    const char* name;
    const char* text;
    std::optional<std::int64_t> as_signed;
    std::optional<std::uint64_t> as_unsigned;
  };
  const Case cases[] = {
      {"a plain integer", "7", 7, 7},
      {"a negative one has no unsigned form", "-7", -7, std::nullopt},
      {"an index above 2^53 is exact", "9007199254740993", 9007199254740993, 9007199254740993u},
      {"the largest unsigned does not fit signed", "18446744073709551615", std::nullopt,
       std::numeric_limits<std::uint64_t>::max()},
      {"past the largest unsigned fits nothing", "18446744073709551616", std::nullopt, std::nullopt},
      {"an integer in exponent form is that integer", "1e3", 1000, 1000u},
      {"a fraction of zero is an integer", "33.0", 33, 33u},
      {"a fraction is none", "33.5", std::nullopt, std::nullopt},
      {"an exponent form that a double cannot hold exactly names no integer", "1e17", std::nullopt, std::nullopt},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const Json json(Json::Number{c.text});
      CHECK(json.to_int64() == c.as_signed);
      CHECK(json.to_uint64() == c.as_unsigned);
      CHECK(to_text(json) == c.text);
    }
  }
}

TEST_CASE("objects are equal whatever the order of their members, and keep it when written") {
  Json a;
  a.set("x", 1).set("y", Json::Array{1, "two", true, Json()});
  Json b;
  b.set("y", Json::Array{1, "two", true, Json()}).set("x", 1);
  CHECK(a == b);
  CHECK(to_text(a) == R"({"x":1,"y":[1,"two",true,null]})");
  CHECK(to_text(b) == R"({"y":[1,"two",true,null],"x":1})");
  b.set("x", 2);
  CHECK_FALSE(a == b);
}

TEST_CASE("text is escaped as JSON asks and indented for people") {
  Json json;
  json.set("line\n\"\\\x01", "\t\xc3\xa9").set("empty", Json::Array{}).set("list", Json::Array{1});
  CHECK(to_text(json) == "{\"line\\n\\\"\\\\\\u0001\":\"\\t\xc3\xa9\",\"empty\":[],\"list\":[1]}");
  CHECK(to_pretty_text(json) ==
        "{\n  \"line\\n\\\"\\\\\\u0001\": \"\\t\xc3\xa9\",\n  \"empty\": [],\n  \"list\": [\n    1\n  ]\n}");
}

}  // namespace
}  // namespace convergence
