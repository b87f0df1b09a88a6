// What Consul 1.8.7 answered to these calls, and what the client makes of it.
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/consul_client.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

const absl::StatusOr<bool> kTrue = true;
const absl::StatusOr<bool> kFalse = false;

struct Bench {
  SimulatedExecutor executor;
  ScriptedTransport transport{executor};
  ConsulClient client{executor, transport};

  template <typename T, typename Start>
  absl::StatusOr<T> get(HttpResponse response, Start start) {
    transport.script(std::move(response));
    return await<T>(executor, start);
  }
};

KvPair pair(std::string key, std::string value) {
  KvPair out;
  out.key = std::move(key);
  out.value = std::move(value);
  out.flags = 3;
  out.create_index = 18;
  out.modify_index = 20;
  return out;
}

constexpr char kPair[] =
    R"({"LockIndex":0,"Key":"a b","Flags":3,"Value":"aGVsbG8=","CreateIndex":18,"ModifyIndex":20})";

TEST_CASE("the head of an answer") {
  Bench bench;
  HttpResponse response = answer("[]", 12);
  response.headers.emplace_back("x-consul-knownleader", "false");
  response.headers.emplace_back("x-consul-lastcontact", "1500");
  auto got = bench.get<Answer<std::vector<Node>>>(response, [&](auto done) { bench.client.catalog_nodes({}, done); });
  REQUIRE_OK(got);
  CHECK(*got == Answer<std::vector<Node>>{{}, 12, false, std::chrono::milliseconds(1500)});
  got = bench.get<Answer<std::vector<Node>>>(answer("[]"), [&](auto done) { bench.client.catalog_nodes({}, done); });
  REQUIRE_OK(got);
  CHECK(*got == Answer<std::vector<Node>>{});
}

TEST_CASE("KV") {
  using One = Answer<std::optional<KvPair>>;
  using Many = Answer<std::vector<KvPair>>;
  using Keys = Answer<std::vector<std::string>>;
  Bench bench;
  ConsulClient& client = bench.client;
  const auto one = [&](auto done) { client.kv_get("a b", {}, done); };
  const auto many = [&](auto done) { client.kv_recurse("a", {}, done); };
  const auto keys = [&](auto done) { client.kv_keys("a", {}, done); };
  const auto found = bench.get<One>(answer(std::string("[") + kPair + "]", 20), one);
  REQUIRE_OK(found);
  CHECK(*found == One{pair("a b", "hello"), 20});
  const auto absent = bench.get<One>(answer("", 18, 404), one);
  REQUIRE_OK(absent);
  CHECK(*absent == One{std::nullopt, 18});
  const auto empty_value = bench.get<One>(
      answer(R"([{"LockIndex":0,"Key":"a b","Flags":3,"Value":null,"CreateIndex":18,"ModifyIndex":20}])", 20), one);
  REQUIRE_OK(empty_value);
  CHECK(*empty_value == One{pair("a b", ""), 20});

  const auto two = bench.get<Many>(answer(std::string("[") + kPair + "," + kPair + "]\n", 20), many);
  REQUIRE_OK(two);
  CHECK(*two == Many{{pair("a b", "hello"), pair("a b", "hello")}, 20});
  const auto none = bench.get<Many>(answer("", 18, 404), many);
  REQUIRE_OK(none);
  CHECK(*none == Many{{}, 18});
  const auto names = bench.get<Keys>(answer(R"(["a b","a/c"])", 20), keys);
  REQUIRE_OK(names);
  CHECK(*names == Keys{{"a b", "a/c"}, 20});
  const auto no_names = bench.get<Keys>(answer("", 18, 404), keys);
  REQUIRE_OK(no_names);
  CHECK(*no_names == Keys{{}, 18});

  const ConsulClient::KvPut put{"k", "v", 0, 7, "", ""};
  CHECK(bench.get<bool>(answer("true"), [&](auto done) { client.kv_put(put, {}, done); }) == kTrue);
  CHECK(bench.get<bool>(answer("false\n"), [&](auto done) { client.kv_put(put, {}, done); }) == kFalse);
  CHECK(bench.get<bool>(answer("false"), [&](auto done) { client.kv_delete("k", 7, {}, done); }) == kFalse);
  CHECK(bench.get<bool>(answer("true"), [&](auto done) { client.kv_delete_tree("k", {}, done); }) == kTrue);
}

