// What goes wrong, and how often it is tried.
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = Answer<std::optional<KvPair>>;

struct Bench {
  explicit Bench(RetryOptions retry = {}) : client(executor, transport, retry) {}
  absl::StatusOr<Pair> read(ReadOptions options = {}) {
    return await<Pair>(executor, [&](auto done) { client.kv_get("k", options, done); });
  }
  absl::StatusOr<bool> write() {
    return await<bool>(executor, [&](auto done) { client.kv_put({"k", "secret", 0, {}, "", ""}, {}, done); });
  }
  void script(int times, const absl::StatusOr<HttpResponse>& one) {
    for (int i = 0; i < times; ++i) transport.script(one);
  }

  SimulatedExecutor executor;
  ScriptedTransport transport{executor};
  ConsulClient client;
};

TEST_CASE("each status has a kind, a number of tries, and keeps the server's text") {
  struct Case {
    const char* name;
    HttpResponse response;
    ErrorKind kind;
    std::size_t tries;  // of a read
    const char* fragment;
  };
  const Case cases[] = {
      {"301", answer("", 0, 301), ErrorKind::kProtocol, 1, "status 301; check that this address is a Consul's"},
      {"400", answer("Bad request: Invalid query parameter: \"ns\"\n", 0, 400), ErrorKind::kRefused, 1,
       "status 400: Bad request: Invalid query parameter: \"ns\""},
      {"401", answer("who are you", 0, 401), ErrorKind::kDenied, 1, "status 401: who are you; use a token"},
      {"403", answer("Permission denied", 0, 403), ErrorKind::kDenied, 1, "status 403: Permission denied; use a token"},
      {"404 of a server that does not know the path", answer("Invalid URL path", 0, 404), ErrorKind::kNotFound, 1,
       "status 404: Invalid URL path"},
      {"409", answer("no", 0, 409), ErrorKind::kRefused, 1, "status 409: no"},
      {"429", answer("slow down", 0, 429), ErrorKind::kRefused, 3, "status 429: slow down (tried 3 times)"},
      {"500", answer("No path to datacenter", 0, 500), ErrorKind::kServer, 3,
       "status 500: No path to datacenter (tried 3 times)"},
      {"501", answer("not by the embedded one", 0, 501), ErrorKind::kServer, 1, "status 501: not by the embedded one"},
      {"503", answer("", 0, 503), ErrorKind::kServer, 3, "status 503 (tried 3 times)"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench reads;
      reads.script(5, c.response);
      const auto read = reads.read();
      CHECK_ERROR(read, c.kind, c.fragment);
      CHECK(reads.transport.requests.size() == c.tries);
      const Json detail = error_detail(read.status());
      REQUIRE(detail.find("status") != nullptr);
      CHECK(*detail.find("status") == Json(c.response.status));
      CHECK(*detail.find("body") == Json(c.response.body));

      Bench writes;
      writes.script(5, c.response);
      CHECK_ERROR(writes.write(), c.kind, "PUT /v1/kv/k: status");
      CHECK(writes.transport.requests.size() == 1);
    }
  }
}

TEST_CASE("the detail of an error, whole") {
  Bench bench;
  bench.script(3, answer("No path\n to datacenter", 0, 500));
  const auto read = bench.read({.datacenter = "nope"});
  CHECK(std::string(read.status().message()) ==
        "GET /v1/kv/k?dc=nope: status 500: No path to datacenter (tried 3 times)");
  CHECK(to_text(error_detail(read.status())) ==
        R"({"method":"GET","target":"/v1/kv/k?dc=nope","tries":3,"status":500,"body":"No path\n to datacenter",)"
        R"("kind":"server"})");
  bench.script(3, make_error(ErrorKind::kUnreachable, "127.0.0.1:8500: connection refused",
                             Json(Json::Object{{"address", "127.0.0.1:8500"}})));
  const auto lost = bench.read();
  CHECK(std::string(lost.status().message()) == "GET /v1/kv/k: 127.0.0.1:8500: connection refused (tried 3 times)");
  CHECK(to_text(error_detail(lost.status())) ==
        R"({"address":"127.0.0.1:8500","kind":"unreachable","method":"GET","target":"/v1/kv/k","tries":3})");
}

TEST_CASE("errors of the transport keep their kind") {
  struct Case {
    const char* name;
    absl::Status problem;
    std::size_t tries;
  };
  const Case cases[] = {
      {"unreachable", make_error(ErrorKind::kUnreachable, "connection refused"), 3},
      {"timeout", make_error(ErrorKind::kTimeout, "too late"), 1},
      {"cancelled", make_error(ErrorKind::kCancelled, "the transport ended"), 1},
      {"too large", make_error(ErrorKind::kTooLarge, "the body has more than 5 bytes"), 1},
      {"protocol", make_error(ErrorKind::kProtocol, "not HTTP"), 1},
      {"a host's own status", absl::UnavailableError("ours"), 3},
      {"a host's own fault", absl::InternalError("ours"), 1},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench;
      bench.script(5, c.problem);
      const auto read = bench.read();
      CHECK(error_kind(read.status()) == error_kind(c.problem));
      CHECK(read.status().code() == c.problem.code());
      CHECK(std::string(read.status().message()).find(std::string(c.problem.message())) != std::string::npos);
      CHECK(bench.transport.requests.size() == c.tries);
      Bench writes;
      writes.script(5, c.problem);
      CHECK(error_kind(writes.write().status()) == error_kind(c.problem));
      CHECK(writes.transport.requests.size() == 1);
    }
  }
}

