#include "lib/client/calls.h"

#include <algorithm>
#include <utility>

#include "convergence/error.h"

namespace convergence {
namespace {

bool is_answer(const Call& call, const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return true;
  return call.also != nullptr && call.also(response);
}

// 501: an embedded Consul says that it will never do this. 429: a newer one asks for patience.
bool may_pass(const absl::StatusOr<HttpResponse>& response) {
  if (!response.ok()) return response.status().code() == absl::StatusCode::kUnavailable;
  return response->status == 429 || (response->status >= 500 && response->status != 501);
}

absl::Status cancelled(const HttpRequest& request, std::int32_t tries) {
  return transport_error(request, make_error(ErrorKind::kCancelled, "cancelled with its client"), tries);
}

}  // namespace

Calls::Calls(Executor& executor, Transport& transport, RetryOptions retry)
    : executor_(executor), transport_(transport), retry_(retry) {}

void Calls::start(Call call, Done done) {
  if (!call.problem.ok()) {
    executor_.post([done = std::move(done), problem = std::move(call.problem)] { done(problem); });
    return;
  }
  Pending pending;
  pending.deadline = executor_.now() + call.span;
  pending.pause = retry_.first_pause;
  pending.call = std::move(call);
  pending.done = std::move(done);
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_id_++;
    pending_.emplace(id, std::move(pending));
  }
  send(id);
}

void Calls::send(std::uint64_t id) {
  HttpRequest request;
  std::int32_t tries = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    Pending& pending = found->second;
    if (pending.call.waits) pending.deadline = executor_.now() + pending.call.span;
    tries = ++pending.tries;
    pending.timer = 0;
    request = pending.call.request;
    request.deadline = pending.deadline;
  }
  const Transport::SendId sent =
      transport_.send(std::move(request), [weak = weak_from_this(), id](absl::StatusOr<HttpResponse> response) {
        if (const auto calls = weak.lock()) calls->on_response(id, std::move(response));
      });
  if (!note_send(id, tries, sent)) transport_.cancel(sent);
}

// False: nobody waits for it any more. On other threads its completion, or cancel_all(), may have come first.
bool Calls::note_send(std::uint64_t id, std::int32_t tries, Transport::SendId sent) {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(id);
  if (found == pending_.end()) return false;
  if (found->second.tries == tries && found->second.timer == 0) found->second.send = sent;
  return true;
}

void Calls::on_response(std::uint64_t id, absl::StatusOr<HttpResponse> response) {
  Pending pending;
  absl::Status problem;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    const Pending& now = found->second;
    if (!response.ok()) {
      problem = transport_error(now.call.request, response.status(), now.tries);
    } else if (!is_answer(now.call, *response)) {
      problem = status_error(now.call.request, *response, now.tries);
    }
    if (!problem.ok() && may_pass(response) && try_again_later(id, found->second)) return;
    pending = std::move(found->second);
    pending_.erase(found);
  }
  problem.ok() ? pending.done(std::move(response)) : pending.done(problem);
}

bool Calls::try_again_later(std::uint64_t id, Pending& pending) {
  if (!pending.call.repeatable || pending.tries >= retry_.max_tries) return false;
  const Time at = executor_.now() + pending.pause;
  if (!pending.call.waits && at >= pending.deadline) return false;
  pending.pause = std::min(pending.pause * 2, retry_.max_pause);
  pending.send = 0;
  pending.timer = executor_.post_at(at, [weak = weak_from_this(), id] {
    if (const auto calls = weak.lock()) calls->send(id);
  });
  return true;
}

void Calls::cancel_all() {
  std::map<std::uint64_t, Pending> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(pending_);
  }
  for (auto& [id, pending] : ended) {
    if (pending.timer != 0) executor_.cancel(pending.timer);
    if (pending.send != 0) transport_.cancel(pending.send);
    executor_.post(
        [done = std::move(pending.done), problem = cancelled(pending.call.request, pending.tries)] { done(problem); });
  }
}

}  // namespace convergence
