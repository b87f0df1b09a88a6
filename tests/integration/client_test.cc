// The table of client cases on a real Consul.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "convergence/curl_transport.h"
#include "tests/support/client_table.h"
#include "tests/support/consul_server.h"

namespace convergence::test {
namespace {

// One server for all cases; it ends with the program.
ConsulServer& server() {
  static const absl::StatusOr<std::unique_ptr<ConsulServer>> started = ConsulServer::start();
  REQUIRE_OK(started);
  return **started;
}

struct Connection {
  explicit Connection(const CurlOptions& options) : executor(new_loop_executor()) {
    auto made = new_curl_transport(*executor, options);
    REQUIRE_OK(made);
    transport = *std::move(made);
    client = std::make_unique<ConsulClient>(*executor, *transport);
  }
  Backend backend(std::string prefix) { return Backend{*client, *executor, *transport, std::move(prefix)}; }

  std::unique_ptr<LoopExecutor> executor;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<ConsulClient> client;
};

void run_cases(const std::vector<ClientCase>& cases, std::string_view group) {
  CurlOptions options;
  options.address = server().address();
  for_each_client_case(cases, group, [&](const ClientCase& c, const std::string& prefix) {
    Connection connection(options);
    Backend backend = connection.backend(prefix);
    c.run(backend);
  });
}

TEST_CASE("a real Consul: KV") { run_cases(kv_cases(), "kv"); }
TEST_CASE("a real Consul: blocking queries") { run_cases(blocking_cases(), "blocking"); }
TEST_CASE("a real Consul: transactions") { run_cases(txn_cases(), "txn"); }
TEST_CASE("a real Consul: catalog, health, agent") { run_cases(catalog_cases(), "catalog"); }
TEST_CASE("a real Consul: config entries") { run_cases(config_cases(), "config"); }
TEST_CASE("a real Consul: sessions") { run_cases(session_cases(), "session"); }
TEST_CASE("a real Consul: failures") { run_cases(failure_cases(), "failure"); }

}  // namespace
}  // namespace convergence::test
