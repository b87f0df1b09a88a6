#include <mutex>
#include <utility>

#include "convergence/transport_decorators.h"
#include "lib/transport/inner_sends.h"
#include "lib/transport/recordable.h"

namespace convergence {
namespace {

// Adds no task of its own: the inner transport's completion is the completion, with a look at what passes.
class RecordTransport final : public Transport {
 public:
  RecordTransport(Transport& inner, std::function<void(const Exchange&)> observer)
      : sends_(std::make_shared<InnerSends>(inner)), watch_(std::make_shared<Watch>()) {
    watch_->observer = std::move(observer);
  }

  // Waits for an observer that is being called on another thread; one that destroys us here is inside its own call.
  ~RecordTransport() override {
    sends_->end();
    const std::lock_guard lock(watch_->mutex);
    watch_->ended = true;
  }

  SendId send(HttpRequest request, Completion completion) override {
    SendId id = 0;
    {
      const std::lock_guard lock(watch_->mutex);
      id = next_++;
    }
    HttpRequest recorded = recordable(request);
    InnerSends::send(sends_, id, std::move(request),
                     [watch = watch_, recorded = std::move(recorded),
                      completion = std::move(completion)](absl::StatusOr<HttpResponse> response) {
                       watch->tell(recorded, response);
                       completion(std::move(response));
                     });
    return id;
  }

  void cancel(SendId send) override { sends_->cancel(send); }

 private:
  struct Watch {
    void tell(const HttpRequest& request, const absl::StatusOr<HttpResponse>& response) {
      const std::lock_guard lock(mutex);
      if (!ended && observer) observer(recordable(Exchange{request, response}));
    }

    std::recursive_mutex mutex;  // an observer may send
    bool ended = false;          // what the observer refers to may be gone
    std::function<void(const Exchange&)> observer;
  };

  const std::shared_ptr<InnerSends> sends_;
  const std::shared_ptr<Watch> watch_;
  SendId next_ = 1;
};

}  // namespace

std::unique_ptr<Transport> new_record_transport(Transport& inner, std::function<void(const Exchange&)> observer) {
  return std::make_unique<RecordTransport>(inner, std::move(observer));
}

}  // namespace convergence
