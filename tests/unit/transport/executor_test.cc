#include "convergence/executor.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "convergence/testing/simulated_executor.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Kind {
  const char* name;
  std::unique_ptr<Executor> (*make)();
};

const Kind kKinds[] = {
    {"loop", [] { return std::unique_ptr<Executor>(new_loop_executor()); }},
    {"thread", [] { return new_thread_executor(); }},
    {"simulated", []() -> std::unique_ptr<Executor> { return std::make_unique<SimulatedExecutor>(); }},
};

// What ran, in order; written on the executor, read from the test.
class Log {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(what);
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::size_t size() const { return lines().size(); }
  Executor::Task task(const std::string& what) {
    return [this, what] { add(what); };
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

// A minute is "for ever": reached only when something is broken.
absl::Status wait_for(Executor& executor, const std::function<bool()>& done) {
  return executor.wait_until(done, executor.now() + minutes(1));
}

absl::Status wait_for_size(Executor& executor, const Log& log, std::size_t size) {
  return wait_for(executor, [&] { return log.size() >= size; });
}

bool is_readable(int descriptor, int timeout_ms = 0) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST_CASE("every executor: tasks run in the order they were posted, never inside post") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      Log log;
      const auto executor = kind.make();
      executor->post([&] {
        executor->post(log.task("posted inside"));
        executor->post_at(executor->now() - seconds(1), log.task("overdue timer"));
        log.add("first");
      });
      REQUIRE_OK(wait_for_size(*executor, log, 3));
      CHECK(log.lines() == Lines{"first", "posted inside", "overdue timer"});
    }
  }
}

TEST_CASE("every executor: timers run by time, those of one time in the order they were set") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      Log log;
      const auto executor = kind.make();
      executor->post([&] {
        const Time now = executor->now();
        executor->post_at(now + milliseconds(2), log.task("late 1"));
        executor->post_at(now + milliseconds(1), log.task("early 1"));
        executor->post_at(now + milliseconds(2), log.task("late 2"));
        executor->post_at(now + milliseconds(1), log.task("early 2"));
        executor->post_at(now + milliseconds(1), log.task("early 3"));
      });
      REQUIRE_OK(wait_for_size(*executor, log, 5));
      CHECK(log.lines() == Lines{"early 1", "early 2", "early 3", "late 1", "late 2"});
    }
  }
}

TEST_CASE("every executor: a timer does not run before its time") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      const auto executor = kind.make();
      const Time at = executor->now() + milliseconds(3);
      std::promise<Time> ran;
      std::atomic<bool> done{false};
      executor->post_at(at, [&] {
        ran.set_value(executor->now());
        done = true;
      });
      REQUIRE_OK(wait_for(*executor, [&] { return done.load(); }));
      CHECK((ran.get_future().get() >= at));
    }
  }
}

TEST_CASE("every executor: cancel is true exactly when the timer had not run and will not") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      Log log;
      const auto executor = kind.make();
      executor->post([&] {
        const Time now = executor->now();
        const auto kept = std::make_shared<int>(7);
        const auto far = executor->post_at(now + hours(1), [kept] {});
        const auto due = executor->post_at(now, log.task("never"));
        const auto ran = std::make_shared<Executor::TimerId>();
        *ran = executor->post_at(now, [&, ran] {
          log.add(executor->cancel(*ran) ? "itself: yes" : "itself: no");
          executor->post([&, ran] { log.add(executor->cancel(*ran) ? "ran: yes" : "ran: no"); });
        });
        log.add(far != 0 && due != 0 && *ran != 0 ? "ids" : "id 0");
        log.add(executor->cancel(far) ? "far: yes" : "far: no");
        log.add(kept.use_count() == 1 ? "released" : "held");
        log.add(executor->cancel(due) ? "due: yes" : "due: no");
        log.add(executor->cancel(due) ? "again: yes" : "again: no");
        log.add(executor->cancel(0) || executor->cancel(999999) ? "unknown: yes" : "unknown: no");
      });
      REQUIRE_OK(wait_for_size(*executor, log, 8));
      CHECK(log.lines() ==
            Lines{"ids", "far: yes", "released", "due: yes", "again: no", "unknown: no", "itself: no", "ran: no"});
    }
  }
}

