#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "convergence/json.h"

namespace convergence {
namespace {

template <typename T>
std::string number_text(T value) {
  std::array<char, 32> buffer;
  auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end);
}

// An integer written with a fraction or exponent (1e3, 2.0) is still that integer.
template <typename T>
std::optional<T> exact_integer(const std::string& text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  if (text.find_first_of(".eE") == std::string::npos) return std::nullopt;
  double wide = 0;
  auto [wide_end, wide_error] = std::from_chars(text.data(), text.data() + text.size(), wide);
  // Above 2^53 a double cannot tell neighbours apart, so that such a text names no certain integer.
  constexpr double kExact = 9007199254740992.0;
  if (wide_error != std::errc() || wide_end != text.data() + text.size()) return std::nullopt;
  if (std::trunc(wide) != wide || wide > kExact || wide < -kExact) return std::nullopt;
  if (wide < 0 && std::numeric_limits<T>::min() == 0) return std::nullopt;
  return static_cast<T>(wide);
}

constexpr std::array<bool, 256> kEscaped = [] {
  std::array<bool, 256> out{};
  for (std::size_t c = 0; c < 0x20; ++c) out[c] = true;
  out['"'] = out['\\'] = true;
  return out;
}();

// How many characters stand before the first that is escaped; eight at a time are looked at as one number.
std::size_t plain_length(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  // Sets the high bit of a byte that is zero, and perhaps of one after such a byte.
  const auto zeros = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  std::size_t at = 0;
  for (std::uint64_t bytes = 0; text.size() - at >= sizeof bytes; at += sizeof bytes) {
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    const std::uint64_t control = (bytes - kOnes * 0x20) & ~bytes;
    if (((control | zeros(bytes ^ kOnes * '"') | zeros(bytes ^ kOnes * '\\')) & kHigh) != 0) break;
  }
  while (at < text.size() && !kEscaped[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (;;) {
    const std::size_t plain = plain_length(text);
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    const char c = text[plain];
    text.remove_prefix(plain + 1);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[static_cast<unsigned char>(c) >> 4];
        out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  out += '"';
}

// indent < 0: compact.
void append(std::string& out, const Json& json, int indent, int level) {
  auto line = [&](int at) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent * at), ' ');
  };
  switch (json.type()) {
    case Json::Type::kNull:
      out += "null";
      break;
    case Json::Type::kBool:
      out += *json.as_bool() ? "true" : "false";
      break;
    case Json::Type::kNumber:
      out += json.as_number()->text;
      break;
    case Json::Type::kString:
      append_string(out, *json.as_string());
      break;
    case Json::Type::kArray: {
      out += '[';
      bool first = true;
      for (const Json& item : *json.as_array()) {
        if (!first) out += ',';
        first = false;
        line(level + 1);
        append(out, item, indent, level + 1);
      }
      if (!first) line(level);
      out += ']';
      break;
    }
    case Json::Type::kObject: {
      out += '{';
      bool first = true;
      for (const Json::Member& member : *json.as_object()) {
        if (!first) out += ',';
        first = false;
        line(level + 1);
        append_string(out, member.name);
        out += indent < 0 ? ":" : ": ";
        append(out, member.value, indent, level + 1);
      }
      if (!first) line(level);
      out += '}';
      break;
    }
  }
}

bool same_members(const Json::Object& a, const Json::Object& b) {
  if (a.size() != b.size()) return false;
  if (a == b) return true;  // the usual case: one order
  for (const Json::Member& member : a) {
    auto other = std::find_if(b.begin(), b.end(), [&](const Json::Member& m) { return m.name == member.name; });
    if (other == b.end() || !(other->value == member.value)) return false;
  }
  return true;
}

}  // namespace

Json::Json(std::int64_t value) : value_(Number{number_text(value)}) {}
Json::Json(std::uint64_t value) : value_(Number{number_text(value)}) {}
Json::Json(double value) {
  if (std::isfinite(value)) value_ = Number{number_text(value)};
}
Json::Json(Object value) : value_(std::move(value)) {}

std::optional<std::int64_t> Json::to_int64() const {
  const Number* number = as_number();
  return number ? exact_integer<std::int64_t>(number->text) : std::nullopt;
}

std::optional<std::uint64_t> Json::to_uint64() const {
  const Number* number = as_number();
  return number ? exact_integer<std::uint64_t>(number->text) : std::nullopt;
}

std::optional<double> Json::to_double() const {
  const Number* number = as_number();
  if (!number) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(number->text.data(), number->text.data() + number->text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

const Json* Json::find(std::string_view name) const {
  const Object* object = as_object();
  if (!object) return nullptr;
  for (const Member& member : *object) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

Json& Json::set(std::string name, Json value) {
  if (is_null()) value_ = Object{};
  Object& object = std::get<Object>(value_);
  for (Member& member : object) {
    if (member.name == name) {
      member.value = std::move(value);
      return *this;
    }
  }
  object.push_back(Member{std::move(name), std::move(value)});
  return *this;
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) return same_members(*a.as_object(), *b.as_object());
  return a.value_ == b.value_;
}

std::string to_text(const Json& json) {
  std::string out;
  append(out, json, -1, 0);
  return out;
}

std::string to_pretty_text(const Json& json) {
  std::string out;
  append(out, json, 2, 0);
  return out;
}

}  // namespace convergence
