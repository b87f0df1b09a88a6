#include <doctest/doctest.h>

#include <string>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// Answers of a Consul 1.8.7.
constexpr char kNode[] =
    R"({"ID":"3ece9292-6bf8-8eea-d6a7-8c4eff7b59ac","Node":"n1","Address":"127.0.0.1","Datacenter":"dc1",)"
    R"("TaggedAddresses":{"lan":"127.0.0.1","wan":"127.0.0.1"},"Meta":{"role":"web"},"CreateIndex":11,"ModifyIndex":12})";
constexpr char kBareNode[] =
    R"({"ID":"","Node":"bare","Address":"1.2.3.5","Datacenter":"dc1","TaggedAddresses":null,"Meta":null,)"
    R"("CreateIndex":162,"ModifyIndex":162})";
constexpr char kService[] =
    R"({"ID":"web","Service":"web","Tags":["a","b"],"Address":"","TaggedAddresses":{"lan":{"Address":"1.1.1.1","Port":8}},)"
    R"("Meta":{"version":"1"},"Port":80,"Weights":{"Passing":3,"Warning":2},"EnableTagOverride":true,)"
    R"("Proxy":{"MeshGateway":{},"Expose":{}},"Connect":{},"CreateIndex":161,"ModifyIndex":161})";
constexpr char kNodeCheck[] =
    R"({"Node":"n1","CheckID":"ping","Name":"ping","Status":"warning","Notes":"","Output":"","ServiceID":"",)"
    R"("ServiceName":"","ServiceTags":[],"Type":"","Definition":{},"CreateIndex":161,"ModifyIndex":161})";
constexpr char kServiceCheck[] =
    R"({"Node":"n1","CheckID":"web:http","Name":"http","Status":"passing","Notes":"n","Output":"ok","ServiceID":"web",)"
    R"("ServiceName":"web","ServiceTags":["a","b"],"Type":"http","Definition":{"Interval":"10s","Timeout":"2s",)"
    R"("HTTP":"http://x"},"CreateIndex":161,"ModifyIndex":161})";
constexpr char kKv[] =
    R"({"LockIndex":3,"Key":"a/b","Flags":42,"Value":"aGVsbG8=","Session":"s","CreateIndex":165,"ModifyIndex":166})";
constexpr char kEmptyKv[] = R"({"LockIndex":0,"Key":"a/c","Flags":0,"Value":null,"CreateIndex":166,"ModifyIndex":166})";

template <typename T>
std::string again(const char* text) {
  const absl::StatusOr<T> value = parse<T>(text, "doc");
  return value.ok() ? to_text(to_json(*value)) : value.status().ToString();
}

TEST_CASE("Consul's own objects are written as they were read") {
  CHECK(again<Node>(kNode) == kNode);
  CHECK(again<Node>(kBareNode) == kBareNode);
  CHECK(again<ServiceInstance>(kService) == kService);
  CHECK(again<HealthCheck>(kNodeCheck) == kNodeCheck);
  CHECK(again<HealthCheck>(kServiceCheck) == kServiceCheck);
  CHECK(again<KvPair>(kKv) == kKv);
  CHECK(again<KvPair>(kEmptyKv) == kEmptyKv);
}

TEST_CASE("their parts land in their fields") {
  const absl::StatusOr<ServiceInstance> service = parse<ServiceInstance>(kService, "doc");
  REQUIRE_OK(service);
  ServiceInstance want;
  want.id = "web";
  want.service = "web";
  want.tags = {"a", "b"};
  want.port = 80;
  want.meta = {{"version", "1"}};
  want.weights = {3, 2};
  want.enable_tag_override = true;
  want.create_index = 161;
  want.modify_index = 161;
  want.unknown.push_back({"TaggedAddresses", Json().set("lan", Json().set("Address", "1.1.1.1").set("Port", 8))});
  want.unknown.push_back(
      {"Proxy", Json().set("MeshGateway", Json(Json::Object{})).set("Expose", Json(Json::Object{}))});
  want.unknown.push_back({"Connect", Json(Json::Object{})});
  CHECK(*service == want);

  const absl::StatusOr<KvPair> pair = parse<KvPair>(kKv, "doc");
  REQUIRE_OK(pair);
  CHECK(*pair == KvPair{"a/b", "hello", 42, "s", 3, 165, 166});

  const absl::StatusOr<ServiceInstance> least = parse<ServiceInstance>(R"({"ID":"x","Service":"y"})", "doc");
  REQUIRE_OK(least);
  CHECK(least->weights == ServiceWeights{1, 1});
}

