#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "convergence/transport_decorators.h"
#include "lib/transport/inner_sends.h"
#include "lib/transport/recordable.h"
#include "lib/transport/send_book.h"

namespace convergence {
namespace {

absl::StatusOr<HttpResponse> lost(const HttpRequest& request, std::string_view problem_and_remedy) {
  return request_error(ErrorKind::kUnreachable, request, problem_and_remedy);
}

// What is made of the answer of a server that was reached.
absl::StatusOr<HttpResponse> spoil(const Fault& fault, const HttpRequest& request,
                                   absl::StatusOr<HttpResponse> response) {
  if (!response.ok()) return response;
  switch (fault.kind) {
    case Fault::Kind::kFailAfter:
      return lost(request, "fault: the answer was lost; read back whether it was carried out");
    case Fault::Kind::kCutBody:
      return lost(request, "fault: the connection ended in the middle of the body; ask again");
    case Fault::Kind::kGarbage:
      response->body = fault.body;
      return response;
    default:
      return response;
  }
}

class FaultTransport final : public Transport {
 public:
  using Decide = std::function<Fault(std::uint64_t, const HttpRequest&)>;

  FaultTransport(Executor& executor, Transport& inner, Decide decide)
      : core_(std::make_shared<Core>(executor, inner)), decide_(std::move(decide)) {
    core_->book.emplace(executor, [weak = std::weak_ptr<Core>(core_)](SendId send) {
      if (const auto core = weak.lock()) core->drop(send);
    });
  }

  ~FaultTransport() override {
    core_->sends->end();
    core_->stop_delays();
    core_->book->close();
  }

  SendId send(HttpRequest request, Completion completion) override {
    const SendId id = core_->book->open(request, request.deadline, std::move(completion));
    const Fault fault = next_fault(request);
    switch (fault.kind) {
      case Fault::Kind::kFailBefore:
        core_->book->finish(id, lost(request, "fault: no connection; see whether Consul runs"));
        break;
      case Fault::Kind::kStatus:
        core_->book->finish(id, capped(HttpResponse{fault.status, {}, fault.body}, request));
        break;
      case Fault::Kind::kStall:
        break;
      default:
        pass_on(id, fault, std::move(request));
    }
    return id;
  }

  void cancel(SendId send) override {
    if (core_->book->cancel(send)) core_->drop(send);
  }

 private:
  struct Core {
    Core(Executor& executor_in, Transport& inner) : executor(executor_in), sends(std::make_shared<InnerSends>(inner)) {}

    void drop(SendId send) {
      sends->cancel(send);
      Executor::TimerId timer = 0;
      {
        const std::lock_guard lock(mutex);
        const auto found = delays.find(send);
        if (found == delays.end()) return;
        timer = found->second;
        delays.erase(found);
      }
      executor.cancel(timer);
    }

    void stop_delays() {
      std::map<SendId, Executor::TimerId> rest;
      {
        const std::lock_guard lock(mutex);
        rest.swap(delays);
      }
      for (const auto& [send, timer] : rest) executor.cancel(timer);
    }

    static void finish_later(const std::shared_ptr<Core>& core, SendId send, Duration delay,
                             absl::StatusOr<HttpResponse> response) {
      const std::lock_guard lock(core->mutex);  // the timer may run on another thread before it is noted
      if (!core->book->is_open(send)) return;
      core->delays[send] =
          core->executor.post_at(core->executor.now() + delay,
                                 [weak = std::weak_ptr<Core>(core), send, response = std::move(response)]() mutable {
                                   const auto alive = weak.lock();
                                   if (alive == nullptr) return;
                                   {
                                     const std::lock_guard timer_lock(alive->mutex);
                                     alive->delays.erase(send);
                                   }
                                   alive->book->finish(send, std::move(response));
                                 });
    }

    Executor& executor;
    const std::shared_ptr<InnerSends> sends;
    std::optional<SendBook> book;  // emplaced once, in the constructor of the transport
    std::mutex mutex;
    std::map<SendId, Executor::TimerId> delays;
  };

  Fault next_fault(const HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = number_++;
    return decide_ ? decide_(number, request) : Fault{};
  }

  void pass_on(SendId id, const Fault& fault, HttpRequest request) {
    HttpRequest asked;  // what the answer's treatment needs to know of the request
    asked.method = request.method;
    asked.target = request.target;
    asked.max_body = request.max_body;
    InnerSends::send(core_->sends, id, std::move(request),
                     [weak = std::weak_ptr<Core>(core_), id, fault,
                      asked = std::move(asked)](absl::StatusOr<HttpResponse> response) {
                       const auto core = weak.lock();
                       if (core == nullptr) return;
                       auto result = capped(spoil(fault, asked, std::move(response)), asked);
                       if (fault.kind == Fault::Kind::kDelay) {
                         Core::finish_later(core, id, fault.delay, std::move(result));
                       } else {
                         core->book->finish(id, std::move(result));
                       }
                     });
  }

  const std::shared_ptr<Core> core_;
  std::mutex mutex_;  // one decision at a time, in the order of their numbers
  std::uint64_t number_ = 0;
  const Decide decide_;
};

}  // namespace

std::unique_ptr<Transport> new_fault_transport(Executor& executor, Transport& inner,
                                               std::function<Fault(std::uint64_t number, const HttpRequest&)> decide) {
  return std::make_unique<FaultTransport>(executor, inner, std::move(decide));
}

}  // namespace convergence
