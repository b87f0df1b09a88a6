#ifndef CONVERGENCE_CAPI_GUARD_H_
#define CONVERGENCE_CAPI_GUARD_H_

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "convergence/c.h"
#include "convergence/json.h"

namespace convergence::capi {

// The code of a status; *error, where asked for, becomes an owned copy of it. Never throws: without memory for the text
// the code still comes out.
cvg_code report(const absl::Status& status, cvg_error** error) noexcept;
cvg_code report_current_exception(cvg_error** error) noexcept;

// An error that the caller owns.
cvg_error* new_error(const absl::Status& status);

// Runs the body of a C function: no exception leaves it.
template <typename Body>
cvg_code guarded(cvg_error** error, Body body) noexcept {
  try {
    return report(body(), error);
  } catch (...) {
    return report_current_exception(error);
  }
}

inline std::string_view view(cvg_slice slice) {
  return slice.data == nullptr ? std::string_view() : std::string_view(slice.data, slice.size);
}

// The caller frees it with cvg_buffer_free.
absl::Status give_text(std::string_view text, cvg_buffer* out);
absl::Status give(const Json& json, cvg_buffer* out);

// Reads `slice` as a document named `name`; the empty slice is an empty object.
absl::StatusOr<Json> read_document(cvg_slice slice, std::string_view name);

// INVALID_ARGUMENT kind "usage" for a null handle or out-pointer, naming it.
absl::Status require(const void* pointer, std::string_view name);

}  // namespace convergence::capi

#endif  // CONVERGENCE_CAPI_GUARD_H_
