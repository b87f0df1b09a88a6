#ifndef CONVERGENCE_CONSUL_CLIENT_INLINE_H_
#define CONVERGENCE_CONSUL_CLIENT_INLINE_H_

// Templates of consul_client.h; include that.

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "convergence/consul_client.h"
#include "convergence/error.h"

namespace convergence {

template <typename T, typename Start>
absl::StatusOr<T> await(Executor& executor, Start start, Duration timeout) {
  struct Slot {
    std::optional<absl::StatusOr<T>> result;
    std::atomic<bool> ready{false};
  };
  auto slot = std::make_shared<Slot>();
  const Time deadline = executor.now() + timeout;
  executor.post([start, slot] {
    start([slot](absl::StatusOr<T> result) {
      slot->result.emplace(std::move(result));
      slot->ready.store(true, std::memory_order_release);
    });
  });
  absl::Status waited =
      executor.wait_until([slot] { return slot->ready.load(std::memory_order_acquire); }, deadline);
  if (!waited.ok()) return waited;
  return std::move(*slot->result);
}

template <typename Start>
absl::Status await_done(Executor& executor, Start start, Duration timeout) {
  absl::StatusOr<bool> result = await<bool>(
      executor,
      [start](std::function<void(absl::StatusOr<bool>)> done) {
        start([done](absl::Status status) { status.ok() ? done(true) : done(status); });
      },
      timeout);
  return result.status();
}

}  // namespace convergence

#endif  // CONVERGENCE_CONSUL_CLIENT_INLINE_H_
