#ifndef CONVERGENCE_TESTS_SUPPORT_MEMORY_CASES_H_
#define CONVERGENCE_TESTS_SUPPORT_MEMORY_CASES_H_

#include <vector>

namespace convergence::test {

// Requests and the whole answers of the embedded Consul to them, from a fresh one on: "status #index body", the index
// where the answer has one. The unit test wants these answers; the differential test sends the same requests to the
// embedded Consul and to a real one and wants the two to agree.
struct Exchange {
  const char* request;  // "PUT /v1/kv/a?cas=0 value"; sessions by the ids that the embedded Consul counts
  const char* answer;
};
struct ExchangeCase {
  const char* name;
  std::vector<Exchange> exchanges;
};

std::vector<ExchangeCase> memory_kv_cases();
std::vector<ExchangeCase> memory_session_cases();
std::vector<ExchangeCase> memory_txn_cases();
std::vector<ExchangeCase> memory_catalog_cases();
std::vector<ExchangeCase> memory_health_cases();
std::vector<ExchangeCase> memory_filter_cases();
std::vector<ExchangeCase> memory_agent_cases();
std::vector<ExchangeCase> memory_config_cases();
// Paths, methods and parameters. The answers that are ours alone are in the second list.
std::vector<ExchangeCase> memory_router_cases();
std::vector<ExchangeCase> memory_own_cases();

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_MEMORY_CASES_H_
