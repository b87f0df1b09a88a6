// The network part: a request to a port where nobody listens comes back as the error that says so.
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "convergence/curl_transport.h"
#include "convergence/error.h"
#include "convergence/executor.h"

int main() {
  const auto loop = convergence::new_loop_executor();
  // Port 1 is below all that a server of a user may have, and no service has it.
  auto transport = convergence::new_curl_transport(*loop, {.address = "127.0.0.1:1"});
  if (!transport.ok()) {
    return 1;
  }
  std::optional<absl::Status> answer;
  (*transport)->send({.target = "/v1/status/leader"}, [&answer](absl::StatusOr<convergence::HttpResponse> response) {
    answer = response.status();
  });
  while (!answer.has_value()) {
    loop->poll(std::chrono::seconds(1));
  }
  std::puts(std::string(convergence::to_string(convergence::error_kind(*answer))).c_str());
  return 0;
}
