#ifndef CONVERGENCE_TESTING_SIMULATED_EXECUTOR_H_
#define CONVERGENCE_TESTING_SIMULATED_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "convergence/executor.h"

namespace convergence {

// An executor whose clock moves only when told: hours pass in microseconds, and always the same way. One thread
// runs it; post, post_at and cancel are [any thread], as of every executor.
class SimulatedExecutor : public Executor {
 public:
  explicit SimulatedExecutor(Time start = Time(std::chrono::hours(24 * 365 * 50)));

  void post(Task task) override;
  TimerId post_at(Time at, Task task) override;
  bool cancel(TimerId timer) override;
  Time now() const override { return now_; }
  // Runs tasks and lets time jump from timer to timer until done() or `deadline`; DEADLINE_EXCEEDED also when nothing
  // is left that could run.
  absl::Status wait_until(const std::function<bool()>& done, Time deadline) override;

  // Runs what is due now, without moving the clock; returns how many tasks ran.
  int run_ready();
  // Moves the clock to `to`, running each timer at its time.
  void advance_to(Time to);
  void advance(Duration by) { advance_to(now_ + by); }
  // When something runs next: now for posted tasks, else the first timer, kNever without any.
  Time next_due() const;
  bool idle() const { return next_due() == kNever; }

 private:
  bool run_one(Time until);

  Time now_;  // moved by the running thread alone
  bool in_task_ = false;
  mutable std::mutex mutex_;  // guards what follows
  TimerId next_timer_ = 1;
  std::deque<Task> ready_;
  std::map<std::pair<Time, TimerId>, Task> timers_;
  std::map<TimerId, Time> times_;  // of timers_, to find one by its id
};

}  // namespace convergence

#endif  // CONVERGENCE_TESTING_SIMULATED_EXECUTOR_H_
