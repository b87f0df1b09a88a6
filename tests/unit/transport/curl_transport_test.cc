#include "convergence/curl_transport.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/http_test_server.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/transport_contract.h"

namespace convergence {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HttpTestServer;
using test::Results;
using Answer = HttpTestServer::Answer;
using Received = HttpTestServer::Received;

constexpr char kToken[] = "5ecre7-t0ken";

HttpRequest request_of(const std::string& method, const std::string& target, const std::string& body = "") {
  HttpRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  return request;
}

struct Bench {
  explicit Bench(HttpTestServer::Script script, CurlOptions options = {}) : server(std::move(script)) {
    options.address = server.address();
    open(options);
  }
  void open(const CurlOptions& options) {
    auto made = new_curl_transport(*executor, options);
    REQUIRE_OK(made);
    transport = *std::move(made);
  }
  absl::StatusOr<HttpResponse> ask(const HttpRequest& request) {
    Results results(*executor);
    transport->send(request, results.completion(""));
    REQUIRE_OK(results.wait_for(1));
    return results.all()[0].response;
  }
  absl::StatusOr<HttpResponse> get(const std::string& target) { return ask(request_of("GET", target)); }

  HttpTestServer server;
  std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  std::unique_ptr<Transport> transport;
};

Answer fine(const Received&) { return test::http_answer(200, "fine"); }

std::size_t count_threads() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

struct ProxyEnvironment {
  ProxyEnvironment() {
    for (const char* name : kNames) setenv(name, "http://127.0.0.1:1/", 1);
  }
  ~ProxyEnvironment() {
    for (const char* name : kNames) unsetenv(name);
  }
  static constexpr const char* kNames[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"};
};

TEST_CASE("curl: a request goes out as it was given, for each verb") {
  struct Case {
    const char* name;
    HttpRequest request;
    const char* content_length;
  };
  const Case cases[] = {
      {"GET", request_of("GET", "/v1/kv/a%2Fb/../c?recurse=&index=7"), ""},
      {"PUT with a body", request_of("PUT", "/v1/kv/a?cas=0", std::string("value\0\xff", 7)), "7"},
      {"PUT without", request_of("PUT", "/v1/agent/leave"), "0"},
      {"POST with a body", request_of("POST", "/v1/x", "{}"), "2"},
      {"POST without", request_of("POST", "/v1/x"), "0"},
      {"DELETE", request_of("DELETE", "/v1/kv/a?cas=3"), ""},
      {"DELETE with a body", request_of("DELETE", "/v1/x", "[1]"), "3"},
      {"GET with a body", request_of("GET", "/v1/x", "[2]"), "3"},
      {"a long body", request_of("PUT", "/v1/kv/long", std::string(2'000'000, 'x')), "2000000"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench(fine);
      const auto response = bench.ask(c.request);
      REQUIRE_OK(response);
      CHECK(response->body == "fine");
      const auto received = bench.server.received();
      REQUIRE(received.size() == 1);
      CHECK(received[0].method == c.request.method);
      CHECK(received[0].target == c.request.target);
      CHECK(received[0].body == c.request.body);
      CHECK(received[0].header("content-length") == c.content_length);
      CHECK(received[0].header("content-type") == "");
      CHECK(received[0].header("expect") == "");
      CHECK(received[0].header("accept-encoding") == "");
      CHECK(received[0].header("x-consul-token") == "");
      CHECK(received[0].header("authorization") == "");
      CHECK(received[0].header("host") == bench.server.address());
    }
  }
}

TEST_CASE("curl: HEAD has no body") {
  Bench bench([](const Received&) {
    Answer answer = test::http_answer(200, "");
    answer.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    return answer;
  });
  const auto response = bench.ask(request_of("HEAD", "/x"));
  REQUIRE_OK(response);
  CHECK(response->status == 200);
  CHECK(response->body == "");
}

TEST_CASE("curl: token, basic auth and the caller's headers are sent, the caller's own in their place") {
  CurlOptions options;
  options.token = kToken;
  options.basic_auth = "user:pass:word";
  Bench bench(fine, options);
  HttpRequest request = request_of("PUT", "/x", "{}");
  request.headers = {{"X-One", "1"}, {"x-one", "2"}, {"X-Empty", ""}, {"Content-Type", "application/json"}};
  REQUIRE_OK(bench.ask(request));
  request.headers = {{"x-consul-token", "other"}, {"Authorization", "Bearer other"}};
  REQUIRE_OK(bench.ask(request));
  const auto received = bench.server.received();
  REQUIRE(received.size() == 2);
  CHECK(received[0].header("x-consul-token") == kToken);
  CHECK(received[0].header("authorization") == "Basic dXNlcjpwYXNzOndvcmQ=");
  CHECK(received[0].header("x-one") == "1|2");
  CHECK(received[0].header("content-type") == "application/json");
  std::vector<std::string> names;
  for (const auto& [name, value] : received[0].headers) names.push_back(name);
  const auto place = [&](const char* name) { return std::find(names.begin(), names.end(), name) - names.begin(); };
  CHECK(place("host") < place("x-one"));
  CHECK(place("x-consul-token") < place("x-one"));
  CHECK(std::count(received[0].headers.begin(), received[0].headers.end(),
                   std::pair<std::string, std::string>("x-empty", "")) == 1);
  CHECK(received[1].header("x-consul-token") == "other");
  CHECK(received[1].header("authorization") == "Bearer other");
}

TEST_CASE("curl: an answer comes back whole") {
  struct Case {
    const char* name;
    Answer answer;
    HttpResponse expected;
  };
  const auto response = [](int status, const std::string& body, HeaderList headers) {
    HttpResponse made;
    made.status = status;
    made.headers = std::move(headers);
    made.body = body;
    return made;
  };
  const Case cases[] = {
      {"headers in their order, names in lower case, values trimmed",
       test::http_answer(200, "x", "X-Consul-Index:   7  \r\nB: \r\nx-CONSUL-index: 8\r\n"),
       response(200, "x", {{"x-consul-index", "7"}, {"b", ""}, {"x-consul-index", "8"}, {"content-length", "1"}})},
      {"an error of Consul is a response", test::http_answer(500, "rpc error: No cluster leader"),
       response(500, "rpc error: No cluster leader", {{"content-length", "28"}})},
      {"a redirect is not followed", test::http_answer(301, "", "Location: /elsewhere\r\n"),
       response(301, "", {{"location", "/elsewhere"}, {"content-length", "0"}})},
      {"chunks", test::http_chunked({"one,", "two", std::string("\0\xff", 2)}),
       response(200, std::string("one,two\0\xff", 9), {{"transfer-encoding", "chunked"}})},
      {"no body at all", test::raw_answer("HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"), response(204, "", {{"a", "b"}})},
      {"an interim answer before it",
       test::raw_answer("HTTP/1.1 100 Continue\r\nInterim: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
       response(200, "x", {{"content-length", "1"}})},
      {"a folded header", test::raw_answer("HTTP/1.1 200 OK\r\nA: one\r\n  two\r\nContent-Length: 0\r\n\r\n"),
       response(200, "", {{"a", "one two"}, {"content-length", "0"}})},
      {"compressed although nobody asked", test::http_answer(200, "\x1f\x8b", "Content-Encoding: gzip\r\n"),
       response(200, "\x1f\x8b", {{"content-encoding", "gzip"}, {"content-length", "2"}})},
      {"until the connection ends, as HTTP/1.0 has it", test::raw_answer("HTTP/1.0 200 OK\r\n\r\nall of it"),
       response(200, "all of it", {})},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench([&](const Received&) { return c.answer; });
      const auto got = bench.get("/x");
      REQUIRE_OK(got);
      CHECK(*got == c.expected);
      CHECK(bench.server.received().size() == 1);
    }
  }
}

TEST_CASE("curl: what is no answer is a typed error that names the request and never the token") {
  struct Case {
    const char* name;
    Answer answer;
    ErrorKind kind;
    const char* fragment;
  };
  const std::string long_header = "HTTP/1.1 200 OK\r\nA: " + std::string(80'000, 'a') + "\r\n";
  std::string many_headers = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 400; ++i) many_headers += "A" + std::to_string(i) + ": " + std::string(1000, 'a') + "\r\n";
  const Case cases[] = {
      {"closed without a word", test::raw_answer(""), ErrorKind::kUnreachable, "ask again"},
      {"body cut off", test::raw_answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), ErrorKind::kUnreachable,
       "ask again"},
      {"chunks cut off", test::raw_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf"),
       ErrorKind::kUnreachable, "ask again"},
      {"headers cut off", test::raw_answer("HTTP/1.1 200 OK\r\nContent-Le"), ErrorKind::kUnreachable, "ask again"},
      {"garbage", test::raw_answer("SSH-2.0-OpenSSH_9.2\r\nmore garbage\r\n"), ErrorKind::kProtocol,
       "does not answer as Consul does"},
      {"HTTP/0.9", test::raw_answer("<html>hello</html>"), ErrorKind::kProtocol, "does not answer as Consul does"},
      {"a chunk without a length",
       test::raw_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n"), ErrorKind::kProtocol,
       "does not answer as Consul does"},
      {"a length that is none", test::raw_answer("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhalf"),
       ErrorKind::kProtocol, "does not answer as Consul does"},
      {"HTTP of another time", test::raw_answer("HTTP/7.3 200 OK\r\n\r\n"), ErrorKind::kProtocol,
       "does not answer as Consul does"},
      {"too many headers", test::raw_answer(many_headers + "\r\n"), ErrorKind::kTooLarge, "ask for less"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CurlOptions options;
      options.token = kToken;
      Bench bench([&](const Received&) { return c.answer; }, options);
      const auto got = bench.get("/v1/kv/a?token=5ecre7-t0ken&raw=");
      CHECK_ERROR(got, c.kind, "GET /v1/kv/a?token=hidden&raw=: ");
      CHECK_ERROR(got, c.kind, "; ");
      CHECK_ERROR(got, c.kind, c.fragment);
      CHECK(got.status().ToString().find(kToken) == std::string::npos);
      CHECK(error_detail(got.status()).find("target")->as_string()->find(kToken) == std::string::npos);
    }
  }
}

TEST_CASE("curl: nobody listens") {
  std::uint16_t port = 0;
  {
    const HttpTestServer gone(fine);
    port = gone.port();
  }
  Bench bench(fine);
  CurlOptions options;
  options.address = "127.0.0.1:" + std::to_string(port);
  bench.open(options);
  const auto got = bench.get("/v1/status/leader");
  CHECK_ERROR(got, ErrorKind::kUnreachable, "GET /v1/status/leader: " + options.address + ": ");
  CHECK_ERROR(got, ErrorKind::kUnreachable, "see whether Consul runs");
  CHECK(*error_detail(got.status()).find("address")->as_string() == options.address);
}

TEST_CASE("curl: a body over its cap stops the transfer") {
  struct Case {
    const char* name;
    bool length_known;
  };
  for (const Case& c : {Case{"length announced", true}, Case{"for ever, in chunks", false}}) {
    SUBCASE(c.name) {
      Bench bench([&](const Received&) {
        Answer answer;
        answer.bytes = c.length_known ? "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n"
                                      : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        answer.for_ever = c.length_known ? std::string(4096, 'x') : "1000\r\n" + std::string(4096, 'x') + "\r\n";
        return answer;
      });
      HttpRequest request = request_of("GET", "/huge");
      request.max_body = 1'000'000;
      CHECK_ERROR(bench.ask(request), ErrorKind::kTooLarge, "GET /huge: the answer is longer than 1000000 bytes; ");
      CHECK(bench.server.wait_for_open_connections(0));
    }
  }
}

TEST_CASE("curl: deadline, cancel and destruction end the transfer itself") {
  Bench bench([](const Received&) { return test::http_hold(); });
  Results results(*bench.executor);
  HttpRequest request = request_of("GET", "/hang");

  const auto id = bench.transport->send(request, results.completion("cancel"));
  REQUIRE(bench.server.wait_for_requests(1));
  bench.transport->cancel(id);
  CHECK(bench.server.wait_for_open_connections(0));

  bench.transport->send(request, results.completion("destroyed"));
  REQUIRE(bench.server.wait_for_requests(2));
  bench.transport.reset();
  CHECK(bench.server.wait_for_open_connections(0));
  REQUIRE_OK(results.wait_for(2));
  CHECK(results.names() == std::vector<std::string>{"cancel", "destroyed"});

  CurlOptions options;
  options.address = bench.server.address();
  bench.open(options);
  request.deadline = bench.executor->now() + milliseconds(20);
  CHECK_ERROR(bench.ask(request), ErrorKind::kTimeout, "GET /hang: ");
  CHECK(bench.server.wait_for_open_connections(0));
}

TEST_CASE("curl: a send whose deadline has passed never reaches the server") {
  Bench bench(fine);
  HttpRequest late = request_of("PUT", "/late", "x");
  late.deadline = bench.executor->now() - seconds(1);
  CHECK_ERROR(bench.ask(late), ErrorKind::kTimeout, "PUT /late: ");
  REQUIRE_OK(bench.get("/in-time"));
  REQUIRE(bench.server.received().size() == 1);
  CHECK(bench.server.received()[0].target == "/in-time");
}

TEST_CASE("curl: sends without a deadline have the default one") {
  CurlOptions options;
  options.default_timeout = milliseconds(20);
  Bench bench([](const Received&) { return test::http_hold(); }, options);
  CHECK_ERROR(bench.get("/hang"), ErrorKind::kTimeout, "GET /hang: ");
}

// A loop whose clock the test moves; its timers stand still, as those of a loop that nobody polls.
class ShiftedExecutor final : public Executor {
 public:
  void post(Task task) override { loop_->post(std::move(task)); }
  TimerId post_at(Time, Task) override { return 1; }
  bool cancel(TimerId) override { return true; }
  Time now() const override { return loop_->now() + hours(shift_hours); }
  absl::Status wait_until(const std::function<bool()>& done, Time) override { return loop_->wait_until(done, kNever); }