TEST_CASE("transactions") {
  Bench bench;
  const auto txn = [&](auto done) { bench.client.txn({}, {}, done); };
  const auto done =
      bench.get<TxnResult>(answer(std::string(R"({"Results":[{"KV":)") + kPair + R"(}],"Errors":null})"), txn);
  REQUIRE_OK(done);
  const auto row = parse_json(std::string(R"({"KV":)") + kPair + "}", "row");
  REQUIRE_OK(row);
  CHECK(*done == TxnResult{{*row}, {}});

  const auto refused = bench.get<TxnResult>(
      answer(R"({"Results":null,"Errors":[{"OpIndex":1,"What":"failed to set key \"t2\", index is stale"}]})", 0, 409),
      txn);
  REQUIRE_OK(refused);
  CHECK(*refused == TxnResult{{}, {{1, "failed to set key \"t2\", index is stale"}}});
  const auto empty = bench.get<TxnResult>(
      answer(R"({"Results":[],"Errors":null,"Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":""})"),
      txn);
  REQUIRE_OK(empty);
  CHECK(*empty == TxnResult{});

  // A conflict without a reason, and success with one, are no answers of Consul's.
  CHECK_ERROR(bench.get<TxnResult>(answer(R"({"Results":null,"Errors":null})", 0, 409), txn), ErrorKind::kProtocol,
              "disagree");
  CHECK_ERROR(bench.get<TxnResult>(answer(R"({"Results":[],"Errors":[{"OpIndex":0,"What":"x"}]})"), txn),
              ErrorKind::kProtocol, "disagree");
  CHECK_ERROR(bench.get<TxnResult>(answer(R"({"Results":null,"Errors":[{"OpIndex":-1,"What":"x"}]})", 0, 409), txn),
              ErrorKind::kProtocol, "OpIndex");
}

constexpr char kNode[] = R"({"ID":"3ad75933-211a-fd53-29f5-aee5ca45d844","Node":"n1","Address":"127.0.0.1",)"
                         R"("Datacenter":"dc1","TaggedAddresses":{"lan":"127.0.0.1"},"Meta":{"role":"app"},)"
                         R"("CreateIndex":10,"ModifyIndex":12})";
constexpr char kSerf[] = R"({"Node":"n1","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing",)"
                         R"("Notes":"","Output":"Agent alive and reachable","ServiceID":"","ServiceName":"",)"
                         R"("ServiceTags":[],"Type":"","Definition":{},"CreateIndex":10,"ModifyIndex":10})";
constexpr char kService[] = R"({"ID":"w1","Service":"web","Tags":["a"],"Address":"","Meta":{"version":"1"},"Port":80,)"
                            R"("Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,)"
                            R"("Proxy":{"MeshGateway":{},"Expose":{}},"Connect":{},"CreateIndex":29,"ModifyIndex":29})";

template <typename T>
T value_of(const char* text) {
  const absl::StatusOr<T> value = parse<T>(text, "expected");
  REQUIRE_OK(value);
  return *value;
}

