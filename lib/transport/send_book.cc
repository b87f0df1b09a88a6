#include "lib/transport/send_book.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace convergence {
namespace {

struct OpenSend {
  HttpRequest request;  // method and target only
  Time deadline = kNever;
  Executor::TimerId timer = 0;
  Transport::Completion completion;
};

absl::Status timeout_error(const HttpRequest& request) {
  return request_error(ErrorKind::kTimeout, request,
                       "no answer before its deadline; give it more time or see why Consul is slow");
}

absl::Status cancel_error(const HttpRequest& request, std::string_view why) {
  return request_error(ErrorKind::kCancelled, request, why);
}

}  // namespace

struct SendBook::State {
  State(Executor& executor_in, std::function<void(Transport::SendId)> expired_in)
      : executor(executor_in), expired(std::move(expired_in)) {}

  std::optional<OpenSend> take(Transport::SendId send) {
    const std::lock_guard lock(mutex);
    const auto found = open.find(send);
    if (found == open.end()) return std::nullopt;
    std::optional<OpenSend> taken = std::move(found->second);
    open.erase(found);
    return taken;
  }

  void complete(OpenSend send, absl::StatusOr<HttpResponse> result) {
    if (send.timer != 0) executor.cancel(send.timer);
    executor.post([completion = std::move(send.completion), result = std::move(result)]() mutable {
      completion(std::move(result));
    });
  }

  void expire(Transport::SendId send) {
    std::optional<OpenSend> taken = take(send);
    if (!taken) return;
    taken->timer = 0;
    const absl::Status status = timeout_error(taken->request);
    complete(*std::move(taken), status);
    if (expired) expired(send);
  }

  Executor& executor;
  const std::function<void(Transport::SendId)> expired;
  mutable std::mutex mutex;
  Transport::SendId next = 1;
  std::map<Transport::SendId, OpenSend> open;
};

SendBook::SendBook(Executor& executor, std::function<void(Transport::SendId)> expired)
    : state_(std::make_shared<State>(executor, std::move(expired))) {}

Transport::SendId SendBook::open(const HttpRequest& request, Time deadline, Transport::Completion completion) {
  Transport::SendId id = 0;
  {
    OpenSend send;
    send.request.method = request.method;
    send.request.target = request.target;
    send.deadline = deadline;
    send.completion = std::move(completion);
    const std::lock_guard lock(state_->mutex);
    id = state_->next++;
    state_->open.emplace(id, std::move(send));
  }
  if (deadline == kNever) return id;
  const Executor::TimerId timer = state_->executor.post_at(deadline, [weak = std::weak_ptr<State>(state_), id] {
    if (const auto state = weak.lock()) state->expire(id);
  });
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->open.find(id);
    if (found != state_->open.end()) {
      found->second.timer = timer;
      return id;
    }
  }
  state_->executor.cancel(timer);  // completed meanwhile by another thread, which knew of no timer
  return id;
}

bool SendBook::is_open(Transport::SendId send) const {
  const std::lock_guard lock(state_->mutex);
  return state_->open.count(send) != 0;
}

bool SendBook::finish(Transport::SendId send, absl::StatusOr<HttpResponse> result) {
  std::optional<OpenSend> taken = state_->take(send);
  if (!taken) return false;
  if (state_->executor.now() > taken->deadline) result = timeout_error(taken->request);
  state_->complete(*std::move(taken), std::move(result));
  return true;
}

bool SendBook::cancel(Transport::SendId send) {
  std::optional<OpenSend> taken = state_->take(send);
  if (!taken) return false;
  const absl::Status status =
      cancel_error(taken->request, "cancelled by its caller; what it did at Consul is not known");
  state_->complete(*std::move(taken), status);
  return true;
}

void SendBook::close() {
  std::map<Transport::SendId, OpenSend> rest;
  {
    const std::lock_guard lock(state_->mutex);
    rest.swap(state_->open);
  }
  for (auto& [id, send] : rest) {
    const absl::Status status =
        cancel_error(send.request, "the transport was destroyed; what it did at Consul is not known");
    state_->complete(std::move(send), status);
  }
}

}  // namespace convergence