  std::atomic<int> shift_hours{0};

 private:
  std::unique_ptr<LoopExecutor> loop_ = new_loop_executor();
};

TEST_CASE("curl: an answer that comes after the deadline is a timeout, even where timers are late") {
  HttpTestServer server([](const Received&) { return test::http_hold(); });
  ShiftedExecutor executor;
  CurlOptions options;
  options.address = server.address();
  auto transport = new_curl_transport(executor, options);
  REQUIRE_OK(transport);
  Results results(executor);
  HttpRequest request = request_of("GET", "/x");
  request.deadline = executor.now() + hours(1);
  (*transport)->send(request, results.completion(""));
  REQUIRE(server.wait_for_requests(1));
  executor.shift_hours = 2;
  server.release();
  REQUIRE_OK(results.wait_for(1));
  CHECK_ERROR(results.all()[0].response, ErrorKind::kTimeout, "GET /x: ");
}

TEST_CASE("curl: completions left in the executor outlive the transport") {
  Bench bench(fine);
  Results results(*bench.executor);
  bench.transport->send(request_of("GET", "/x"), results.completion("answered"));
  pollfd posted{bench.executor->descriptor(), POLLIN, 0};
  REQUIRE(poll(&posted, 1, 60'000) == 1);  // by the I/O thread
  bench.transport.reset();
  CHECK(results.size() == 0);
  REQUIRE_OK(results.wait_for(1));
  CHECK_OK(results.all()[0].response);
}

TEST_CASE("curl: connections are kept and used again") {
  Bench bench(fine);
  for (int i = 0; i < 20; ++i) REQUIRE_OK(bench.get("/" + std::to_string(i)));
  CHECK(bench.server.connections() == 1);
}

TEST_CASE("curl: a kept connection that the server has ended meanwhile costs nothing, not even a write") {
  Bench bench([](const Received& request) {
    Answer answer = fine(request);
    answer.close = request.target == "/first";  // unannounced
    return answer;
  });
  REQUIRE_OK(bench.get("/first"));
  REQUIRE(bench.server.wait_for_open_connections(0));
  CHECK_OK(bench.ask(request_of("PUT", "/second", "x")));
  CHECK(bench.server.received().size() == 2);
  CHECK(bench.server.connections() == 2);
}

TEST_CASE("curl: the connection has its own timeout, TLS included") {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // the kernel connects, nobody answers
  REQUIRE(listen(listener, 5) == 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) == 0);
  Bench bench(fine);
  CurlOptions options;
  options.address = "https://127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
  options.connect_timeout = milliseconds(20);
  bench.open(options);
  CHECK_ERROR(bench.get("/x"), ErrorKind::kUnreachable, "GET /x: " + options.address + ": ");
  close(listener);
}

TEST_CASE("curl: max_connections holds, what is over waits in order, and deadlines hold while it waits") {
  CurlOptions options;
  options.max_connections = 3;
  Bench bench([](const Received&) { return test::http_hold(); }, options);
  Results results(*bench.executor);
  for (int i = 0; i < 10; ++i) {
    bench.transport->send(request_of("GET", "/" + std::to_string(i)), results.completion(std::to_string(i)));
  }
  REQUIRE(bench.server.wait_for_requests(3));

  HttpRequest queued = request_of("GET", "/queued");
  queued.deadline = bench.executor->now() + milliseconds(10);
  CHECK_ERROR(bench.ask(queued), ErrorKind::kTimeout, "GET /queued: ");
  const auto cancelled = bench.transport->send(request_of("GET", "/cancelled"), results.completion("cancelled"));
  bench.transport->cancel(cancelled);
  REQUIRE_OK(results.wait_for(1));
  CHECK(results.names() == std::vector<std::string>{"cancelled"});

  bench.server.release();
  REQUIRE_OK(results.wait_for(11));
  CHECK(bench.server.connections() == 3);
  CHECK(bench.server.most_open_connections() == 3);
  const auto received = bench.server.received();
  REQUIRE(received.size() == 10);  // neither the one that was too late nor the cancelled one
  std::set<std::string> first_three = {received[0].target, received[1].target, received[2].target};
  CHECK(first_three == std::set<std::string>{"/0", "/1", "/2"});
  for (const auto& result : results.all()) {
    if (result.name != "cancelled") CHECK_OK(result.response);
  }
}

TEST_CASE("curl: destruction also completes what waits for a connection") {
  CurlOptions options;
  options.max_connections = 1;
  Bench bench([](const Received&) { return test::http_hold(); }, options);
  Results results(*bench.executor);
  for (const char* name : {"1", "2", "3"}) {
    bench.transport->send(request_of("GET", "/hang"), results.completion(name));
  }
  REQUIRE(bench.server.wait_for_requests(1));
  bench.transport.reset();
  REQUIRE_OK(results.wait_for(3));
  CHECK(results.names() == std::vector<std::string>{"1", "2", "3"});
  for (const auto& result : results.all()) {
    CHECK_ERROR(result.response, ErrorKind::kCancelled, "the transport was destroyed");
  }
}

TEST_CASE("curl: 500 blocking queries are under way on one I/O thread") {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &limit);
  REQUIRE(limit.rlim_cur >= 1100);  // both ends of 500 connections

  CurlOptions options;
  options.max_connections = 500;
  HttpTestServer server([](const Received&) { return test::http_hold(); });
  const auto executor = new_loop_executor();
  options.address = server.address();
  const std::size_t before = count_threads();
  auto transport = new_curl_transport(*executor, options);
  REQUIRE_OK(transport);
  Results results(*executor);
  for (int i = 0; i < 500; ++i) {
    (*transport)->send(request_of("GET", "/v1/kv/" + std::to_string(i) + "?index=1"), results.completion(""));
  }
  REQUIRE(server.wait_for_requests(500));
  CHECK(server.most_open_connections() == 500);
  CHECK(count_threads() == before + 1);
  server.release();
  REQUIRE_OK(results.wait_for(500));
  for (const auto& result : results.all()) CHECK_OK(result.response);
  CHECK(count_threads() == before + 1);
  transport->reset();
  CHECK(count_threads() == before);
}

TEST_CASE("curl: many requests to a named host get through, whose lookups are limited") {
  Bench bench(fine);
  CurlOptions options;
  options.address = "localhost:" + std::to_string(bench.server.port());
  bench.open(options);
  Results results(*bench.executor);
  for (int i = 0; i < 100; ++i) bench.transport->send(request_of("GET", "/x"), results.completion(""));
  REQUIRE_OK(results.wait_for(100));
  for (const auto& result : results.all()) CHECK_OK(result.response);
}

// The server ends a kept connection instead of answering the second request on it: curl would send it again.
TEST_CASE("curl: a write is never sent twice, a read may be") {
  const auto script = [](const Received& request) {
    return request.connection == 1 && request.target == "/second" ? test::raw_answer("") : fine(request);
  };
  for (const char* method : {"PUT", "POST", "DELETE", "GET"}) {
    SUBCASE(method) {
      Bench bench(script);
      REQUIRE_OK(bench.get("/first"));
      const auto got = bench.ask(request_of(method, "/second", method == std::string("PUT") ? "body" : ""));
      const auto received = bench.server.received();
      if (method == std::string("GET")) {
        CHECK_OK(got);
        CHECK(received.size() == 3);
      } else {
        CHECK_ERROR(got, ErrorKind::kUnreachable, std::string(method) + " /second: ");
        CHECK_ERROR(got, ErrorKind::kUnreachable, "read back whether a write was carried out");
        CHECK(received.size() == 2);
      }
    }
  }
}

TEST_CASE("curl: proxies of the environment are ignored") {
  const ProxyEnvironment proxies;
  Bench bench(fine);
  CHECK_OK(bench.get("/x"));
}

TEST_CASE("curl: a unix socket") {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path("consul.sock");
  HttpTestServer server(fine, path);
  Bench bench(fine);
  CurlOptions options;
  options.address = "unix://" + path;
  bench.open(options);
  CHECK_OK(bench.get("/v1/x"));
  REQUIRE(server.received().size() == 1);
  CHECK(server.received()[0].target == "/v1/x");
  options.address = "unix://" + directory.path("absent.sock");
  bench.open(options);
  CHECK_ERROR(bench.get("/v1/x"), ErrorKind::kUnreachable, "GET /v1/x: ");
}

TEST_CASE("curl: spellings of the address") {
  Bench bench(fine);
  const std::string port = std::to_string(bench.server.port());
  for (const std::string& address :
       {"127.0.0.1:" + port, "http://127.0.0.1:" + port, "http://127.0.0.1:" + port + "/", "localhost:" + port}) {
    CAPTURE(address);
    CurlOptions options;
    options.address = address;
    bench.open(options);
    CHECK_OK(bench.get("/x"));
  }
}

TEST_CASE("curl: options that cannot be are refused, without showing a secret") {
  struct Case {
    const char* name;
    void (*change)(CurlOptions&);
    const char* fragment;
  };
  const Case cases[] = {
      {"no address", [](CurlOptions& o) { o.address = ""; }, "address: empty; "},
      {"scheme", [](CurlOptions& o) { o.address = "ftp://host:1"; }, "address: scheme \"ftp\" is unknown; "},
      {"only a scheme", [](CurlOptions& o) { o.address = "http://"; }, "address: \"\" is no host; "},
      {"port", [](CurlOptions& o) { o.address = "host:65536"; }, "address: \"65536\" is no port; "},
      {"port 0", [](CurlOptions& o) { o.address = "host:0"; }, "address: \"0\" is no port; "},
      {"port of letters", [](CurlOptions& o) { o.address = "host:http"; }, "address: \"http\" is no port; "},
      {"path", [](CurlOptions& o) { o.address = "http://host/v1"; }, "address: \"host/v1\" is no host; "},
      {"space", [](CurlOptions& o) { o.address = "ho st:1"; }, "address: \"ho st\" is no host; "},
      {"bad IPv6", [](CurlOptions& o) { o.address = "[::g]:1"; }, "address: \"[::g]\" is no host; "},
      {"user", [](CurlOptions& o) { o.address = "http://me:s3cret@host:1"; }, "address: has a user in it; "},
      {"relative socket", [](CurlOptions& o) { o.address = "unix://run/x"; }, "address: \"unix://run/x\" is no socket"},
      {"long socket", [](CurlOptions& o) { o.address = "unix:///" + std::string(200, 'x'); },
       "address: \"unix:///xxxx"},
      {"token", [](CurlOptions& o) { o.token = "s3cret\n"; }, "token: has a line break; "},
      {"basic_auth", [](CurlOptions& o) { o.basic_auth = "s3cret"; }, "basic_auth: has no colon; "},
      {"basic_auth line", [](CurlOptions& o) { o.basic_auth = "a:s3cret\r"; }, "basic_auth: has a line break; "},
      {"key alone", [](CurlOptions& o) { o.client_key_file = "/etc/hostname"; }, "client_key_file: a key without"},
      {"no connections", [](CurlOptions& o) { o.max_connections = 0; }, "max_connections: 0 is less than 1; "},
      {"connect_timeout", [](CurlOptions& o) { o.connect_timeout = Duration(0); }, "connect_timeout: less than"},
      {"default_timeout", [](CurlOptions& o) { o.default_timeout = Duration(-1); }, "default_timeout: less than"},
      {"ca_file", [](CurlOptions& o) { o.ca_file = "/no/such.pem"; }, "ca_file: /no/such.pem does not exist; "},
      {"ca_file a directory", [](CurlOptions& o) { o.ca_file = "/"; }, "ca_file: / is a directory; "},
      {"ca_path", [](CurlOptions& o) { o.ca_path = "/no/such"; }, "ca_path: /no/such does not exist; "},
      {"ca_path a file", [](CurlOptions& o) { o.ca_path = "/proc/self/stat"; },
       "ca_path: /proc/self/stat is no direct"},
      {"cert", [](CurlOptions& o) { o.client_cert_file = "/no.pem"; }, "client_cert_file: /no.pem does not exist; "},
      {"server name",
       [](CurlOptions& o) {
         o.address = "https://host:1";
         o.tls_server_name = "a b";
       },
       "tls_server_name: \"a b\" is no host name; "},
  };
  const auto executor = new_loop_executor();
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CurlOptions options;
      c.change(options);
      const auto transport = new_curl_transport(*executor, options);
      CHECK_ERROR(transport, ErrorKind::kUsage, std::string("curl transport: ") + c.fragment);
      CHECK(transport.status().ToString().find("s3cret") == std::string::npos);
      CHECK(error_detail(transport.status()).find("field") != nullptr);
    }
  }
}

