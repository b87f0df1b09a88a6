#ifndef CONVERGENCE_LIB_TRANSPORT_SEND_BOOK_H_
#define CONVERGENCE_LIB_TRANSPORT_SEND_BOOK_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/error.h"
#include "convergence/executor.h"
#include "convergence/transport.h"

namespace convergence {

// "GET /v1/kv/a", for messages: a token in the query is hidden.
std::string request_label(const HttpRequest& request);
// The target with the value of a token in its query hidden.
std::string hide_token(std::string_view target);
// "<label>: <problem>; <remedy>" with method and target in the detail.
absl::Status request_error(ErrorKind kind, const HttpRequest& request, std::string_view problem_and_remedy,
                           Json detail = {});
// Kind usage for what cannot stand in an HTTP request: it would change the meaning of what follows it.
absl::Status check_request(const HttpRequest& request);

// The sends of a transport that wait for their completion. Whoever takes one out completes it, so each completes once,
// whether an answer, its deadline, a cancel or the end comes first. [any thread]
class SendBook {
 public:
  // `expired` is told, on the executor, of each send that its deadline has ended.
  explicit SendBook(Executor& executor, std::function<void(Transport::SendId)> expired = {});
  ~SendBook() { close(); }
  SendBook(const SendBook&) = delete;
  SendBook& operator=(const SendBook&) = delete;

  // `request` is read for its label; `deadline` stands in place of the request's own.
  Transport::SendId open(const HttpRequest& request, Time deadline, Transport::Completion completion);
  bool is_open(Transport::SendId send) const;
  // Posts the completion; false when the send was completed before. A response that comes after the deadline is none.
  bool finish(Transport::SendId send, absl::StatusOr<HttpResponse> result);
  bool cancel(Transport::SendId send);
  // Completes what is left as cancelled, in the order it was opened.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_SEND_BOOK_H_
