#include "lib/codec/weak.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "convergence/codec.h"

namespace convergence::codec {
namespace {

// Go writes a number that becomes text in full, never with an exponent.
std::string plain_number(double value) {
  std::array<char, 400> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return std::string(buffer.data(), result.ptr);
}

// Underscores may stand between digits, and after what names the base.
bool take_underscores(std::string_view text, std::string& digits) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || text[i - 1] == '_' || i + 1 == text.size()) {
      return false;
    }
  }
  return true;
}

// Text as Go reads an integer whose base the text names: 0x10, 0b101, 0o17, 017, 1_000.
template <typename T>
bool integer_text(std::string_view text, T& out) {
  const bool negative = std::is_signed_v<T> && text.starts_with('-');
  if (negative || (std::is_signed_v<T> && text.starts_with('+'))) text.remove_prefix(1);
  std::string digits;
  if (!take_underscores(text, digits)) return false;
  text = digits;
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    text.remove_prefix(base == 8 && letter != 'o' ? 1 : 2);
  }
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return false;
  const auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  if (size > most + (negative ? 1 : 0)) return false;
  out = static_cast<T>(negative ? ~size + 1 : size);
  return true;
}

// A whole number from any of the types that may stand for one; a fraction is cut off.
template <typename T>
absl::Status weak_integer(const Json& given, const Place& place, T& out) {
  const Json& json = unwrap(given);
  if (const bool* flag = json.as_bool()) {
    out = *flag ? 1 : 0;
    return absl::OkStatus();
  }
  if (const std::string* text = json.as_string()) {
    if (integer_text(*text, out)) return absl::OkStatus();
    return place.error(json, fmt::format("must be a whole number, is \"{}\"", *text));
  }
  if (!json.is_number()) return wrong_type(json, place, "a whole number");
  if (const std::optional<std::int64_t> exact = json.to_int64()) {
    out = static_cast<T>(*exact);  // what does not fit wraps around, as it does in Consul
    return absl::OkStatus();
  }
  constexpr double kLimit = 9223372036854775808.0;
  const std::optional<double> value = json.to_double();
  if (!value || *value >= kLimit || *value < -kLimit) return place.error(json, "number out of range");
  out = static_cast<T>(static_cast<std::int64_t>(*value));
  return absl::OkStatus();
}

}  // namespace

const Json& unwrap(const Json& json) {
  const Json::Array* items = json.as_array();
  return items && items->size() == 1 ? items->front() : json;
}

absl::Status weak_text(const Json& given, const Place& place, std::string& out) {
  const Json& json = unwrap(given);
  if (const std::string* text = json.as_string()) {
    out = *text;
  } else if (const bool* flag = json.as_bool()) {
    out = *flag ? "1" : "0";
  } else if (const std::optional<double> number = json.to_double()) {
    out = plain_number(*number);
  } else if (!json.is_null()) {
    return wrong_type(json, place, "text");
  }
  return absl::OkStatus();
}

absl::Status weak_bool(const Json& given, const Place& place, bool& out) {
  const Json& json = unwrap(given);
  if (const bool* flag = json.as_bool()) {
    out = *flag;
    return absl::OkStatus();
  }
  if (const std::optional<double> number = json.to_double()) {
    out = *number != 0;
    return absl::OkStatus();
  }
  if (!json.is_string()) return wrong_type(json, place, "true or false");
  const std::string& text = *json.as_string();
  static constexpr std::string_view kYes = "|1|t|T|TRUE|true|True|";
  static constexpr std::string_view kNo = "||0|f|F|FALSE|false|False|";
  const std::string word = "|" + text + "|";
  out = kYes.find(word) != std::string_view::npos;
  if (out || kNo.find(word) != std::string_view::npos) return absl::OkStatus();
  return place.error(json, fmt::format("must be true or false, is \"{}\"", text));
}

absl::Status weak_int64(const Json& json, const Place& place, std::int64_t& out) {
  return weak_integer(json, place, out);
}

absl::Status weak_uint32(const Json& json, const Place& place, std::uint32_t& out) {
  return weak_integer(json, place, out);
}

absl::Status weak_index(const Json& json, const Place& place, std::uint64_t& out) {
  if (const std::optional<std::uint64_t> exact = json.to_uint64()) {
    out = *exact;
    return absl::OkStatus();
  }
  return weak_integer(json, place, out);
}

absl::Status weak_duration(const Json& given, const Place& place, Duration& out) {
  const Json& json = unwrap(given);
  if (json.is_string()) return decode(json, place, out);
  std::int64_t nanoseconds = 0;
  CVG_RETURN_IF_ERROR(weak_integer(json, place, nanoseconds));
  out = Duration(nanoseconds);
  return absl::OkStatus();
}

absl::Status weak_weight(const Json& given, const Place& place, std::int32_t& out) {
  const Json& json = unwrap(given);
  float weight = 0;
  if (const bool* flag = json.as_bool()) {
    weight = *flag ? 1 : 0;
  } else if (const std::optional<double> number = json.to_double()) {
    weight = static_cast<float>(*number);
  } else if (const std::string* text = json.as_string()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), weight);
    if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(weight)) {
      return place.error(json, fmt::format("must be a number, is \"{}\"", *text));
    }
  } else {
    return wrong_type(json, place, "a number");
  }
  const float hundredths = std::round(weight * 100.0F);
  constexpr float kLimit = 2147483648.0F;
  if (!(hundredths < kLimit && hundredths >= -kLimit)) return place.error(json, "number out of range");
  out = static_cast<std::int32_t>(hundredths);
  return absl::OkStatus();
}

}  // namespace convergence::codec
