// What the client sends, compared whole: method, path, query, body, deadline.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kWait = milliseconds(1500);
constexpr Duration kLong = minutes(5);
const auto kIgnore = [](const auto&) {};

struct Case {
  const char* name;
  std::function<void(ConsulClient&)> call;
  std::string method;
  std::string target;
  std::string body = {};  // JSON bodies are compared as JSON
  Duration span = seconds(30);
};

ReadOptions blocking(std::uint64_t index, Duration wait) {
  ReadOptions options;
  options.wait_index = index;
  options.wait = wait;
  return options;
}

std::vector<Case> kv_cases() {
  ReadOptions every;
  every.datacenter = "dc 2";
  every.namespace_name = "team/a";
  every.consistency = Consistency::kStale;
  every.filter = "Service.Meta.version == \"v2\"";
  every.wait_index = 18446744073709551615U;
  every.wait = milliseconds(1500);
  every.timeout = seconds(7);
  ReadOptions consistent;
  consistent.consistency = Consistency::kConsistent;
  WriteOptions write;
  write.datacenter = "dc2";
  write.namespace_name = "ns1";
  write.timeout = seconds(3);
  return {
      {"a plain key", [](auto& c) { c.kv_get("a/b", {}, kIgnore); }, "GET", "/v1/kv/a/b"},
      {"a key that needs encoding", [](auto& c) { c.kv_get("a b/c#d?e&f=g%h+i\xC3\xA9", {}, kIgnore); }, "GET",
       "/v1/kv/a%20b/c%23d%3Fe%26f%3Dg%25h%2Bi%C3%A9"},
      {"a key with a slash at its end", [](auto& c) { c.kv_get("a/", {}, kIgnore); }, "GET", "/v1/kv/a/"},
      {"dots within a segment", [](auto& c) { c.kv_get("a/..b/.c/d.", {}, kIgnore); }, "GET", "/v1/kv/a/..b/.c/d."},
      {"every read option", [=](auto& c) { c.kv_get("k", every, kIgnore); }, "GET",
       "/v1/kv/k?dc=dc%202&ns=team/a&stale=&filter=Service.Meta.version%20%3D%3D%20%22v2%22"
       "&index=18446744073709551615&wait=1.5s",
       "", seconds(7) + kWait + kWait / 16},
      {"consistent", [=](auto& c) { c.kv_get("k", consistent, kIgnore); }, "GET", "/v1/kv/k?consistent="},
      {"recurse", [](auto& c) { c.kv_recurse("p/", blocking(7, minutes(5)), kIgnore); }, "GET",
       "/v1/kv/p/?recurse=&index=7&wait=5m0s", "", seconds(30) + kLong + kLong / 16},
      {"recurse over everything", [](auto& c) { c.kv_recurse("", {}, kIgnore); }, "GET", "/v1/kv/?recurse="},
      {"keys", [](auto& c) { c.kv_keys("p", {}, kIgnore); }, "GET", "/v1/kv/p?keys="},
      {"put",
       [=](auto& c) {
         c.kv_put({"k", "v\n\x01", 0, {}, "", ""}, write, kIgnore);
       },
       "PUT", "/v1/kv/k?dc=dc2&ns=ns1", "v\n\x01", seconds(3)},
      {"put with flags and compare-and-set",
       [](auto& c) {
         c.kv_put({"k", "", 42, 0, "", ""}, {}, kIgnore);
       },
       "PUT", "/v1/kv/k?flags=42&cas=0"},
      {"acquire",
       [](auto& c) {
         c.kv_put({"k", "v", 0, {}, "s-1", ""}, {}, kIgnore);
       },
       "PUT", "/v1/kv/k?acquire=s-1", "v"},
      {"release",
       [](auto& c) {
         c.kv_put({"k", "v", 0, {}, "", "s-1"}, {}, kIgnore);
       },
       "PUT", "/v1/kv/k?release=s-1", "v"},
      {"delete", [](auto& c) { c.kv_delete("k", {}, {}, kIgnore); }, "DELETE", "/v1/kv/k"},
      {"delete with compare-and-set", [](auto& c) { c.kv_delete("k", 9, {}, kIgnore); }, "DELETE", "/v1/kv/k?cas=9"},
      {"delete a tree", [](auto& c) { c.kv_delete_tree("p/", {}, kIgnore); }, "DELETE", "/v1/kv/p/?recurse="},
  };
}

