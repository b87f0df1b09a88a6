#include <doctest/doctest.h>

#include <string>

#include "convergence/codec.h"
#include "convergence/import.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

struct Case {
  const char* name;
  std::string hcl;
  std::string json;  // whole
};

TEST_CASE("what HCL says, as JSON") {
  const Case cases[] = {
      {"nothing", "", "{}"},
      {"comments alone", "# a\n// b\n/* c\n d */", "{}"},
      {"attributes", "Kind = \"service-defaults\"\nName=\"web\" Protocol = \"http\"",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})"},
      {"commas are let pass", "a = 1,\nb = 2", R"({"a":1,"b":2})"},
      {"values", "a = true\nb = false\nc = -12\nd = 1.5\ne = 1e3\nf = 0x1F\ng = 017\nh = \"\"",
       R"({"a":true,"b":false,"c":-12,"d":1.5,"e":1e3,"f":31,"g":15,"h":""})"},
      {"lists", "a = []\nb = [1, \"x\", true,]\nc = [[1], { d = 2 }]",
       R"({"a":[],"b":[1,"x",true],"c":[[1],{"d":2}]})"},
      {"a block", "Redirect { Service = \"a\" }", R"({"Redirect":{"Service":"a"}})"},
      {"an object that is assigned", "Redirect = { Service = \"a\", Datacenter = \"dc2\" }",
       R"({"Redirect":{"Service":"a","Datacenter":"dc2"}})"},
      {"a block with a label", "Subsets \"v1\" { Filter = \"x\" }", R"({"Subsets":{"v1":{"Filter":"x"}}})"},
      {"blocks that repeat", "Routes { a = 1 }\nRoutes { a = 2 }\nRoutes { a = 3 }",
       R"({"Routes":[{"a":1},{"a":2},{"a":3}]})"},
      {"labels that differ", "Subsets \"v1\" {}\nSubsets \"v2\" {}", R"({"Subsets":[{"v1":{}},{"v2":{}}]})"},
      {"a name in quotes", "Failover = { \"*\" = { Datacenters = [\"dc2\"] } }",
       R"({"Failover":{"*":{"Datacenters":["dc2"]}}})"},
      {"names with dots and dashes", "a-b.c_d = 1", R"({"a-b.c_d":1})"},
      {"escapes", R"(a = "\"\\\n\t\u00e9\U0001F600\x41")", "{\"a\":\"\\\"\\\\\\n\\t\u00e9\U0001F600A\"}"},
      {"interpolation is kept as it is", R"(a = "${var.x["y"]} z")", R"({"a":"${var.x[\"y\"]} z"})"},
      {"a heredoc", "a = <<EOT\n  x\n y\nEOT\nb = 1", R"({"a":"  x\n y\n","b":1})"},
      {"a heredoc without the indent of its end", "a = <<-EOT\n    x\n      y\n  EOT\n", R"({"a":"  x\n    y\n"})"},
      {"a heredoc that begins before its end", "a = <<-EOT\n x\n    y\n  EOT\n", R"({"a":" x\n    y\n"})"},
      {"JSON", " {\"a\": 1}", R"({"a":1})"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const auto json = parse_hcl(c.hcl, "x.hcl");
      REQUIRE_OK(json);
      CHECK(to_text(*json) == c.json);
    }
  }
}

TEST_CASE("what is no HCL is told with its place") {
  const Case cases[] = {
      {"no value", "a =", "x.hcl: line 1, column 4: the end of the text begins no value; texts stand in quotes"},
      {"a bare word", "a = b", "x.hcl: line 1, column 5: 'b' begins no value; texts stand in quotes"},
      {"neither = nor {", "a\n  1", "x.hcl: line 2, column 3: '1' stands where = or { has to"},
      {"a brace too few", "a {\n b = 1",
       "x.hcl: line 2, column 7: the end of the text stands where a name or } has to"},
      {"a brace too many", "a = 1\n}", "x.hcl: line 2, column 1: '}' stands where a name has to"},
      {"a list that goes on", "a = [1 2]", "x.hcl: line 1, column 8: '2' stands where , or ] has to"},
      {"a text without an end", "a = \"b", "x.hcl: line 1, column 5: '\"' begins a text that never ends"},
      {"a text over two lines", "a = \"b\nc\"",
       "x.hcl: line 1, column 5: '\"' begins a text that does not end on its line"},
      {"an escape", "a = \"\\q\"", "x.hcl: line 1, column 6: '\\' begins an escape that there is not"},
      {"half a pair", "a = \"\\ud800\"", "x.hcl: line 1, column 6: '\\' begins no character"},
      {"a comment without an end", "/* a", "x.hcl: line 1, column 1: '/' begins a comment that never ends"},
      {"a heredoc without an end", "a = <<E\nx", "x.hcl: line 1, column 5: '<' begins a heredoc that no line E ends"},
      {"a number", "a = 0x", "x.hcl: line 1, column 5: '0' begins no number"},
      {"labels of an attribute", "a \"b\" = 1",
       "x.hcl: line 1, column 7: '=' stands behind two names; only blocks have labels"},
      {"bytes", "a = \"\xff\"", "x.hcl: byte 5 is no UTF-8"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK(std::string(parse_hcl(c.hcl, "x.hcl").status().message()) == c.json); }
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "a {";
  CHECK_ERROR(parse_hcl(deep, "x.hcl"), ErrorKind::kDecode, "stands deeper than 64 levels");
  CHECK_ERROR(parse_hcl("a = " + std::string(1000, '['), "x.hcl"), ErrorKind::kDecode, "stands deeper than 64 levels");
}

TEST_CASE("entries in HCL are the entries that their JSON is") {
  const auto entry = parse_hcl(R"(
    kind = "service-resolver"
    name = "web"
    connect_timeout = "15s"
    subsets = {
      v1 = { filter = "Service.Meta.version == v1" }
    }
    Failover "*" { Datacenters = ["dc2"] }
  )",
                               "x.hcl");
  REQUIRE_OK(entry);
  const auto read = from_json<ConfigEntry>(*entry, "x.hcl");
  REQUIRE_OK(read);
  CHECK(*read == *parse<ConfigEntry>(R"({"Kind": "service-resolver", "Name": "web", "ConnectTimeout": "15s",
      "Subsets": {"v1": {"Filter": "Service.Meta.version == v1"}}, "Failover": {"*": {"Datacenters": ["dc2"]}}})",
                                     "y"));
}

}  // namespace
}  // namespace convergence
