#include "lib/canary/table.h"

#include <fstream>
#include <sstream>

#include "fmt/format.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

std::string drawn() {
  std::string out = "| phase |";
  for (std::size_t i = 0; i < kInputs; ++i) out += fmt::format(" {} |", to_string(static_cast<Input>(i)));
  out += "\n|";
  for (std::size_t i = 0; i <= kInputs; ++i) out += " --- |";
  out += "\n";
  for (std::size_t p = 0; p < kPhases; ++p) {
    const auto phase = static_cast<CanaryPhase>(p);
    out += fmt::format("| {} |", to_string(phase));
    for (std::size_t i = 0; i < kInputs; ++i) {
      out += fmt::format(" {} |", transition_name(phase, static_cast<Input>(i)));
    }
    out += "\n";
  }
  return out;
}

TEST_CASE("docs/canary.md shows the table that the code has") {
  std::ifstream file(CONVERGENCE_SOURCE_DIR "/docs/canary.md");
  std::ostringstream text;
  text << file.rdbuf();
  INFO("the table is:\n", drawn());
  CHECK(text.str().find(drawn()) != std::string::npos);
}

TEST_CASE("every enumerator has a name of its own") {
  std::string seen = "|";
  const auto add = [&](std::string_view name) {
    CHECK(!name.empty());
    CHECK(seen.find(fmt::format("|{}|", name)) == std::string::npos);
    seen += fmt::format("{}|", name);
  };
  for (int i = 0; i <= static_cast<int>(CanaryReason::kWriteFailed); ++i) add(to_string(static_cast<CanaryReason>(i)));
  seen = "|";
  for (int i = 0; i <= static_cast<int>(CanaryPhase::kFailed); ++i) add(to_string(static_cast<CanaryPhase>(i)));
  seen = "|";
  for (int i = 0; i <= static_cast<int>(EvidenceKind::kBrokenSource); ++i) add(to_string(static_cast<EvidenceKind>(i)));
  seen = "|";
  for (int i = 0; i <= static_cast<int>(WriteOutcome::kError); ++i) add(to_string(static_cast<WriteOutcome>(i)));
  seen = "|";
  for (int i = 0; i <= static_cast<int>(CanaryVerb::kResume); ++i) add(to_string(static_cast<CanaryVerb>(i)));
}

}  // namespace
}  // namespace convergence