TEST_CASE("curl: a request that would be another one on the wire is refused") {
  struct Case {
    const char* name;
    HttpRequest request;
    const char* fragment;
  };
  const auto with_header = [](const std::string& name, const std::string& value) {
    HttpRequest request = request_of("GET", "/x");
    request.headers = {{name, value}};
    return request;
  };
  const Case cases[] = {
      {"method", request_of("GET /y HTTP/1.1\r\nA:", "/x"), "the method is no HTTP method"},
      {"no method", request_of("", "/x"), "the method is no HTTP method"},
      {"target without a slash", request_of("GET", "x"), "the target is no path"},
      {"target with a space", request_of("GET", "/x y"), "the target is no path"},
      {"target with a line break", request_of("GET", "/x\r\nA: b"), "the target is no path"},
      {"target with a fragment", request_of("GET", "/x#y"), "the target is no path"},
      {"header value", with_header("A", "b\r\nC: d"), "GET /x: the value of header A has a line break"},
      {"header name", with_header("A: b\r\nC", "d"), "GET /x: a header's name is no HTTP token"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench bench(fine);
      CHECK_ERROR(bench.ask(c.request), ErrorKind::kUsage, c.fragment);
      CHECK_OK(bench.get("/after"));
      CHECK(bench.server.received().size() == 1);
    }
  }
}

TEST_CASE("curl: init_curl=false leaves libcurl's start to the host") {
  CurlOptions options;
  options.init_curl = false;  // it has been started by the cases above or by curl_easy_init itself
  Bench bench(fine, options);
  CHECK_OK(bench.get("/x"));
}

}  // namespace
}  // namespace convergence
