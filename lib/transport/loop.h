#ifndef CONVERGENCE_LIB_TRANSPORT_LOOP_H_
#define CONVERGENCE_LIB_TRANSPORT_LOOP_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "convergence/executor.h"

namespace convergence {

// Wall time at the start, moved on by the steady clock: it never jumps or goes back, so no timer is lost or early when
// somebody sets the machine's clock.
class SteadyTime {
 public:
  Time now() const { return start_ + (std::chrono::steady_clock::now() - steady_start_); }

 private:
  std::chrono::steady_clock::time_point steady_start_ = std::chrono::steady_clock::now();
  Time start_ = std::chrono::system_clock::now();
};

// Sleeps on `condition` until notified or `until`; may wake early. The cap keeps far times from overflowing the clock.
void sleep_until(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, Time now, Time until);

// The queue behind both real executors.
class Loop final : public LoopExecutor {
 public:
  explicit Loop(bool with_descriptor);
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void post(Task task) override;
  TimerId post_at(Time at, Task task) override;
  bool cancel(TimerId timer) override;
  Time now() const override { return clock_.now(); }
  absl::Status wait_until(const std::function<bool()>& done, Time deadline) override;
  int poll(Duration timeout) override;
  int descriptor() const override { return descriptor_; }
  Time next_due() const override;

  // True on the thread that is running a task of this loop now.
  bool in_task() const;
  // From now on nothing runs: poll() returns at once, what is posted is dropped. [any thread]
  void end();

 private:
  struct Limits {
    std::size_t posted;
    Time due;
    TimerId before;
  };

  std::optional<int> run(Time until);
  bool wait_for_work(std::unique_lock<std::mutex>& lock, Time until);
  int run_batch(std::unique_lock<std::mutex>& lock);
  Task take(Limits& limits);
  void run_task(std::unique_lock<std::mutex>& lock, Task task);
  void update_descriptor();

  const SteadyTime clock_;
  const int descriptor_;  // -1: none

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> posted_;
  std::map<std::pair<Time, TimerId>, Task> timers_;
  std::map<TimerId, Time> times_;  // of timers_, to find one by its id
  TimerId next_timer_ = 1;
  std::thread::id poller_;  // who polled last
  bool polling_ = false;
  bool in_task_ = false;
  bool nudged_ = false;    // the waiter is to ask next_due() again
  bool readable_ = false;  // what the descriptor shows
  bool ended_ = false;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_LOOP_H_