std::vector<Case> catalog_cases() {
  return {
      {"nodes", [](auto& c) { c.catalog_nodes({}, kIgnore); }, "GET", "/v1/catalog/nodes"},
      {"services", [](auto& c) { c.catalog_services(blocking(3, seconds(10)), kIgnore); }, "GET",
       "/v1/catalog/services?index=3&wait=10s", "", seconds(40) + Duration(seconds(10)) / 16},
      {"register in the catalog",
       [](auto& c) {
         c.catalog_register(Json(Json::Object{{"Node", "n"}, {"Address", "10.0.0.1"}}), {}, kIgnore);
       },
       "PUT", "/v1/catalog/register", R"({"Node":"n","Address":"10.0.0.1"})"},
      {"deregister from the catalog",
       [](auto& c) {
         c.catalog_deregister(Json(Json::Object{{"Node", "n"}}), {}, kIgnore);
       },
       "PUT", "/v1/catalog/deregister", R"({"Node":"n"})"},
      {"health of a service", [](auto& c) { c.health_service("web/1", {}, kIgnore); }, "GET",
       "/v1/health/service/web%2F1"},
      {"health of a node", [](auto& c) { c.health_node("n1", {}, kIgnore); }, "GET", "/v1/health/node/n1"},
      {"health by state", [](auto& c) { c.health_state("critical", {}, kIgnore); }, "GET", "/v1/health/state/critical"},
      {"the leader", [](auto& c) { c.status_leader(kIgnore); }, "GET", "/v1/status/leader"},
  };
}

ServiceInstance web() {
  ServiceInstance instance;
  instance.node = "not the agent's business";
  instance.id = "web-blue";
  instance.service = "web";
  instance.tags = {"a", "b"};
  instance.address = "10.0.0.9";
  instance.port = 8080;
  instance.meta = {{"version", "1.0"}};
  instance.weights = {2, 1};
  instance.create_index = 5;
  instance.modify_index = 6;
  return instance;
}

std::vector<CheckDefinition> web_checks() {
  CheckDefinition http;
  http.id = "web-blue:http";
  http.name = "http";
  http.http = "http://10.0.0.9:8080/health";
  http.interval = seconds(10);
  http.timeout = milliseconds(500);
  http.unknown = {{"Method", "HEAD"}};
  CheckDefinition ttl;
  ttl.name = "ttl";
  ttl.ttl = minutes(1);
  ttl.deregister_critical_service_after = minutes(90);
  CheckDefinition tcp;
  tcp.id = "t";
  tcp.name = "tcp";
  tcp.tcp = "10.0.0.9:8080";
  tcp.interval = seconds(1);
  return {http, ttl, tcp};
}

