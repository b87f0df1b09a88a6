#ifndef CONVERGENCE_TESTS_SUPPORT_TRANSPORT_CONTRACT_H_
#define CONVERGENCE_TESTS_SUPPORT_TRANSPORT_CONTRACT_H_

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "convergence/executor.h"
#include "convergence/transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {

// A transport and what the tests of its contract must know of the world behind it. Its own errors begin with
// "<method> <target>: ".
struct TransportWorld {
  std::shared_ptr<Executor> executor;
  std::shared_ptr<void> behind;  // servers, inner transports: outlive `transport`
  std::unique_ptr<Transport> transport;
  HttpRequest prompt;                  // answered at once with 200 and a body of two bytes or more, however often
  HttpRequest refused;                 // answered at once with a status of 400 or more
  std::optional<HttpRequest> hanging;  // not answered for an hour; absent where there is no such thing
  bool any_thread = true;              // false: the executor is for one thread (the simulated one)
};

// Results in the order they came, and whether each came as a task.
class Results {
 public:
  struct Result {
    std::string name;
    absl::StatusOr<HttpResponse> response;
    bool in_task = false;
  };

  explicit Results(Executor& executor) : executor_(executor) {}

  Transport::Completion completion(const std::string& name) {
    return [this, name](absl::StatusOr<HttpResponse> response) {
      const bool in_task = error_kind(executor_.wait_until([] { return true; }, kNever)) == ErrorKind::kUsage;
      const std::lock_guard lock(mutex_);
      results_.push_back({name, std::move(response), in_task});
    };
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return results_.size();
  }
  std::vector<Result> all() const {
    const std::lock_guard lock(mutex_);
    return results_;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Result& result : all()) names.push_back(result.name);
    return names;
  }
  absl::Status wait_for(std::size_t count) {
    return executor_.wait_until([&] { return size() >= count; }, executor_.now() + std::chrono::minutes(1));
  }

 private:
  Executor& executor_;
  mutable std::mutex mutex_;
  std::vector<Result> results_;
};

// What is posted already has run when this returns.
inline void drain(Executor& executor) {
  for (int round = 0; round < 4; ++round) {  // a decorator posts again from a task
    std::atomic<bool> ran{false};
    executor.post([&] { ran = true; });
    REQUIRE_OK(executor.wait_until([&] { return ran.load(); }, executor.now() + std::chrono::minutes(1)));
  }
}

inline absl::StatusOr<HttpResponse> ask(TransportWorld& world, HttpRequest request) {
  Results results(*world.executor);
  world.transport->send(std::move(request), results.completion("asked"));
  REQUIRE_OK(results.wait_for(1));
  drain(*world.executor);
  REQUIRE(results.size() == 1);  // exactly one
  REQUIRE(results.all()[0].in_task);
  return results.all()[0].response;
}

inline HttpRequest with_deadline(HttpRequest request, Time deadline) {
  request.deadline = deadline;
  return request;
}

