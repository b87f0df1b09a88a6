#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "convergence/testing/simulated_executor.h"
#include "convergence/transport_decorators.h"
#include "tests/support/transport_contract.h"

namespace convergence {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::Results;
using test::TransportWorld;

HttpRequest request_of(const std::string& method, const std::string& target, const std::string& body = "") {
  HttpRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  return request;
}

HttpResponse response_of(int status, const std::string& body, HeaderList headers = {}) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = body;
  return response;
}

Exchange exchange_of(HttpRequest request, absl::StatusOr<HttpResponse> response) {
  return Exchange{std::move(request), std::move(response)};
}

// A server in memory that answers what it finds by target and notes what reached it; "/hang" it keeps.
class TableTransport final : public Transport {
 public:
  explicit TableTransport(Executor& executor) : executor_(executor) {}
  ~TableTransport() override {
    for (auto& [id, completion] : kept_) complete(std::move(completion), cancelled());
  }

  SendId send(HttpRequest request, Completion completion) override {
    const SendId id = ++last_;
    reached.push_back(request);
    if (request.target == "/hang") {
      kept_[id] = std::move(completion);
    } else {
      complete(std::move(completion), answers.at(request.target));
    }
    return id;
  }
  void cancel(SendId send) override {
    const auto found = kept_.find(send);
    if (found == kept_.end()) return;
    complete(std::move(found->second), cancelled());
    kept_.erase(found);
  }
  std::size_t kept() const { return kept_.size(); }

  std::map<std::string, absl::StatusOr<HttpResponse>> answers;
  std::vector<HttpRequest> reached;

 private:
  static absl::Status cancelled() { return make_error(ErrorKind::kCancelled, "table: cancelled"); }
  void complete(Completion completion, absl::StatusOr<HttpResponse> response) {
    executor_.post([completion = std::move(completion), response = std::move(response)] { completion(response); });
  }

  Executor& executor_;
  SendId last_ = 0;
  std::map<SendId, Completion> kept_;
};

struct Bench {
  SimulatedExecutor executor;
  TableTransport table{executor};
  Results results{executor};

  Bench() {
    table.answers.emplace("/a", response_of(200, "answer of a", {{"x-consul-index", "7"}}));
    table.answers.emplace("/b", response_of(404, "no b"));
    table.answers.emplace("/lost", make_error(ErrorKind::kUnreachable, "table: lost"));
  }
};

std::vector<Exchange> many(const std::vector<Exchange>& exchanges, int times) {
  std::vector<Exchange> all;
  for (int i = 0; i < times; ++i) all.insert(all.end(), exchanges.begin(), exchanges.end());
  return all;
}

TransportWorld replay_world(std::shared_ptr<Executor> executor, bool any_thread) {
  TransportWorld world;
  world.executor = std::move(executor);
  world.prompt = request_of("GET", "/a");
  world.refused = request_of("GET", "/b");
  world.any_thread = any_thread;
  world.transport = new_replay_transport(
      *world.executor, many({exchange_of(world.prompt, response_of(200, "prompt", {{"x-consul-index", "7"}})),
                             exchange_of(world.refused, response_of(403, "no"))},
                            200));
  return world;
}

// Around a replay: what hangs is stalled by the fault transport.
TransportWorld fault_world(std::shared_ptr<Executor> executor, bool any_thread, Fault usual) {
  TransportWorld world = replay_world(std::move(executor), any_thread);
  world.hanging = request_of("GET", "/hang");
  const auto inner = std::shared_ptr<Transport>(std::move(world.transport));
  world.behind = inner;
  world.transport = new_fault_transport(*world.executor, *inner, [usual](std::uint64_t, const HttpRequest& request) {
    Fault stall;
    stall.kind = Fault::Kind::kStall;
    return request.target == "/hang" ? stall : usual;
  });
  return world;
}

TransportWorld record_world(std::shared_ptr<Executor> executor, bool any_thread) {
  TransportWorld world = fault_world(std::move(executor), any_thread, Fault{});
  struct Behind {
    std::shared_ptr<void> inner;
    std::shared_ptr<Transport> fault;
  };
  const auto fault = std::shared_ptr<Transport>(std::move(world.transport));
  auto both = std::make_shared<Behind>();  // `fault` goes before what it decorates
  both->inner = world.behind;
  both->fault = fault;
  world.behind = both;
  world.transport = new_record_transport(*fault, [](const Exchange&) {});
  return world;
}

std::shared_ptr<Executor> simulated() { return std::make_shared<SimulatedExecutor>(); }
std::shared_ptr<Executor> threaded() { return new_thread_executor(); }

