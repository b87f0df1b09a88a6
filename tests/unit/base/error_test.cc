#include "convergence/error.h"

#include <doctest/doctest.h>

namespace convergence {
namespace {

TEST_CASE("an error keeps its kind, and its code follows from the kind") {
  const absl::Status status = make_error(ErrorKind::kConflict, "splitter api: index 7 is not 9; read again");
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(error_kind(status) == ErrorKind::kConflict);
  CHECK(error_code_name(status) == "ABORTED");
  CHECK(std::string(status.message()) == "splitter api: index 7 is not 9; read again");
}

TEST_CASE("a status of somebody else has no kind") {
  CHECK(error_kind(absl::NotFoundError("x")) == ErrorKind::kNone);
  CHECK(error_kind(absl::OkStatus()) == ErrorKind::kNone);
}

}  // namespace
}  // namespace convergence
