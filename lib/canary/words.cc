#include "lib/canary/words.h"

#include <cmath>

#include "fmt/format.h"

namespace convergence {

std::string share_text(double share) {
  const double percent = share * 100;
  return percent >= 0.5 || percent == 0 ? fmt::format("{:.1f}%", percent) : fmt::format("{:.2g}%", percent);
}

std::string points_text(double share) {
  const double percent = share * 100;
  return percent >= 0.95 ? fmt::format("{:.1f} pp", percent) : fmt::format("{:.2f} pp", percent);
}

std::string percent_text(std::int32_t weight) { return fmt::format("{:g}%", weight / 100.0); }

std::string count_text(double count) {
  // Sums of fractions come near a whole number rather than to it.
  const bool whole = std::fabs(count - std::round(count)) < 1e-6;
  return whole ? fmt::format("{:.0f}", count) : fmt::format("{:.1f}", count);
}

std::string ratio_text(double part, double all) {
  return fmt::format("{} ({}/{})", share_text(all > 0 ? part / all : 0), count_text(part), count_text(all));
}

std::string times_text(double log) {
  const double value = std::exp(log);
  if (value < 10) return fmt::format("{:.1f}", value);
  return value < 1e6 ? fmt::format("{:.0f}", value) : fmt::format("{:.0e}", value);
}

std::string elapsed_text(Duration elapsed) {
  const auto all = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  if (all < 60) return fmt::format("{}s", all);
  return all % 60 == 0 ? fmt::format("{}m", all / 60) : fmt::format("{}m{}s", all / 60, all % 60);
}

}  // namespace convergence