TEST_CASE("an answer that is not Consul's") {
  struct Case {
    const char* name;
    HttpResponse response;
    const char* fragment;
  };
  const HttpResponse bad_index{200, {{"x-consul-index", "12x"}}, "[]"};
  const HttpResponse negative{200, {{"x-consul-lastcontact", "-1"}}, "[]"};
  const Case cases[] = {
      {"a page of HTML", answer("<html><body>hello</body></html>"), "offset 0"},
      {"nothing", answer(""), "answer"},
      {"cut off", answer(R"([{"LockIndex":0,"Key":"k","Fl)"), "offset"},
      {"bytes that are not UTF-8", answer("[\"\xFF\xFE\"]"), "offset"},
      {"another shape", answer(R"({"Key":"k"})"), "not an array"},
      {"no key", answer("[]"), "not one key"},
      {"a wrong type inside", answer(R"([{"Key":7}])"), "Key"},
      {"a value that is not base64", answer(R"([{"Key":"k","Value":"*"}])"), "Value"},
      {"a duplicate member", answer(R"([{"Key":"k","Key":"k"}])"), "Key"},
      {"an index that is no number", bad_index, "x-consul-index"},
      {"a negative age", negative, "x-consul-lastcontact"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench;
      bench.script(2, c.response);
      const auto read = bench.read();
      CHECK_ERROR(read, ErrorKind::kProtocol, c.fragment);
      CHECK_ERROR(read, ErrorKind::kProtocol, "GET /v1/kv/k: answer");
      CHECK_ERROR(read, ErrorKind::kProtocol, "check that this address is a Consul's");
      CHECK(bench.transport.requests.size() == 1);
      const Json detail = error_detail(read.status());
      REQUIRE(detail.find("problem") != nullptr);
      CHECK(*detail.find("problem")->find("kind") == Json("decode"));
      CHECK(*detail.find("status") == Json(200));
      CHECK(detail.find("body") != nullptr);
    }
  }
  Bench bench;
  bench.script(1, answer("maybe"));
  CHECK_ERROR(bench.write(), ErrorKind::kProtocol, "PUT /v1/kv/k: answer");
  bench.script(1, answer("null"));
  CHECK_ERROR(bench.write(), ErrorKind::kProtocol, "not true or false");
}

TEST_CASE("a long body is cut in message and detail, and nothing of ours is told") {
  Bench bench;
  bench.script(1, answer(std::string(1 << 20, 'x'), 0, 400));
  const auto written = bench.write();
  CHECK(written.status().message().size() < 700);
  const Json detail = error_detail(written.status());
  CHECK(detail.find("body")->as_string()->size() == 4099);
  CHECK(to_text(detail).find("secret") == std::string::npos);
}

TEST_CASE("tries and their pauses") {
  struct Case {
    const char* name;
    RetryOptions retry;
    std::vector<Duration> sent;  // when, from the first
  };
  const Case cases[] = {
      {"one", {1, milliseconds(100), seconds(2)}, {seconds(0)}},
      {"as they come", {}, {seconds(0), milliseconds(100), milliseconds(300)}},
      {"doubled up to the longest",
       {5, milliseconds(500), seconds(1)},
       {seconds(0), milliseconds(500), milliseconds(1500), milliseconds(2500), milliseconds(3500)}},
      {"never beyond the deadline", {9, seconds(3), seconds(100)}, {seconds(0), seconds(3), seconds(9), seconds(21)}},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench(c.retry);
      const Time begin = bench.executor.now();
      absl::StatusOr<Pair> result = absl::UnknownError("none yet");
      bench.client.kv_get("k", {}, [&](auto r) { result = std::move(r); });
      std::vector<Duration> sent;
      while (bench.transport.under_way() > 0) {
        sent.push_back(bench.executor.now() - begin);
        CHECK(bench.transport.requests.back().deadline == begin + seconds(30));
        bench.transport.reply(make_error(ErrorKind::kUnreachable, "gone"));
        CHECK(bench.executor
                  .wait_until([&] { return bench.transport.under_way() > 0 || !absl::IsUnknown(result.status()); },
                              kNever)
                  .ok());
      }
      CHECK(sent == c.sent);
      CHECK_ERROR(result, ErrorKind::kUnreachable, "gone");
      CHECK(bench.executor.idle());
    }
  }
}

TEST_CASE("what fails and then goes well is no error") {
  Bench bench;
  bench.script(1, make_error(ErrorKind::kUnreachable, "connection lost in the middle of the body"));
  bench.script(1, answer("rpc error: no leader", 0, 500));
  bench.script(1, answer("", 18, 404));
  const auto read = bench.read();
  REQUIRE_OK(read);
  CHECK(*read == Pair{std::nullopt, 18});
}

TEST_CASE("a blocking query that is tried again may wait as long again") {
  Bench bench;
  const Time begin = bench.executor.now();
  ReadOptions options;
  options.wait_index = 5;
  options.wait = seconds(160);
  options.timeout = seconds(1);
  bench.client.kv_get("k", options, [](const auto&) {});
  bench.executor.advance(seconds(150));
  bench.transport.reply(make_error(ErrorKind::kUnreachable, "restarted"));
  bench.executor.advance(milliseconds(100));
  REQUIRE(bench.transport.requests.size() == 2);
  CHECK(bench.transport.requests[0].deadline == begin + seconds(171));
  CHECK(bench.transport.requests[1].deadline == begin + seconds(150 + 171) + milliseconds(100));
}

}  // namespace
}  // namespace convergence::test
