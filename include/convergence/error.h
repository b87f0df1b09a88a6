#ifndef CONVERGENCE_ERROR_H_
#define CONVERGENCE_ERROR_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "convergence/json.h"

namespace convergence {

// What went wrong, as a closed list that programs may branch on; the text is for people and may change.
// docs/errors.md has the table kind -> absl code -> remedy.
enum class ErrorKind {
  kNone,         // not one of ours
  kDecode,       // a text or document that cannot be read
  kValidate,     // a document that can be read and must not be used
  kGraph,        // config entries that do not form a chain
  kFilter,       // a filter expression
  kUsage,        // a call out of order or with wrong arguments
  kUnreachable,  // no connection, connection lost, TLS refused
  kTimeout,      // the deadline passed
  kCancelled,    // the caller or the destruction of the transport
  kTooLarge,     // a body over its cap
  kProtocol,     // an answer that is not what Consul answers
  kDenied,       // 401, 403: token or ACL
  kNotFound,     // 404 where the thing asked for must be
  kRefused,      // other 4xx: Consul said no; its text is kept
  kServer,       // 5xx: Consul failed; its text is kept
  kConflict,     // a lost compare-and-set
  kInvariant,    // our own fault, caught before it did harm
};

std::string_view to_string(ErrorKind kind);

// A status with kind and detail. `message` is one line: "<where>: <problem>; <remedy>". Members of `detail` (document,
// pointer, offset, status, body, ...) are stable names. The code follows from the kind.
absl::Status make_error(ErrorKind kind, std::string_view message, Json detail = {});

ErrorKind error_kind(const absl::Status& status);
// The detail object given to make_error with "kind" added; {} for statuses of others.
Json error_detail(const absl::Status& status);
// "INVALID_ARGUMENT", ... as absl names its codes.
std::string error_code_name(const absl::Status& status);

}  // namespace convergence

#endif  // CONVERGENCE_ERROR_H_
