// The loop that C and Python poll, and the completions they take from it.
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_loop_new(cvg_loop** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    auto loop = std::make_unique<cvg_loop>();
    loop->real = new_loop_executor();
    loop->executor = loop->real.get();
    *out = loop.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_loop_new_simulated(int64_t start, cvg_loop** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    if (start < 0) return make_error(ErrorKind::kUsage, "start: is before 1970; give nanoseconds since then");
    auto loop = std::make_unique<cvg_loop>();
    loop->simulated = std::make_unique<SimulatedExecutor>(Time(Duration(start)));
    loop->executor = loop->simulated.get();
    *out = loop.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_loop_poll(cvg_loop* loop, int64_t timeout, int32_t* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    int ran = 0;
    if (loop->real) {
      ran = loop->real->poll(Duration(timeout));
    } else {
      ran = loop->simulated->run_ready();
    }
    if (out != nullptr) *out = ran;
    return absl::OkStatus();
  });
}

int32_t cvg_loop_descriptor(const cvg_loop* loop) noexcept {
  return loop != nullptr && loop->real ? loop->real->descriptor() : -1;
}

int64_t cvg_loop_now(const cvg_loop* loop) noexcept {
  return loop != nullptr ? loop->executor->now().time_since_epoch().count() : 0;
}

int64_t cvg_loop_next_due(const cvg_loop* loop) noexcept {
  if (loop == nullptr) return std::numeric_limits<int64_t>::max();
  const Time due = loop->real ? loop->real->next_due() : loop->simulated->next_due();
  return due.time_since_epoch().count();
}

cvg_code cvg_loop_advance(cvg_loop* loop, int64_t by, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    if (!loop->simulated) {
      return make_error(ErrorKind::kUsage, "loop: runs on the machine's clock; only a simulated one can be advanced");
    }
    if (by < 0) return make_error(ErrorKind::kUsage, "by: is negative; time only moves on");
    loop->simulated->advance(Duration(by));
    return absl::OkStatus();
  });
}

int32_t cvg_loop_next(cvg_loop* loop, uint64_t* id, cvg_buffer* document, cvg_error** failure) noexcept {
  if (loop == nullptr || id == nullptr || document == nullptr || failure == nullptr) return 0;
  try {
    if (loop->queue->waiting.empty()) return 0;
    const Completion& oldest = loop->queue->waiting.front();
    *document = cvg_buffer{nullptr, 0};
    *failure = nullptr;
    if (oldest.result.ok()) {
      const absl::Status given = give(*oldest.result, document);
      if (!given.ok()) return 0;  // no memory now: it stays at the front
    } else {
      *failure = new_error(oldest.result.status());
    }
    *id = oldest.id;
    loop->queue->waiting.pop_front();
    return 1;
  } catch (...) {
    return 0;
  }
}

void cvg_loop_free(cvg_loop* loop) noexcept { delete loop; }

}  // extern "C"
