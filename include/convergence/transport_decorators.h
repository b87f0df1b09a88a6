#ifndef CONVERGENCE_TRANSPORT_DECORATORS_H_
#define CONVERGENCE_TRANSPORT_DECORATORS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/executor.h"
#include "convergence/json.h"
#include "convergence/transport.h"

namespace convergence {

// Transports around transports: to keep what happened, to play it again, to make things go wrong.

// One exchange. A recording is a JSON document:
// {"schema":1,"exchanges":[{"request":{...},"response":{...}|"error":{...}}]}; bodies that are UTF-8 stand as text,
// others as base64. Tokens are never recorded: not the headers that carry them, nor "token" in a query, nor the bodies
// of /v1/acl/.
struct Exchange {
  HttpRequest request{};  // without deadline
  absl::StatusOr<HttpResponse> response;
};

Json recording_to_json(const std::vector<Exchange>& exchanges);
absl::StatusOr<std::vector<Exchange>> recording_from_json(const Json& json, std::string_view document);

// Passes everything on and tells `observer` of each exchange when it completes, on the executor, before the completion
// itself; of none after its own destruction. `inner` must outlive it.
std::unique_ptr<Transport> new_record_transport(Transport& inner, std::function<void(const Exchange&)> observer);

// Answers from a recording: each send takes the first unused exchange of its method, target and body; without one it
// completes with kNotFound naming the request.
std::unique_ptr<Transport> new_replay_transport(Executor& executor, std::vector<Exchange> exchanges);

// What may go wrong with one exchange.
struct Fault {
  enum class Kind {
    kNone,
    kFailBefore,  // never reaches the server; completes with kUnreachable
    kFailAfter,   // reaches the server; its answer is lost, completes with kUnreachable
    kStatus,      // never reaches the server; completes with `status` and `body`
    kCutBody,     // reaches the server; the connection ends in the middle of the body: kUnreachable
    kGarbage,     // reaches the server; the body is replaced by `body`
    kDelay,       // reaches the server; completes `delay` later
    kStall,       // never reaches the server; completes only by deadline, cancel or destruction
  };
  Kind kind = Kind::kNone;
  int status = 500;
  std::string body{};
  Duration delay{0};
};

// Asks `decide` about each send, in order and one at a time; `number` counts from 0. A host that wants random faults
// brings its own seeded generator. `inner`, made with the same executor, must outlive it.
std::unique_ptr<Transport> new_fault_transport(Executor& executor, Transport& inner,
                                               std::function<Fault(std::uint64_t number, const HttpRequest&)> decide);

}  // namespace convergence

#endif  // CONVERGENCE_TRANSPORT_DECORATORS_H_
