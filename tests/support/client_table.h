#ifndef CONVERGENCE_TESTS_SUPPORT_CLIENT_TABLE_H_
#define CONVERGENCE_TESTS_SUPPORT_CLIENT_TABLE_H_

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/consul_client.h"
#include "convergence/executor.h"
#include "convergence/transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {

// What a client may expect of a Consul, as cases that run on the real server and on the embedded one. A case uses only
// names that key() and name() give, so that one server serves all of them, and takes away what it registered.
struct Backend {
  ConsulClient& client;
  Executor& executor;  // a loop or a simulated one, polled by this thread alone
  Transport& transport;
  std::string prefix;

  std::string key(std::string_view rest) const { return prefix + "/" + std::string(rest); }
  std::string name(std::string_view rest) const { return prefix + "-" + std::string(rest); }
};

struct ClientCase {
  const char* name;
  void (*run)(Backend& backend);
};

std::vector<ClientCase> kv_cases();
std::vector<ClientCase> blocking_cases();
std::vector<ClientCase> txn_cases();
std::vector<ClientCase> catalog_cases();
std::vector<ClientCase> config_cases();
std::vector<ClientCase> session_cases();
std::vector<ClientCase> failure_cases();

// All of them. `run` is called for each with a prefix of its own, within a doctest subcase of its name.
template <typename Run>
void for_each_client_case(const std::vector<ClientCase>& cases, std::string_view group, Run run) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SUBCASE(cases[i].name) { run(cases[i], std::string(group) + std::to_string(i)); }
  }
}

constexpr Duration kPatience = std::chrono::seconds(60);  // no case that works waits as long

template <typename T, typename Start>
absl::StatusOr<T> call(const Backend& backend, Start start) {
  return await<T>(backend.executor, start, kPatience);
}

// The value of a call that must go well.
template <typename T, typename Start>
T must(const Backend& backend, Start start) {
  absl::StatusOr<T> result = call<T>(backend, start);
  REQUIRE_OK(result);
  return *std::move(result);
}

template <typename Start>
void must_be_done(const Backend& backend, Start start) {
  REQUIRE_OK(await_done(backend.executor, start, kPatience));
}

// A call that goes on while the test does other things.
template <typename T>
class UnderWay {
 public:
  template <typename Start>
  UnderWay(const Backend& backend, Start start) : executor_(backend.executor) {
    executor_.post(
        [start, result = result_] { start([result](absl::StatusOr<T> given) { *result = std::move(given); }); });
  }
  bool ended() const { return result_->has_value(); }
  T value() {
    REQUIRE_OK(executor_.wait_until([this] { return ended(); }, executor_.now() + kPatience));
    REQUIRE_OK(**result_);
    return ***result_;
  }

 private:
  Executor& executor_;
  std::shared_ptr<std::optional<absl::StatusOr<T>>> result_ = std::make_shared<std::optional<absl::StatusOr<T>>>();
};

// ---- shorthands

using OnePair = Answer<std::optional<KvPair>>;
using Pairs = Answer<std::vector<KvPair>>;
using Rows = Answer<std::vector<HealthRow>>;

ReadOptions waiting(std::uint64_t index, Duration wait = std::chrono::seconds(50));
OnePair get(const Backend& backend, const std::string& key);
Pairs recurse(const Backend& backend, const std::string& prefix);
UnderWay<OnePair> start_get(const Backend& backend, const std::string& key, const ReadOptions& options);
UnderWay<Pairs> start_recurse(const Backend& backend, const std::string& prefix, const ReadOptions& options);
bool put(const Backend& backend, const std::string& key, const std::string& value,
         std::optional<std::uint64_t> cas = std::nullopt);
bool remove(const Backend& backend, const std::string& key, std::optional<std::uint64_t> cas = std::nullopt);
// Reads health until `enough` says so: the agent tells the catalog in its own time.
Rows health_when(const Backend& backend, const std::string& service, const std::function<bool(const Rows&)>& enough);
// The text as JSON; for documents in tests.
Json json(std::string_view text);
void pause(const Backend& backend, Duration duration);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_CLIENT_TABLE_H_
