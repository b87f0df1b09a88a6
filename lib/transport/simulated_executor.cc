#include "convergence/testing/simulated_executor.h"

#include <algorithm>

#include "convergence/error.h"

namespace convergence {

SimulatedExecutor::SimulatedExecutor(Time start) : now_(start) {}

void SimulatedExecutor::post(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  ready_.push_back(std::move(task));
}

SimulatedExecutor::TimerId SimulatedExecutor::post_at(Time at, Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  const TimerId id = next_timer_++;
  timers_.emplace(std::pair(at, id), std::move(task));
  times_.emplace(id, at);
  return id;
}

bool SimulatedExecutor::cancel(TimerId timer) {
  Task cancelled;  // destroyed without the lock: its destructor may call us
  std::lock_guard<std::mutex> lock(mutex_);
  const auto time = times_.find(timer);
  if (time == times_.end()) return false;
  const auto found = timers_.find(std::pair(time->second, timer));
  cancelled = std::move(found->second);
  timers_.erase(found);
  times_.erase(time);
  return true;
}

absl::Status SimulatedExecutor::wait_until(const std::function<bool()>& done, Time deadline) {
  if (in_task_) {
    return make_error(ErrorKind::kUsage,
                      "executor: wait_until inside one of its own tasks; use the asynchronous call there");
  }
  while (!done()) {
    if (run_one(deadline)) continue;
    if (deadline != kNever) now_ = std::max(now_, deadline);
    return make_error(ErrorKind::kTimeout, idle() ? "executor: nothing is left that could run; it would wait for ever"
                                                  : "executor: the deadline of wait_until passed");
  }
  return absl::OkStatus();
}

int SimulatedExecutor::run_ready() {
  int ran = 0;
  while (run_one(now_)) ++ran;
  return ran;
}

Time SimulatedExecutor::next_due() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!ready_.empty()) return now_;
  return timers_.empty() ? kNever : timers_.begin()->first.first;
}

void SimulatedExecutor::advance_to(Time to) {
  while (run_one(to)) {
  }
  if (!in_task_) now_ = std::max(now_, to);
}

// Posted tasks before timers; none inside another.
bool SimulatedExecutor::run_one(Time until) {
  if (in_task_) return false;
  Task task;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!ready_.empty()) {
      task = std::move(ready_.front());
      ready_.pop_front();
    } else if (!timers_.empty() && timers_.begin()->first.first <= until) {
      const auto [at, id] = timers_.begin()->first;
      task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      times_.erase(id);
      now_ = std::max(now_, at);
    } else {
      return false;
    }
  }
  struct Leave {  // also when the task throws
    bool& in_task;
    ~Leave() { in_task = false; }
  } leave{in_task_};
  in_task_ = true;
  task();
  return true;
}

}  // namespace convergence
