#include <cstdint>

#include "convergence/error.h"
#include "lib/transport/loop.h"

namespace convergence {
namespace {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor() : thread_([this] { run(); }) {}

  ~ThreadExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    loop_.end();
    thread_.join();
  }

  void post(Task task) override { loop_.post(std::move(task)); }
  TimerId post_at(Time at, Task task) override { return loop_.post_at(at, std::move(task)); }
  bool cancel(TimerId timer) override { return loop_.cancel(timer); }
  Time now() const override { return loop_.now(); }

  absl::Status wait_until(const std::function<bool()>& done, Time deadline) override {
    if (loop_.in_task()) {
      return make_error(ErrorKind::kUsage,
                        "executor: wait_until inside one of its own tasks; use the asynchronous call there");
    }
    while (true) {
      const std::uint64_t seen = batches();
      if (done()) return absl::OkStatus();
      if (now() >= deadline) return make_error(ErrorKind::kTimeout, "executor: the deadline of wait_until passed");
      std::unique_lock lock(mutex_);
      if (batches_ == seen) sleep_until(ran_, lock, now(), deadline);
    }
  }

 private:
  std::uint64_t batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

  void run() {
    while (true) {
      const int count = loop_.poll(Duration::max());
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      if (count == 0) continue;
      ++batches_;
      ran_.notify_all();
    }
  }

  Loop loop_{false};
  std::mutex mutex_;
  std::condition_variable ran_;
  std::uint64_t batches_ = 0;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Executor> new_thread_executor() { return std::make_unique<ThreadExecutor>(); }

}  // namespace convergence
