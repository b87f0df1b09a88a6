#include <algorithm>
#include <mutex>
#include <utility>

#include "convergence/transport_decorators.h"
#include "lib/transport/recordable.h"
#include "lib/transport/send_book.h"

namespace convergence {
namespace {

class ReplayTransport final : public Transport {
 public:
  ReplayTransport(Executor& executor, std::vector<Exchange> exchanges)
      : left_(std::move(exchanges)), used_(left_.size(), false), book_(executor) {}

  SendId send(HttpRequest request, Completion completion) override {
    const SendId id = book_.open(request, request.deadline, std::move(completion));
    const absl::Status status = check_request(request);
    book_.finish(id, status.ok() ? capped(take(request), request) : status);
    return id;
  }

  void cancel(SendId send) override { book_.cancel(send); }

 private:
  absl::StatusOr<HttpResponse> take(const HttpRequest& request) {
    const HttpRequest wanted = recordable(request);
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < left_.size(); ++i) {
      if (used_[i]) continue;
      const HttpRequest& recorded = left_[i].request;
      if (recorded.method != wanted.method || recorded.target != wanted.target || recorded.body != wanted.body) {
        continue;
      }
      used_[i] = true;
      return std::move(left_[i].response);
    }
    return request_error(ErrorKind::kNotFound, request,
                         "the recording has no such exchange left; record again, or see why the request is new");
  }

  std::mutex mutex_;
  std::vector<Exchange> left_;
  std::vector<bool> used_;
  SendBook book_;
};

}  // namespace

std::unique_ptr<Transport> new_replay_transport(Executor& executor, std::vector<Exchange> exchanges) {
  for (Exchange& exchange : exchanges) exchange.request = recordable(std::move(exchange.request));
  return std::make_unique<ReplayTransport>(executor, std::move(exchanges));
}

}  // namespace convergence
