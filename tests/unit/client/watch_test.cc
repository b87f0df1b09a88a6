// Consul's rules for blocking queries, one by one.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A watch over reads whose answers the test gives by hand.
struct Bench {
  using Done = ConsulClient::Callback<Answer<int>>;

  explicit Bench(RetryOptions retry = {}) {
    watch = Watch::start<int>(
        executor,
        [this](std::uint64_t index, Done done) {
          asked.push_back(index);
          asked_at.push_back(executor.now());
          reply = std::move(done);
        },
        [this](const absl::StatusOr<Answer<int>>& answer) {
          told.push_back(answer.ok() ? std::to_string(answer->value)
                                     : std::string(to_string(error_kind(answer.status()))));
          if (on_news) on_news();
        },
        retry);
    executor.run_ready();
  }
  // The server answers after `wait`.
  void give(int value, std::uint64_t index, Duration wait = seconds(1)) {
    executor.advance(wait);
    Done done = std::move(reply);
    reply = nullptr;
    REQUIRE(done != nullptr);
    done(Answer<int>{value, index});
    executor.run_ready();
  }
  void fail(ErrorKind kind) {
    Done done = std::move(reply);
    reply = nullptr;
    REQUIRE(done != nullptr);
    done(make_error(kind, "no"));
    executor.run_ready();
  }

  SimulatedExecutor executor;
  std::vector<std::uint64_t> asked;
  std::vector<Time> asked_at;
  std::vector<std::string> told;
  std::function<void()> on_news;
  Done reply;
  std::unique_ptr<Watch> watch;
};

using Texts = std::vector<std::string>;
using Indexes = std::vector<std::uint64_t>;

TEST_CASE("the first answer is told, and the next read waits on its index") {
  Bench bench;
  CHECK(bench.asked == Indexes{0});
  bench.give(7, 12, Duration(0));
  CHECK(bench.told == Texts{"7"});
  CHECK(bench.asked == Indexes{0, 12});
}

TEST_CASE("a change is told; a wait that ends, and an index that moves without a change, are not") {
  Bench bench;
  bench.give(7, 12);
  bench.give(8, 13);
  bench.give(8, 13, minutes(5));  // the wait ended
  bench.give(8, 20);              // something else was written
  bench.give(9, 21);
  CHECK(bench.told == Texts{"7", "8", "9"});
  CHECK(bench.asked == Indexes{0, 12, 13, 13, 20, 21});
}

TEST_CASE("an index that falls starts again from 0") {
  Bench bench;
  bench.give(7, 12);
  bench.give(7, 5);
  CHECK(bench.asked == Indexes{0, 12, 0});
  bench.give(8, 5);
  CHECK(bench.asked == Indexes{0, 12, 0, 5});
  CHECK(bench.told == Texts{"7", "8"});
}

TEST_CASE("an answer without an index is a problem, not a reason to spin") {
  Bench bench;
  bench.give(7, 0);
  CHECK(bench.told == Texts{"protocol"});
  CHECK(bench.asked == Indexes{0});
  bench.executor.advance(milliseconds(100));
  CHECK(bench.asked == Indexes{0, 0});
  bench.give(7, 0, Duration(0));
  CHECK(bench.told == Texts{"protocol"});
  bench.executor.advance(milliseconds(199));
  CHECK(bench.asked.size() == 2);
  bench.executor.advance(milliseconds(1));
  CHECK(bench.asked.size() == 3);
}

TEST_CASE("a server that does not wait is asked with growing pauses") {
  Bench bench;
  bench.give(7, 12, Duration(0));
  const Time begin = bench.executor.now();
  while (bench.asked.size() < 8) {
    if (bench.reply) bench.give(7, 12, Duration(0));
    bench.executor.advance(milliseconds(50));
  }
  CHECK(bench.executor.now() - begin >= milliseconds(100 + 200 + 400 + 800 + 1600 + 2000));
  CHECK(bench.told == Texts{"7"});
}