std::string row(const std::string& node, const std::string& service, const std::string& checks) {
  return "{\"Node\":" + node + ",\"Service\":" + service + ",\"Checks\":[" + checks + "]}";
}

TEST_CASE("a health row is written as it was read") {
  const std::string text = row(kNode, kService, std::string(kNodeCheck) + "," + kServiceCheck);
  const absl::StatusOr<CatalogState> catalog = parse<CatalogState>("{\"health\":{\"web\":[" + text + "]}}", "answers");
  REQUIRE_OK(catalog);
  const InstanceState* instance = find_instance(*catalog, "web", {"n1", "web"});
  REQUIRE(instance != nullptr);
  CHECK(to_text(health_row(*instance, *catalog->nodes.at("n1"))) == text);
}

TEST_CASE("raw answers become a catalog") {
  const std::string answers =
      std::string(R"({"datacenter":"dc1","index":200,"nodes":[)") + kNode + "," + kBareNode +
      R"(],"services":{"consul":[],"web":["b","a"]},"health":{"web":[)" +
      row(kNode, kService, std::string(kServiceCheck) + "," + kNodeCheck) + R"(]},"node_health":{"bare":[]},"kv":[)" +
      kKv + "," + kEmptyKv +
      R"(],"config":[{"Kind":"service-defaults","Name":"Web","Protocol":"http","ModifyIndex":5}]})";
  const absl::StatusOr<CatalogState> catalog = parse<CatalogState>(answers, "answers");
  REQUIRE_OK(catalog);

  CatalogState want;
  want.datacenter = "dc1";
  want.index = 200;
  const HealthCheck ping = *parse<HealthCheck>(kNodeCheck, "doc");
  want.nodes["n1"] = NodeState{*parse<Node>(kNode, "doc"), {ping}};
  want.nodes["bare"] = NodeState{*parse<Node>(kBareNode, "doc"), {}};
  InstanceState web{*parse<ServiceInstance>(kService, "doc"), {*parse<HealthCheck>(kServiceCheck, "doc")}};
  web.instance.node = "n1";
  want.services["web"] = ServiceState{"web", {web}};
  want.services["consul"] = ServiceState{"consul", {}};
  ServiceDefaults defaults;
  defaults.protocol = "http";
  want.entries[{"service-defaults", "web"}] =
      ConfigEntry{.kind = "service-defaults", .name = "Web", .body = defaults, .modify_index = 5};
  want.kv["a/b"] = KvPair{"a/b", "hello", 42, "s", 3, 165, 166};
  want.kv["a/c"] = KvPair{"a/c", "", 0, "", 0, 166, 166};
  CHECK(*catalog == want);
}

std::string node(const char* name, const char* address, int index) {
  return to_text(Json().set("Node", name).set("Address", address).set("ModifyIndex", index));
}
std::string check(const char* id, const char* status, const char* service_id, int index) {
  return to_text(Json()
                     .set("Node", "n")
                     .set("CheckID", id)
                     .set("Status", status)
                     .set("ServiceID", service_id)
                     .set("ModifyIndex", index));
}
std::string service(const char* id, int port) {
  return to_text(Json().set("ID", id).set("Service", "s").set("Port", port));
}

