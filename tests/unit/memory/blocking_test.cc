#include "tests/support/memory_bench.h"

namespace convergence {
namespace {

using test::MemoryBench;
using test::summary;

// A query that is parked after `before`, and what `write` makes of it.
struct WakeCase {
  const char* name;
  std::vector<const char*> before;
  const char* query;  // with ?index= so that it is parked
  const char* write;
  const char* answer;  // null: the query stays parked
};

TEST_CASE("parked queries wake for what they read and sleep on otherwise") {
  const std::vector<WakeCase> cases = {
      {"a key that is written", {"PUT /v1/kv/a 1"}, "GET /v1/kv/a?index=3&raw", "PUT /v1/kv/a 2", "200 #4 2"},
      {"a key that is deleted", {"PUT /v1/kv/a 1"}, "GET /v1/kv/a?index=3", "DELETE /v1/kv/a", "404 #4"},
      {"a key that goes with its tree",
       {"PUT /v1/kv/a/b 1"},
       "GET /v1/kv/a/b?index=3",
       "DELETE /v1/kv/a?recurse",
       "404 #4"},
      {"a key that is written as it was", {"PUT /v1/kv/a 1"}, "GET /v1/kv/a?index=3", "PUT /v1/kv/a 1", nullptr},
      {"a key while another is written", {"PUT /v1/kv/a 1"}, "GET /v1/kv/a?index=3", "PUT /v1/kv/ab 1", nullptr},
      {"a key while a condition fails", {"PUT /v1/kv/a 1"}, "GET /v1/kv/a?index=3", "PUT /v1/kv/a?cas=1 2", nullptr},
      {"a key that a transaction writes",
       {"PUT /v1/kv/a 1"},
       "GET /v1/kv/a?index=3&raw",
       R"(PUT /v1/txn [{"KV":{"Verb":"set","Key":"a","Value":"eA=="}}])",
       "200 #4 x"},
      {"a key that a failed transaction had written",
       {"PUT /v1/kv/a 1"},
       "GET /v1/kv/a?index=3&raw",
       R"(PUT /v1/txn [{"KV":{"Verb":"set","Key":"a","Value":"eA=="}},{"KV":{"Verb":"get","Key":"no"}}])",
       nullptr},
      {"an absent key that comes", {"PUT /v1/kv/b 1"}, "GET /v1/kv/a?index=3&raw", "PUT /v1/kv/a 2", "200 #4 2"},
      {"an absent key while another is written: as the server, it wakes",
       {"PUT /v1/kv/b 1"},
       "GET /v1/kv/a?index=3",
       "PUT /v1/kv/b 2",
       "404 #4"},
      {"a prefix below which one is written",
       {"PUT /v1/kv/p/a 1"},
       "GET /v1/kv/p/?keys&index=3",
       "PUT /v1/kv/p/b 1",
       R"(200 #4 ["p/a","p/b"])"},
      {"a prefix below which one is deleted",
       {"PUT /v1/kv/p/a 1", "PUT /v1/kv/p/b 1"},
       "GET /v1/kv/p/?keys&index=4",
       "DELETE /v1/kv/p/a",
       R"(200 #5 ["p/b"])"},
      {"a prefix while others are written",
       {"PUT /v1/kv/p/a 1"},
       "GET /v1/kv/p/?recurse&index=3",
       "PUT /v1/kv/q 1",
       nullptr},
      {"an empty prefix wakes at every write",
       {"PUT /v1/kv/a 1"},
       "GET /v1/kv/p/?keys&index=3",
       "PUT /v1/kv/a 2",
       "404 #4"},
      {"a lock that is released",
       {"PUT /v1/session/create", "PUT /v1/kv/a?acquire=c0de0000-0000-4000-8000-000000000001 me"},
       "GET /v1/kv/a?index=4",
       "PUT /v1/session/destroy/c0de0000-0000-4000-8000-000000000001",
       R"(200 #5 [{"LockIndex":1,"Key":"a","Flags":0,"Value":"bWU=","CreateIndex":4,"ModifyIndex":5}])"},
      {"sessions",
       {},
       "GET /v1/session/list?index=1",
       "PUT /v1/session/create",
       R"(200 #3 [{"ID":"c0de0000-0000-4000-8000-000000000001","Name":"","Node":"memory","LockDelay":15000000000,)"
       R"("Behavior":"release","TTL":"","NodeChecks":["serfHealth"],"ServiceChecks":null,"CreateIndex":3,)"
       R"("ModifyIndex":3}])"},
      {"sessions while a key is written", {}, "GET /v1/session/list?index=1", "PUT /v1/kv/a 1", nullptr},
      {"nodes",
       {},
       "GET /v1/catalog/nodes?node-meta=a:b&index=2",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1"})",
       "200 #3 []"},
      {"nodes while a service comes",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1"})"},
       "GET /v1/catalog/nodes?index=3",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})",
       nullptr},
      {"the list of services",
       {},
       "GET /v1/catalog/services?index=2",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})",
       R"(200 #3 {"consul":[],"web":[]})"},
      {"a service whose check changes",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"},"Check":{"Name":"c",)"
        R"("ServiceID":"web","Status":"passing"}})"},
       "GET /v1/health/service/web?passing&index=3",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Check":{"Name":"c","ServiceID":"web"}})",
       "200 #4 []"},
      {"a service whose registration is told again",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})"},
       "GET /v1/health/service/web?index=3",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})",
       nullptr},
      {"a service while another comes",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})"},
       "GET /v1/health/service/web?index=3",
       R"(PUT /v1/catalog/register {"Node":"n2","Address":"1","Service":{"Service":"api"}})",
       nullptr},
      {"a service that loses its last instance",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"web"}})"},
       "GET /v1/health/service/web?index=3",
       R"(PUT /v1/catalog/deregister {"Node":"n1"})",
       "200 #4 []"},
      {"an absent service while another comes: as the server, it wakes",
       {},
       "GET /v1/health/service/web?index=2",
       R"(PUT /v1/catalog/register {"Node":"n2","Address":"1","Service":{"Service":"api"}})",
       "200 #3 []"},
      {"an absent service once one has died out sleeps until the next does",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"old"}})",
        R"(PUT /v1/catalog/deregister {"Node":"n1"})"},
       "GET /v1/health/service/web?index=4",
       R"(PUT /v1/catalog/register {"Node":"n2","Address":"1","Service":{"Service":"api"}})",
       nullptr},
      {"an absent service that comes after one has died out",
       {R"(PUT /v1/catalog/register {"Node":"n1","Address":"1","Service":{"Service":"old"}})",
        R"(PUT /v1/catalog/deregister {"Node":"n1"})"},
       "GET /v1/health/service/web?tag=none&index=4",
       R"(PUT /v1/catalog/register {"Node":"n2","Address":"1","Service":{"Service":"web"}})",
       "200 #5 []"},
      {"a node that is not there has index 1 for ever",
       {},
       "GET /v1/catalog/node/n1?index=1",
       R"(PUT /v1/catalog/register {"Node":"n2","Address":"1"})",
       nullptr},
      {"a node that comes",
       {},
       "GET /v1/catalog/node/n1?index=1",
       R"(PUT /v1/catalog/register {"Node":"n1","Address":"1"})",
       R"(200 #3 {"Node":{"ID":"","Node":"n1","Address":"1","Datacenter":"dc1","TaggedAddresses":null,"Meta":null,)"
       R"("CreateIndex":3,"ModifyIndex":3},"Services":{}})"},
      {"config entries",
       {},
       "GET /v1/config/service-resolver?index=1",
       R"(PUT /v1/config {"Kind":"service-defaults","Name":"web","Protocol":"http"})",
       "200 #3 []"},
      {"an entry that is not there",
       {},
       "GET /v1/config/service-defaults/web?index=1",
       R"(PUT /v1/config {"Kind":"service-defaults","Name":"api"})",
       R"(404 #3 Config entry not found for "service-defaults" / "web")"},
      {"entries while a refused one is written",
       {},
       "GET /v1/config/?index=1",
       R"(PUT /v1/config {"Kind":"service-router","Name":"api"})",
       nullptr},
      {"a chain",
       {},
       "GET /v1/discovery-chain/web?index=1",
       R"(PUT /v1/config {"Kind":"service-defaults","Name":"web","Protocol":"http"})",
       R"(200 #3 {"Chain":{"ServiceName":"web","Namespace":"default","Datacenter":"dc1","Protocol":"http","StartNode":)"
       R"("resolver:web.default.dc1","Nodes":{"resolver:web.default.dc1":{"Type":"resolver","Name":"web.default.dc1",)"
       R"("Resolver":{"ConnectTimeout":"5s","Default":true,"Target":"web.default.dc1"}}},"Targets":{"web.default.dc1":)"
       R"({"ID":"web.default.dc1","Service":"web","Namespace":"default","Datacenter":"dc1","MeshGateway":{},"Subset":{},)"
       R"("SNI":"web.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul","Name":)"
       R"("web.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul"}}}})"},
  };
  for (const WakeCase& one : cases) {
    SUBCASE(one.name) {
      MemoryBench bench;
      for (const char* line : one.before) bench.ask(line);
      const std::optional<HttpResponse> at_once = bench.start(one.query);
      INFO("answered at once: ", at_once ? summary(*at_once) : "no");
      REQUIRE_FALSE(at_once.has_value());
      const std::uint64_t parked = bench.last_id;
      bench.ask(one.write);
      const std::optional<HttpResponse> woken = bench.answer_to(parked);
      REQUIRE(woken.has_value() == (one.answer != nullptr));
      if (woken) CHECK(summary(*woken) == one.answer);
      CHECK(bench.state.parked.size() == (woken ? 0u : 1u));
      CHECK(bench.state.watchers.empty() == woken.has_value());
      CHECK(bench.state.timers.empty() == woken.has_value());
    }
  }
}