TEST_CASE("catalog and health") {
  using Nodes = Answer<std::vector<Node>>;
  using Services = Answer<std::map<std::string, std::vector<std::string>>>;
  using Rows = Answer<std::vector<HealthRow>>;
  using Checks = Answer<std::vector<HealthCheck>>;
  Bench bench;
  ConsulClient& client = bench.client;
  const auto list = [](const std::string& item) { return "[" + item + "]"; };

  const auto nodes = bench.get<Nodes>(answer(list(kNode), 12), [&](auto d) { client.catalog_nodes({}, d); });
  REQUIRE_OK(nodes);
  CHECK(*nodes == Nodes{{value_of<Node>(kNode)}, 12});
  CHECK(nodes->value[0].name == "n1");
  CHECK(nodes->value[0].meta == std::map<std::string, std::string>{{"role", "app"}});

  const auto services = bench.get<Services>(answer(R"({"consul":[],"web":["a","b"],"odd":null})", 29),
                                            [&](auto d) { client.catalog_services({}, d); });
  REQUIRE_OK(services);
  CHECK(*services == Services{{{"consul", {}}, {"odd", {}}, {"web", {"a", "b"}}}, 29});

  const std::string row =
      std::string(R"({"Node":)") + kNode + R"(,"Service":)" + kService + R"(,"Checks":[)" + kSerf + "]}";
  const auto rows = bench.get<Rows>(answer(list(row), 29), [&](auto d) { client.health_service("web", {}, d); });
  REQUIRE_OK(rows);
  HealthRow expected{value_of<Node>(kNode), value_of<ServiceInstance>(kService), {value_of<HealthCheck>(kSerf)}};
  expected.instance.node = "n1";
  CHECK(*rows == Rows{{expected}, 29});
  CHECK(rows->value[0].instance.service == "web");
  CHECK(rows->value[0].instance.port == 80);

  const auto checks = bench.get<Checks>(answer(list(kSerf), 10), [&](auto d) { client.health_node("n1", {}, d); });
  REQUIRE_OK(checks);
  CHECK(*checks == Checks{{value_of<HealthCheck>(kSerf)}, 10});
  const auto all = bench.get<Checks>(answer(list(kSerf), 10), [&](auto d) { client.health_state("any", {}, d); });
  CHECK(all == checks);
  CHECK(bench.get<std::string>(answer("\"127.0.0.1:8300\""), [&](auto d) { client.status_leader(d); }) ==
        absl::StatusOr<std::string>("127.0.0.1:8300"));
  CHECK_OK(await_done(bench.executor, [&](auto d) {
    bench.transport.script(answer("true"));
    client.catalog_register(Json(Json::Object{}), {}, d);
  }));
}

TEST_CASE("the agent") {
  Bench bench;
  ConsulClient& client = bench.client;
  const auto self = bench.get<Json>(answer(R"({"Config":{"NodeName":"n1"}})"), [&](auto d) { client.agent_self(d); });
  REQUIRE_OK(self);
  CHECK(to_text(*self) == R"({"Config":{"NodeName":"n1"}})");

  using Services = std::map<std::string, ServiceInstance>;
  const auto services = bench.get<Services>(
      answer(R"({"w1":{"ID":"w1","Service":"web","Tags":["a"],"Meta":{"version":"1"},"Port":80,"Address":"",)"
             R"("Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false}})"),
      [&](auto d) { client.agent_services({}, d); });
  REQUIRE_OK(services);
  ServiceInstance expected;
  expected.id = "w1";
  expected.service = "web";
  expected.tags = {"a"};
  expected.meta = {{"version", "1"}};
  expected.port = 80;
  CHECK(*services == Services{{"w1", expected}});

  using Checks = std::map<std::string, HealthCheck>;
  const auto checks = bench.get<Checks>(answer(std::string(R"({"serfHealth":)") + kSerf + "}"),
                                        [&](auto d) { client.agent_checks({}, d); });
  REQUIRE_OK(checks);
  CHECK(*checks == Checks{{"serfHealth", value_of<HealthCheck>(kSerf)}});
  // The agent answers writes with an empty body.
  bench.transport.script(answer(""));
  CHECK_OK(await_done(bench.executor, [&](auto d) { client.agent_service_register({}, {}, d); }));
}