TEST_CASE("every executor: wait_until refuses inside a task") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      const auto executor = kind.make();
      absl::Status inside;
      std::atomic<bool> done{false};
      executor->post([&] {
        inside = executor->wait_until([] { return true; }, kNever);
        done = true;
      });
      REQUIRE_OK(wait_for(*executor, [&] { return done.load(); }));
      CHECK_ERROR(inside, ErrorKind::kUsage, "inside one of its own tasks");
      CHECK(inside.code() == absl::StatusCode::kFailedPrecondition);
    }
  }
}

TEST_CASE("every executor: wait_until ends at its deadline, not before, and at once when done") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      const auto executor = kind.make();
      const Time deadline = executor->now() + milliseconds(2);
      executor->post_at(deadline + hours(1), [] {});
      const absl::Status status = executor->wait_until([] { return false; }, deadline);
      CHECK_ERROR(status, ErrorKind::kTimeout, "the deadline of wait_until passed");
      CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
      CHECK((executor->now() >= deadline));
      CHECK_OK(executor->wait_until([] { return true; }, Time{}));
    }
  }
}

TEST_CASE("every executor: destruction does not run what is left, and lets go of it") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      const auto held = std::make_shared<int>(1);
      std::atomic<bool> timer_ran{false};
      {
        const auto executor = kind.make();
        executor->post_at(executor->now() + hours(1), [&timer_ran, held] { timer_ran = true; });
      }
      CHECK(held.use_count() == 1);
      CHECK_FALSE(timer_ran);
    }
  }
}

TEST_CASE("every executor: what a task holds is gone before the next one runs") {
  for (const Kind& kind : kKinds) {
    SUBCASE(kind.name) {
      Log log;
      const auto executor = kind.make();
      auto held = std::make_shared<int>(1);
      const std::weak_ptr<int> watched = held;
      executor->post([held = std::move(held)] {});
      executor->post([&] { log.add(watched.expired() ? "gone" : "held"); });
      REQUIRE_OK(wait_for_size(*executor, log, 1));
      CHECK(log.lines() == Lines{"gone"});
    }
  }
}

TEST_CASE("loop and thread: posting is safe from any thread, and each thread's tasks keep their order") {
  for (const Kind& kind : {kKinds[0], kKinds[1]}) {
    SUBCASE(kind.name) {
      constexpr int kThreads = 4;
      constexpr int kEach = 500;
      const auto executor = kind.make();
      std::vector<int> next(kThreads, 0);  // touched by tasks only: TSan would see two at a time
      std::atomic<int> ran{0};
      std::atomic<int> out_of_order{0};
      std::atomic<int> cancelled{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < kEach; ++i) {
            executor->post([&, t, i] {
              if (next[static_cast<std::size_t>(t)]++ != i) ++out_of_order;
              ++ran;
            });
            const auto timer = executor->post_at(executor->now(), [&] { ++cancelled; });
            if (executor->cancel(timer)) ++cancelled;
          }
        });
      }
      const absl::Status status =
          wait_for(*executor, [&] { return ran == kThreads * kEach && cancelled == kThreads * kEach; });
      for (std::thread& thread : threads) thread.join();
      CHECK_OK(status);
      CHECK(out_of_order == 0);
      CHECK(cancelled == kThreads * kEach);  // each timer either ran or was cancelled, none both
    }
  }
}

TEST_CASE("loop: poll runs what is due once and says how much") {
  const auto loop = new_loop_executor();
  int ran = 0;
  CHECK(loop->poll(Duration::zero()) == 0);
  CHECK(loop->poll(Duration(-1)) == 0);
  std::function<void()> again = [&] {
    ++ran;
    loop->post(again);
    loop->post_at(Time{}, [&] { ++ran; });
  };
  loop->post(again);
  CHECK(loop->poll(Duration::zero()) == 1);
  CHECK(ran == 1);
  CHECK(loop->poll(Duration::zero()) == 2);
  CHECK(ran == 3);
}