std::vector<Case> agent_cases() {
  return {
      {"self", [](auto& c) { c.agent_self(kIgnore); }, "GET", "/v1/agent/self"},
      {"the agent's services",
       [](auto& c) {
         ReadOptions options;
         options.filter = "ID == \"a\"";
         c.agent_services(options, kIgnore);
       },
       "GET", "/v1/agent/services?filter=ID%20%3D%3D%20%22a%22"},
      {"the agent's checks", [](auto& c) { c.agent_checks({}, kIgnore); }, "GET", "/v1/agent/checks"},
      {"register on the agent", [](auto& c) { c.agent_service_register(web(), web_checks(), kIgnore); }, "PUT",
       "/v1/agent/service/register?replace-existing-checks=true",
       R"({"ID":"web-blue","Name":"web","Tags":["a","b"],"Address":"10.0.0.9","Port":8080,"Meta":{"version":"1.0"},
          "Weights":{"Passing":2,"Warning":1},"EnableTagOverride":false,"Checks":[
          {"CheckID":"web-blue:http","Name":"http","HTTP":"http://10.0.0.9:8080/health","Interval":"10s",
           "Timeout":"500ms","Method":"HEAD"},
          {"CheckID":"web-blue:ttl","Name":"ttl","TTL":"1m0s","DeregisterCriticalServiceAfter":"1h30m0s"},
          {"CheckID":"t","Name":"tcp","TCP":"10.0.0.9:8080","Interval":"1s"}]})"},
      {"deregister from the agent", [](auto& c) { c.agent_service_deregister("web blue", kIgnore); }, "PUT",
       "/v1/agent/service/deregister/web%20blue"},
      {"a check of its own", [](auto& c) { c.agent_check_register(web_checks()[1], "web-blue", kIgnore); }, "PUT",
       "/v1/agent/check/register",
       R"({"ID":"web-blue:ttl","Name":"ttl","TTL":"1m0s","DeregisterCriticalServiceAfter":"1h30m0s",
          "ServiceID":"web-blue"})"},
      {"a check of the node", [](auto& c) { c.agent_check_register(web_checks()[1], "", kIgnore); }, "PUT",
       "/v1/agent/check/register",
       R"({"ID":"ttl","Name":"ttl","TTL":"1m0s","DeregisterCriticalServiceAfter":"1h30m0s"})"},
      {"a check goes", [](auto& c) { c.agent_check_deregister("c/1", kIgnore); }, "PUT",
       "/v1/agent/check/deregister/c%2F1"},
      {"a check's status", [](auto& c) { c.agent_check_update("c", CheckStatus::kWarning, "slow \"disk\"", kIgnore); },
       "PUT", "/v1/agent/check/update/c", R"({"Status":"warning","Output":"slow \"disk\""})"},
  };
}

std::vector<Case> config_cases() {
  ConfigEntry entry;
  entry.kind = kServiceSplitter;
  entry.name = "api";
  entry.meta = {{"managed-by", "convergence"}};
  ServiceSplitter splitter;
  Split one;
  one.weight = 10000;
  one.service_subset = "v1";
  splitter.splits = {one};
  splitter.unknown = {{"Later", true}};
  entry.body = splitter;
  entry.create_index = 3;
  entry.modify_index = 4;
  const std::string text = R"({"Kind":"service-splitter","Name":"api","Meta":{"managed-by":"convergence"},
      "Splits":[{"Weight":100,"ServiceSubset":"v1"}],"Later":true})";
  return {
      {"an entry", [](auto& c) { c.config_get("service-router", "api", {}, kIgnore); }, "GET",
       "/v1/config/service-router/api"},
      {"the entries of a kind", [](auto& c) { c.config_list("service-router", {}, kIgnore); }, "GET",
       "/v1/config/service-router"},
      {"the entries of every kind", [](auto& c) { c.config_list_all({}, kIgnore); }, "GET", "/v1/config/"},
      {"put an entry", [=](auto& c) { c.config_put(entry, {}, {}, kIgnore); }, "PUT", "/v1/config", text},
      {"put an entry with compare-and-set", [=](auto& c) { c.config_put(entry, 4, {}, kIgnore); }, "PUT",
       "/v1/config?cas=4", text},
      {"delete an entry", [](auto& c) { c.config_delete("service-router", "api", {}, {}, kIgnore); }, "DELETE",
       "/v1/config/service-router/api"},
      {"a chain", [](auto& c) { c.discovery_chain("api", {}, kIgnore); }, "GET", "/v1/discovery-chain/api"},
  };
}

