#include <doctest/doctest.h>

#include "convergence/executor.h"
#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/transport_contract.h"

namespace convergence {
namespace {

using std::chrono::seconds;
using test::Results;
using test::TransportWorld;

HttpRequest request(const char* method, const char* target, const char* body = "") {
  HttpRequest out;
  out.method = method;
  out.target = target;
  out.body = body;
  return out;
}

TransportWorld memory_world(std::shared_ptr<Executor> executor, bool any_thread) {
  TransportWorld world;
  world.executor = std::move(executor);
  world.transport = std::make_unique<MemoryConsul>(*world.executor);
  world.prompt = request("GET", "/v1/status/leader");
  world.refused = request("GET", "/v1/kv/");
  world.hanging = request("GET", "/v1/kv/a?index=99&wait=10m");
  world.any_thread = any_thread;
  return world;
}

TEST_CASE("the embedded Consul on a simulated clock keeps the contract of transport.h") {
  // Its longest wait is ten minutes, which a simulated clock jumps over: no hanging request there.
  test::check_transport_contract("memory, simulated", [] {
    TransportWorld world = memory_world(std::make_shared<SimulatedExecutor>(), false);
    world.hanging.reset();
    return world;
  });
}

TEST_CASE("the embedded Consul on a polled loop keeps the contract of transport.h") {
  test::check_transport_contract("memory, loop",
                                 [] { return memory_world(std::shared_ptr<Executor>(new_loop_executor()), true); });
}

TEST_CASE("the embedded Consul on a thread keeps the contract of transport.h") {
  test::check_transport_contract("memory, thread",
                                 [] { return memory_world(std::shared_ptr<Executor>(new_thread_executor()), true); });
}

struct Simulated {
  SimulatedExecutor executor;
  MemoryConsul consul{executor};
  Results results{executor};

  void send(const char* name, HttpRequest what) { consul.send(std::move(what), results.completion(name)); }
};

TEST_CASE("a write answers who waits for it") {
  Simulated s;
  s.send("put", request("PUT", "/v1/kv/a", "1"));
  s.executor.run_ready();
  s.send("watch", request("GET", "/v1/kv/a?index=3&raw"));
  s.executor.run_ready();
  CHECK(s.results.names() == std::vector<std::string>{"put"});
  CHECK(s.consul.state().parked.size() == 1);
  s.send("again", request("PUT", "/v1/kv/a", "2"));
  s.executor.run_ready();
  REQUIRE(s.results.names() == std::vector<std::string>{"put", "again", "watch"});
  REQUIRE_OK(s.results.all()[2].response);
  CHECK(s.results.all()[2].response->body == "2");
}

TEST_CASE("time passes by itself: waits end, sessions expire") {
  Simulated s;
  const Time start = s.executor.now();
  s.send("session", request("PUT", "/v1/session/create", R"({"TTL":"10s","LockDelay":"0s"})"));
  s.send("lock", request("PUT", "/v1/kv/a?acquire=c0de0000-0000-4000-8000-000000000001", "me"));
  s.send("wait", request("GET", "/v1/kv/a?index=4&wait=5s"));
  s.executor.run_ready();
  s.send("watch", request("GET", "/v1/kv/a?index=4&wait=60s"));
  REQUIRE_OK(s.executor.wait_until([&] { return s.results.size() >= 3; }, kNever));
  CHECK(s.results.names().back() == "wait");
  CHECK((s.executor.now() == start + seconds(5)));
  REQUIRE_OK(s.executor.wait_until([&] { return s.results.size() >= 4; }, kNever));
  CHECK(s.results.names().back() == "watch");
  CHECK((s.executor.now() == start + seconds(10)));
  CHECK(s.consul.state().sessions.empty());
  s.executor.run_ready();
  CHECK(s.executor.idle());  // no timer is left behind
}

TEST_CASE("a send that is cancelled or late leaves nothing behind") {
  Simulated s;
  HttpRequest late = request("GET", "/v1/kv/a?index=9");
  late.deadline = s.executor.now() + seconds(3);
  s.send("late", late);
  const auto id = s.consul.send(request("GET", "/v1/kv/a?index=9"), s.results.completion("cancelled"));
  s.executor.run_ready();
  CHECK(s.consul.state().parked.size() == 2);
  s.consul.cancel(id);
  s.executor.run_ready();
  CHECK(s.consul.state().parked.size() == 1);
  s.executor.advance(seconds(3));
  CHECK(s.consul.state().parked.empty());
  CHECK(s.results.names() == std::vector<std::string>{"cancelled", "late"});
  CHECK_ERROR(s.results.all()[0].response, ErrorKind::kCancelled, "GET /v1/kv/a?index=9: cancelled");
  CHECK_ERROR(s.results.all()[1].response, ErrorKind::kTimeout, "no answer before its deadline");
  CHECK(s.executor.idle());
}

TEST_CASE("a send that is cancelled before it runs is never carried out") {
  Simulated s;
  const auto id = s.consul.send(request("PUT", "/v1/kv/a", "x"), s.results.completion("put"));
  s.consul.cancel(id);
  s.executor.run_ready();
  // The request was posted first, so it has run; what was cancelled is its answer.
  CHECK(s.results.size() == 1);
  HttpRequest late = request("PUT", "/v1/kv/b", "x");
  late.deadline = s.executor.now();
  s.send("late", late);
  s.executor.run_ready();
  CHECK_ERROR(s.results.all().back().response, ErrorKind::kTimeout, "PUT /v1/kv/b: ");
  CHECK(s.consul.state().kv.count("b") == 0);
}

TEST_CASE("a consul made from a state goes on from there") {
  SimulatedExecutor executor;
  MemoryConsulState state;
  {
    MemoryConsul first(executor);
    Results results(executor);
    first.send(request("PUT", "/v1/kv/a", "x"), results.completion("put"));
    executor.run_ready();
    state = first.state();
  }
  MemoryConsul second(executor, state);
  Results results(executor);
  second.send(request("GET", "/v1/kv/a?raw"), results.completion("get"));
  executor.run_ready();
  REQUIRE_OK(results.all().at(0).response);
  CHECK(results.all()[0].response->body == "x");
}

}  // namespace
}  // namespace convergence
