#include "capi/host_transport.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/handles.h"
#include "convergence/error.h"
#include "convergence/json.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {

// Hosts were built with these offsets; a field may only be added at the end.
static_assert(offsetof(cvg_transport, user_data) == sizeof(void*));
static_assert(offsetof(cvg_transport, send) == 2 * sizeof(void*));
static_assert(offsetof(cvg_transport, cancel) == 3 * sizeof(void*));
static_assert(offsetof(cvg_transport, destroy) == 4 * sizeof(void*));

HostCallbacks::HostCallbacks(const cvg_transport& transport) {
  std::memcpy(&functions_, &transport, std::min(transport.struct_size, sizeof(functions_)));
}

HostCallbacks::HostCallbacks(HostCallbacks&& other) noexcept : functions_(other.functions_) {
  other.functions_.destroy = nullptr;
}

HostCallbacks::~HostCallbacks() {
  if (functions_.destroy == nullptr) return;
  try {
    functions_.destroy(functions_.user_data);
  } catch (...) {  // a host in C++ may throw; there is nobody left to tell
  }
}

absl::Status HostCallbacks::check() const {
  if (functions_.struct_size < offsetof(cvg_transport, cancel)) {
    return make_error(ErrorKind::kUsage, "transport: struct_size is too small; set it to sizeof(cvg_transport)");
  }
  if (functions_.send == nullptr) return make_error(ErrorKind::kUsage, "transport: send is NULL");
  return absl::OkStatus();
}

struct HostTransport::State {
  State(Executor& e, HostCallbacks c) : executor(e), callbacks(std::move(c)) {}

  struct Waiting {
    Completion completion;
    Executor::TimerId timer = 0;
  };

  Executor& executor;
  HostCallbacks callbacks;
  std::mutex mutex;
  std::uint64_t next_id = 1;          // guarded by mutex
  std::map<SendId, Waiting> waiting;  // guarded by mutex
  bool closed = false;                // guarded by mutex

  bool is_waiting(SendId id) {
    std::lock_guard<std::mutex> lock(mutex);
    return waiting.count(id) != 0;
  }

  // Takes the request off and posts its completion; false when it has gone already.
  bool finish(SendId id, absl::StatusOr<HttpResponse> result) {
    Waiting taken;
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto found = waiting.find(id);
      if (found == waiting.end()) return false;
      taken = std::move(found->second);
      waiting.erase(found);
    }
    if (taken.timer != 0) executor.cancel(taken.timer);
    executor.post([completion = std::move(taken.completion), result = std::move(result)]() mutable {
      completion(std::move(result));
    });
    return true;
  }

  void tell_host_to_cancel(SendId id) {
    if (callbacks.functions().cancel == nullptr) return;
    try {
      callbacks.functions().cancel(callbacks.functions().user_data, id);
    } catch (...) {  // the request is over for us in any case
    }
  }

  void start(SendId id, const HttpRequest& request);
};

namespace {

std::string header_text(const HeaderList& headers) {
  Json::Array list;
  for (const auto& [name, value] : headers) list.push_back(Json::Array{name, value});
  return to_text(Json(std::move(list)));
}

cvg_slice slice_of(const std::string& text) { return cvg_slice{text.data(), text.size()}; }

}  // namespace

void HostTransport::State::start(SendId id, const HttpRequest& request) {
  if (!is_waiting(id)) return;  // cancelled before it began
  const std::string headers = header_text(request.headers);
  cvg_request out{sizeof(cvg_request), slice_of(request.method), slice_of(request.target),
                  slice_of(headers),   slice_of(request.body),   request.deadline.time_since_epoch().count()};
  cvg_code code = CVG_INTERNAL;
  std::string problem;
  try {
    code = callbacks.functions().send(callbacks.functions().user_data, id, &out);
    problem = "the host's send answered code " + std::to_string(code);
  } catch (const std::exception& thrown) {
    problem = std::string("the host's send threw: ") + thrown.what();
  } catch (...) {
    problem = "the host's send threw";
  }
  if (code == CVG_OK) return;
  // The host's own code comes back unchanged, so that its meaning survives the way through.
  absl::Status status =
      make_error(code == CVG_INTERNAL ? ErrorKind::kInvariant : ErrorKind::kUnreachable,
                 request.method + " " + request.target + ": " + problem, Json().set("host_code", code));
  finish(id, std::move(status));
}

HostTransport::HostTransport(Executor& executor, HostCallbacks callbacks)
    : state_(std::make_shared<State>(executor, std::move(callbacks))) {}

HostTransport::~HostTransport() {
  std::vector<SendId> left;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->closed = true;
    for (const auto& [id, waiting] : state_->waiting) left.push_back(id);
  }
  for (SendId id : left) {
    state_->tell_host_to_cancel(id);
    state_->finish(id, make_error(ErrorKind::kCancelled, "the connection was freed"));
  }
}

Transport::SendId HostTransport::send(HttpRequest request, Completion completion) {
  std::weak_ptr<State> weak = state_;
  SendId id = 0;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    id = state_->next_id++;
    state_->waiting[id].completion = std::move(completion);
    if (request.deadline != kNever) {
      state_->waiting[id].timer =
          state_->executor.post_at(request.deadline, [weak, id, what = request.method + " " + request.target] {
            std::shared_ptr<State> state = weak.lock();
            if (!state || !state->is_waiting(id)) return;
            state->tell_host_to_cancel(id);
            state->finish(id, make_error(ErrorKind::kTimeout, what + ": no answer before the deadline"));
          });
    }
  }
  state_->executor.post([weak, id, request = std::move(request)] {
    if (std::shared_ptr<State> state = weak.lock()) state->start(id, request);
  });
  return id;
}

void HostTransport::cancel(SendId send) {
  if (!state_->is_waiting(send)) return;
  state_->tell_host_to_cancel(send);
  state_->finish(send, make_error(ErrorKind::kCancelled, "cancelled by the caller"));
}

absl::Status HostTransport::complete(std::uint64_t id, absl::StatusOr<HttpResponse> result) {
  if (state_->finish(id, std::move(result))) return absl::OkStatus();
  return make_error(ErrorKind::kNotFound, "request " + std::to_string(id) + ": does not wait (any more)");
}

absl::StatusOr<HostTransport*> host_transport(cvg_connection* connection) {
  CVG_RETURN_IF_ERROR(require(connection, "connection"));
  auto* host = dynamic_cast<HostTransport*>(connection->transport);
  if (host == nullptr) {
    return make_error(ErrorKind::kUsage, "connection: is not the host's; make it with cvg_connection_host");
  }
  return host;
}

absl::StatusOr<HeaderList> read_headers(std::string_view text) {
  HeaderList headers;
  if (text.empty()) return headers;
  CVG_ASSIGN_OR_RETURN(Json json, parse_json(text, "headers"));
  const absl::Status wrong = make_error(ErrorKind::kDecode, "headers: give [[\"name\",\"value\"],...]");
  if (!json.is_array()) return wrong;
  for (const Json& pair : *json.as_array()) {
    if (!pair.is_array() || pair.as_array()->size() != 2) return wrong;
    const std::string* name = (*pair.as_array())[0].as_string();
    const std::string* value = (*pair.as_array())[1].as_string();
    if (name == nullptr || value == nullptr) return wrong;
    std::string lower = *name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    headers.emplace_back(std::move(lower), *value);
  }
  return headers;
}

}  // namespace convergence::capi
