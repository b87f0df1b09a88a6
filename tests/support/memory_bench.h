#ifndef CONVERGENCE_TESTS_SUPPORT_MEMORY_BENCH_H_
#define CONVERGENCE_TESTS_SUPPORT_MEMORY_BENCH_H_

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/memory_consul.h"
#include "tests/support/memory_cases.h"

namespace convergence::test {

// An embedded Consul with a clock in its hand.
class MemoryBench {
 public:
  // "PUT /v1/kv/a?cas=0 value"
  static HttpRequest request(std::string_view line) {
    HttpRequest out;
    const std::size_t method = line.find(' ');
    const std::size_t target = line.find(' ', method + 1);
    out.method = std::string(line.substr(0, method));
    out.target = std::string(line.substr(method + 1, target - method - 1));
    if (target != std::string_view::npos) out.body = std::string(line.substr(target + 1));
    return out;
  }

  // Starts a request; its answer, if it is not parked.
  std::optional<HttpResponse> start(std::string_view line) {
    ++last_id;
    take(apply(std::move(state), now, last_id, request(line)));
    return answer_to(last_id);
  }
  // The answer to what is never parked.
  HttpResponse ask(std::string_view line) {
    const std::optional<HttpResponse> response = start(line);
    REQUIRE(response.has_value());
    return *response;
  }
  void pass(Duration time) {
    now += time;
    take(advance(std::move(state), now));
  }
  std::optional<HttpResponse> answer_to(std::uint64_t id) const {
    std::optional<HttpResponse> found;
    for (const MemoryAnswer& answer : answers) {
      if (answer.id != id) continue;
      CHECK_FALSE(found.has_value());  // one answer to each request
      found = answer.response;
    }
    return found;
  }

  MemoryConsulState state;
  Time now{std::chrono::hours(24 * 365 * 50)};
  std::uint64_t last_id = 0;
  std::vector<MemoryAnswer> answers;  // of the last call

 private:
  void take(MemoryStep step) {
    state = std::move(step.consul);
    answers = std::move(step.answers);
  }
};

// An answer on one line: status, "#index" where there is one, body.
inline std::string summary(const HttpResponse& response) {
  std::string out = std::to_string(response.status);
  if (const std::string* index = find_header(response, "x-consul-index")) out += " #" + *index;
  if (!response.body.empty()) out += " " + response.body;
  return out;
}

inline void check_exchanges(const std::vector<ExchangeCase>& cases) {
  for (const ExchangeCase& one : cases) {
    SUBCASE(one.name) {
      MemoryBench bench;
      for (const Exchange& exchange : one.exchanges) {
        INFO(exchange.request);
        CHECK(summary(bench.ask(exchange.request)) == exchange.answer);
      }
    }
  }
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_MEMORY_BENCH_H_
