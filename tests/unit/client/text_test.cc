#include "lib/client/text.h"

#include <doctest/doctest.h>

#include <string>

namespace convergence {
namespace {

TEST_CASE("bytes of a stranger become text") {
  struct Case {
    const char* name;
    std::string in;
    std::string clean;
    std::string line;
  };
  const std::string bad = "\uFFFD";
  const Case cases[] = {
      {"empty", "", "", ""},
      {"plain", "No path to datacenter", "No path to datacenter", "No path to datacenter"},
      {"more than a line", " \n a\r\n\tb \x01 c\n", " \n a\r\n\tb \x01 c\n", "a b c"},
      {"two, three and four bytes", "\u00e9\u2603\U0001F389", "\u00e9\u2603\U0001F389", "\u00e9\u2603\U0001F389"},
      {"a byte alone", "a\xFFz", "a" + bad + "z", "a" + bad + "z"},
      {"a sequence cut off", "a\xE2\x98", "a" + bad + bad, "a" + bad + bad},
      {"overlong", "\xC0\xAF", bad + bad, bad + bad},
      {"overlong in three bytes", "\xE0\x80\xAF", bad + bad + bad, bad + bad + bad},
      {"a surrogate", "\xED\xA0\x80", bad + bad + bad, bad + bad + bad},
      {"above U+10FFFF", "\xF4\x90\x80\x80", bad + bad + bad + bad, bad + bad + bad + bad},
      {"the last one", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
      {"exactly as much as fits", std::string(30, 'x'), std::string(30, 'x'), std::string(30, 'x')},
      {"more than fits", std::string(31, 'x'), std::string(30, 'x') + "...", std::string(30, 'x') + "..."},
      {"a character that does not fit whole", std::string(29, 'x') + "\u2603", std::string(29, 'x') + "...",
       std::string(29, 'x') + "..."},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CHECK(clean_text(c.in, 30) == c.clean);
      CHECK(one_line(c.in, 30) == c.line);
    }
  }
}

}  // namespace
}  // namespace convergence
