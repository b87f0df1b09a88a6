#ifndef CONVERGENCE_NODE_H_
#define CONVERGENCE_NODE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/executor.h"

namespace convergence {

// What touches the node that a program runs on: its processes, files and facts. This header has what all of that
// shares; node_process.h, node_state.h and node_facts.h have the parts. In a library of its own, convergence::node,
// which a host without an agent does not link.
//
// Functions here block their caller until they are done. Those that may take long have a StopSignal, after which they
// end soon with kind "cancelled".

// Tells blocking functions to end, from any thread, once and for good. Linux only.
class StopSignal {
 public:
  // Without a descriptor left in the process it is set from the beginning, so that nothing begins that could not be
  // stopped.
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void set();           // [any thread], and in a signal handler
  bool is_set() const;  // [any thread]
  // Readable once it is set, for poll(); nobody reads from it. Owned by the signal.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::atomic<bool> set_{false};
};

// A thread for blocking functions, which takes one work after the other, in the order in which they were submitted.
// Every work has exactly one completion, run as a task of the executor, never inside submit(). All is [any thread]
// but the destructor.
class NodeWorker {
 public:
  using WorkId = std::uint64_t;  // never 0

  // `executor` outlives the worker.
  explicit NodeWorker(Executor& executor);
  // Stops the work that runs, waits for it and completes the rest as cancelled; the completions still run on the
  // executor. Not from inside a work.
  ~NodeWorker();
  NodeWorker(const NodeWorker&) = delete;
  NodeWorker& operator=(const NodeWorker&) = delete;

  // `work` runs on the thread and gets a signal of its own; what it returns goes to `completion`.
  template <typename T>
  WorkId submit(std::function<absl::StatusOr<T>(const StopSignal&)> work,
                std::function<void(absl::StatusOr<T>)> completion) {
    return submit_erased<absl::StatusOr<T>>(std::move(work), std::move(completion));
  }
  WorkId submit(std::function<absl::Status(const StopSignal&)> work, std::function<void(absl::Status)> completion) {
    return submit_erased<absl::Status>(std::move(work), std::move(completion));
  }
  // Work that has not begun completes as cancelled; work that runs has its signal set, and completes with what it then
  // returns. Unknown ids, and those of work that is done, are ignored.
  void stop(WorkId work);

 private:
  struct Impl;
  using Task = Executor::Task;

  // Without a signal the work does not run, and completes with the reason.
  template <typename Result>
  WorkId submit_erased(std::function<Result(const StopSignal&)> work, std::function<void(Result)> completion) {
    return add([work = std::move(work), completion = std::move(completion)](const StopSignal* stop,
                                                                            const absl::Status& reason) -> Task {
      auto result = std::make_shared<Result>(stop != nullptr ? work(*stop) : Result(reason));
      return [result, completion] { completion(std::move(*result)); };
    });
  }
  WorkId add(std::function<Task(const StopSignal* stop, const absl::Status& reason)> work);

  std::unique_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_NODE_H_
