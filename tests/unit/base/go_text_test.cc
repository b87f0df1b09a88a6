#include "lib/base/go_text.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "lib/base/ascii.h"

namespace convergence {
namespace {

TEST_CASE("text in Go's quotes") {
  struct Case {
    const char* name;
    std::string text;
    std::string quoted;
  };
  const Case cases[] = {
      {"plain", "web", "\"web\""},
      {"empty", "", "\"\""},
      {"quote and backslash", "a\"b\\c", R"("a\"b\\c")"},
      {"named controls", "\a\b\t\n\v\f\r", R"("\a\b\t\n\v\f\r")"},
      {"other controls", std::string("\0\x01\x1f", 3), R"("\x00\x01\x1f")"},
      {"delete is escaped as a code point", "\x7f", R"("\u007f")"},
      {"printable beyond ASCII stays", "k\u00e4se \u20ac \U0001f600", "\"k\u00e4se \u20ac \U0001f600\""},
      {"hidden beyond ASCII", "\u00a0\u00ad\u200b\ufeff", R"("\u00a0\u00ad\u200b\ufeff")"},
      {"hidden beyond the first plane", "\U000e0001", R"("\U000e0001")"},
      {"bytes that are no UTF-8", "a\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe2\x82",
       R"("a\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe2\x82")"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK(go_quote(c.text) == c.quoted); }
  }
}

TEST_CASE("durations as Go writes them") {
  using namespace std::chrono_literals;
  struct Case {
    Duration duration;
    const char* text;
  };
  const Case cases[] = {
      {0s, "0s"},
      {7ns, "7ns"},
      {-7ns, "-7ns"},
      {250us, "250µs"},
      {1500ns, "1.5µs"},
      {750ms, "750ms"},
      {1ms + 1ns, "1.000001ms"},
      {1500ms, "1.5s"},
      {-3s, "-3s"},
      {60s, "1m0s"},
      {90s, "1m30s"},
      {2h, "2h0m0s"},
      {100h + 1s + 20ms, "100h0m1.02s"},
      {1h + 30min + 250ns, "1h30m0.00000025s"},
      {Duration::max(), "2562047h47m16.854775807s"},
      {Duration::min(), "-2562047h47m16.854775808s"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) { CHECK(go_duration(c.duration) == c.text); }
  }
}

TEST_CASE("letter case of ASCII alone") {
  CHECK(ascii_lower("AzZ09-\xc3\x84") == "azz09-\xc3\x84");
  CHECK(ascii_upper("aZz09-\xc3\xa4") == "AZZ09-\xc3\xa4");
  CHECK(ascii_equal_fold("Web-1", "wEB-1"));
  CHECK_FALSE(ascii_equal_fold("web", "webs"));
  CHECK_FALSE(ascii_equal_fold("web", "wep"));
}

}  // namespace
}  // namespace convergence
