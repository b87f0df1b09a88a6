#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};

// Longer names before those they begin with.
constexpr std::array<Unit, 8> kUnits = {{
    {"ns", 1},
    {"us", 1'000},
    {"\xC2\xB5s", 1'000},  // the micro sign
    {"\xCE\xBCs", 1'000},  // the Greek letter
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
}};

constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;  // of the magnitude; reached by the least duration alone

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes a number's digits off `text`; false when there are none or too many.
bool take_whole(std::string_view& text, std::uint64_t& value) {
  value = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    if (value > (kLimit - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

// Digits after the point; those past what fits are dropped, as Go does.
std::size_t take_fraction(std::string_view& text, std::uint64_t& value, double& scale) {
  std::size_t digits = 0;
  bool full = false;
  value = 0;
  scale = 1;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    full = full || value > (kLimit - 1 - digit) / 10;
    if (full) continue;
    value = value * 10 + digit;
    scale *= 10;
  }
  return digits;
}

absl::Status bad(std::string_view text, std::string_view problem) {
  return make_error(ErrorKind::kDecode,
                    fmt::format("\"{}\" is no duration: {}; write it like 1m30s or 250ms", text, problem));
}

// One number with its unit, added to `total`; the problem, or nothing.
std::string_view take_part(std::string_view& rest, std::uint64_t& total) {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;
  double scale = 1;
  const std::size_t before = rest.size();
  if (!take_whole(rest, whole)) return "out of range";
  std::size_t digits = before - rest.size();
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    digits += take_fraction(rest, fraction, scale);
  }
  if (digits == 0) return "a number is missing";
  for (const Unit& unit : kUnits) {
    if (!rest.starts_with(unit.name)) continue;
    rest.remove_prefix(unit.name.size());
    if (whole > kLimit / unit.nanoseconds) return "out of range";
    // In floating point and cut off, because Go computes it so.
    const auto part =
        static_cast<std::uint64_t>(static_cast<double>(fraction) * (static_cast<double>(unit.nanoseconds) / scale));
    const std::uint64_t value = whole * unit.nanoseconds + part;
    if (value > kLimit || total > kLimit - value) return "out of range";
    total += value;
    return {};
  }
  return "a unit is missing";
}

}  // namespace

std::string duration_to_text(Duration duration) { return go_duration(duration); }

absl::StatusOr<Duration> duration_from_text(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return Duration::zero();
  if (rest.empty()) return bad(text, "a number is missing");
  std::uint64_t total = 0;
  while (!rest.empty()) {
    const std::string_view problem = take_part(rest, total);
    if (!problem.empty()) return bad(text, problem);
  }
  if (!negative && total == kLimit) return bad(text, "out of range");
  return Duration(static_cast<std::int64_t>(negative ? ~total + 1 : total));
}

namespace codec {

ObjectWriter& ObjectWriter::put_if(std::string_view name, Duration value) {
  return value == Duration::zero() ? *this : put(name, duration_to_text(value));
}

Json encode_percent(std::int32_t hundredths) {
  const std::int64_t value = hundredths;
  const std::int64_t size = value < 0 ? -value : value;
  std::string text = fmt::format("{}{}", value < 0 ? "-" : "", size / 100);
  if (size % 100 != 0) {
    text += fmt::format(".{:02}", size % 100);
    if (text.back() == '0') text.pop_back();
  }
  return Json(Json::Number{std::move(text)});
}

}  // namespace codec
}  // namespace convergence
