#ifndef CONVERGENCE_TESTS_SUPPORT_TEST_JSON_H_
#define CONVERGENCE_TESTS_SUPPORT_TEST_JSON_H_

#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/error.h"
#include "convergence/json.h"

namespace convergence::test {

// A file below tests/, whole.
inline absl::StatusOr<Json> read_test_json(const std::string& path) {
  std::ifstream file(std::string(CONVERGENCE_SOURCE_DIR "/tests/") + path, std::ios::binary);
  if (!file) return make_error(ErrorKind::kNotFound, path + ": cannot be opened; is the source tree whole?");
  return parse_json(std::string(std::istreambuf_iterator<char>(file), {}), path);
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_TEST_JSON_H_
