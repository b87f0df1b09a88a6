// The table of client cases on the embedded Consul, on simulated time.
#include "tests/support/client_table.h"

#include <doctest/doctest.h>

#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"

namespace convergence::test {
namespace {

void run_cases(const std::vector<ClientCase>& cases, std::string_view group) {
  for_each_client_case(cases, group, [&](const ClientCase& c, const std::string& prefix) {
    SimulatedExecutor executor;
    MemoryConsul consul(executor);
    ConsulClient client(executor, consul);
    Backend backend{client, executor, consul, prefix};
    c.run(backend);
  });
}

TEST_CASE("the embedded Consul: KV") { run_cases(kv_cases(), "kv"); }
TEST_CASE("the embedded Consul: blocking queries") { run_cases(blocking_cases(), "blocking"); }
TEST_CASE("the embedded Consul: transactions") { run_cases(txn_cases(), "txn"); }
TEST_CASE("the embedded Consul: catalog, health, agent") { run_cases(catalog_cases(), "catalog"); }
TEST_CASE("the embedded Consul: config entries") { run_cases(config_cases(), "config"); }
TEST_CASE("the embedded Consul: sessions") { run_cases(session_cases(), "session"); }
TEST_CASE("the embedded Consul: failures") { run_cases(failure_cases(), "failure"); }

}  // namespace
}  // namespace convergence::test
