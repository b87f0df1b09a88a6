#ifndef CONVERGENCE_EXECUTOR_H_
#define CONVERGENCE_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "convergence/time.h"

namespace convergence {

// Where completions and timers run, and what time it is. A host with an event loop of its own implements it; others
// take one of the two below. Everything above the transport is a state machine on one executor: its tasks never run
// at the same time, so nothing there is locked.
class Executor {
 public:
  using Task = std::function<void()>;
  using TimerId = std::uint64_t;  // never 0

  virtual ~Executor() = default;

  // Runs `task` soon, after the tasks posted before it, never inside this call. [any thread]
  virtual void post(Task task) = 0;
  // Runs `task` once `at` has come; timers of one time run in the order they were set. [any thread]
  virtual TimerId post_at(Time at, Task task) = 0;
  // True when the timer had not run and will not. [any thread]
  virtual bool cancel(TimerId timer) = 0;
  virtual Time now() const = 0;

  // Blocks the caller until done() is true or `deadline` has passed (DEADLINE_EXCEEDED). done() must be safe to call
  // from any thread; it is asked again after tasks have run, so a task should be what makes it true.
  // FAILED_PRECONDITION from inside a task: the executor cannot wait for itself.
  virtual absl::Status wait_until(const std::function<bool()>& done, Time deadline) = 0;
};

// An executor that runs when its owner polls it: the form for hosts with a loop, for C and for Python. One thread
// polls; posting is [any thread].
class LoopExecutor : public Executor {
 public:
  // Runs what is due, waiting at most `timeout` for something to become due; returns how many tasks ran. What those
  // tasks post runs in the next poll(). Inside a task it runs nothing.
  virtual int poll(Duration timeout) = 0;
  // Readable while poll(0) would run something that was posted. Timers do not make it readable: see next_due(). Only
  // one that another thread than the polling one sets, and that becomes the first, does until the next poll(), so that
  // a host which waits here asks next_due() again.
  virtual int descriptor() const = 0;
  // When poll() has something to do next: now for posted tasks, else the first timer, kNever without any.
  virtual Time next_due() const = 0;
};

std::unique_ptr<LoopExecutor> new_loop_executor();

// An executor with a thread of its own, ended and joined by the destructor; tasks left over do not run.
std::unique_ptr<Executor> new_thread_executor();

}  // namespace convergence

#endif  // CONVERGENCE_EXECUTOR_H_