TEST_CASE("the decorators keep the contract of transport.h") {
  Fault delay;
  delay.kind = Fault::Kind::kDelay;
  delay.delay = std::chrono::milliseconds(1);
  test::check_transport_contract("replay, simulated", [] { return replay_world(simulated(), false); });
  test::check_transport_contract("replay, thread", [] { return replay_world(threaded(), true); });
  test::check_transport_contract("fault, simulated", [] { return fault_world(simulated(), false, Fault{}); });
  test::check_transport_contract("fault, thread", [] { return fault_world(threaded(), true, Fault{}); });
  test::check_transport_contract("delay, simulated", [=] { return fault_world(simulated(), false, delay); });
  test::check_transport_contract("delay, thread", [=] { return fault_world(threaded(), true, delay); });
  test::check_transport_contract("record, simulated", [] { return record_world(simulated(), false); });
  test::check_transport_contract("record, thread", [] { return record_world(threaded(), true); });
}

TEST_CASE("fault: each kind does what transport_decorators.h says") {
  struct Case {
    const char* name;
    Fault fault;
    const char* target;
    bool reaches;
    absl::StatusOr<HttpResponse> expected;  // an error stands for its kind and a piece of its message
  };
  const auto fault_of = [](Fault::Kind kind) {
    Fault fault;
    fault.kind = kind;
    fault.status = 503;
    fault.body = "{\"torn";
    fault.delay = seconds(9);
    return fault;
  };
  const HeaderList headers = {{"x-consul-index", "7"}};
  const auto error = [](const char* text) { return make_error(ErrorKind::kUnreachable, text); };
  const Case cases[] = {
      {"none", fault_of(Fault::Kind::kNone), "/a", true, response_of(200, "answer of a", headers)},
      {"fail before", fault_of(Fault::Kind::kFailBefore), "/a", false, error("GET /a: fault: no connection; ")},
      {"fail after", fault_of(Fault::Kind::kFailAfter), "/a", true, error("GET /a: fault: the answer was lost; ")},
      {"fail after an error", fault_of(Fault::Kind::kFailAfter), "/lost", true, error("table: lost")},
      {"status", fault_of(Fault::Kind::kStatus), "/a", false, response_of(503, "{\"torn")},
      {"cut", fault_of(Fault::Kind::kCutBody), "/a", true, error("GET /a: fault: the connection ended in the middle")},
      {"garbage", fault_of(Fault::Kind::kGarbage), "/a", true, response_of(200, "{\"torn", headers)},
      {"garbage keeps the status", fault_of(Fault::Kind::kGarbage), "/b", true, response_of(404, "{\"torn")},
      {"delay", fault_of(Fault::Kind::kDelay), "/a", true, response_of(200, "answer of a", headers)},
      {"delay of an error", fault_of(Fault::Kind::kDelay), "/lost", true, error("table: lost")},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench;
      const Time start = bench.executor.now();
      const auto transport =
          new_fault_transport(bench.executor, bench.table, [&](std::uint64_t, const HttpRequest&) { return c.fault; });
      const HttpRequest request = request_of("GET", c.target);
      transport->send(request, bench.results.completion(c.name));
      bench.executor.run_ready();
      const bool delayed = c.fault.kind == Fault::Kind::kDelay;
      CHECK(bench.results.size() == (delayed ? 0u : 1u));
      bench.executor.advance_to(start + seconds(9) - Duration(1));
      CHECK(bench.results.size() == (delayed ? 0u : 1u));
      bench.executor.advance(Duration(1));
      REQUIRE(bench.results.size() == 1);
      CHECK(bench.executor.idle());
      CHECK(bench.table.reached == (c.reaches ? std::vector<HttpRequest>{request} : std::vector<HttpRequest>{}));
      const absl::StatusOr<HttpResponse> response = bench.results.all()[0].response;
      if (c.expected.ok()) {
        REQUIRE_OK(response);
        CHECK(*response == *c.expected);
      } else {
        CHECK_ERROR(response, ErrorKind::kUnreachable, std::string(c.expected.status().message()));
      }
    }
  }
}

