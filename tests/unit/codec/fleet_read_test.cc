#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "convergence/fleet_view.h"
#include "tests/support/fleet_check.h"
#include "tests/support/fleet_shapes.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

using test::list_of;

bool is_scanned(std::string_view answer) {
  FleetView view;
  return codec::scan_health(answer, view);
}

TEST_CASE("a row of a health answer") {
  FleetView view;
  REQUIRE_OK(read_health("[" + test::health_row_json(7, 3) + "]", "answer", view));
  REQUIRE(view.size() == 1);
  std::string id;
  FleetRow want;
  want.node = "node-00007";
  want.service = "svc-003";
  want.service_id = "svc-003-node-00007";
  const std::string version = test::version_of(7, 3);  // rows are views
  want.version = version;
  const std::string deployment =
      row_at(view, 0, id).deployment.data() ? std::string(row_at(view, 0, id).deployment) : "";
  want.deployment = deployment;
  CHECK(deployment.starts_with("d-"));
  want.status = CheckStatus::kPassing;
  want.modify_index = row_at(view, 0, id).modify_index;
  CHECK(want.modify_index >= 1000);
  CHECK(row_at(view, 0, id) == want);
}

TEST_CASE("whatever a health answer says, it is read as by the strict reader") {
  const std::string usual = test::health_row_json(1, 2);
  // A row, and whether the scanner is to know it without help.
  struct Case {
    std::string name;
    std::string row;
    bool scanned;
  };
  const std::string bare = R"({"Node":{"Node":"n"},"Service":{"ID":"i","Service":"s"}})";
  const std::vector<Case> cases = {
      {"usual", usual, true},
      {"least", bare, true},
      {"nulls where the server has them",
       replaced(replaced(usual, R"("Meta":{"consul)", R"("Meta":null,"x":{"consul)"), R"("Tags":["prod")",
                R"("Tags":null,"x":["prod")"),
       true},
      {"all optional members are null",
       R"({"Node":{"ID":null,"Node":"n","Address":null,"Datacenter":null,"TaggedAddresses":null,"Meta":null,)"
       R"("CreateIndex":null,"ModifyIndex":null},"Service":{"Kind":null,"ID":"i","Service":"s","Tags":null,)"
       R"("Address":null,"Meta":null,"Port":null,"Weights":null,"EnableTagOverride":null,"CreateIndex":null,)"
       R"("ModifyIndex":null},"Checks":null})",
       true},
      {"empty lists and maps",
       R"({"Node":{"Node":"n","Meta":{}},"Service":{"ID":"i","Service":"s","Tags":[]},"Checks":[]})", true},
      {"a required name is null", replaced(bare, R"("n")", "null"), false},
      {"no node", R"({"Service":{"ID":"i","Service":"s"}})", false},
      {"a node without a name", R"({"Node":{"ID":"x"},"Service":{"ID":"i","Service":"s"}})", false},
      {"no service", R"({"Node":{"Node":"n"}})", false},
      {"a service without an id", R"({"Node":{"Node":"n"},"Service":{"Service":"s"}})", false},
      {"no row", "1", false},
      {"null", "null", false},
      {"other order",
       R"({"Checks":[],"Service":{"Service":"s","Meta":{"x":"y","version":"2"},"ID":"i"},"Node":{"Node":"n"}})", true},
      {"blanks", "{ \"Node\" :\n{\"Node\":\t\"n\" } ,\r\n\"Service\": {\"ID\":\"i\", \"Service\":\"s\"} }", true},
      {"unknown members",
       replaced(usual, R"("Port":)", R"("Locality":{"Region":["a",{"b":-1.5}]},"Partition":"p","Port":)"), true},
      {"kind", replaced(usual, R"({"ID":"svc)", R"({"Kind":"connect-proxy","ID":"svc)"), true},
      {"tagged addresses",
       replaced(usual, R"("Meta":{"deployment")",
                R"("TaggedAddresses":{"lan":{"Address":"a","Port":1}},"Meta":{"deployment")"),
       true},
      {"a proxy", replaced(usual, R"("Proxy":{)", R"("Proxy":{"Config":{"a":1.25,"b":true,"c":[null,false]},)"), true},
      {"an owner", replaced(usual, R"(,"version":"1)", R"(,"managed-by":"convergence","version":"1)"), true},
      {"a definition", replaced(usual, R"("Definition":{})", R"("Definition":{"Interval":"10s","HTTP":"http://x"})"),
       true},
      {"a definition that is null", replaced(usual, R"("Definition":{})", R"("Definition":null)"), true},
      {"a definition that is none", replaced(usual, R"("Definition":{})", R"("Definition":"x")"), false},
      {"warning", replaced(usual, R"("Status":"passing")", R"("Status":"warning")"), true},
      {"critical, warning",
       replaced(replaced(usual, R"("Status":"passing")", R"("Status":"critical")"), R"("Status":"passing")",
                R"("Status":"warning")"),
       true},
      {"a status that is none", replaced(usual, R"("Status":"passing")", R"("Status":"Passing")"), false},
      {"a check without a status", replaced(bare, "}}", R"(},"Checks":[{"CheckID":"c"}]})"), false},
      {"a check without an id", replaced(bare, "}}", R"(},"Checks":[{"Status":"passing"}]})"), false},
      {"escapes where nobody looks", replaced(usual, "Agent alive", R"(\"\\\/\b\f\n\r\t\u003c\u00e9)"), true},
      {"a pair of surrogates", replaced(usual, "Agent alive", R"(\ud83d\ude00)"), false},
      {"half a pair", replaced(usual, "Agent alive", R"(\ud83d!)"), false},
      {"the other half", replaced(usual, "Agent alive", R"(\udc00)"), false},
      {"an escape that is none", replaced(usual, "Agent alive", R"(\x)"), false},
      {"digits that are none", replaced(usual, "Agent alive", R"(\u00g0)"), false},
      {"a line's end in a text", replaced(usual, "Agent alive", "\n"), false},
      {"a zero byte", replaced(usual, "Agent alive", std::string_view("\0", 1)), false},
      {"beyond ASCII", replaced(usual, "Agent alive", "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), true},
      {"a name beyond ASCII", replaced(bare, R"("n")", "\"n\xC3\xB6rd\""), true},
      {"no UTF-8", replaced(usual, "Agent alive", "\xC3("), false},
      {"longer than need be", replaced(usual, "Agent alive", "\xC0\xAF"), false},
      {"a surrogate in UTF-8", replaced(usual, "Agent alive", "\xED\xA0\x80"), false},
      {"above the last character", replaced(usual, "Agent alive", "\xF4\x90\x80\x80"), false},
      {"an escape in a name", replaced(bare, R"("n")", R"("\u006e")"), false},
      {"an escape in a key", replaced(bare, R"("ID")", R"("\u0049D")"), false},
      {"an escaped version", replaced(usual, R"("version":"1)", R"("version":"\u003c1)"), false},
      {"a key twice", replaced(usual, R"("Port":)", R"("Address":"","Port":)"), false},
      {"an unknown key twice", replaced(bare, "}}", R"(,"x":1,"x":1}})"), false},
      {"a label twice", replaced(usual, R"("deployment")", R"("version":"","deployment")"), false},
      {"a label twice, deep down", replaced(usual, R"("Proxy":{)", R"("Proxy":{"a":{"b":1,"c":2,"b":1},)"), false},
      {"a label that is a number", replaced(usual, R"("version":"1)", R"("y":1,"version":"1)"), false},
      {"labels in another order", replaced(usual, R"("deployment")", R"("z":"","a":"","deployment")"), true},
      {"weights", replaced(usual, R"("Passing":1)", R"("Passing":-2147483648,"Other":1e9)"), false},
      {"weights out of range", replaced(usual, R"("Passing":1)", R"("Passing":2147483648)"), false},
      {"weights at their ends", replaced(usual, R"("Passing":1)", R"("Passing":-2147483648)"), true},
      {"a port out of range", replaced(usual, R"("Port":8)", R"("Port":3000008)"), false},
      {"a port with a fraction", replaced(usual, R"("Port":8)", R"("Port":1.08)"), false},
      {"a port that is text", replaced(usual, R"("Port":8)", R"("Port":"8",":":8)"), false},
      {"an index as large as can be", replaced(bare, "}}", R"(,"ModifyIndex":18446744073709551615}})"), false},
      {"an index too large", replaced(bare, "}}", R"(,"ModifyIndex":18446744073709551616}})"), false},
      {"an index of 18 digits", replaced(bare, "}}", R"(,"ModifyIndex":999999999999999999}})"), true},
      {"an index below 0", replaced(bare, "}}", R"(,"ModifyIndex":-1}})"), false},
      {"an index with zeros before it", replaced(bare, "}}", R"(,"ModifyIndex":01}})"), false},
      {"a number out of range, of no interest", replaced(bare, "}}", R"(,"x":1e999}})"), false},
      {"a number that is none", replaced(bare, "}}", R"(,"x":-}})"), false},
      {"a comma too many", replaced(bare, "}}", ",}}"), false},
      {"a comma too few", replaced(bare, ",", " "), false},
      {"more text", usual + "x", false},
      {"nested deep", replaced(bare, "}}", ",\"x\":" + std::string(60, '[') + std::string(60, ']') + "}}"), false},
      {"nested too deep", replaced(bare, "}}", ",\"x\":" + std::string(64, '[') + std::string(64, ']') + "}}"), false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    for (const std::string& answer : {list_of({c.row}), list_of({usual, c.row, bare}), c.row}) {
      CHECK(test::health_difference(answer) == "");
    }
    CHECK(is_scanned(list_of({usual, c.row, bare})) == c.scanned);
  }
}

TEST_CASE("answers that are no list of rows") {
  for (const char* answer :
       {"", " ", "[]", " [ ] ", "[]]", "[", "{}", "null", "true", "[,]", "[[]]", "[null]", "\xEF\xBB\xBF[]"}) {
    CAPTURE(answer);
    CHECK(test::health_difference(answer) == "");
    CHECK(test::agent_services_difference(answer) == "");
  }
  CHECK(is_scanned(" [ ]\n"));
}

TEST_CASE("an answer that ends anywhere, behind rows that are there") {
  FleetView existing;
  REQUIRE_OK(read_health(test::health_json(2, 9), "answer", existing));
  const std::string health = test::health_json(2, 1);
  for (std::size_t size = 0; size <= health.size(); ++size) {
    CHECK(test::health_difference(std::string_view(health).substr(0, size), existing) == "");
  }
  const std::string services = test::agent_services_json(2);
  for (std::size_t size = 0; size <= services.size(); ++size) {
    CHECK(test::agent_services_difference(std::string_view(services).substr(0, size), existing) == "");
  }
}

TEST_CASE("a byte that is another") {
  const std::string health = test::health_json(1, 1);
  for (std::size_t at = 0; at < health.size(); ++at) {
    for (const char byte : {'"', '\\', '}', '0', '\x80'}) {
      std::string other = health;
      other[at] = byte;
      CHECK(test::health_difference(other) == "");
    }
  }
}

TEST_CASE("another server's rows among usual ones") {
  std::string text;
  for (std::uint64_t i = 0; i < 40; ++i) {
    std::string row = test::health_row_json(i, 1);
    if (i % 2 == 0) row = replaced(row, R"("EnableTagOverride")", R"("PeerName":"","EnableTagOverride")");
    text += (i == 0 ? "[" : ",") + row;
  }
  text += "]";
  CHECK(is_scanned(text));
  CHECK(test::health_difference(text) == "");
}

TEST_CASE("the services of an agent") {
  const std::string answer = test::agent_services_json(3);
  FleetView view;
  REQUIRE_OK(read_agent_services(answer, "answer", "n1", view));
  REQUIRE(view.size() == 3);
  std::string id;
  CHECK(row_at(view, 2, id).node == "n1");
  CHECK(row_at(view, 2, id).service == "svc-002");
  CHECK(row_at(view, 2, id).service_id == "svc-002-node-00000");
  CHECK(row_at(view, 2, id).status == CheckStatus::kPassing);
  CHECK(test::agent_services_difference(answer) == "");
  const std::vector<std::string> others = {
      R"({"a":{"ID":"a","Service":"s"},"a":{"ID":"a","Service":"s"}})",
      R"({"b":{"ID":"a","Service":"s"},"a":{"ID":"b","Service":"s"}})",
      R"({"a":{"ID":"a"}})",
      R"({"a":[]})",
      R"({"a~/":{"ID":"a","Service":1}})",
  };
  for (const std::string& other : others) CHECK(test::agent_services_difference(other) == "");
}

TEST_CASE("a view has room for 2 GiB of names") {
  FleetView view;
  const std::string_view too_much(static_cast<const char*>(nullptr), NameTable::kMostBytes + 1);
  CHECK_ERROR(read_health(too_much, "answer", view), ErrorKind::kTooLarge,
              "answer: 2147483649 bytes after 0 of names are too many for one fleet view; begin a new one");
}

}  // namespace
}  // namespace convergence
