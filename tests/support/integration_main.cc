// The main of programs that need a real Consul: without one they are skipped by name and reason, or fail where
// CONVERGENCE_REQUIRE_CONSUL=1 says that it must be there.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tests/support/consul_server.h"

namespace {

constexpr int kSkipped = 77;

int without_consul(const std::string& program, const absl::Status& status) {
  const std::string reason(status.message());
  const char* required = std::getenv("CONVERGENCE_REQUIRE_CONSUL");
  if (!absl::IsNotFound(status) || (required != nullptr && std::string_view(required) == "1")) {
    std::fprintf(stderr, "FAILED %s: %s\n", program.c_str(), reason.c_str());
    return 1;
  }
  std::printf("SKIPPED %s: %s\n", program.c_str(), reason.c_str());
  return kSkipped;
}

}  // namespace

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const absl::StatusOr<std::string> binary = convergence::test::consul_binary();
  if (!binary.ok()) {
    return without_consul(std::filesystem::path(argv[0]).filename().string(), binary.status());
  }
  return context.run();
}
