#include <doctest/doctest.h>

#include "convergence/curl_transport.h"
#include "tests/support/http_test_server.h"
#include "tests/support/transport_contract.h"

namespace convergence {
namespace {

using test::HttpTestServer;
using test::TransportWorld;

HttpTestServer::Answer plain_script(const HttpTestServer::Received& request) {
  if (request.target == "/hang") return test::http_hold();
  if (request.target == "/refused") return test::http_answer(403, "Permission denied");
  return test::http_answer(200, "prompt body", "X-Consul-Index: 7\r\n");
}

TransportWorld curl_world(std::shared_ptr<Executor> executor) {
  TransportWorld world;
  world.executor = std::move(executor);
  const auto server = std::make_shared<HttpTestServer>(plain_script);
  world.behind = server;
  CurlOptions options;
  options.address = server->address();
  auto transport = new_curl_transport(*world.executor, options);
  REQUIRE_OK(transport);
  world.transport = *std::move(transport);
  world.prompt.target = "/prompt";
  world.refused.target = "/refused";
  world.hanging.emplace().target = "/hang";
  return world;
}

TEST_CASE("curl transport on a polled loop keeps the contract of transport.h") {
  test::check_transport_contract("curl, loop",
                                 [] { return curl_world(std::shared_ptr<Executor>(new_loop_executor())); });
}

TEST_CASE("curl transport on a thread keeps the contract of transport.h") {
  test::check_transport_contract("curl, thread",
                                 [] { return curl_world(std::shared_ptr<Executor>(new_thread_executor())); });
}

}  // namespace
}  // namespace convergence
