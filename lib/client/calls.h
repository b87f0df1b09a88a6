#ifndef CONVERGENCE_LIB_CLIENT_CALLS_H_
#define CONVERGENCE_LIB_CLIENT_CALLS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/consul_client.h"
#include "convergence/executor.h"
#include "convergence/transport.h"

namespace convergence {

// One call to Consul, before it is known how it goes.
struct Call {
  HttpRequest request;      // its deadline is set when it is sent
  absl::Status problem;     // not OK: nothing is sent, and this is the result
  Duration span{0};         // from now to the deadline
  bool repeatable = false;  // a read: may be sent again
  bool waits = false;       // a blocking query: the server's wait starts again with each try, and so does the span
  // Which responses beside those of status 2xx are answers to this call; null: none.
  bool (*also)(const HttpResponse& response) = nullptr;
};

// The calls under way of one client: sends, tries again, gives each caller one result. [any thread]
class Calls : public std::enable_shared_from_this<Calls> {
 public:
  using Done = std::function<void(absl::StatusOr<HttpResponse>)>;

  Calls(Executor& executor, Transport& transport, RetryOptions retry);

  Executor& executor() const { return executor_; }
  // `done` runs once, as a task of the executor, never inside start(): with an answer, or a typed error.
  void start(Call call, Done done);
  // Those under way end as cancelled.
  void cancel_all();

 private:
  struct Pending {
    Call call;
    Done done;
    Time deadline = kNever;
    std::int32_t tries = 0;
    Duration pause{0};
    Transport::SendId send = 0;  // 0: none is under way, or not known yet
    Executor::TimerId timer = 0;
  };

  void send(std::uint64_t id);
  bool note_send(std::uint64_t id, std::int32_t tries, Transport::SendId sent);
  void on_response(std::uint64_t id, absl::StatusOr<HttpResponse> response);
  // True: a timer for the next try is set.
  bool try_again_later(std::uint64_t id, Pending& pending);

  Executor& executor_;
  Transport& transport_;
  const RetryOptions retry_;
  std::mutex mutex_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Pending> pending_;  // guarded by mutex_; whoever takes an entry out gives its result
};

// ---- errors, with method, target, status, body (of the answer), tries in the detail

// A transport's error in the words of the call. Kinds are kept; statuses without a kind are passed on as they are.
absl::Status transport_error(const HttpRequest& request, const absl::Status& problem, std::int32_t tries);
// Of a status that is no answer to the call.
absl::Status status_error(const HttpRequest& request, const HttpResponse& response, std::int32_t tries);
// Of an answer that cannot be read.
absl::Status answer_error(const HttpRequest& request, const HttpResponse& response, const absl::Status& problem);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CLIENT_CALLS_H_
