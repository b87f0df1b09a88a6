#ifndef CONVERGENCE_TRANSPORT_H_
#define CONVERGENCE_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/executor.h"
#include "convergence/time.h"

namespace convergence {

// What a porter supplies so that the library can reach a Consul. This header is the specification.

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target{};  // path and query, percent-encoded: "/v1/kv/a?recurse=&index=7"
  HeaderList headers{};  // the transport adds its own (Host, token) and these after them
  std::string body{};
  Time deadline = kNever;                         // absolute; after it the send completes with kTimeout
  std::size_t max_body = std::size_t{256} << 20;  // of the answer; more completes with kTooLarge
  friend bool operator==(const HttpRequest&, const HttpRequest&) = default;
};

struct HttpResponse {
  int status = 0;
  HeaderList headers{};  // names in lower case
  std::string body{};
  friend bool operator==(const HttpResponse&, const HttpResponse&) = default;
};

// Null pointer when absent. `name` in lower case.
const std::string* find_header(const HttpResponse& response, std::string_view name);

class Transport {
 public:
  using Completion = std::function<void(absl::StatusOr<HttpResponse>)>;
  using SendId = std::uint64_t;  // never 0

  // Completes every send that is left as cancelled; those completions still run, on the executor.
  virtual ~Transport() = default;

  // Starts a request. Exactly one completion for each send, whatever happens, run as a task of the executor the
  // transport was made with; never inside send(). Any HTTP status is a response; a status of absl means that there was
  // none (kinds: unreachable, timeout, cancelled, too-large, protocol; usage for a request that HTTP cannot carry, such
  // as one with a line break in a header). [any thread]
  virtual SendId send(HttpRequest request, Completion completion) = 0;

  // Completes the send as cancelled unless it has completed; unknown ids are ignored. [any thread]
  virtual void cancel(SendId send) = 0;
};

}  // namespace convergence

#endif  // CONVERGENCE_TRANSPORT_H_