TEST_CASE("answers of different moments: the later tells") {
  SUBCASE("nodes") {
    const absl::StatusOr<CatalogState> catalog = parse<CatalogState>(
        "{\"nodes\":[" + node("n", "new", 9) + "," + node("m", "old", 3) + "],\"health\":{\"s\":[" +
            row(node("n", "old", 8), service("a", 1), "") + "," + row(node("m", "new", 4), service("b", 1), "") + "]}}",
        "answers");
    REQUIRE_OK(catalog);
    CHECK(catalog->nodes.at("n")->node.address == "new");
    CHECK(catalog->nodes.at("m")->node.address == "new");
  }
  SUBCASE("a node's checks in rows of two services") {
    const absl::StatusOr<CatalogState> catalog = parse<CatalogState>(
        "{\"health\":{\"s\":[" + row(node("n", "", 1), service("a", 1), check("c", "critical", "", 5)) + "],\"t\":[" +
            row(node("n", "", 1), service("b", 1), check("c", "passing", "", 4) + "," + check("b", "warning", "", 1)) +
            "]}}",
        "answers");
    REQUIRE_OK(catalog);
    const std::vector<HealthCheck>& checks = catalog->nodes.at("n")->checks;
    REQUIRE(checks.size() == 2);
    CHECK(checks[0].id == "b");
    CHECK(checks[1].id == "c");
    CHECK(checks[1].status == CheckStatus::kCritical);
  }
  SUBCASE("a node's own answer is complete, whatever rows say, and brings no checks of services") {
    const absl::StatusOr<CatalogState> catalog = parse<CatalogState>(
        "{\"health\":{\"s\":[" + row(node("n", "", 1), service("a", 1), check("gone", "critical", "", 5)) +
            "]},\"node_health\":{\"n\":[" + check("c", "passing", "", 4) + "," + check("x", "critical", "a", 4) + "]}}",
        "answers");
    REQUIRE_OK(catalog);
    REQUIRE(catalog->nodes.at("n")->checks.size() == 1);
    CHECK(catalog->nodes.at("n")->checks[0].id == "c");
  }
  SUBCASE("a node that only its checks tell of") {
    const absl::StatusOr<CatalogState> catalog =
        parse<CatalogState>("{\"node_health\":{\"n\":[" + check("c", "passing", "", 4) + "]}}", "answers");
    REQUIRE_OK(catalog);
    CHECK(catalog->nodes.at("n")->node.name == "n");
  }
  SUBCASE("instances are in order") {
    const absl::StatusOr<CatalogState> catalog =
        parse<CatalogState>("{\"health\":{\"s\":[" + row(node("n", "", 1), service("b", 2), "") + "," +
                                row(node("m", "", 1), service("b", 3), "") + "," +
                                row(node("n", "", 1), service("a", 1),
                                    check("z", "passing", "a", 1) + "," + check("y", "passing", "a", 1)) +
                                "]}}",
                            "answers");
    REQUIRE_OK(catalog);
    std::string order;
    for (const InstanceState& state : catalog->services.at("s")->instances) {
      order += state.instance.node + state.instance.id + " ";
      for (const HealthCheck& found : state.checks) order += found.id + " ";
    }
    CHECK(order == "mb na y z nb ");
  }
}

TEST_CASE("no answers are an empty catalog; the datacenter may come from the nodes") {
  CHECK(*parse<CatalogState>("{}", "answers") == CatalogState{});
  CHECK(parse<CatalogState>("{\"nodes\":[" + std::string(kNode) + "]}", "answers")->datacenter == "dc1");
}

TEST_CASE("answers that are not Consul's are refused with their place") {
  struct Case {
    const char* name;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"a list", "[]", "answers: (offset 0): must be an object, is a list"},
      {"a member that is none", R"({"node":[]})", "answers: /node (offset 8): unknown member"},
      {"nodes in an object", R"({"nodes":{}})", "answers: /nodes (offset 9): must be a list, is an object"},
      {"a node without a name", R"({"nodes":[{"ID":""}]})", "answers: /nodes/0 (offset 10): needs a member \"Node\""},
      {"a name that is null", R"({"nodes":[{"Node":null}]})",
       "answers: /nodes/0/Node (offset 18): must be text, is null"},
      {"a row without a service", R"({"health":{"a/b":[{"Node":{"Node":"n"}}]}})",
       "answers: /health/a~1b/0 (offset 18): needs a member \"Service\""},
      {"a status that is none", R"({"node_health":{"n":[{"CheckID":"c","Status":"Passing"}]}})",
       "answers: /node_health/n/0/Status (offset 45): \"Passing\" is none of passing, warning, critical"},
      {"a port out of range",
       R"({"health":{"s":[{"Node":{"Node":"n"},"Service":{"ID":"s","Service":"s","Port":3000000000}}]}})",
       "answers: /health/s/0/Service/Port (offset 78): must be a whole number from -2147483648 to 2147483647, is "
       "3000000000"},
      {"an index with a fraction", R"({"index":1.5})",
       "answers: /index (offset 9): must be a whole number from 0 to 18446744073709551615, is 1.5"},
      {"a negative index", R"({"index":-1})",
       "answers: /index (offset 9): must be a whole number from 0 to 18446744073709551615, is -1"},
      {"a value that is no base64", R"({"kv":[{"Key":"k","Value":"?"}]})",
       "answers: /kv/0/Value (offset 26): base64: the length is no multiple of four"},
      {"a meta value that is a number", R"({"nodes":[{"Node":"n","Meta":{"a":1}}]})",
       "answers: /nodes/0/Meta/a (offset 34): must be text, is a number"},
      {"an entry without a kind", R"({"config":[{"Name":"x"}]})",
       "answers: /config/0 (offset 11): Payload does not contain a kind/Kind key at the top level"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::Status status = parse<CatalogState>(c.text, "answers").status();
      CHECK(std::string(status.message()) == std::string(c.message));
      CHECK(error_kind(status) == ErrorKind::kDecode);
    }
  }
}

}  // namespace
}  // namespace convergence