TEST_CASE("a wait ends when its time is over, not before and not later") {
  struct Case {
    const char* name;
    const char* query;
    Duration wait;
  };
  const std::vector<Case> cases = {
      {"as long as was asked for", "GET /v1/kv/a?index=9&wait=30s", std::chrono::seconds(30)},
      {"five minutes when nothing was said", "GET /v1/kv/a?index=9", std::chrono::minutes(5)},
      {"five minutes for a wait of nothing", "GET /v1/kv/a?index=9&wait=0s", std::chrono::minutes(5)},
      {"ten minutes at most", "GET /v1/kv/a?index=9&wait=1h", std::chrono::minutes(10)},
  };
  for (const Case& one : cases) {
    SUBCASE(one.name) {
      MemoryBench bench;
      bench.ask("PUT /v1/kv/a 1");
      REQUIRE_FALSE(bench.start(one.query).has_value());
      const std::uint64_t parked = bench.last_id;
      CHECK((next_deadline(bench.state) == bench.now + one.wait));
      bench.pass(one.wait - Duration(1));
      CHECK(bench.answers.empty());
      bench.pass(Duration(1));
      REQUIRE(bench.answer_to(parked).has_value());
      CHECK(summary(*bench.answer_to(parked)) ==
            R"(200 #3 [{"LockIndex":0,"Key":"a","Flags":0,"Value":"MQ==","CreateIndex":3,"ModifyIndex":3}])");
      CHECK(bench.state.parked.empty());
      CHECK((next_deadline(bench.state) == kNever));
    }
  }
}

