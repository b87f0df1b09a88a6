#ifndef CONVERGENCE_TESTS_SUPPORT_STATUS_CHECK_H_
#define CONVERGENCE_TESTS_SUPPORT_STATUS_CHECK_H_

#include <doctest/doctest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/error.h"

namespace convergence::test {

inline absl::Status status_of(const absl::Status& status) { return status; }
template <typename T>
absl::Status status_of(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace convergence::test

// A vague "it failed" is no check: name the kind and a piece of the message.
#define CHECK_ERROR(expression, expected_kind, fragment)                           \
  do {                                                                             \
    const absl::Status cvg_checked = ::convergence::test::status_of(expression);   \
    CHECK(::convergence::to_string(::convergence::error_kind(cvg_checked)) ==      \
          ::convergence::to_string(expected_kind));                                \
    INFO("message: ", std::string(cvg_checked.message()));                         \
    CHECK(std::string(cvg_checked.message()).find(fragment) != std::string::npos); \
  } while (false)

#define CHECK_OK(expression) CHECK(::convergence::test::status_of(expression).ToString() == "OK")
#define REQUIRE_OK(expression) REQUIRE(::convergence::test::status_of(expression).ToString() == "OK")

#endif  // CONVERGENCE_TESTS_SUPPORT_STATUS_CHECK_H_
