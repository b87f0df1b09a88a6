#include "convergence/filter.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "lib/filter/unquote.h"
#include "tests/support/health_rows.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// What a Consul 1.8.7 answered to each of these filters, and the rows that it answered them about.
const Json& capture() {
  static const Json json = [] {
    std::ifstream file(CONVERGENCE_SOURCE_DIR "/tests/unit/filter/consul_1_8_7.json");
    std::stringstream text;
    text << file.rdbuf();
    auto parsed = parse_json(text.str(), "consul_1_8_7.json");
    REQUIRE_OK(parsed);
    return *std::move(parsed);
  }();
  return json;
}

std::string id_of(const Json& row) { return test::member_text(*row.find("Service"), "ID"); }

// The ids that a filter selects, or its complaint; `typed` asks about values, else about JSON.
std::string answer(std::string_view expression, const Json::Array& rows, bool typed) {
  auto filter = Filter::parse(expression);
  if (!filter.ok()) return std::string(filter.status().message());
  std::string ids;
  for (const Json& row : rows) {
    const test::HealthRow values = test::health_row_from(row);
    auto matched = typed ? filter->matches(values.instance, values.node) : filter->matches(row);
    if (!matched.ok()) return std::string(matched.status().message());
    if (*matched) ids += id_of(row) + " ";
  }
  return ids;
}

std::string expected_answer(const Json& one) {
  if (const Json* error = one.find("error")) return *error->as_string();
  std::string ids;
  for (const Json& id : *one.find("answer")->as_array()) ids += *id.as_string() + " ";
  return ids;
}

TEST_CASE("filters answer as Consul 1.8.7 did, on values and on JSON alike") {
  const Json::Array& rows = *capture().find("rows")->as_array();
  const Json::Array& cases = *capture().find("cases")->as_array();
  REQUIRE(cases.size() > 350);
  for (const Json& one : cases) {
    const std::string& expression = *one.find("filter")->as_string();
    CAPTURE(expression);
    CHECK(answer(expression, rows, true) == expected_answer(one));
    CHECK(answer(expression, rows, false) == expected_answer(one));
  }
}

TEST_CASE("errors name the kind, the expression and the place") {
  struct Row {
    const char* name;
    std::string expression;
    const char* fragment;
    std::int64_t offset;
  };
  const Row rows[] = {
      {"nothing after the operator", "Service.Port ==", "1:16 (15): no match found", 15},
      {"selector of another row", "Service.Port == 80 and Foo == x", "Selector \"Foo\" is not valid", 23},
      {"value of another type", "Service.Port == x", "strconv.ParseInt", 0},
      {"operator of another type", "80 in Service.Port", "Invalid match operator \"In\"", 6},
      {"regular expression", "Service.ID matches `(`", "missing closing ): `(`", 0},
      {"bytes that are no text", "Service.ID == \"\xff\"", "1:16 (15): rule \"string\": invalid encoding", 15},
      {"bytes that are no text, outside", "\xff", "1:1 (0): invalid encoding", 0},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      auto filter = Filter::parse(row.expression);
      const absl::Status status = filter.ok() ? filter_rows(*filter, {}).status() : filter.status();
      CHECK_ERROR(status, ErrorKind::kFilter, row.fragment);
      const Json detail = error_detail(status);
      CHECK(detail.find("offset")->to_int64() == row.offset);
      CHECK(detail.find("expression")->is_string());
    }
  }
}

TEST_CASE("nesting is read in linear time and refused when it is absurd") {
  auto nested = [](std::size_t depth) {
    return std::string(depth, '(') + "Service.Port == 80" + std::string(depth, ')');
  };
  CHECK_OK(Filter::parse(nested(100)));
  CHECK_ERROR(Filter::parse(nested(100000)), ErrorKind::kFilter, "nested deeper than");
  std::string negations;
  for (int i = 0; i < 100000; ++i) negations += "not ";
  CHECK_ERROR(Filter::parse(negations + "Service.Port == 80"), ErrorKind::kFilter, "nested deeper than");
}

TEST_CASE("the empty filter selects every row and filters compare by their text") {
  const Json::Array& rows = *capture().find("rows")->as_array();
  auto everything = Filter::parse("");
  REQUIRE_OK(everything);
  CHECK(*filter_rows(*everything, rows) == rows);
  CHECK(*everything == Filter());
  CHECK(*filter_rows(Filter(), rows) == rows);
  auto port = Filter::parse("Service.Port == 80");
  REQUIRE_OK(port);
  CHECK(*port == *Filter::parse("Service.Port == 80"));
  CHECK_FALSE(*port == *Filter::parse("Service.Port==80"));
  CHECK(port->text() == "Service.Port == 80");
}

TEST_CASE("rows that lack members count them as empty") {
  struct Row {
    const char* expression;
    const char* row;
    bool expected;
  };
  const Row rows[] = {
      {"Service.Port == 0", "{}", true},
      {"Service.Tags is empty", R"({"Service":{"Tags":null}})", true},
      {"Service.Tags contains a", R"({"Service":{"Tags":"a"}})", false},
      {"Service.Meta is empty", R"({"Service":{}})", true},
      {"Service.Meta.version != v1", R"({"Service":null})", true},
      {"Checks is empty", R"({"Checks":null})", true},
      {"Checks.Status != passing", R"({"Checks":[]})", false},
      {"Checks.Status != passing", R"({"Checks":[{}]})", true},
      {"Service.Proxy.MeshGateway.Mode == \"\"", "{}", true},
      {"Service.EnableTagOverride == false", R"({"Service":{"EnableTagOverride":"x"}})", true},
      {"Service.Port == 0", R"({"Service":{"Port":1.5}})", true},
      {"Service.ID == \"\"", "[]", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expression);
    CAPTURE(row.row);
    auto filter = Filter::parse(row.expression);
    REQUIRE_OK(filter);
    auto matched = filter->matches(*parse_json(row.row, "row"));
    REQUIRE_OK(matched);
    CHECK(*matched == row.expected);
  }
}

TEST_CASE("filter_rows keeps the order and the rows whole") {
  const Json::Array& rows = *capture().find("rows")->as_array();
  auto filter = Filter::parse("Service.Meta.version == v1");
  REQUIRE_OK(filter);
  auto kept = filter_rows(*filter, rows);
  REQUIRE_OK(kept);
  Json::Array expected;
  for (const Json& row : rows) {
    if (id_of(row) == "web-1" || id_of(row) == "Web-4") expected.push_back(row);
  }
  REQUIRE(expected.size() == 2);
  CHECK(*kept == expected);
}

TEST_CASE("string literals are Go's") {
  struct Row {
    std::string inside;
    std::optional<std::string> expected;
  };
  const Row rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"\\n\\t\\\\\\\"", "\n\t\\\""},
      {"\\x41\\101\\u0041\\U00000041", "AAAA"},
      {"\\u00e9", "\xc3\xa9"},
      {"\\u20ac", "\xe2\x82\xac"},
      {"\\U0001F600", "\xf0\x9f\x98\x80"},
      {"\\x", std::nullopt},
      {"\\xg0", std::nullopt},
      {"\\8", std::nullopt},
      {"\\400", std::nullopt},
      {"\\ud800", "\xef\xbf\xbd"},
      {"\\U00110000", std::nullopt},
      {"\\'", std::nullopt},
      {"a\nb", std::nullopt},
      {"\\", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.inside);
    CHECK(filter::unquote(row.inside) == row.expected);
  }
}

}  // namespace
}  // namespace convergence
