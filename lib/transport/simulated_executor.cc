#include "convergence/testing/simulated_executor.h"

#include <algorithm>

#include "convergence/error.h"

namespace convergence {

SimulatedExecutor::SimulatedExecutor(Time start) : now_(start) {}

void SimulatedExecutor::post(Task task) { ready_.push_back(std::move(task)); }

SimulatedExecutor::TimerId SimulatedExecutor::post_at(Time at, Task task) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::pair(at, id), std::move(task));
  times_.emplace(id, at);
  return id;
}

bool SimulatedExecutor::cancel(TimerId timer) {
  const auto time = times_.find(timer);
  if (time == times_.end()) return false;
  const auto found = timers_.find(std::pair(time->second, timer));
  const Task cancelled = std::move(found->second);  // its destructor may call us
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
    return make_error(ErrorKind::kTimeout, timers_.empty() ? "executor: nothing is left that could run; it would wait "
                                                             "for ever"
                                                           : "executor: the deadline of wait_until passed");
  }
  return absl::OkStatus();
}

void SimulatedExecutor::run_ready() {
  while (run_one(now_)) {
  }
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
  struct Leave {  // also when the task throws
    bool& in_task;
    ~Leave() { in_task = false; }
  } leave{in_task_};
  in_task_ = true;
  task();
  return true;
}

}  // namespace convergence