TEST_CASE("config entries and chains") {
  using One = Answer<std::optional<ConfigEntry>>;
  using Many = Answer<std::vector<ConfigEntry>>;
  constexpr char kEntry[] = R"({"Kind":"service-defaults","Name":"web","Protocol":"http","MeshGateway":{},"Expose":{},)"
                            R"("CreateIndex":24,"ModifyIndex":25})";
  Bench bench;
  ConsulClient& client = bench.client;
  const auto get = [&](auto d) { client.config_get("service-defaults", "web", {}, d); };
  const auto found = bench.get<One>(answer(kEntry, 25), get);
  REQUIRE_OK(found);
  CHECK(*found == One{value_of<ConfigEntry>(kEntry), 25});
  CHECK(found->value->modify_index == 25);
  const auto absent = bench.get<One>(answer("Config entry not found for \"service-defaults\" / \"web\"", 1, 404), get);
  REQUIRE_OK(absent);
  CHECK(*absent == One{std::nullopt, 1});
  const auto all = bench.get<Many>(answer(std::string("[") + kEntry + "]", 25),
                                   [&](auto d) { client.config_list("service-defaults", {}, d); });
  REQUIRE_OK(all);
  CHECK(*all == Many{{value_of<ConfigEntry>(kEntry)}, 25});

  const ConfigEntry entry = value_of<ConfigEntry>(kEntry);
  CHECK(bench.get<bool>(answer("true"), [&](auto d) { client.config_put(entry, 25, {}, d); }) == kTrue);
  CHECK(bench.get<bool>(answer("false"), [&](auto d) { client.config_put(entry, 3, {}, d); }) == kFalse);
  CHECK(bench.get<bool>(answer("{}"), [&](auto d) { client.config_delete("k", "n", {}, {}, d); }) == kTrue);

  constexpr char kChain[] =
      R"({"ServiceName":"web","Namespace":"default","Datacenter":"dc1","Protocol":"http",)"
      R"("StartNode":"resolver:web.default.dc1","Nodes":{"resolver:web.default.dc1":{"Type":"resolver",)"
      R"("Name":"web.default.dc1","Resolver":{"ConnectTimeout":"5s","Default":true,"Target":"web.default.dc1"}}},)"
      R"("Targets":{"web.default.dc1":{"ID":"web.default.dc1","Service":"web","Namespace":"default",)"
      R"("Datacenter":"dc1","MeshGateway":{},"Subset":{},"SNI":"web.default.dc1.internal.x.consul",)"
      R"("Name":"web.default.dc1.internal.x.consul"}}})";
  const auto chain = bench.get<Answer<DiscoveryChain>>(answer(std::string(R"({"Chain":)") + kChain + "}", 24),
                                                       [&](auto d) { client.discovery_chain("web", {}, d); });
  REQUIRE_OK(chain);
  CHECK(*chain == Answer<DiscoveryChain>{value_of<DiscoveryChain>(kChain), 24});
  CHECK(node_key(chain->value, chain->value.start_node) == "resolver:web.default.dc1");
}

TEST_CASE("sessions") {
  Bench bench;
  ConsulClient& client = bench.client;
  CHECK(bench.get<std::string>(answer(R"({"ID":"27f07aaa"})"), [&](auto d) { client.session_create({}, {}, d); }) ==
        absl::StatusOr<std::string>("27f07aaa"));
  const auto list = bench.get<Answer<Json::Array>>(answer(R"([{"ID":"a","LockDelay":15000000000}])", 32),
                                                   [&](auto d) { client.session_list({}, d); });
  REQUIRE_OK(list);
  const auto row = parse_json(R"({"ID":"a","LockDelay":15000000000})", "row");
  CHECK(*list == Answer<Json::Array>{{*row}, 32});
  bench.transport.script(answer("Session id 'x' not found", 0, 404));
  CHECK_ERROR(await_done(bench.executor, [&](auto d) { client.session_renew("x", {}, d); }), ErrorKind::kNotFound,
              "PUT /v1/session/renew/x: status 404: Session id 'x' not found");
}

}  // namespace
}  // namespace convergence::test
