#include "tests/support/memory_bench.h"

namespace convergence {
namespace {

using test::check_exchanges;

TEST_CASE("embedded Consul: key-value") { check_exchanges(test::memory_kv_cases()); }
TEST_CASE("embedded Consul: sessions and locks") { check_exchanges(test::memory_session_cases()); }
TEST_CASE("embedded Consul: transactions") { check_exchanges(test::memory_txn_cases()); }
TEST_CASE("embedded Consul: catalog") { check_exchanges(test::memory_catalog_cases()); }
TEST_CASE("embedded Consul: health") { check_exchanges(test::memory_health_cases()); }
TEST_CASE("embedded Consul: filters") { check_exchanges(test::memory_filter_cases()); }
TEST_CASE("embedded Consul: agent") { check_exchanges(test::memory_agent_cases()); }
TEST_CASE("embedded Consul: config entries and chains") { check_exchanges(test::memory_config_cases()); }
TEST_CASE("embedded Consul: paths, methods and parameters") { check_exchanges(test::memory_router_cases()); }
TEST_CASE("embedded Consul: answers that no real server gives") { check_exchanges(test::memory_own_cases()); }

// Headers that the summaries above leave out.
TEST_CASE("embedded Consul: headers") {
  struct Case {
    const char* name;
    const char* request;
    HeaderList headers;
  };
  const std::vector<Case> cases = {
      {"a write", "PUT /v1/kv/a x", {{"content-type", "application/json"}}},
      {"a key",
       "GET /v1/kv/a",
       {{"content-type", "application/json"},
        {"x-consul-index", "3"},
        {"x-consul-knownleader", "true"},
        {"x-consul-lastcontact", "0"}}},
      {"a key's bytes",
       "GET /v1/kv/a?raw",
       {{"content-security-policy", "sandbox"},
        {"content-type", "text/plain"},
        {"x-content-type-options", "nosniff"},
        {"x-consul-index", "3"},
        {"x-consul-knownleader", "true"},
        {"x-consul-lastcontact", "0"}}},
      {"an absent key",
       "GET /v1/kv/no",
       {{"x-consul-index", "3"}, {"x-consul-knownleader", "true"}, {"x-consul-lastcontact", "0"}}},
      {"the catalog",
       "GET /v1/catalog/nodes?node-meta=a:b&stale",
       {{"content-type", "application/json"},
        {"x-consul-effective-consistency", "stale"},
        {"x-consul-index", "2"},
        {"x-consul-knownleader", "true"},
        {"x-consul-lastcontact", "0"}}},
      {"a failed read of the catalog",
       "GET /v1/health/service/web?filter=bad((",
       {{"content-type", "text/plain; charset=utf-8"},
        {"x-consul-index", "1"},
        {"x-consul-knownleader", "false"},
        {"x-consul-lastcontact", "0"}}},
      {"a failed read of a session",
       "GET /v1/session/info/x",
       {{"content-type", "text/plain; charset=utf-8"},
        {"x-consul-index", "1"},
        {"x-consul-knownleader", "false"},
        {"x-consul-lastcontact", "0"}}},
      {"a transaction that reads",
       R"(PUT /v1/txn [])",
       {{"content-type", "application/json"}, {"x-consul-knownleader", "true"}, {"x-consul-lastcontact", "0"}}},
      {"an agent's write", R"(PUT /v1/agent/service/register {"Name":"web"})", {}},
      {"a wrong method",
       "DELETE /v1/config",
       {{"content-type", "text/plain; charset=utf-8"}, {"allow", "OPTIONS,PUT"}}},
      {"a redirect", "GET /v1/kv//x", {{"content-type", "text/html; charset=utf-8"}, {"location", "/v1/kv/x"}}},
  };
  for (const Case& one : cases) {
    SUBCASE(one.name) {
      test::MemoryBench bench;
      bench.ask("PUT /v1/kv/a x");
      CHECK(bench.ask(one.request).headers == one.headers);
    }
  }
}

TEST_CASE("embedded Consul: what is too large") {
  test::MemoryBench bench;
  HttpRequest request = test::MemoryBench::request("PUT /v1/kv/a");
  request.body.assign(512 * 1024, 'x');
  CHECK(apply(bench.state, bench.now, 1, request).answers.at(0).response.body == "true");
  request.body += 'x';
  CHECK(test::summary(apply(bench.state, bench.now, 1, request).answers.at(0).response) ==
        "413 Request body(524289 bytes) too large, max size: 524288 bytes. See "
        "https://www.consul.io/docs/agent/options.html#kv_max_value_size.");
  std::string operations;
  for (int i = 0; i < 64; ++i) operations += std::string(i == 0 ? "" : ",") + R"({"KV":{"Verb":"set","Key":"k"}})";
  CHECK(bench.ask("PUT /v1/txn [" + operations + "]").status == 200);
  CHECK(test::summary(bench.ask("PUT /v1/txn [" + operations + R"(,{"KV":{"Verb":"set","Key":"k"}}])")) ==
        "413 Transaction contains too many operations (65 > 64)");
  CHECK(bench.ask("PUT /v1/txn " + std::string(512 * 1024 + 1, ' ')).status == 413);
}

TEST_CASE("embedded Consul: another node and datacenter") {
  test::MemoryBench bench;
  bench.state.node_name = "here";
  ClusterIdentity cluster;
  cluster.datacenter = "east";
  bench.state.entries = ConfigEntries(cluster);
  CHECK(bench.ask("GET /v1/catalog/datacenters").body == R"(["east"])");
  CHECK(bench.ask("GET /v1/kv/a?dc=east").status == 404);
  CHECK(bench.ask("GET /v1/kv/a?dc=dc1").body == "No path to datacenter");
  CHECK(bench.ask(R"(PUT /v1/agent/service/register {"Name":"web"})").status == 200);
  CHECK(bench.state.services.count({"here", "web"}) == 1);
  CHECK(bench.state.nodes.at("here").datacenter == "east");
}

}  // namespace
}  // namespace convergence
