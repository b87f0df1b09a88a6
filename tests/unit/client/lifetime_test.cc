// Each callback exactly once, as a task of the executor, whatever ends first.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/executor.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = Answer<std::optional<KvPair>>;

struct Results {
  std::vector<absl::Status> all;
  ConsulClient::Callback<Pair> keep() {
    return [this](const absl::StatusOr<Pair>& result) { all.push_back(result.status()); };
  }
};

TEST_CASE("a callback never runs inside the call") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  Results results;
  transport.script(answer("", 1, 404));
  client.kv_get("k", {}, results.keep());
  CHECK(results.all.empty());
  executor.run_ready();
  CHECK(results.all.size() == 1);
  executor.advance(seconds(100));
  CHECK(results.all.size() == 1);
}

TEST_CASE("destruction ends what is under way as cancelled") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  auto client = std::make_unique<ConsulClient>(executor, transport);
  Results results;
  client->kv_get("under way", {}, results.keep());
  client->kv_get("", {}, results.keep());
  executor.run_ready();
  transport.reply(make_error(ErrorKind::kUnreachable, "gone"));
  client->kv_get("just sent", {}, results.keep());
  executor.run_ready();  // the first now pauses before its second try
  CHECK(results.all.size() == 1);
  transport.script(answer("", 1, 404));
  client->kv_get("answered, not yet told", {}, results.keep());
  client.reset();
  CHECK(results.all.size() == 1);
  CHECK(transport.under_way() == 0);
  executor.advance(seconds(100));
  REQUIRE(results.all.size() == 4);
  for (std::size_t i = 1; i < 4; ++i) CHECK_ERROR(results.all[i], ErrorKind::kCancelled, "cancelled with its client");
  CHECK(executor.idle());
}

TEST_CASE("a client that is cancelled can be used again") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  Results results;
  client.kv_get("a", {}, results.keep());
  client.cancel_all();
  client.cancel_all();
  executor.run_ready();
  REQUIRE(results.all.size() == 1);
  CHECK_ERROR(results.all[0], ErrorKind::kCancelled, "GET /v1/kv/a: cancelled with its client");
  transport.script(answer("", 1, 404));
  client.kv_get("a", {}, results.keep());
  executor.run_ready();
  REQUIRE(results.all.size() == 2);
  CHECK_OK(results.all[1]);
}

TEST_CASE("a client may be destroyed, or called, from inside a callback") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  auto client = std::make_unique<ConsulClient>(executor, transport);
  Results results;
  transport.script(answer("", 1, 404));
  client->kv_get("other", {}, [&](const absl::StatusOr<Pair>& first) {
    results.all.push_back(first.status());
    client->kv_get("inner", {}, results.keep());
    client.reset();
  });
  client->kv_get("outer", {}, results.keep());
  executor.run_ready();
  REQUIRE(results.all.size() == 3);
  CHECK_OK(results.all[0]);
  CHECK_ERROR(results.all[1], ErrorKind::kCancelled, "/v1/kv/outer");
  CHECK_ERROR(results.all[2], ErrorKind::kCancelled, "/v1/kv/inner");
}

TEST_CASE("deletion with compare-and-set ends once when the client goes between its two steps") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  auto client = std::make_unique<ConsulClient>(executor, transport);
  std::vector<absl::Status> results;
  const auto keep = [&](const absl::StatusOr<bool>& result) { results.push_back(result.status()); };
  transport.script(answer(R"({"Kind":"service-defaults","Name":"web","CreateIndex":3,"ModifyIndex":7})", 7));
  client->config_delete("service-defaults", "web", 7, {}, keep);
  executor.run_ready();
  CHECK(transport.requests.size() == 2);
  client.reset();
  executor.run_ready();
  REQUIRE(results.size() == 1);
  CHECK_ERROR(results[0], ErrorKind::kCancelled, "DELETE /v1/config/service-defaults/web?cas=7");
}

TEST_CASE("the transport may go first") {
  SimulatedExecutor executor;
  auto transport = std::make_unique<ScriptedTransport>(executor);
  ConsulClient client(executor, *transport);
  Results results;
  client.kv_get("a", {}, results.keep());
  transport.reset();
  executor.run_ready();
  REQUIRE(results.all.size() == 1);
  CHECK_ERROR(results.all[0], ErrorKind::kCancelled, "GET /v1/kv/a");
}

TEST_CASE("await refuses inside a task, and then nothing is sent") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  absl::StatusOr<bool> result = true;
  executor.post([&] {
    result = await<bool>(executor, [&](auto done) { client.kv_put({"k", "v", 0, {}, "", ""}, {}, done); });
  });
  executor.run_ready();
  CHECK_ERROR(result, ErrorKind::kUsage, "inside one of its own tasks");
  CHECK(result.status().code() == absl::StatusCode::kFailedPrecondition);
  executor.run_ready();
  CHECK(transport.requests.empty());
}

TEST_CASE("await ends at its time, and the call goes on") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  const Time begin = executor.now();
  const absl::StatusOr<Pair> result = await<Pair>(
      executor, [&](auto done) { client.kv_get("k", {}, done); }, seconds(2));
  CHECK(result.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(executor.now() == begin + seconds(2));
  CHECK(transport.under_way() == 1);
  transport.reply(answer("", 1, 404));
  executor.run_ready();
}

TEST_CASE("await does not begin a call any more once it has given up") {
  const std::unique_ptr<Executor> executor = new_thread_executor();
  std::atomic<bool> held{false};
  std::atomic<bool> let_go{false};
  executor->post([&] {
    held.store(true);
    held.notify_all();
    let_go.wait(false);
  });
  held.wait(false);
  std::atomic<int> starts{0};
  const auto result = await<bool>(
      *executor, [&](const std::function<void(absl::StatusOr<bool>)>&) { ++starts; }, milliseconds(1));
  CHECK(result.status().code() == absl::StatusCode::kDeadlineExceeded);
  let_go.store(true);
  let_go.notify_all();
  CHECK_OK(await_done(*executor, [](auto done) { done(absl::OkStatus()); }));
  CHECK(starts.load() == 0);
}

// An executor with a thread of its own, calls and destruction on another one: no callback is lost or doubled.
TEST_CASE("calls from many threads while the client goes away") {
  struct EchoTransport : Transport {
    explicit EchoTransport(Executor& on) : executor(on) {}
    SendId send(HttpRequest, Completion completion) override {
      executor.post([completion = std::move(completion)] { completion(answer("", 1, 404)); });
      return ++ids;
    }
    void cancel(SendId) override {}
    Executor& executor;
    std::atomic<SendId> ids{0};
  };
  std::atomic<int> told{0};
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  const std::unique_ptr<Executor> executor = new_thread_executor();
  EchoTransport transport(*executor);
  auto client = std::make_unique<ConsulClient>(*executor, transport);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) client->kv_get("k", {}, [&](const auto&) { ++told; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  client.reset();
  CHECK_OK(await_done(*executor, [](auto done) { done(absl::OkStatus()); }));
  CHECK(told.load() == kThreads * kCalls);
}

}  // namespace
}  // namespace convergence::test