std::vector<Case> session_cases() {
  SessionRequest request;
  request.name = "leader";
  request.node = "n1";
  request.checks = {"serfHealth", "disk"};
  request.ttl = seconds(10);
  request.lock_delay = Duration(0);
  request.delete_on_release = true;
  return {
      {"a transaction",
       [](auto& c) {
         c.txn({{Json(Json::Object{{"KV", Json(Json::Object{{"Verb", "get"}, {"Key", "k"}})}})}}, {}, kIgnore);
       },
       "PUT", "/v1/txn", R"([{"KV":{"Verb":"get","Key":"k"}}])"},
      {"an empty transaction", [](auto& c) { c.txn({}, {}, kIgnore); }, "PUT", "/v1/txn", "[]"},
      {"a session with everything", [=](auto& c) { c.session_create(request, {}, kIgnore); }, "PUT",
       "/v1/session/create",
       R"({"Name":"leader","Node":"n1","Checks":["serfHealth","disk"],"TTL":"10s","LockDelay":"0s",
          "Behavior":"delete"})"},
      {"a session with nothing", [](auto& c) { c.session_create({}, {}, kIgnore); }, "PUT", "/v1/session/create",
       R"({"Name":"","LockDelay":"15s","Behavior":"release"})"},
      {"renew", [](auto& c) { c.session_renew("s-1", {}, kIgnore); }, "PUT", "/v1/session/renew/s-1"},
      {"destroy", [](auto& c) { c.session_destroy("s-1", {}, kIgnore); }, "PUT", "/v1/session/destroy/s-1"},
      {"list", [](auto& c) { c.session_list({}, kIgnore); }, "GET", "/v1/session/list"},
  };
}

Json as_json(const std::string& body) {
  const absl::StatusOr<Json> json = parse_json(body, "body");
  return json.ok() ? *json : Json(body);
}

void check_cases(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      SimulatedExecutor executor;
      ScriptedTransport transport(executor);
      ConsulClient client(executor, transport);
      HttpRequest expected;
      expected.method = c.method;
      expected.target = c.target;
      expected.deadline = executor.now() + c.span;
      c.call(client);
      REQUIRE(transport.requests.size() == 1);
      HttpRequest& sent = transport.requests[0];
      CHECK(as_json(sent.body) == as_json(c.body));
      CAPTURE(sent.body);
      CHECK(sent.target == c.target);
      sent.body.clear();
      CHECK(sent == expected);
    }
  }
}

TEST_CASE("what is sent: KV") { check_cases(kv_cases()); }
TEST_CASE("what is sent: catalog, health, status") { check_cases(catalog_cases()); }
TEST_CASE("what is sent: agent") { check_cases(agent_cases()); }
TEST_CASE("what is sent: config entries") { check_cases(config_cases()); }
TEST_CASE("what is sent: transactions and sessions") { check_cases(session_cases()); }

