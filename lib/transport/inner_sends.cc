#include "lib/transport/inner_sends.h"

#include <utility>

namespace convergence {

void InnerSends::send(std::shared_ptr<InnerSends> self, Transport::SendId outer, HttpRequest request,
                      Transport::Completion completion) {
  {
    const std::lock_guard lock(self->mutex_);
    self->entries_.emplace(outer, Entry{});
  }
  // On another thread the completion may run before this call returns.
  const Transport::SendId inner = self->inner_.send(
      std::move(request), [self, outer, completion = std::move(completion)](absl::StatusOr<HttpResponse> response) {
        {
          const std::lock_guard lock(self->mutex_);
          self->entries_.erase(outer);
        }
        completion(std::move(response));
      });
  const std::lock_guard lock(self->mutex_);
  const auto found = self->entries_.find(outer);
  if (found == self->entries_.end()) return;
  found->second.inner = inner;
  if (found->second.cancelled) self->inner_.cancel(inner);
}

// The lock is held during the inner cancel(), which completes nothing inside the call: so end() cannot return, and the
// inner transport not go, while a deadline on another thread is cancelling there.
void InnerSends::cancel(Transport::SendId outer) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(outer);
  if (found == entries_.end() || ended_) return;
  found->second.cancelled = true;
  if (found->second.inner != 0) inner_.cancel(found->second.inner);
}

void InnerSends::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const auto& [outer, entry] : entries_) inner_.cancel(entry.inner);
}

}  // namespace convergence
