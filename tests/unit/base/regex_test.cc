#include "lib/base/regex.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

TEST_CASE("a regex matches the whole text or a part of it") {
  struct Case {
    const char* name;
    std::string pattern;
    std::string text;
    bool full;
    bool partial;
  };
  const Case cases[] = {
      {"the same text", "/v1/x", "/v1/x", true, true},
      {"a part only", "v1", "/v1/x", false, true},
      {"a prefix is no full match", "/v1", "/v1/x", false, true},
      {"alternatives are tried to the end", "/a|/ab", "/ab", true, true},
      {"anchors may be written", "^/v[0-9]+$", "/v12", true, true},
      {"the empty pattern", "", "", true, true},
      {"the empty pattern in a text", "", "x", false, true},
      {"letter case counts", "/V1", "/v1", false, false},
      {"a flag in the pattern", "(?i)/V1", "/v1", true, true},
      {"a dot is one character of UTF-8", "k.se", "k\xc3\xa4se", true, true},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      auto regex = Regex::compile(c.pattern);
      REQUIRE_OK(regex);
      const Regex copy = *regex;
      CHECK(copy.full_match(c.text) == c.full);
      CHECK(copy.partial_match(c.text) == c.partial);
    }
  }
}

TEST_CASE("a pattern outside the language is refused by name") {
  CHECK_ERROR(Regex::compile("(a"), ErrorKind::kValidate, "regular expression \"(a\": missing ): (a;");
  CHECK_ERROR(Regex::compile("(?=a)"), ErrorKind::kValidate, "invalid perl operator: (?=");
}

}  // namespace
}  // namespace convergence