TEST_CASE("loop: poll inside a task runs nothing") {
  const auto loop = new_loop_executor();
  int inside = -1;
  loop->post([&] {
    loop->post([] {});
    inside = loop->poll(hours(1));
  });
  CHECK(loop->poll(Duration::zero()) == 1);
  CHECK(inside == 0);
  CHECK(loop->poll(Duration::zero()) == 1);
}

TEST_CASE("loop: the descriptor is readable while something posted waits, and timers do not make it so") {
  const auto loop = new_loop_executor();
  REQUIRE(loop->descriptor() >= 0);
  CHECK_FALSE(is_readable(loop->descriptor()));
  loop->post_at(Time{}, [] {});
  CHECK_FALSE(is_readable(loop->descriptor()));
  CHECK((loop->next_due() == Time{}));
  loop->post([&] { loop->post([] {}); });
  CHECK(is_readable(loop->descriptor()));
  CHECK(loop->poll(Duration::zero()) == 2);
  CHECK(is_readable(loop->descriptor()));
  CHECK(loop->poll(Duration::zero()) == 1);
  CHECK_FALSE(is_readable(loop->descriptor()));
}

TEST_CASE("loop: next_due is now for posted tasks, else the first timer, else never") {
  const auto loop = new_loop_executor();
  CHECK((loop->next_due() == kNever));
  const Time at = loop->now() + hours(1);
  const auto later = loop->post_at(at + hours(1), [] {});
  const auto first = loop->post_at(at, [] {});
  CHECK((loop->next_due() == at));
  loop->cancel(first);
  CHECK((loop->next_due() == at + hours(1)));
  loop->post([] {});
  const Time before = loop->now();
  const Time due = loop->next_due();
  CHECK((due >= before && due <= loop->now()));
  loop->poll(Duration::zero());
  loop->cancel(later);
  CHECK((loop->next_due() == kNever));
}