TEST_CASE("a query that wakes for nothing waits for the rest of its time") {
  MemoryBench bench;
  bench.ask("PUT /v1/kv/p/a 1");
  REQUIRE_FALSE(bench.start("GET /v1/kv/p?recurse&index=7&wait=60s").has_value());
  const std::uint64_t parked = bench.last_id;
  bench.now += std::chrono::seconds(40);
  bench.ask("PUT /v1/kv/p/b 1");  // index 4: looked at again, and not enough
  CHECK_FALSE(bench.answer_to(parked).has_value());
  bench.pass(std::chrono::seconds(19));
  CHECK(bench.answers.empty());
  bench.pass(std::chrono::seconds(1));
  CHECK(bench.answer_to(parked).has_value());
}

TEST_CASE("a request finds what time has done before it") {
  MemoryBench bench;
  REQUIRE_FALSE(bench.start("GET /v1/kv/a?index=9&wait=10s").has_value());
  const std::uint64_t parked = bench.last_id;
  bench.now += std::chrono::seconds(11);
  bench.ask("GET /v1/status/leader");
  CHECK(bench.answer_to(parked).has_value());
}

TEST_CASE("one write answers all who wait, by their ids") {
  MemoryBench bench;
  bench.ask("PUT /v1/kv/a 1");
  for (int i = 0; i < 3; ++i) REQUIRE_FALSE(bench.start("GET /v1/kv/a?index=3&raw").has_value());
  bench.ask("PUT /v1/kv/a 2");
  REQUIRE(bench.answers.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(bench.answers[i].id == (i == 0 ? 5 : i + 1));
}

TEST_CASE("what is forgotten is not answered") {
  MemoryBench bench;
  bench.ask("PUT /v1/kv/a 1");
  REQUIRE_FALSE(bench.start("GET /v1/kv/a?index=3").has_value());
  const MemoryConsulState before = bench.state;
  bench.state = forget(std::move(bench.state), 4711);
  CHECK(bench.state == before);
  bench.state = forget(std::move(bench.state), bench.last_id);
  CHECK(bench.state.parked.empty());
  CHECK(bench.state.watchers.empty());
  CHECK((next_deadline(bench.state) == kNever));
  bench.ask("PUT /v1/kv/a 2");
  CHECK(bench.answers.size() == 1);
}

TEST_CASE("a refused query is not parked") {
  for (const char* line :
       {"GET /v1/health/service/web?index=9&filter=bad((", "GET /v1/kv/?index=9", "GET /v1/kv/a?index=9&dc=dc2"}) {
    INFO(line);
    MemoryBench bench;
    CHECK(bench.ask(line).status >= 400);
    CHECK(bench.state.parked.empty());
  }
}

}  // namespace
}  // namespace convergence
