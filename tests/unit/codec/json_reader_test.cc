#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/error.h"
#include "convergence/json.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using namespace std::string_literals;

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string many_keys(int count, int again) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  return text + "\"k" + std::to_string(again) + "\":0}";
}

struct BadCase {
  const char* name;
  std::string text;
  std::string pointer;
  int offset;
  std::string problem;
};

std::vector<BadCase> bad_cases() {
  return {
      {"nothing", "", "", 0, "no value"},
      {"only blanks", " \n", "", 2, "no value"},
      {"not JSON", "hello", "", 0, "not a JSON value"},
      {"NaN", "{\"a\":NaN}", "/a", 5, "not a JSON value"},
      {"Infinity", "[-Infinity]", "/0", 2, "not a JSON value"},
      {"a comment", "{\"a\":1 /* no */}", "", 7, "a comma or } must be here"},
      {"a comma too many in a list", "[1,]", "/1", 3, "not a JSON value"},
      {"a comma too many in an object", "{\"a\":1,}", "", 7, "a key in quotes must be here"},
      {"single quotes", "{'a':1}", "", 1, "a key in quotes must be here"},
      {"a key that is a number", "{1:1}", "", 1, "a key in quotes must be here"},
      {"no colon", "{\"a\" 1}", "/a", 5, "a colon must follow the key"},
      {"no comma between members", "{\"a\":1 \"b\":2}", "", 7, "a comma or } must be here"},
      {"no comma between items", "{\"l\":[1 2]}", "/l/1", 8, "a comma or ] must be here"},
      {"the wrong bracket", "[1}", "/1", 2, "a comma or ] must be here"},
      {"cut off after a colon", "{\"a\":", "/a", 5, "the text ends in the middle"},
      {"cut off in a string", "{\"a\":\"b", "/a", 7, "the text ends in the middle"},
      {"cut off in a word", "{\"a\":tru", "/a", 8, "the text ends in the middle"},
      {"cut off in a list", "{\"a\":[1,2", "/a/2", 9, "the text ends in the middle"},
      {"cut off after an escape", "\"\\", "", 1, "a character that a string cannot hold like this"},
      {"text after the value", "{} x", "", 3, "text after the value"},
      {"a second value", "{}{}", "", 2, "text after the value"},
      {"a zero byte after the value", "{}\0"s, "", 2, "text after the value"},
      {"a zero byte in a string", "[\"a\0b\"]"s, "/0", 3, "a string without its closing quote"},
      {"a bare line feed in a string", "[\"a\nb\"]", "/0", 3, "a character that a string cannot hold like this"},
      {"an unknown escape", "[\"\\x41\"]", "/0", 2, "a character that a string cannot hold like this"},
      {"an escape with a bad digit", "[\"\\u00g1\"]", "/0", 2, "\\u needs four hexadecimal digits"},
      {"a byte order mark", "\xEF\xBB\xBF{}", "", 0, "starts with a byte order mark"},
      {"a byte that is no UTF-8", "{\"a\":\"x\xFFy\"}", "/a", 7, "not UTF-8"},
      {"an overlong form", "{\"a\":\"\xC0\xAF\"}", "/a", 6, "not UTF-8"},
      {"a surrogate written in UTF-8", "{\"a\":\"\xED\xA0\x80\"}", "/a", 6, "not UTF-8"},
      {"past the last code point", "[\"\xF4\x90\x80\x80\"]", "/0", 2, "not UTF-8"},
      {"a sequence cut off", "[\"\xE2\x82\"]", "/0", 2, "not UTF-8"},
      {"no UTF-8 in a key", "{\"\xFF\":1}", "", 2, "not UTF-8"},
      {"no UTF-8 outside a string", "\xFF", "", 0, "not a JSON value"},
      {"a high surrogate alone", "[\"\\ud800\"]", "/0", 2, "half of a surrogate pair"},
      {"a high surrogate before text", "[\"\\ud800x\"]", "/0", 2, "half of a surrogate pair"},
      {"two high surrogates", "[\"\\ud800\\ud800\"]", "/0", 2, "half of a surrogate pair"},
      {"a low surrogate alone", "[\"ab\\udc00\"]", "/0", 4, "half of a surrogate pair"},
      {"a low surrogate after a pair", "[\"\\ud83d\\ude00\\udc00\"]", "/0", 14, "half of a surrogate pair"},
      {"a low surrogate after backslashes", "[\"\\\\udc00\\\\\\udc00\"]", "/0", 11, "half of a surrogate pair"},
      {"a low surrogate in a key", "{\"\\udfff\":1}", "", 2, "half of a surrogate pair"},
      {"a duplicate key", "{\"a\":1,\"b\":2,\"a\":3}", "/a", 13, "the key \"a\" is there twice"},
      {"a duplicate key in another spelling", "{\"a\":1,\"\\u0061\":3}", "/a", 7, "the key \"a\" is there twice"},
      {"a duplicate key inside", "[{\"x/y\":{\"~\":1,\"~\":1}}]", "/0/x~1y/~0", 15, "the key \"~\" is there twice"},
      {"a duplicate among many keys", many_keys(40, 3), "/k3", 341, "the key \"k3\" is there twice"},
      {"a number that no double holds", "{\"a\":1e999}", "/a", 5, "number out of range"},
      {"a negative one", "{\"a\":-1e400}", "/a", 5, "number out of range"},
      {"400 digits", "[" + std::string(400, '9') + "]", "/0", 1, "number out of range"},
      {"a number nearer to zero than any double", "[1e-999]", "/0", 1, "number out of range"},
      {"a leading zero", "[01]", "/1", 2, "a comma or ] must be here"},
      {"a plus sign", "[+1]", "/0", 1, "not a JSON value"},
      {"a point without digits", "[1.]", "/0", 3, "digits are missing in a number"},
      {"an exponent without digits", "[1e]", "/0", 3, "digits are missing in a number"},
      {"a minus alone", "[-]", "/0", 2, "not a JSON value"},
      {"depth 65", nested(65), "", 64, "nested deeper than 64 levels"},
      {"depth 200000", std::string(200000, '['), "", 64, "nested deeper than 64 levels"},
      {"depth 65 of objects",
       [] {
         std::string text;
         for (int i = 0; i < 65; ++i) text += "{\"a\":";
         return text;
       }(),
       "", 320, "nested deeper than 64 levels"},
  };
}