TEST_CASE("loop: posting from another thread wakes poll and the descriptor") {
  const auto loop = new_loop_executor();
  bool ran = false;
  std::thread poster([&] { loop->post([&] { ran = true; }); });
  while (loop->poll(minutes(1)) == 0) {
  }
  poster.join();
  CHECK(ran);

  std::thread second([&] { loop->post([&] { ran = false; }); });
  CHECK(is_readable(loop->descriptor(), 60'000));
  CHECK(loop->poll(Duration::zero()) == 1);
  second.join();
  CHECK_FALSE(ran);
}

TEST_CASE("loop: an earlier timer set by another thread wakes poll, and a host that waits on the descriptor") {
  const auto loop = new_loop_executor();
  bool ran = false;
  loop->post_at(loop->now() + hours(1), [] {});
  std::thread setter([&] { loop->post_at(loop->now(), [&] { ran = true; }); });
  CHECK(loop->poll(minutes(1)) == 1);
  setter.join();
  CHECK(ran);
  loop->poll(Duration::zero());

  const Time at = loop->now() + minutes(30);
  std::thread second([&] {
    loop->post_at(at + hours(2), [] {});  // not the first: nobody is woken
    CHECK_FALSE(is_readable(loop->descriptor()));
    loop->post_at(at, [] {});
  });
  CHECK(is_readable(loop->descriptor(), 60'000));
  second.join();
  CHECK((loop->next_due() == at));
  CHECK(loop->poll(Duration::zero()) == 0);
  CHECK_FALSE(is_readable(loop->descriptor()));
}

TEST_CASE("loop: wait_until while another thread polls is refused") {
  const auto loop = new_loop_executor();
  std::promise<void> inside;
  std::promise<void> leave;
  loop->post([&] {
    inside.set_value();
    leave.get_future().wait();
  });
  std::thread poller([&] { loop->poll(Duration::zero()); });
  inside.get_future().wait();
  CHECK_ERROR(loop->wait_until([] { return false; }, kNever), ErrorKind::kUsage, "another thread polls");
  CHECK(loop->poll(Duration::zero()) == 0);
  leave.set_value();
  poller.join();
}

TEST_CASE("loop: a task that throws leaves the loop usable") {
  const auto loop = new_loop_executor();
  bool ran = false;
  loop->post([] { throw 7; });
  loop->post([&] { ran = true; });
  CHECK_THROWS_AS(loop->poll(Duration::zero()), int);
  CHECK_OK(wait_for(*loop, [&] { return ran; }));
}

TEST_CASE("thread: tasks run on one thread that is not the caller's; destruction lets the running task end") {
  auto executor = new_thread_executor();
  std::promise<std::thread::id> first;
  std::promise<std::thread::id> second;
  executor->post([&] { first.set_value(std::this_thread::get_id()); });
  executor->post_at(executor->now(), [&] { second.set_value(std::this_thread::get_id()); });
  const std::thread::id id = first.get_future().get();
  CHECK(id != std::this_thread::get_id());
  CHECK(id == second.get_future().get());

  std::promise<void> started;
  std::promise<void> destroying;
  std::atomic<bool> ended{false};
  std::atomic<bool> left_over{false};
  executor->post([&] {
    started.set_value();
    destroying.get_future().wait();
    ended = true;
  });
  executor->post_at(executor->now() + hours(1), [&] { left_over = true; });
  started.get_future().wait();
  std::thread release([&] { destroying.set_value(); });
  executor.reset();
  release.join();
  CHECK(ended);
  CHECK_FALSE(left_over);
}

TEST_CASE("thread: any number of threads may wait at the same time") {
  const auto executor = new_thread_executor();
  std::atomic<int> value{0};
  std::atomic<int> good{0};
  std::vector<std::thread> waiters;
  for (int i = 1; i <= 4; ++i) {
    waiters.emplace_back([&, i] {
      if (wait_for(*executor, [&] { return value >= i; }).ok()) ++good;
    });
  }
  for (int i = 0; i < 4; ++i) executor->post([&] { ++value; });
  for (std::thread& waiter : waiters) waiter.join();
  CHECK(good == 4);
}

TEST_CASE("simulated: the clock moves only when told, from timer to timer") {
  SimulatedExecutor executor;
  const Time start = executor.now();
  Log log;
  const auto note = [&] { log.add(std::to_string((executor.now() - start) / hours(1))); };
  executor.post(note);
  executor.post_at(start + hours(2), [&] {
    note();
    executor.post(note);
    executor.post_at(executor.now() + hours(3), note);
  });
  executor.post_at(start + hours(9), note);
  CHECK(log.lines() == Lines{});
  executor.run_ready();
  CHECK(log.lines() == Lines{"0"});
  CHECK((executor.now() == start));
  executor.advance(hours(1));
  CHECK((executor.now() == start + hours(1)));
  executor.advance_to(start + hours(6));
  CHECK(log.lines() == Lines{"0", "2", "2", "5"});
  CHECK((executor.now() == start + hours(6)));
  executor.advance_to(start);
  CHECK((executor.now() == start + hours(6)));
  CHECK_FALSE(executor.idle());
  executor.advance(hours(4));
  CHECK(log.lines() == Lines{"0", "2", "2", "5", "9"});
  CHECK(executor.idle());
}

TEST_CASE("simulated: wait_until jumps, stops where it is done, and says when nothing is left") {
  SimulatedExecutor executor(Time(hours(1)));
  CHECK((executor.now() == Time(hours(1))));
  bool done = false;
  executor.post_at(Time(hours(5)), [&] { done = true; });
  executor.post_at(Time(hours(6)), [] {});
  CHECK_OK(executor.wait_until([&] { return done; }, kNever));
  CHECK((executor.now() == Time(hours(5))));
  CHECK_ERROR(executor.wait_until([] { return false; }, kNever), ErrorKind::kTimeout, "nothing is left that could run");
  CHECK((executor.now() == Time(hours(6))));
  CHECK_ERROR(executor.wait_until([] { return false; }, Time(hours(7))), ErrorKind::kTimeout, "nothing is left");
  CHECK((executor.now() == Time(hours(7))));
}

TEST_CASE("simulated: running inside a task does nothing") {
  SimulatedExecutor executor;
  const Time start = executor.now();
  int ran = 0;
  executor.post([&] {
    executor.post([&] { ++ran; });
    executor.run_ready();
    executor.advance(hours(1));
    CHECK(ran == 0);
  });
  executor.run_ready();
  CHECK(ran == 1);
  CHECK((executor.now() == start));
}

}  // namespace
}  // namespace convergence
