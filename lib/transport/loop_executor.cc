#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "convergence/error.h"
#include "lib/transport/loop.h"

namespace convergence {
namespace {

Time saturated_add(Time time, Duration duration) {
  if (duration <= Duration::zero()) return time;
  return duration > kNever - time ? kNever : time + duration;
}

}  // namespace

void sleep_until(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, Time now, Time until) {
  if (until == kNever) {
    condition.wait(lock);
  } else if (until > now) {
    condition.wait_for(lock, std::min<Duration>(until - now, std::chrono::hours(1)));
  }
}

Loop::Loop(bool with_descriptor)
    : descriptor_(with_descriptor ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1), poller_(std::this_thread::get_id()) {}

Loop::~Loop() {
  end();
  if (descriptor_ >= 0) close(descriptor_);
}

void Loop::end() {
  std::deque<Task> posted;
  std::map<std::pair<Time, TimerId>, Task> timers;
  const std::lock_guard lock(mutex_);  // destroyed before the tasks, which may hold anything
  ended_ = true;
  posted.swap(posted_);
  timers.swap(timers_);
  times_.clear();
  changed_.notify_all();
}

void Loop::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  posted_.push_back(std::move(task));
  update_descriptor();
  changed_.notify_all();
}

Loop::TimerId Loop::post_at(Time at, Task task) {
  const std::lock_guard lock(mutex_);
  const TimerId id = next_timer_++;
  if (ended_) return id;
  const bool first = timers_.empty() || at < timers_.begin()->first.first;
  timers_.emplace(std::pair(at, id), std::move(task));
  times_.emplace(id, at);
  if (!first) return id;
  if (std::this_thread::get_id() != poller_) {
    nudged_ = true;
    update_descriptor();
  }
  changed_.notify_all();
  return id;
}

bool Loop::cancel(TimerId timer) {
  Task cancelled;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  const auto time = times_.find(timer);
  if (time == times_.end()) return false;
  const auto found = timers_.find(std::pair(time->second, timer));
  cancelled = std::move(found->second);
  timers_.erase(found);
  times_.erase(time);
  return true;
}

Time Loop::next_due() const {
  const std::lock_guard lock(mutex_);
  if (!posted_.empty()) return now();
  return timers_.empty() ? kNever : timers_.begin()->first.first;
}

bool Loop::in_task() const {
  const std::lock_guard lock(mutex_);
  return in_task_ && poller_ == std::this_thread::get_id();
}

int Loop::poll(Duration timeout) { return run(saturated_add(now(), timeout)).value_or(0); }

absl::Status Loop::wait_until(const std::function<bool()>& done, Time deadline) {
  if (in_task()) {
    return make_error(ErrorKind::kUsage,
                      "executor: wait_until inside one of its own tasks; use the asynchronous call there");
  }
  while (!done()) {
    if (now() >= deadline) return make_error(ErrorKind::kTimeout, "executor: the deadline of wait_until passed");
    if (!run(deadline)) {
      return make_error(ErrorKind::kUsage, "executor: wait_until while another thread polls it; wait on that thread");
    }
  }
  return absl::OkStatus();
}

// Empty when somebody is polling already: another thread, or a task of ours.
std::optional<int> Loop::run(Time until) {
  std::unique_lock lock(mutex_);
  if (polling_) return std::nullopt;
  polling_ = true;
  poller_ = std::this_thread::get_id();
  nudged_ = false;
  struct Release {  // also when a task throws
    Loop& loop;
    std::unique_lock<std::mutex>& lock;
    ~Release() {
      if (!lock.owns_lock()) lock.lock();
      loop.polling_ = false;
      loop.in_task_ = false;
      loop.update_descriptor();
    }
  } release{*this, lock};
  return wait_for_work(lock, until) ? run_batch(lock) : 0;
}

bool Loop::wait_for_work(std::unique_lock<std::mutex>& lock, Time until) {
  while (!ended_) {
    if (!posted_.empty()) return true;
    const Time time = now();
    const Time due = timers_.empty() ? kNever : timers_.begin()->first.first;
    if (due <= time) return true;
    if (time >= until) return false;
    sleep_until(changed_, lock, time, std::min(due, until));
  }
  return false;
}

// What is due at the beginning; what tasks of this batch post waits for the next, so that a task which posts itself
// again lets poll() return.
int Loop::run_batch(std::unique_lock<std::mutex>& lock) {
  Limits limits{posted_.size(), now(), next_timer_};
  int count = 0;
  while (Task task = take(limits)) {
    run_task(lock, std::move(task));
    ++count;
  }
  return count;
}

Loop::Task Loop::take(Limits& limits) {
  Task task;
  if (limits.posted > 0 && !posted_.empty()) {
    --limits.posted;
    task = std::move(posted_.front());
    posted_.pop_front();
    update_descriptor();
    return task;
  }
  for (auto timer = timers_.begin(); timer != timers_.end() && timer->first.first <= limits.due; ++timer) {
    if (timer->first.second >= limits.before) continue;
    task = std::move(timer->second);
    times_.erase(timer->first.second);
    timers_.erase(timer);
    return task;
  }
  return task;
}

void Loop::run_task(std::unique_lock<std::mutex>& lock, Task task) {
  in_task_ = true;
  lock.unlock();
  task();
  task = nullptr;  // what it holds goes before the next one runs, and without the lock
  lock.lock();
  in_task_ = false;
}

void Loop::update_descriptor() {
  const bool wanted = !posted_.empty() || nudged_;
  if (descriptor_ < 0 || wanted == readable_) return;
  eventfd_t value = 1;
  if (wanted) {
    eventfd_write(descriptor_, value);
  } else {
    eventfd_read(descriptor_, &value);
  }
  readable_ = wanted;
}

std::unique_ptr<LoopExecutor> new_loop_executor() { return std::make_unique<Loop>(true); }

}  // namespace convergence