namespace contract {

inline void answers(TransportWorld world) {
  const absl::StatusOr<HttpResponse> response = ask(world, world.prompt);
  REQUIRE_OK(response);
  CHECK(response->status == 200);
  CHECK(response->body.size() >= 2);
  for (const auto& [name, value] : response->headers) {
    CHECK(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
  }
  const absl::StatusOr<HttpResponse> refused = ask(world, world.refused);
  REQUIRE_OK(refused);
  CHECK(refused->status >= 400);
}

inline void ids(TransportWorld world) {
  Results results(*world.executor);
  std::set<Transport::SendId> ids;
  for (int i = 0; i < 20; ++i) ids.insert(world.transport->send(world.prompt, results.completion("")));
  CHECK(ids.size() == 20);
  CHECK(ids.count(0) == 0);
  REQUIRE_OK(results.wait_for(20));
  for (const auto& result : results.all()) CHECK_OK(result.response);
}

// The executor is busy with one task during which everything is sent and cancelled: nothing may complete inside it.
inline void never_inside(TransportWorld world) {
  Results results(*world.executor);
  std::size_t inside = 99;
  std::atomic<bool> ran{false};
  world.executor->post([&] {
    const auto id = world.transport->send(world.hanging.value_or(world.prompt), results.completion("cancelled"));
    world.transport->cancel(id);
    world.transport->send(with_deadline(world.prompt, Time{}), results.completion("late"));
    world.transport->send(world.prompt, results.completion("prompt"));
    inside = results.size();
    ran = true;
  });
  REQUIRE_OK(world.executor->wait_until([&] { return ran.load(); }, world.executor->now() + std::chrono::minutes(1)));
  CHECK(inside == 0);
  REQUIRE_OK(results.wait_for(3));
  for (const auto& result : results.all()) CHECK(result.in_task);
}

inline void cap(TransportWorld world) {
  const absl::StatusOr<HttpResponse> whole = ask(world, world.prompt);
  REQUIRE_OK(whole);
  HttpRequest request = world.prompt;
  request.max_body = whole->body.size();
  CHECK_OK(ask(world, request));
  request.max_body = whole->body.size() - 1;
  CHECK_ERROR(ask(world, request), ErrorKind::kTooLarge, request.method + " " + request.target + ": ");
  request.max_body = 0;
  CHECK_ERROR(ask(world, request), ErrorKind::kTooLarge, "; ");
}

inline void past_deadline(TransportWorld world) {
  const Time past = world.executor->now() - std::chrono::seconds(1);
  CHECK_ERROR(ask(world, with_deadline(world.prompt, past)), ErrorKind::kTimeout,
              world.prompt.method + " " + world.prompt.target + ": ");
  CHECK_ERROR(ask(world, with_deadline(world.prompt, Time{})), ErrorKind::kTimeout, "; ");
}

inline void deadline(TransportWorld world) {
  if (!world.hanging) return;
  const Time at = world.executor->now() + std::chrono::milliseconds(5);
  CHECK_ERROR(ask(world, with_deadline(*world.hanging, at)), ErrorKind::kTimeout,
              world.hanging->method + " " + world.hanging->target + ": ");
  CHECK((world.executor->now() >= at));
  CHECK_OK(ask(world, world.prompt));
}

inline void cancel(TransportWorld world) {
  Results results(*world.executor);
  world.transport->cancel(0);
  world.transport->cancel(4711);
  const auto answered = world.transport->send(world.prompt, results.completion("answered"));
  REQUIRE_OK(results.wait_for(1));
  world.transport->cancel(answered);
  if (world.hanging) {
    const auto hanging = world.transport->send(*world.hanging, results.completion("hanging"));
    drain(*world.executor);
    CHECK(results.size() == 1);
    world.transport->cancel(hanging);
    world.transport->cancel(hanging);
    CHECK((!world.any_thread || results.size() <= 2));
    REQUIRE_OK(results.wait_for(2));
    CHECK_ERROR(results.all()[1].response, ErrorKind::kCancelled,
                world.hanging->method + " " + world.hanging->target + ": ");
  }
  drain(*world.executor);
  CHECK(results.size() == (world.hanging ? 2u : 1u));
  CHECK_OK(results.all()[0].response);
  CHECK_OK(ask(world, world.prompt));
}

inline void destruction(TransportWorld world) {
  Results results(*world.executor);
  std::atomic<std::size_t> inside{99};
  std::atomic<bool> ran{false};
  world.executor->post([&] {
    const HttpRequest& open = world.hanging ? *world.hanging : world.prompt;
    world.transport->send(open, results.completion("first"));
    world.transport->send(with_deadline(open, world.executor->now() + std::chrono::hours(1)),
                          results.completion("second"));
    world.transport.reset();
    inside = results.size();
    ran = true;
  });
  REQUIRE_OK(world.executor->wait_until([&] { return ran.load(); }, world.executor->now() + std::chrono::minutes(1)));
  CHECK(inside == 0);
  REQUIRE_OK(results.wait_for(2));
  drain(*world.executor);
  CHECK(results.size() == 2);
  for (const auto& result : results.all()) {
    CHECK(result.in_task);
    if (world.hanging) CHECK_ERROR(result.response, ErrorKind::kCancelled, ": ");
  }
}

inline void destroyed_by_a_completion(TransportWorld world) {
  Results results(*world.executor);
  std::atomic<bool> destroyed{false};
  world.executor->post([&] {  // as a task: nobody may destroy what another thread is calling
    if (world.hanging) world.transport->send(*world.hanging, results.completion("left"));
    world.transport->send(world.prompt, [&](absl::StatusOr<HttpResponse>) {
      world.transport.reset();
      destroyed = true;
    });
  });
  REQUIRE_OK(
      world.executor->wait_until([&] { return destroyed.load(); }, world.executor->now() + std::chrono::minutes(1)));
  drain(*world.executor);
  CHECK(results.size() == (world.hanging ? 1u : 0u));
}

// A completion may send again, and what it holds is gone when it has run.
inline void chain(TransportWorld world) {
  Results results(*world.executor);
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  world.transport->send(world.prompt, [&, held = std::move(held)](absl::StatusOr<HttpResponse> first) {
    if (first.ok()) world.transport->send(world.prompt, results.completion("second"));
  });
  REQUIRE_OK(results.wait_for(1));
  drain(*world.executor);
  CHECK(results.names() == std::vector<std::string>{"second"});
  CHECK(watched.expired());
}

inline void many_threads(TransportWorld world) {
  if (!world.any_thread) return;
  constexpr int kThreads = 4;
  constexpr int kEach = 25;
  std::atomic<int> once{0};
  std::vector<std::atomic<int>> counts(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const bool hang = i % 5 == 4 && world.hanging;
        const auto id = world.transport->send(hang ? *world.hanging : world.prompt, [&, t, i](auto) {
          ++counts[static_cast<std::size_t>(t * kEach + i)];
          ++once;
        });
        if (hang || i % 3 == 0) world.transport->cancel(id);
      }
    });
  }
  const absl::Status status = world.executor->wait_until([&] { return once >= kThreads * kEach; },
                                                         world.executor->now() + std::chrono::minutes(1));
  for (std::thread& thread : threads) thread.join();
  CHECK_OK(status);
  drain(*world.executor);
  world.transport.reset();
  drain(*world.executor);
  CHECK(std::all_of(counts.begin(), counts.end(), [](const auto& count) { return count == 1; }));
}

}  // namespace contract

// Each sentence of transport.h. Call it in a TEST_CASE; `make` gives a fresh world each time. Each part is a subcase.
inline void check_transport_contract(const std::string& name, const std::function<TransportWorld()>& make) {
  const std::pair<const char*, void (*)(TransportWorld)> parts[] = {
      {"any HTTP status is a response, with header names in lower case", contract::answers},
      {"ids are never 0 and never twice", contract::ids},
      {"a completion is a task, and never runs inside send or cancel", contract::never_inside},
      {"the body has a cap", contract::cap},
      {"a deadline that has passed is a timeout", contract::past_deadline},
      {"a deadline ends a send that hangs", contract::deadline},
      {"cancel completes once, and unknown ids are ignored", contract::cancel},
      {"destruction completes the rest as cancelled, as tasks", contract::destruction},
      {"a completion may destroy the transport", contract::destroyed_by_a_completion},
      {"a completion may send again", contract::chain},
      {"any thread may send and cancel", contract::many_threads},
  };
  for (const auto& [part, check] : parts) {
    const std::string title = name + ": " + part;
    SUBCASE(title.c_str()) { check(make()); }
  }
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_TRANSPORT_CONTRACT_H_
