#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "convergence/error.h"
#include "convergence/node.h"

namespace convergence {

struct NodeWorker::Impl {
  using Work = std::function<Task(const StopSignal*, const absl::Status&)>;
  struct Entry {
    WorkId id = 0;
    Work work;
  };

  explicit Impl(Executor& on) : executor(on), thread([this] { run(); }) {}

  void run();
  void cancel(const Entry& entry, const char* why) {
    executor.post(entry.work(nullptr, make_error(ErrorKind::kCancelled, why)));
  }

  Executor& executor;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Entry> queue;
  WorkId last_id = 0;
  WorkId running = 0;
  std::shared_ptr<StopSignal> stop;  // of the one that runs
  bool ending = false;
  std::thread thread;  // last: it uses all of the above
};

void NodeWorker::Impl::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return ending || !queue.empty(); });
    if (ending) return;
    Entry entry = std::move(queue.front());
    queue.pop_front();
    running = entry.id;
    stop = std::make_shared<StopSignal>();
    const std::shared_ptr<StopSignal> signal = stop;
    lock.unlock();
    executor.post(entry.work(signal.get(), absl::OkStatus()));
    entry.work = nullptr;  // what it holds goes before the next one begins
    lock.lock();
    running = 0;
    stop.reset();
  }
}

NodeWorker::NodeWorker(Executor& executor) : impl_(std::make_unique<Impl>(executor)) {}

NodeWorker::~NodeWorker() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
    if (impl_->stop) impl_->stop->set();
  }
  impl_->changed.notify_all();
  impl_->thread.join();
  for (const Impl::Entry& entry : impl_->queue) impl_->cancel(entry, "node worker: it was ended");
}

NodeWorker::WorkId NodeWorker::add(Impl::Work work) {
  WorkId id = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    id = ++impl_->last_id;
    impl_->queue.push_back({id, std::move(work)});
  }
  impl_->changed.notify_all();
  return id;
}

void NodeWorker::stop(WorkId work) {
  Impl::Entry cancelled;
  {
    const std::lock_guard lock(impl_->mutex);
    if (work == impl_->running && impl_->stop) impl_->stop->set();
    for (auto entry = impl_->queue.begin(); entry != impl_->queue.end(); ++entry) {
      if (entry->id != work) continue;
      cancelled = std::move(*entry);
      impl_->queue.erase(entry);
      break;
    }
  }
  if (cancelled.work) impl_->cancel(cancelled, "node worker: stopped before it began");
}

}  // namespace convergence
