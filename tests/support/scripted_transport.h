#ifndef CONVERGENCE_TESTS_SUPPORT_SCRIPTED_TRANSPORT_H_
#define CONVERGENCE_TESTS_SUPPORT_SCRIPTED_TRANSPORT_H_

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/error.h"
#include "convergence/executor.h"
#include "convergence/transport.h"

namespace convergence::test {

// A transport whose answers the test writes down. Without one a send stays under way until reply(), its deadline, its
// cancellation or the transport's end. One thread.
class ScriptedTransport : public Transport {
 public:
  explicit ScriptedTransport(Executor& executor) : executor_(executor) {}
  ~ScriptedTransport() override {
    while (!open_.empty()) cancel(open_.begin()->first);
  }

  SendId send(HttpRequest request, Completion completion) override {
    const SendId id = next_id_++;
    const Time deadline = request.deadline;
    requests.push_back(std::move(request));
    Open& open = open_[id];
    open.completion = std::move(completion);
    if (!script_.empty()) {
      reply(id, std::move(script_.front()));
      script_.pop_front();
    } else if (deadline != kNever) {
      open.timer = executor_.post_at(deadline, [this, id] { reply(id, make_error(ErrorKind::kTimeout, "too late")); });
    }
    return id;
  }

  void cancel(SendId id) override {
    if (open_.count(id) != 0) reply(id, make_error(ErrorKind::kCancelled, "cancelled"));
  }

  // The answers to the next sends, in order.
  void script(absl::StatusOr<HttpResponse> answer) { script_.push_back(std::move(answer)); }
  // The answer to the oldest send under way.
  void reply(absl::StatusOr<HttpResponse> answer) { reply(open_.begin()->first, std::move(answer)); }
  std::size_t under_way() const { return open_.size(); }

  std::vector<HttpRequest> requests;  // in the order they came

 private:
  struct Open {
    Completion completion;
    Executor::TimerId timer = 0;
  };

  void reply(SendId id, absl::StatusOr<HttpResponse> answer) {
    const auto found = open_.find(id);
    if (found->second.timer != 0) executor_.cancel(found->second.timer);
    executor_.post(
        [completion = std::move(found->second.completion), answer = std::move(answer)] { completion(answer); });
    open_.erase(found);
  }

  Executor& executor_;
  SendId next_id_ = 1;
  std::map<SendId, Open> open_;
  std::deque<absl::StatusOr<HttpResponse>> script_;
};

// A good answer, as Consul writes it.
inline HttpResponse answer(std::string body, std::uint64_t index = 0, int status = 200) {
  HttpResponse response{status, {{"content-type", "application/json"}}, std::move(body)};
  if (index > 0) response.headers.emplace_back("x-consul-index", std::to_string(index));
  return response;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_SCRIPTED_TRANSPORT_H_
