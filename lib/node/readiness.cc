#include "convergence/error.h"
#include "convergence/node_facts.h"
#include "convergence/node_state.h"
#include "lib/base/ascii.h"
#include "lib/node/text.h"

namespace convergence {
namespace {

constexpr std::uint64_t kMostSemaphore = 4096;

}  // namespace

std::string_view to_string(Readiness readiness) {
  switch (readiness) {
    case Readiness::kWaiting:
      return "waiting";
    case Readiness::kReady:
      return "ready";
    case Readiness::kLate:
      return "late";
  }
  return "";
}

Readiness readiness(const std::optional<std::string>& content, Time now, Time deadline) {
  if (content && ascii_equal_fold(without_space(*content), "ok")) return Readiness::kReady;
  return now >= deadline ? Readiness::kLate : Readiness::kWaiting;
}

absl::StatusOr<std::optional<std::string>> read_semaphore(const std::string& path) {
  auto content = read_file(path, kMostSemaphore);
  if (content.ok()) return std::optional<std::string>(*std::move(content));
  if (error_kind(content.status()) == ErrorKind::kNotFound) return std::optional<std::string>();
  return content.status();
}

}  // namespace convergence
