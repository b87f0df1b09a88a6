#include "convergence/filter.h"

#include <fmt/format.h>

#include <cstdlib>

#include "lib/filter/unquote.h"
#include "tests/support/filter_generator.h"
#include "tests/support/health_rows.h"
#include "tests/support/status_check.h"
#include "tests/support/test_json.h"

namespace convergence {
namespace {

// What a Consul 1.8.7 answered to each of these filters, and the rows that it answered them about.
const Json& capture() {
  static const Json json = [] {
    auto parsed = test::read_test_json("unit/filter/consul_1_8_7.json");
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

TEST_CASE("each kind of row has the selectors that Consul 1.8.7 lets a filter speak of there") {
  struct Row {
    RowKind kind;
    const char* expression;
    const char* row;
    const char* expected;  // "true", "false" or the end of the complaint
  };
  const Row rows[] = {
      {RowKind::kNode, "Node == n1", R"({"Node":"n1"})", "true"},
      {RowKind::kNode, "Meta.zone == a and TaggedAddresses.lan matches `^10`",
       R"({"Meta":{"zone":"a"},"TaggedAddresses":{"lan":"10.0.0.1"}})", "true"},
      {RowKind::kNode, "Node.Node == n1", "{}", "Selector \"Node.Node\" is not valid"},
      {RowKind::kNode, "NodeMeta.zone == a", "{}", "Selector \"NodeMeta\" is not valid"},
      {RowKind::kCatalogService, "NodeMeta.zone == a and ServiceMeta.version == v2",
       R"({"NodeMeta":{"zone":"a"},"ServiceMeta":{"version":"v2"}})", "true"},
      {RowKind::kCatalogService, "ServiceTags contains a or ServicePort == 80",
       R"({"ServiceTags":["b"],"ServicePort":80})", "true"},
      {RowKind::kCatalogService, "ServiceTaggedAddresses.lan.Port == 7",
       R"({"ServiceTaggedAddresses":{"lan":{"Port":8}}})", "false"},
      {RowKind::kCatalogService, "ServiceProxy.Upstreams.DestinationName == db",
       R"({"ServiceProxy":{"Upstreams":[{"DestinationName":"api"},{"DestinationName":"db"}]}})", "true"},
      {RowKind::kCatalogService, "Service.Port == 80", "{}", "Selector \"Service\" is not valid"},
      {RowKind::kService, "Tags contains a and Weights.Passing == 2", R"({"Tags":["a"],"Weights":{"Passing":2}})",
       "true"},
      {RowKind::kService, "Connect.Native == true", "{}", "false"},
      {RowKind::kService, "Node == n1", "{}", "Selector \"Node\" is not valid"},
      {RowKind::kService, "Proxy is empty", "{}", "Invalid match operator \"Is Empty\" for selector \"Proxy\""},
      {RowKind::kCheck, "Status != passing and ServiceTags contains a", R"({"Status":"critical","ServiceTags":["a"]})",
       "true"},
      {RowKind::kCheck, "Checks.Status == passing", "{}", "Selector \"Checks\" is not valid"},
      {RowKind::kCheck, "Definition.HTTP == x", "{}", "Selector \"Definition\" is not valid"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expression);
    const auto filter = Filter::parse(row.expression, row.kind);
    REQUIRE_OK(filter);
    CHECK(filter->kind() == row.kind);
    const auto matched = filter->matches(*parse_json(row.row, "row"));
    const std::string said = matched.ok() ? (*matched ? "true" : "false") : std::string(matched.status().message());
    CHECK(said.ends_with(row.expected));
    CHECK(filter->check() == matched.status());
  }
}

TEST_CASE("kinds of rows by name; a filter keeps to its kind") {
  for (RowKind kind :
       {RowKind::kHealth, RowKind::kNode, RowKind::kCatalogService, RowKind::kService, RowKind::kCheck}) {
    const auto read = row_kind_from_text(to_string(kind));
    REQUIRE_OK(read);
    CHECK(*read == kind);
  }
  CHECK_ERROR(row_kind_from_text("instance"), ErrorKind::kUsage, "row kind: \"instance\" is none; give health");
  const auto of_nodes = Filter::parse("Node == n1", RowKind::kNode);
  REQUIRE_OK(of_nodes);
  CHECK_FALSE(*of_nodes == *Filter::parse("Node == n1"));
  CHECK_ERROR(of_nodes->matches(InstanceState{}, NodeState{}), ErrorKind::kUsage, "parse it for health rows");
}

TEST_CASE("generated filters: a row as values and the same row as JSON agree") {
  const char* given = std::getenv("CONVERGENCE_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const int cases = std::getenv("CONVERGENCE_NIGHTLY") != nullptr ? 200000 : 5000;
  MESSAGE("CONVERGENCE_SEED=", seed);
  test::FilterGenerator generator(seed);
  int selected = 0;
  int refused = 0;
  for (int i = 0; i < cases; ++i) {
    const std::string expression = generator.expression(RowKind::kHealth);
    const Json row = generator.health_row(i % 10);
    CAPTURE(expression);
    CAPTURE(to_text(row));
    const std::string as_values = answer(expression, {row}, true);
    CHECK(answer(expression, {row}, false) == as_values);
    selected += as_values.starts_with("web-") || as_values.starts_with("Web-");
    refused += as_values.starts_with("Failed");
  }
  CHECK(selected * 10 > cases);
  CHECK(refused * 10 > cases);
  CHECK((selected + refused) * 10 < 9 * cases);
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