TEST_CASE("problems are told once in an outage, tried with growing pauses, and the end of it is told") {
  Bench bench;
  bench.give(7, 12, Duration(0));
  const Time begin = bench.executor.now();
  for (int i = 0; i < 7; ++i) {
    bench.fail(i < 5 ? ErrorKind::kUnreachable : ErrorKind::kDenied);
    bench.executor.advance_to(begin + seconds(20 * (i + 1)));
    REQUIRE(bench.reply);
  }
  CHECK(bench.told == Texts{"7", "unreachable", "denied"});
  std::vector<Duration> pauses;
  for (std::size_t i = 2; i < bench.asked_at.size(); ++i) {
    pauses.push_back(bench.asked_at[i] - begin - seconds(20 * static_cast<int>(i - 2)));
  }
  CHECK(pauses == std::vector<Duration>{milliseconds(100), milliseconds(200), milliseconds(400), milliseconds(800),
                                        milliseconds(1600), seconds(2), seconds(2)});
  bench.give(7, 12);
  CHECK(bench.told == Texts{"7", "unreachable", "denied", "7"});
  // From 0: who answers now may have another past.
  CHECK(bench.asked == Indexes{0, 12, 0, 0, 0, 0, 0, 0, 0, 12});
  bench.fail(ErrorKind::kUnreachable);
  bench.executor.advance(milliseconds(100));
  CHECK(bench.told.back() == "unreachable");
  CHECK(bench.asked.size() == 11);
}

TEST_CASE("a watch whose client was cancelled says so and ends") {
  Bench bench;
  bench.give(7, 12);
  bench.fail(ErrorKind::kCancelled);
  CHECK(bench.told == Texts{"7", "cancelled"});
  bench.executor.advance(minutes(10));
  CHECK(bench.asked == Indexes{0, 12});
  CHECK(bench.executor.idle());
}

TEST_CASE("nothing is told after stop or destruction") {
  const auto stop = [](Bench& bench) { bench.watch->stop(); };
  const auto destroy = [](Bench& bench) { bench.watch.reset(); };
  struct Case {
    const char* name;
    std::function<void(Bench&)> end;
  };
  const Case cases[] = {{"stop", stop}, {"destruction", destroy}};
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Bench reading;
      c.end(reading);
      reading.give(7, 12);
      CHECK(reading.told.empty());
      CHECK(reading.asked.size() == 1);
      CHECK(reading.executor.idle());

      Bench pausing;
      pausing.fail(ErrorKind::kUnreachable);
      c.end(pausing);
      pausing.executor.advance(minutes(1));
      CHECK(pausing.told == Texts{"unreachable"});
      CHECK(pausing.asked.size() == 1);
      CHECK(pausing.executor.idle());

      Bench inside;
      inside.on_news = [&] { c.end(inside); };
      inside.give(7, 12);
      CHECK(inside.told == Texts{"7"});
      CHECK(inside.asked.size() == 1);
      CHECK(inside.executor.idle());
    }
  }
}

TEST_CASE("a watch that is stopped lets go of what it was given") {
  SimulatedExecutor executor;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = held;
  auto watch = Watch::start<int>(
      executor, [](std::uint64_t, auto) {}, [held](const auto&) {});
  held.reset();
  executor.run_ready();
  CHECK_FALSE(seen.expired());
  watch->stop();
  executor.run_ready();
  CHECK(seen.expired());
}

TEST_CASE("a watch that rests has one long poll under way and no timer but its deadline") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  ConsulClient client(executor, transport);
  std::vector<std::size_t> told;
  const auto watch = Watch::start<std::vector<KvPair>>(
      executor,
      [&](std::uint64_t index, auto done) {
        ReadOptions options;
        options.wait_index = index;
        client.kv_recurse("p/", options, done);
      },
      [&](const auto& answer) { told.push_back(answer.ok() ? answer->value.size() : 99); });
  transport.script(answer("", 5, 404));
  executor.run_ready();
  CHECK(told == std::vector<std::size_t>{0});
  CHECK(transport.under_way() == 1);
  executor.advance(minutes(4));
  REQUIRE(transport.requests.size() == 2);
  CHECK(transport.requests[1].target == "/v1/kv/p/?recurse=&index=5&wait=5m0s");
  transport.reply(answer(R"([{"Key":"p/a","Value":"","Flags":0,"LockIndex":0,"CreateIndex":6,"ModifyIndex":6}])", 6));
  executor.run_ready();
  CHECK(told == std::vector<std::size_t>{0, 1});
  REQUIRE(transport.requests.size() == 3);
  CHECK(transport.requests[2].target == "/v1/kv/p/?recurse=&index=6&wait=5m0s");
}

}  // namespace
}  // namespace convergence::test
