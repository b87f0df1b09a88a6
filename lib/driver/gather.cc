#include "lib/driver/gather.h"

#include <utility>

namespace convergence {

void Gather::run(Done done) {
  done_ = std::move(done);
  start_more();
}

void Gather::start_more() {
  if (starting_) return;  // a call that ended at once: the loop below goes on
  starting_ = true;
  const std::shared_ptr<Gather> self = shared_from_this();
  while (done_ && !waiting_.empty() && running_ < at_once_) {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_;
    call([self](absl::Status status) { self->ended(status); });
  }
  starting_ = false;
  if (done_ && running_ == 0 && waiting_.empty()) std::exchange(done_, nullptr)(absl::OkStatus());
}

void Gather::ended(const absl::Status& status) {
  --running_;
  if (!done_) return;
  if (!status.ok()) {
    failed_ = true;
    waiting_.clear();
    std::exchange(done_, nullptr)(status);
    return;
  }
  start_more();
}

}  // namespace convergence
