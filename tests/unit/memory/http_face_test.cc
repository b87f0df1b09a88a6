#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "convergence/curl_transport.h"
#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"
#include "fmt/format.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// A client that shows what is on the wire.
class Socket {
 public:
  explicit Socket(std::uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval patience{30, 0};  // for a broken server
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Socket() { hang_up(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connected() const { return connected_; }
  void hang_up() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }
  void write(const std::string& text) { CHECK(send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) > 0); }
  // "" at the end of the connection.
  std::string read_some() {
    std::array<char, 4096> buffer;
    const ssize_t got = recv(descriptor_, buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
  }
  // One answer with a Content-Length: head and body.
  std::pair<std::string, std::string> read_answer() {
    std::string text;
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      const std::string more = read_some();
      if (more.empty()) return {text, ""};
      text += more;
    }
    const std::string head = text.substr(0, end + 2);
    std::string body = text.substr(end + 4);
    const std::size_t length = head.find("Content-Length: ");
    const std::size_t wanted = length == std::string::npos ? 0 : std::stoul(head.substr(length + 16));
    while (body.size() < wanted) body += read_some();
    return {head, body};
  }

 private:
  int descriptor_;
  bool connected_ = false;
};

struct Served {
  std::unique_ptr<Executor> executor = new_thread_executor();
  MemoryConsul consul{*executor};
  std::unique_ptr<HttpFace> face;

  Served() {
    auto started = HttpFace::start(consul, 0);
    REQUIRE_OK(started);
    face = *std::move(started);
  }
  ~Served() { face.reset(); }

