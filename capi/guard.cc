#include "capi/guard.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/error.h"

struct cvg_error {
  cvg_code code = CVG_UNKNOWN;
  std::string message;
  std::string kind;
  std::string detail;
};

namespace convergence::capi {

cvg_error* new_error(const absl::Status& status) {
  return new cvg_error{static_cast<cvg_code>(status.code()), std::string(status.message()),
                       std::string(to_string(error_kind(status))), to_text(error_detail(status))};
}

cvg_code report(const absl::Status& status, cvg_error** error) noexcept {
  if (status.ok()) return CVG_OK;
  if (error != nullptr) {
    try {
      *error = new_error(status);
    } catch (...) {
      *error = nullptr;
    }
  }
  return static_cast<cvg_code>(status.code());
}

cvg_code report_current_exception(cvg_error** error) noexcept {
  try {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      return report(absl::ResourceExhaustedError("out of memory"), error);
    } catch (const std::exception& problem) {
      return report(make_error(ErrorKind::kInvariant, std::string("exception: ") + problem.what()), error);
    } catch (...) {
      return report(make_error(ErrorKind::kInvariant, "exception of an unknown type"), error);
    }
  } catch (...) {
    if (error != nullptr) *error = nullptr;
    return CVG_INTERNAL;
  }
}

absl::Status give_text(std::string_view text, cvg_buffer* out) {
  char* data = static_cast<char*>(std::malloc(text.size() + 1));
  if (data == nullptr) return absl::ResourceExhaustedError("out of memory");
  if (!text.empty()) std::memcpy(data, text.data(), text.size());
  data[text.size()] = '\0';
  *out = cvg_buffer{data, text.size()};
  return absl::OkStatus();
}

absl::Status give(const Json& json, cvg_buffer* out) { return give_text(to_text(json), out); }

absl::StatusOr<Json> read_document(cvg_slice slice, std::string_view name) {
  if (view(slice).empty()) return Json(Json::Object{});
  return parse_json(view(slice), name);
}

absl::Status require(const void* pointer, std::string_view name) {
  if (pointer != nullptr) return absl::OkStatus();
  return make_error(ErrorKind::kUsage, std::string(name) + ": is NULL; give a valid pointer");
}

}  // namespace convergence::capi

extern "C" {

const char* cvg_version(void) noexcept {
#define CVG_TEXT_(x) #x
#define CVG_TEXT(x) CVG_TEXT_(x)
  return CVG_TEXT(CVG_VERSION_MAJOR) "." CVG_TEXT(CVG_VERSION_MINOR) "." CVG_TEXT(CVG_VERSION_PATCH);
}

int32_t cvg_abi_version(void) noexcept { return CVG_ABI_VERSION; }

cvg_slice cvg_text(const char* text) noexcept { return cvg_slice{text, text == nullptr ? 0 : std::strlen(text)}; }

void cvg_buffer_free(cvg_buffer* buffer) noexcept {
  if (buffer == nullptr) return;
  std::free(buffer->data);
  *buffer = cvg_buffer{nullptr, 0};
}

cvg_code cvg_error_code(const cvg_error* error) noexcept { return error ? error->code : CVG_OK; }
const char* cvg_error_message(const cvg_error* error) noexcept { return error ? error->message.c_str() : ""; }
const char* cvg_error_kind(const cvg_error* error) noexcept { return error ? error->kind.c_str() : ""; }
const char* cvg_error_detail(const cvg_error* error) noexcept { return error ? error->detail.c_str() : ""; }
void cvg_error_free(cvg_error* error) noexcept { delete error; }

}  // extern "C"
