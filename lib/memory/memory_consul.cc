#include "convergence/memory_consul.h"

#include <map>
#include <mutex>
#include <utility>

#include "convergence/error.h"
#include "fmt/format.h"

namespace convergence {
namespace {

constexpr std::string_view kLate = "no answer before its deadline; give it more time, or a shorter wait";

}  // namespace

// Requests may come from any thread; the state is touched by tasks of the executor alone. Tasks hold the Impl weakly:
// one that runs after the destructor finds nothing and does nothing.
struct MemoryConsul::Impl : std::enable_shared_from_this<MemoryConsul::Impl> {
  struct Pending {
    std::string where;  // for messages
    Completion completion;
    std::size_t max_body = 0;
    Executor::TimerId deadline = 0;  // 0: none
  };

  Impl(Executor& on, MemoryConsulState initial) : executor(on), state(std::move(initial)) {}

  // ---- any thread ----
  SendId send(HttpRequest request, Completion completion);
  void cancel(SendId id);
  void close();
  void finish(SendId id, absl::StatusOr<HttpResponse> result);
  void post(std::function<void(Impl&)> task);

  // ---- on the executor ----
  void run(SendId id, const HttpRequest& request);
  void drop(SendId id, ErrorKind kind, std::string_view problem);
  void take(MemoryStep step);
  void set_timer();
  void tick();

  Executor& executor;
  std::mutex mutex;  // guards all up to the blank line
  std::map<SendId, Pending> pending;
  SendId next_id = 1;
  Executor::TimerId timer = 0;
  Time timer_at = kNever;

  MemoryConsulState state;
};

void MemoryConsul::Impl::post(std::function<void(Impl&)> task) {
  executor.post([weak = weak_from_this(), task = std::move(task)] {
    if (const std::shared_ptr<Impl> self = weak.lock()) task(*self);
  });
}

Transport::SendId MemoryConsul::Impl::send(HttpRequest request, Completion completion) {
  const std::lock_guard lock(mutex);
  const SendId id = next_id++;
  Pending& one = pending[id];
  one.where = fmt::format("{} {}", request.method, request.target);
  one.completion = std::move(completion);
  one.max_body = request.max_body;
  if (request.deadline != kNever) {
    one.deadline = executor.post_at(request.deadline, [weak = weak_from_this(), id] {
      if (const std::shared_ptr<Impl> self = weak.lock()) self->drop(id, ErrorKind::kTimeout, kLate);
    });
  }
  post([id, request = std::move(request)](Impl& self) { self.run(id, request); });
  return id;
}

void MemoryConsul::Impl::cancel(SendId id) {
  post([id](Impl& self) { self.drop(id, ErrorKind::kCancelled, "cancelled; send it again if it is still wanted"); });
}

// The completion of a send that has one outstanding still. Runs it as a task of its own.
void MemoryConsul::Impl::finish(SendId id, absl::StatusOr<HttpResponse> result) {
  Pending one;
  {
    const std::lock_guard lock(mutex);
    const auto found = pending.find(id);
    if (found == pending.end()) return;
    one = std::move(found->second);
    pending.erase(found);
  }
  if (one.deadline != 0) executor.cancel(one.deadline);
  if (result.ok() && result->body.size() > one.max_body) {
    result = make_error(ErrorKind::kTooLarge,
                        fmt::format("{}: the answer has {} bytes, its cap is {}; ask for less or raise max_body",
                                    one.where, result->body.size(), one.max_body));
  }
  executor.post([completion = std::move(one.completion), result = std::move(result)]() mutable {
    completion(std::move(result));
  });
}

void MemoryConsul::Impl::run(SendId id, const HttpRequest& request) {
  {
    const std::lock_guard lock(mutex);
    if (pending.count(id) == 0) return;  // cancelled or late before it began
  }
  const Time now = executor.now();
  if (now >= request.deadline) return drop(id, ErrorKind::kTimeout, kLate);
  take(apply(std::move(state), now, id, request));
}

void MemoryConsul::Impl::drop(SendId id, ErrorKind kind, std::string_view problem) {
  std::string where;
  {
    const std::lock_guard lock(mutex);
    const auto found = pending.find(id);
    if (found == pending.end()) return;
    where = found->second.where;
  }
  state = forget(std::move(state), id);
  finish(id, make_error(kind, fmt::format("{}: {}", where, problem)));
  set_timer();
}

void MemoryConsul::Impl::take(MemoryStep step) {
  state = std::move(step.consul);
  for (MemoryAnswer& answer : step.answers) finish(answer.id, std::move(answer.response));
  set_timer();
}

void MemoryConsul::Impl::set_timer() {
  const Time next = next_deadline(state);
  const std::lock_guard lock(mutex);
  if (next == timer_at) return;
  if (timer != 0) executor.cancel(timer);
  timer = 0;
  timer_at = next;
  if (next == kNever) return;
  timer = executor.post_at(next, [weak = weak_from_this()] {
    if (const std::shared_ptr<Impl> self = weak.lock()) self->tick();
  });
}

void MemoryConsul::Impl::tick() {
  {
    const std::lock_guard lock(mutex);
    timer = 0;
    timer_at = kNever;
  }
  take(advance(std::move(state), executor.now()));
}

void MemoryConsul::Impl::close() {
  std::map<SendId, Pending> left;
  {
    const std::lock_guard lock(mutex);
    left.swap(pending);
    if (timer != 0) executor.cancel(timer);
    timer = 0;
  }
  for (auto& [id, one] : left) {
    if (one.deadline != 0) executor.cancel(one.deadline);
    executor.post([one = std::move(one)] {
      one.completion(
          make_error(ErrorKind::kCancelled,
                     fmt::format("{}: the embedded Consul was destroyed; keep it as long as its clients", one.where)));
    });
  }
}

MemoryConsul::MemoryConsul(Executor& executor, MemoryConsulState initial)
    : impl_(std::make_shared<Impl>(executor, std::move(initial))) {}

MemoryConsul::~MemoryConsul() { impl_->close(); }

Transport::SendId MemoryConsul::send(HttpRequest request, Completion completion) {
  return impl_->send(std::move(request), std::move(completion));
}

void MemoryConsul::cancel(SendId send) { impl_->cancel(send); }

const MemoryConsulState& MemoryConsul::state() const { return impl_->state; }

}  // namespace convergence