  std::size_t parked() {
    std::promise<std::size_t> count;
    executor->post([&] { count.set_value(consul.state().parked.size()); });
    return count.get_future().get();
  }
  void wait_for_parked(std::size_t wanted) {
    const absl::Status status =
        executor->wait_until([&] { return parked() == wanted; }, executor->now() + std::chrono::seconds(30));
    CHECK_OK(status);
  }
};

std::string head(std::string_view line) { return fmt::format("{} HTTP/1.1\r\nHost: localhost\r\n", line); }

TEST_CASE("the face speaks HTTP as Consul's") {
  Served served;
  Socket socket(served.face->port());
  REQUIRE(socket.connected());
  socket.write(head("PUT /v1/kv/a%20b?flags=3") + "Content-Length: 5\r\n\r\nhello");
  const auto [put_head, put_body] = socket.read_answer();
  CHECK(put_head.find("HTTP/1.1 200 OK\r\n") == 0);
  CHECK(put_head.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(put_body == "true");
  socket.write(head("GET /v1/kv/a%20b") + "\r\n");  // on the same connection
  const auto [get_head, get_body] = socket.read_answer();
  CHECK(get_head.find("X-Consul-Index: 3\r\n") != std::string::npos);
  CHECK(get_head.find("X-Consul-Knownleader: true\r\n") != std::string::npos);
  CHECK(get_body == R"([{"LockIndex":0,"Key":"a b","Flags":3,"Value":"aGVsbG8=","CreateIndex":3,"ModifyIndex":3}])");
  socket.write(head("GET /v1/kv/none") + "\r\n");
  const auto [none_head, none_body] = socket.read_answer();
  CHECK(none_head.find("HTTP/1.1 404 Not Found\r\n") == 0);
  CHECK(none_head.find("Content-Type") == std::string::npos);
  CHECK(none_body.empty());
  socket.write(head("HEAD /v1/kv/a") + "\r\n");
  CHECK(socket.read_answer().first.find("HTTP/1.1 405 ") == 0);
  socket.write(head("PATCH /v1/kv/a") + "Content-Length: 0\r\n\r\n");
  CHECK(socket.read_answer().second == "method PATCH not allowed");
}

TEST_CASE("a body in chunks is taken") {
  Served served;
  Socket socket(served.face->port());
  socket.write(head("PUT /v1/kv/a") + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(socket.read_answer().second == "true");
  socket.write(head("GET /v1/kv/a?raw") + "\r\n");
  CHECK(socket.read_answer().second == "abcde");
}

TEST_CASE("what is no HTTP is refused and harms nobody else") {
  Served served;
  for (const char* garbage : {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02", "GET / HTTP/9.9\r\n\r\n"}) {
    Socket bad(served.face->port());
    bad.write(garbage);
    Socket good(served.face->port());
    good.write(head("GET /v1/status/leader") + "\r\n");
    CHECK(good.read_answer().second == R"("127.0.0.1:8300")");
  }
}

TEST_CASE("a parked query costs a connection, and a write elsewhere answers it") {
  Served served;
  std::vector<std::unique_ptr<Socket>> watchers;
  for (int i = 0; i < 20; ++i) {
    watchers.push_back(std::make_unique<Socket>(served.face->port()));
    watchers.back()->write(head("GET /v1/kv/a?index=2&raw") + "\r\n");
  }
  served.wait_for_parked(20);
  Socket writer(served.face->port());
  writer.write(head("PUT /v1/kv/a") + "Content-Length: 1\r\n\r\nx");
  CHECK(writer.read_answer().second == "true");
  for (const auto& watcher : watchers) CHECK(watcher->read_answer().second == "x");
  served.wait_for_parked(0);
}

TEST_CASE("a client that hangs up takes its parked query along") {
  Served served;
  Socket stays(served.face->port());
  stays.write(head("GET /v1/kv/a?index=2&raw") + "\r\n");
  {
    Socket goes(served.face->port());
    goes.write(head("GET /v1/kv/a?index=2") + "\r\n");
    served.wait_for_parked(2);
  }
  served.wait_for_parked(1);
  Socket writer(served.face->port());
  writer.write(head("PUT /v1/kv/a") + "Content-Length: 1\r\n\r\nx");
  CHECK(writer.read_answer().second == "true");
  CHECK(stays.read_answer().second == "x");
}

TEST_CASE("the face ends cleanly while queries are parked") {
  auto served = std::make_unique<Served>();
  Socket socket(served->face->port());
  socket.write(head("GET /v1/kv/a?index=2") + "\r\n");
  served->wait_for_parked(1);
  const std::uint16_t port = served->face->port();
  served->face.reset();
  CHECK(socket.read_some().empty());
  CHECK_FALSE(Socket(port).connected());
  served->wait_for_parked(0);
  auto again = HttpFace::start(served->consul, port);  // the port is free again
  REQUIRE_OK(again);
  CHECK((*again)->port() == port);
}

TEST_CASE("a port that is taken is refused by name") {
  Served served;
  const std::string port = std::to_string(served.face->port());
  CHECK_ERROR(HttpFace::start(served.consul, served.face->port()), ErrorKind::kUnreachable, "127.0.0.1:" + port);
}

// What is behind the face may fail as a network does.
class Failing : public Transport {
 public:
  explicit Failing(Executor& executor) : executor_(executor) {}
  SendId send(HttpRequest, Completion completion) override {
    executor_.post([completion = std::move(completion)] { completion(absl::UnavailableError("gone")); });
    return 1;
  }
  void cancel(SendId) override {}

 private:
  Executor& executor_;
};

TEST_CASE("where there is no answer the connection is closed without one") {
  const std::unique_ptr<Executor> executor = new_thread_executor();
  Failing failing(*executor);
  auto face = HttpFace::start(failing, 0);
  REQUIRE_OK(face);
  Socket socket((*face)->port());
  socket.write(head("GET /v1/status/leader") + "\r\n");
  CHECK(socket.read_some().empty());
}

TEST_CASE("our own curl transport gets through the face what the consul answers") {
  Served served;
  CurlOptions options;
  options.address = "127.0.0.1:" + std::to_string(served.face->port());
  const std::unique_ptr<LoopExecutor> loop = new_loop_executor();
  auto transport = new_curl_transport(*loop, options);
  REQUIRE_OK(transport);
  std::vector<HttpResponse> responses;
  for (const char* target : {"/v1/catalog/nodes", "/v1/kv/none", "/v1/health/service/consul?passing"}) {
    HttpRequest request;
    request.target = target;
    const std::size_t before = responses.size();
    (*transport)->send(request, [&](absl::StatusOr<HttpResponse> response) {
      REQUIRE_OK(response);
      responses.push_back(*response);
    });
    REQUIRE_OK(loop->wait_until([&] { return responses.size() > before; }, loop->now() + std::chrono::seconds(30)));
    const HttpResponse direct = apply({}, Time{}, 1, request).answers.at(0).response;
    CHECK(responses.back().status == direct.status);
    CHECK(responses.back().body == direct.body);
    for (const auto& [name, value] : direct.headers) {
      const std::string* there = find_header(responses.back(), name);
      REQUIRE(there != nullptr);
      CHECK(*there == value);
    }
  }
}

}  // namespace
}  // namespace convergence