TEST_CASE("what a path cannot name is refused, and nothing is sent") {
  struct Refusal {
    const char* name;
    std::function<void(ConsulClient&, ConsulClient::Done)> call;
    const char* fragment;
  };
  const auto status = [](const ConsulClient::Done& done) {
    return [done](const auto& result) { done(status_of(result)); };
  };
  const Refusal refusals[] = {
      {"empty key", [=](auto& c, auto d) { c.kv_get("", {}, status(d)); }, "empty key"},
      {"key that begins with a slash", [=](auto& c, auto d) { c.kv_get("/a", {}, status(d)); }, "\"/a\""},
      {"key with an empty segment",
       [=](auto& c, auto d) {
         c.kv_put({"a//b", "v", 0, {}, "", ""}, {}, status(d));
       },
       "\"a//b\": a path cannot have an empty"},
      {"key with a dot segment", [=](auto& c, auto d) { c.kv_delete("a/./b", {}, {}, status(d)); }, "a/./b"},
      {"key that leads up", [=](auto& c, auto d) { c.kv_delete_tree("a/..", {}, status(d)); }, "a/.."},
      {"key that is only a slash", [=](auto& c, auto d) { c.kv_recurse("/", {}, status(d)); }, "\"/\""},
      {"empty service", [=](auto& c, auto d) { c.health_service("", {}, status(d)); }, "empty name"},
      {"empty entry name", [=](auto& c, auto d) { c.config_get("service-router", "", {}, status(d)); }, "empty name"},
      {"empty kind", [=](auto& c, auto d) { c.config_list("", {}, status(d)); }, "empty name"},
      {"a name that leads up", [=](auto& c, auto d) { c.agent_service_deregister("..", d); }, "no path can name"},
      {"deletion with compare-and-set", [=](auto& c, auto d) { c.config_delete("k", "", 3, {}, status(d)); },
       "empty name"},
  };
  for (const Refusal& refusal : refusals) {
    SUBCASE(refusal.name) {
      SimulatedExecutor executor;
      ScriptedTransport transport(executor);
      ConsulClient client(executor, transport);
      std::vector<absl::Status> results;
      refusal.call(client, [&](const absl::Status& result) { results.push_back(result); });
      CHECK(results.empty());
      executor.run_ready();
      REQUIRE(results.size() == 1);
      CHECK_ERROR(results[0], ErrorKind::kUsage, refusal.fragment);
      CHECK(transport.requests.empty());
    }
  }
}

TEST_CASE("64 operations go into one transaction, 65 into none") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  const TxnOperation get{Json(Json::Object{{"KV", Json(Json::Object{{"Verb", "get"}, {"Key", "k"}})}})};
  absl::StatusOr<TxnResult> result;
  client.txn(std::vector<TxnOperation>(65, get), {}, [&](auto r) { result = std::move(r); });
  executor.run_ready();
  CHECK_ERROR(result, ErrorKind::kUsage, "65 operations; at most 64");
  CHECK(transport.requests.empty());
  client.txn(std::vector<TxnOperation>(64, get), {}, kIgnore);
  CHECK(transport.requests.size() == 1);
}

TEST_CASE("deletion of an entry with compare-and-set reads it right before") {
  struct Deletion {
    const char* name;
    HttpResponse read;
    std::size_t sent;
    absl::StatusOr<bool> result;
  };
  const std::string entry = R"({"Kind":"service-defaults","Name":"web","Protocol":"http","MeshGateway":{},"Expose":{},)"
                            R"("CreateIndex":3,"ModifyIndex":7})";
  const Deletion deletions[] = {
      {"the same index", answer(entry, 9), 2, true},
      {"another index", answer(R"({"Kind":"service-defaults","Name":"web","CreateIndex":3,"ModifyIndex":8})", 9), 1,
       false},
      {"absent", answer("Config entry not found", 9, 404), 1, true},
  };
  for (const Deletion& deletion : deletions) {
    SUBCASE(deletion.name) {
      SimulatedExecutor executor;
      ScriptedTransport transport(executor);
      ConsulClient client(executor, transport);
      transport.script(deletion.read);
      transport.script(answer("{}"));
      WriteOptions options;
      options.datacenter = "dc2";
      const absl::StatusOr<bool> result =
          await<bool>(executor, [&](auto done) { client.config_delete("service-defaults", "web", 7, options, done); });
      CHECK(result == deletion.result);
      REQUIRE(transport.requests.size() == deletion.sent);
      CHECK(transport.requests[0].method == "GET");
      CHECK(transport.requests[0].target == "/v1/config/service-defaults/web?dc=dc2&consistent=");
      if (deletion.sent < 2) continue;
      CHECK(transport.requests[1].method == "DELETE");
      CHECK(transport.requests[1].target == "/v1/config/service-defaults/web?cas=7&dc=dc2");
    }
  }
}

}  // namespace
}  // namespace convergence::test