TEST_CASE("fault: decide is asked about each send, in order, with its number") {
  Bench bench;
  std::vector<std::string> asked;
  const auto transport =
      new_fault_transport(bench.executor, bench.table, [&](std::uint64_t number, const HttpRequest& request) {
        asked.push_back(std::to_string(number) + " " + request.target);
        return Fault{};
      });
  for (const char* target : {"/a", "/b", "/a"}) transport->send(request_of("GET", target), [](auto) {});
  CHECK(asked == std::vector<std::string>{"0 /a", "1 /b", "2 /a"});
  CHECK(bench.table.reached.size() == 3);

  const auto none = new_fault_transport(bench.executor, bench.table, nullptr);
  none->send(request_of("GET", "/a"), bench.results.completion("no decision, no fault"));
  bench.executor.run_ready();
  REQUIRE(bench.results.size() == 1);
  CHECK_OK(bench.results.all()[0].response);
}

// A delay or a stall that is over before its time leaves nothing behind: no timer, no send of the inner transport.
TEST_CASE("fault: deadline, cancel and destruction end a delay, a stall and a send that hangs below") {
  struct Case {
    const char* name;
    Fault::Kind kind;
    const char* target;
  };
  const Case cases[] = {{"delayed", Fault::Kind::kDelay, "/a"},
                        {"stalled", Fault::Kind::kStall, "/a"},
                        {"hangs below", Fault::Kind::kNone, "/hang"}};
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench;
      auto transport = new_fault_transport(bench.executor, bench.table, [&](std::uint64_t, const HttpRequest&) {
        Fault fault;
        fault.kind = c.kind;
        fault.delay = hours(1);
        return fault;
      });
      const Time start = bench.executor.now();
      HttpRequest request = request_of("GET", c.target);
      request.deadline = start + minutes(1);
      transport->send(request, bench.results.completion("deadline"));
      bench.executor.advance_to(start + minutes(1) - Duration(1));
      CHECK(bench.results.size() == 0);
      bench.executor.advance(Duration(1));
      CHECK(bench.table.kept() == 0);
      CHECK(bench.executor.idle());

      request.deadline = kNever;
      const auto id = transport->send(request, bench.results.completion("cancel"));
      bench.executor.run_ready();
      transport->cancel(id);
      bench.executor.run_ready();
      CHECK(bench.table.kept() == 0);
      CHECK(bench.executor.idle());

      transport->send(request, bench.results.completion("destroyed"));
      bench.executor.run_ready();
      transport.reset();
      bench.executor.run_ready();
      CHECK(bench.table.kept() == 0);
      CHECK(bench.executor.idle());

      REQUIRE(bench.results.names() == std::vector<std::string>{"deadline", "cancel", "destroyed"});
      const std::string where = std::string("GET ") + c.target + ": ";
      CHECK_ERROR(bench.results.all()[0].response, ErrorKind::kTimeout, where + "no answer before its deadline");
      CHECK_ERROR(bench.results.all()[1].response, ErrorKind::kCancelled, where + "cancelled by its caller");
      CHECK_ERROR(bench.results.all()[2].response, ErrorKind::kCancelled, where + "the transport was destroyed");
    }
  }
}

TEST_CASE("record: passes everything on as it is, and keeps no token") {
  Bench bench;
  bench.table.answers.emplace("/v1/acl/token?token=s3cret&x=1",
                              response_of(200, "{\"SecretID\":\"s3cret\"}", {{"set-cookie", "s3cret"}, {"a", "b"}}));
  std::vector<Exchange> seen;
  const auto transport = new_record_transport(bench.table, [&](const Exchange& exchange) { seen.push_back(exchange); });
  HttpRequest request = request_of("PUT", "/v1/acl/token?token=s3cret&x=1", "{\"SecretID\":\"s3cret\"}");
  request.headers = {{"X-Consul-Token", "s3cret"}, {"AUTHORIZATION", "Basic s3cret"}, {"Accept", "a"}};
  request.deadline = bench.executor.now() + minutes(1);
  request.max_body = 1000;
  transport->send(request, bench.results.completion("acl"));
  transport->send(request_of("GET", "/lost"), bench.results.completion("lost"));
  bench.executor.run_ready();

  CHECK(bench.table.reached[0] == request);
  REQUIRE(bench.results.names() == std::vector<std::string>{"acl", "lost"});
  CHECK((bench.results.all()[0].response == bench.table.answers.at(request.target)));
  REQUIRE(seen.size() == 2);
  HttpRequest kept = request_of("PUT", "/v1/acl/token?token=hidden&x=1");
  kept.headers = {{"Accept", "a"}};
  CHECK(seen[0].request == kept);
  REQUIRE_OK(seen[0].response);
  CHECK(*seen[0].response == response_of(200, "", {{"a", "b"}}));
  CHECK(seen[1].request == request_of("GET", "/lost"));
  CHECK_ERROR(seen[1].response, ErrorKind::kUnreachable, "table: lost");
}

