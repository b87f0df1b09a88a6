#include <algorithm>
#include <memory>
#include <utility>

#include "convergence/consul_client.h"
#include "convergence/error.h"

namespace convergence {

Watch::Loop::Loop(Executor& executor, RetryOptions retry)
    : executor_(executor), retry_(retry), pause_(retry.first_pause) {}

Watch::Loop::~Loop() = default;

void Watch::Loop::begin() {
  executor_.post([weak = weak_from_this()] {
    if (const auto loop = weak.lock()) loop->start_read();
  });
}

// The host's functions are let go of in a task of their own: one of them may be what calls this.
void Watch::Loop::stop() {
  if (stopped_.exchange(true)) return;
  executor_.post([loop = shared_from_this()] {
    if (loop->timer_ != 0) loop->executor_.cancel(loop->timer_);
    loop->forget();
  });
}

void Watch::Loop::start_read() {
  timer_ = 0;
  if (stopped()) return;
  read_at_ = executor_.now();
  read(wait_index_);
}

absl::StatusOr<Watch::Loop::News> Watch::Loop::accept(std::uint64_t index) {
  // Without an index there is nothing to wait for: the loop would spin.
  if (index == 0) {
    return make_error(ErrorKind::kProtocol, "watch: an answer without X-Consul-Index; check what stands before Consul");
  }
  const bool first = std::exchange(news_due_, false);
  const bool progress = index > wait_index_;
  // Nothing new, and sooner than a server waits: a pause, so that one which does not wait is not asked all the time.
  pausing_ = !progress && executor_.now() - read_at_ < retry_.first_pause;
  if (!pausing_) pause_ = retry_.first_pause;
  const bool same = index == wait_index_;
  wait_index_ = progress || same ? index : 0;  // fallen: the server's state is another one
  failing_ = false;
  if (first) return News::kAlways;
  return same ? News::kNone : News::kIfChanged;
}

bool Watch::Loop::reject(const absl::Status& problem) {
  const ErrorKind kind = error_kind(problem);
  const bool news = !failing_ || kind != told_;
  failing_ = true;
  told_ = kind;
  news_due_ = true;
  wait_index_ = 0;  // who answers next may be another server, or the same one with another past
  pausing_ = true;
  // The client is gone, or the transport is: there is nobody to ask again.
  if (problem.code() == absl::StatusCode::kCancelled) stopped_.store(true);
  return news;
}

void Watch::Loop::proceed() {
  if (stopped()) return;
  if (!pausing_) return start_read();
  timer_ = executor_.post_at(executor_.now() + pause_, [weak = weak_from_this()] {
    if (const auto loop = weak.lock()) loop->start_read();
  });
  pause_ = std::min(pause_ * 2, retry_.max_pause);
}

Watch::Watch(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}

Watch::~Watch() { stop(); }

void Watch::stop() { loop_->stop(); }

}  // namespace convergence
