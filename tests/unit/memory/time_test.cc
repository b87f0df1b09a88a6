#include "tests/support/memory_bench.h"

namespace convergence {
namespace {

using std::chrono::seconds;
using test::MemoryBench;
using test::summary;

constexpr const char* kFirst = "c0de0000-0000-4000-8000-000000000001";

TEST_CASE("a session expires at its TTL, and what it held is free after the lock delay") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/session/create {"TTL":"10s","LockDelay":"5s"})");
  bench.ask("PUT /v1/session/create");
  bench.ask(std::string("PUT /v1/kv/lock?acquire=") + kFirst + " one");
  REQUIRE_FALSE(bench.start("GET /v1/kv/lock?index=5").has_value());
  const std::uint64_t watcher = bench.last_id;
  bench.pass(seconds(10) - Duration(1));
  CHECK(bench.answers.empty());
  bench.pass(Duration(1));
  REQUIRE(bench.answer_to(watcher).has_value());
  CHECK(summary(*bench.answer_to(watcher)) ==
        R"(200 #6 [{"LockIndex":1,"Key":"lock","Flags":0,"Value":"b25l","CreateIndex":5,"ModifyIndex":6}])");
  const char* acquire = "PUT /v1/kv/lock?acquire=c0de0000-0000-4000-8000-000000000002 two";
  CHECK(bench.ask(acquire).body == "false");
  bench.now += seconds(5) - Duration(1);
  CHECK(bench.ask(acquire).body == "false");
  bench.now += Duration(1);
  CHECK(bench.ask(acquire).body == "true");
  CHECK(bench.state.sessions.size() == 1);
}

TEST_CASE("a session that is renewed lives on") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/session/create {"TTL":"10s"})");
  for (int i = 0; i < 5; ++i) {
    bench.now += seconds(9);
    CHECK(bench.ask(std::string("PUT /v1/session/renew/") + kFirst).status == 200);
  }
  CHECK((next_deadline(bench.state) == bench.now + seconds(10)));
  bench.pass(seconds(10));
  CHECK(bench.state.sessions.empty());
  CHECK(bench.ask(std::string("PUT /v1/session/renew/") + kFirst).status == 404);
  CHECK((next_deadline(bench.state) == kNever));
}

TEST_CASE("lock delays are capped at a minute") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/session/create {"LockDelay":"10m"})");
  bench.ask("PUT /v1/session/create");
  bench.ask(std::string("PUT /v1/kv/lock?acquire=") + kFirst + " one");
  bench.ask(std::string("PUT /v1/session/destroy/") + kFirst);
  bench.now += seconds(60);
  CHECK(bench.ask("PUT /v1/kv/lock?acquire=c0de0000-0000-4000-8000-000000000002 two").body == "true");
}

TEST_CASE("a session that deletes takes its keys when it expires") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/session/create {"TTL":"10s","Behavior":"delete"})");
  bench.ask(std::string("PUT /v1/kv/a?acquire=") + kFirst + " one");
  bench.ask("PUT /v1/kv/b plain");
  bench.pass(seconds(10));
  CHECK(summary(bench.ask("GET /v1/kv/?keys")) == R"(200 #6 ["b"])");
  CHECK(bench.state.held_keys.empty());
}

TEST_CASE("expiries are writes of their own, each at its time") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/session/create {"TTL":"30s"})");
  bench.ask(R"(PUT /v1/session/create {"TTL":"10s"})");
  bench.ask(R"(PUT /v1/session/create {"TTL":"20s"})");
  bench.pass(seconds(20));
  CHECK(bench.state.sessions.size() == 1);
  CHECK(bench.state.sessions.count(kFirst) == 1);
  CHECK(summary(bench.ask("GET /v1/session/node/nope")) == "200 #7 []");
}

TEST_CASE("a TTL check that is not fed turns critical, once") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/agent/service/register {"Name":"web","Check":{"TTL":"10s"}})");
  bench.ask("PUT /v1/agent/check/pass/service:web?note=fine");
  CHECK(summary(bench.ask("GET /v1/health/service/web?passing&tag=none")) == "200 #4 []");
  REQUIRE_FALSE(bench.start("GET /v1/health/service/web?passing&index=4").has_value());
  const std::uint64_t watcher = bench.last_id;
  bench.now += seconds(9);
  bench.ask("PUT /v1/agent/check/pass/service:web?note=fine");
  bench.pass(seconds(10) - Duration(1));
  CHECK_FALSE(bench.answer_to(watcher).has_value());
  bench.pass(Duration(1));
  REQUIRE(bench.answer_to(watcher).has_value());
  CHECK(summary(*bench.answer_to(watcher)) == "200 #5 []");
  CHECK(bench.state.agent_checks.at("service:web").check.output ==
        "TTL expired (last output before timeout follows): fine");
  CHECK((next_deadline(bench.state) == kNever));
  bench.ask("PUT /v1/agent/check/pass/service:web");
  CHECK((next_deadline(bench.state) == bench.now + seconds(10)));
}

TEST_CASE("a TTL check that expires before it was ever fed says so") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/agent/check/register {"Name":"mem","TTL":"10s","Status":"passing"})");
  bench.pass(seconds(10));
  CHECK(
      summary(bench.ask("GET /v1/health/state/critical")) ==
      R"(200 #4 [{"Node":"memory","CheckID":"mem","Name":"mem","Status":"critical","Notes":"","Output":"TTL expired",)"
      R"("ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"ttl","Definition":{},"CreateIndex":3,)"
      R"("ModifyIndex":4}])");
}

TEST_CASE("checks of other kinds and checks that are gone never expire") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/agent/check/register {"Name":"h","HTTP":"http://x","Interval":"1s","Status":"passing"})");
  bench.ask(R"(PUT /v1/agent/check/register {"Name":"mem","TTL":"10s"})");
  bench.ask("PUT /v1/agent/check/deregister/mem");
  CHECK((next_deadline(bench.state) == kNever));
  bench.pass(std::chrono::hours(24));
  CHECK(bench.state.checks.at({"memory", "h"}).status == "passing");
}

TEST_CASE("an expired check takes the sessions that stand on it") {
  MemoryBench bench;
  bench.ask(R"(PUT /v1/agent/check/register {"Name":"mem","TTL":"10s","Status":"passing"})");
  bench.ask(R"(PUT /v1/session/create {"NodeChecks":["mem"]})");
  bench.ask(std::string("PUT /v1/kv/lock?acquire=") + kFirst + " one");
  bench.pass(seconds(10));
  CHECK(bench.state.sessions.empty());
  CHECK(bench.state.kv.at("lock").session.empty());
}

}  // namespace
}  // namespace convergence
