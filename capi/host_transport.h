#ifndef CONVERGENCE_CAPI_HOST_TRANSPORT_H_
#define CONVERGENCE_CAPI_HOST_TRANSPORT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/c.h"
#include "convergence/executor.h"
#include "convergence/transport.h"

namespace convergence::capi {

// The host's functions, whose destroy is called exactly once, by whoever holds them last.
class HostCallbacks {
 public:
  // Reads only the fields that the host's struct_size covers.
  explicit HostCallbacks(const cvg_transport& transport);
  HostCallbacks(HostCallbacks&& other) noexcept;
  HostCallbacks& operator=(HostCallbacks&&) = delete;
  ~HostCallbacks();

  absl::Status check() const;
  const cvg_transport& functions() const { return functions_; }

 private:
  cvg_transport functions_{};
};

// A Transport whose requests the host carries out. send() posts, so that the host's function runs as a task of the
// loop; complete() may be called from any thread, also inside that function.
class HostTransport : public Transport {
 public:
  HostTransport(Executor& executor, HostCallbacks callbacks);
  ~HostTransport() override;

  SendId send(HttpRequest request, Completion completion) override;
  void cancel(SendId send) override;
  // NOT_FOUND: no such request waits.
  absl::Status complete(std::uint64_t id, absl::StatusOr<HttpResponse> result);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// INVALID_ARGUMENT kind "usage" when the connection is not one that a host made.
absl::StatusOr<HostTransport*> host_transport(cvg_connection* connection);

// JSON [["name","value"],...]; the empty text is no header. Names come out in lower case.
absl::StatusOr<HeaderList> read_headers(std::string_view text);

}  // namespace convergence::capi

#endif  // CONVERGENCE_CAPI_HOST_TRANSPORT_H_