TEST_CASE("a text that is no JSON is refused with its place") {
  for (BadCase& c : bad_cases()) {
    SUBCASE(c.name) {
      if (c.problem.starts_with("nested")) {
        const std::string token = c.text.front() == '[' ? "/0" : "/a";
        for (int i = 0; i < 64; ++i) c.pointer += token;
      }
      const absl::Status status = parse_json(c.text, "kv web").status();
      CHECK(std::string(status.message()) == "kv web: " + c.pointer + (c.pointer.empty() ? "" : " ") + "(offset " +
                                                 std::to_string(c.offset) + "): " + c.problem);
      CHECK(error_kind(status) == ErrorKind::kDecode);
      CHECK(error_code_name(status) == "INVALID_ARGUMENT");
      Json detail;
      detail.set("document", "kv web").set("pointer", c.pointer).set("offset", c.offset).set("kind", "decode");
      CHECK(to_text(error_detail(status)) == to_text(detail));
    }
  }
}

TEST_CASE("what is JSON is read whole") {
  struct Case {
    const char* name;
    std::string text;
    std::string again;
  };
  const Case cases[] = {
      {"null", "null", "null"},
      {"blanks around", " \t\r\n[ 1 , 2 ]\n", "[1,2]"},
      {"numbers keep their text", "[33.30,-0,1E2,18446744073709551615,123456789012345678901234567890,0.1e-5]",
       "[33.30,-0,1E2,18446744073709551615,123456789012345678901234567890,0.1e-5]"},
      {"long fractions keep theirs", "[0.184467440737095516159,0.000000000000000000000000]",
       "[0.184467440737095516159,0.000000000000000000000000]"},
      {"the largest double", "1.7976931348623157e308", "1.7976931348623157e308"},
      {"escapes", R"(["\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"])",
       "[\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tA\xC3\xA9\xF0\x9F\x98\x80\"]"},
      {"an escaped zero", R"(["\u0000"])", R"(["\u0000"])"},
      {"the last code point before the surrogates", "[\"\\ud7ff\xED\x9F\xBF\"]", "[\"\xED\x9F\xBF\xED\x9F\xBF\"]"},
      {"one key at two levels", R"({"a":{"a":1},"b":{"a":2}})", R"({"a":{"a":1},"b":{"a":2}})"},
      {"keys that differ in case", R"({"a":1,"A":2})", R"({"a":1,"A":2})"},
      {"depth 64", nested(64), nested(64)},
      {"many keys", many_keys(40, 40), many_keys(40, 40)},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::StatusOr<Json> json = parse_json(c.text, "doc");
      REQUIRE_OK(json);
      CHECK(to_text(*json) == c.again);
    }
  }
}

TEST_CASE("each value knows its offset") {
  const std::string text = R"( {"a\"b": [1, -2.5e1, true, false, null, "x\\", "\\\"", {}], "c": {"d": "e"}})";
  const absl::StatusOr<Json> json = parse_json(text, "doc");
  REQUIRE_OK(json);
  CHECK(json->offset == 1);
  const Json* list = json->find("a\"b");
  REQUIRE(list != nullptr);
  CHECK(list->offset == text.find('['));
  std::vector<std::size_t> offsets;
  for (const Json& item : *list->as_array()) offsets.push_back(item.offset);
  CHECK(offsets == std::vector<std::size_t>{text.find("1,"), text.find("-2"), text.find("true"), text.find("false"),
                                            text.find("null"), text.find("\"x"), text.find("\"\\\\\\\""),
                                            text.find("{}")});
  CHECK(json->find("c")->find("d")->offset == text.find("\"e"));
}

TEST_CASE("the detail of an error comes back with its kind, and that of others is empty") {
  Json detail;
  detail.set("service", "api").set("index", std::uint64_t{18446744073709551615u});
  Json want = detail;
  want.set("kind", "graph");
  CHECK(error_detail(make_error(ErrorKind::kGraph, "x", detail)) == want);
  CHECK(to_text(error_detail(absl::NotFoundError("x"))) == "{}");
  CHECK(to_text(error_detail(absl::OkStatus())) == "{}");
}

}  // namespace
}  // namespace convergence
