#include "convergence/error.h"

#include <array>

#include "absl/strings/cord.h"
#include "lib/base/string_bridge.h"

namespace convergence {
namespace {

constexpr char kKindUrl[] = "convergence/kind";
constexpr char kDetailUrl[] = "convergence/detail";

struct KindRow {
  ErrorKind kind;
  std::string_view name;
  absl::StatusCode code;
};

constexpr std::array kKinds = {
    KindRow{ErrorKind::kNone, "", absl::StatusCode::kUnknown},
    KindRow{ErrorKind::kDecode, "decode", absl::StatusCode::kInvalidArgument},
    KindRow{ErrorKind::kValidate, "validate", absl::StatusCode::kInvalidArgument},
    KindRow{ErrorKind::kGraph, "graph", absl::StatusCode::kInvalidArgument},
    KindRow{ErrorKind::kFilter, "filter", absl::StatusCode::kInvalidArgument},
    KindRow{ErrorKind::kUsage, "usage", absl::StatusCode::kFailedPrecondition},
    KindRow{ErrorKind::kUnreachable, "unreachable", absl::StatusCode::kUnavailable},
    KindRow{ErrorKind::kTimeout, "timeout", absl::StatusCode::kDeadlineExceeded},
    KindRow{ErrorKind::kCancelled, "cancelled", absl::StatusCode::kCancelled},
    KindRow{ErrorKind::kTooLarge, "too-large", absl::StatusCode::kResourceExhausted},
    KindRow{ErrorKind::kProtocol, "protocol", absl::StatusCode::kDataLoss},
    KindRow{ErrorKind::kDenied, "denied", absl::StatusCode::kPermissionDenied},
    KindRow{ErrorKind::kNotFound, "not-found", absl::StatusCode::kNotFound},
    KindRow{ErrorKind::kRefused, "refused", absl::StatusCode::kInvalidArgument},
    KindRow{ErrorKind::kServer, "server", absl::StatusCode::kUnavailable},
    KindRow{ErrorKind::kConflict, "conflict", absl::StatusCode::kAborted},
    KindRow{ErrorKind::kInvariant, "invariant", absl::StatusCode::kInternal},
};

const KindRow& row_of(ErrorKind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  return kKinds.front();
}

}  // namespace

std::string_view to_string(ErrorKind kind) { return row_of(kind).name; }

absl::Status make_error(ErrorKind kind, std::string_view message, Json detail) {
  const KindRow& row = row_of(kind);
  absl::Status status(row.code, to_absl(message));
  status.SetPayload(kKindUrl, absl::Cord(to_absl(row.name)));
  detail.set("kind", row.name);
  status.SetPayload(kDetailUrl, absl::Cord(to_text(detail)));
  return status;
}

ErrorKind error_kind(const absl::Status& status) {
  auto payload = status.GetPayload(kKindUrl);
  if (!payload) return ErrorKind::kNone;
  const std::string name(*payload);
  for (const KindRow& row : kKinds) {
    if (row.name == name) return row.kind;
  }
  return ErrorKind::kNone;
}

std::string error_code_name(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

}  // namespace convergence
