#ifndef CONVERGENCE_LIB_NODE_HTTP_CALL_H_
#define CONVERGENCE_LIB_NODE_HTTP_CALL_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/node_files.h"

namespace convergence {

// One HTTP exchange whose body goes to or comes from a file, on the caller's thread.
struct HttpCall {
  std::string label{};  // "fetching http://host/path": for errors, without user and query
  std::string url{};
  bool hide_texts = false;  // libcurl's own texts may name what the label leaves out
  bool s3 = false;          // signed, when there is a key; no redirects
  std::uint64_t from = 0;   // asks for the bytes from there on
  int upload = -1;          // a file to PUT; none: GET
  std::uint64_t upload_size = 0;
  std::string upload_sha256{};
};

struct HttpBodyStart {
  bool partial = false;     // 206, and from where it was asked
  std::uint64_t total = 0;  // of the whole file; 0: not said
};

struct HttpSink {
  std::function<absl::Status(const HttpBodyStart&)> begin;  // before the first byte, and when there is none
  std::function<absl::Status(std::string_view)> bytes;
};

// OK for a 2xx whose body came whole. A 416 is kind "refused" with "status" in the detail, as all other answers.
absl::Status http_call(const HttpCall& call, const HttpOptions& options, const HttpSink& sink, const StopSignal& stop);
// That of a file at an http(s):// or s3:// address.
absl::StatusOr<HttpCall> call_to_get(const std::string& source, const HttpOptions& options);
// Whether the same call may go better a little later.
bool may_pass(const absl::Status& status);
// Waits between two attempts.
absl::Status pause_before_retry(const HttpOptions& options, std::string_view what, const StopSignal& stop);

// The answer's status in an error of http_call; 0: it is of something else.
std::int64_t http_status_of(const absl::Status& status);

struct S3Object {
  std::string bucket{};
  std::string key{};
};
absl::StatusOr<S3Object> parse_s3(std::string_view source);
absl::StatusOr<std::string> s3_url(const S3Object& object, const S3Options& options);
absl::Status check_http_options(const HttpOptions& options);

// A source as it may be shown: without user, password, query and fragment.
std::string shown_source(std::string_view source);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_HTTP_CALL_H_