TEST_CASE("record: the observer hears of each exchange before its completion, and of none after the destruction") {
  Bench bench;
  std::vector<std::string> order;
  auto transport = new_record_transport(
      bench.table, [&](const Exchange& exchange) { order.push_back("saw " + exchange.request.target); });
  transport->send(request_of("GET", "/a"), [&](auto) { order.push_back("completed /a"); });
  bench.executor.run_ready();
  transport->send(request_of("GET", "/hang"), [&](auto) { order.push_back("completed /hang"); });
  transport.reset();
  CHECK(bench.table.kept() == 0);
  bench.executor.run_ready();
  CHECK(order == std::vector<std::string>{"saw /a", "completed /a", "completed /hang"});
}

TEST_CASE("record: an observer may send, and may destroy the transport") {
  Bench bench;
  std::unique_ptr<Transport> transport;
  int seen = 0;
  transport = new_record_transport(bench.table, [&](const Exchange&) {
    if (++seen == 1) {
      transport->send(request_of("GET", "/b"), bench.results.completion("from the observer"));
    } else {
      transport.reset();
    }
  });
  transport->send(request_of("GET", "/a"), bench.results.completion("first"));
  bench.executor.run_ready();
  CHECK(bench.results.names() == std::vector<std::string>{"first", "from the observer"});
  CHECK(transport == nullptr);
}

TEST_CASE("replay: each send takes the first unused exchange of its method, target and body") {
  Bench bench;
  HttpRequest with_header = request_of("GET", "/a");
  with_header.headers = {{"Accept", "ignored"}};
  with_header.deadline = kNever;
  const auto transport = new_replay_transport(
      bench.executor, {exchange_of(with_header, response_of(200, "a 1")),
                       exchange_of(request_of("PUT", "/a", "body"), response_of(200, "put body")),
                       exchange_of(request_of("GET", "/a?token=one"), response_of(200, "hidden")),
                       exchange_of(request_of("GET", "/a"), response_of(500, "a 2")),
                       exchange_of(request_of("DELETE", "/a"), make_error(ErrorKind::kTimeout, "recorded"))});
  struct Case {
    HttpRequest request;
    absl::StatusOr<HttpResponse> expected;
  };
  const auto missing = [](const char* text) { return make_error(ErrorKind::kNotFound, text); };
  const Case cases[] = {
      {request_of("PUT", "/a", "other"), missing("PUT /a: the recording has no such exchange left; ")},
      {request_of("GET", "/a"), response_of(200, "a 1")},
      {request_of("GET", "/a"), response_of(500, "a 2")},
      {request_of("GET", "/a"), missing("GET /a: the recording has no such exchange left; ")},
      {request_of("PUT", "/a", "body"), response_of(200, "put body")},
      {request_of("GET", "/a?token=two"), response_of(200, "hidden")},
      {request_of("DELETE", "/a"), make_error(ErrorKind::kTimeout, "recorded")},
      {request_of("GET", "/zz?token=two"), missing("GET /zz?token=hidden: ")},
  };
  for (const Case& c : cases) transport->send(c.request, bench.results.completion(""));
  bench.executor.run_ready();
  const auto results = bench.results.all();
  REQUIRE(results.size() == std::size(cases));
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    if (cases[i].expected.ok()) {
      REQUIRE_OK(results[i].response);
      CHECK(*results[i].response == *cases[i].expected);
    } else {
      CHECK_ERROR(results[i].response, error_kind(cases[i].expected.status()),
                  std::string(cases[i].expected.status().message()));
    }
  }
}

TEST_CASE("what is recorded plays again") {
  Bench bench;
  std::vector<Exchange> seen;
  const auto recorder = new_record_transport(bench.table, [&](const Exchange& e) { seen.push_back(e); });
  for (const char* target : {"/a", "/b", "/lost", "/a"}) {
    recorder->send(request_of("GET", target), bench.results.completion("recorded"));
  }
  bench.executor.run_ready();
  const auto player = new_replay_transport(bench.executor, seen);
  for (const char* target : {"/lost", "/a", "/a", "/b"}) {
    player->send(request_of("GET", target), bench.results.completion("played"));
  }
  bench.executor.run_ready();
  const auto results = bench.results.all();
  REQUIRE(results.size() == 8);
  const std::size_t recorded_at[] = {2, 0, 3, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK((results[4 + i].response == results[recorded_at[i]].response));
  }
}

}  // namespace
}  // namespace convergence
