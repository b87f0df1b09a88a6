#include "lib/filter/unquote.h"

#include <cstddef>
#include <cstdint>

namespace convergence::filter {
namespace {

std::optional<std::uint32_t> digits(std::string_view text, std::size_t at, std::size_t count, std::uint32_t base) {
  if (text.size() - at < count) return std::nullopt;
  std::uint32_t value = 0;
  for (char c : text.substr(at, count)) {
    std::uint32_t digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<std::uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<std::uint32_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') digit = static_cast<std::uint32_t>(c - 'A' + 10);
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t rune) {
  auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xC0 | rune >> 6);
    put(0x80 | (rune & 0x3F));
  } else if (rune < 0x10000) {
    put(0xE0 | rune >> 12);
    put(0x80 | (rune >> 6 & 0x3F));
    put(0x80 | (rune & 0x3F));
  } else {
    put(0xF0 | rune >> 18);
    put(0x80 | (rune >> 12 & 0x3F));
    put(0x80 | (rune >> 6 & 0x3F));
    put(0x80 | (rune & 0x3F));
  }
}

// The letters of escapes that stand for one byte, and these bytes.
constexpr std::string_view kLetters = "abfnrtv\\\"";
constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";

// One escape, `at` standing behind its backslash; moves `at` behind it. False where Go refuses it.
bool append_escape(std::string& out, std::string_view text, std::size_t& at) {
  if (at == text.size()) return false;
  const char letter = text[at++];
  if (auto known = kLetters.find(letter); known != std::string_view::npos) {
    out += kBytes[known];
    return true;
  }
  const bool octal = letter >= '0' && letter <= '7';
  if (octal) --at;
  const std::size_t count = octal ? 3 : letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  if (count == 0) return false;
  auto value = digits(text, at, count, octal ? 8 : 16);
  if (!value) return false;
  at += count;
  if (letter == 'u' || letter == 'U') {
    if (*value > 0x10FFFF) return false;
    const bool half_of_pair = *value >= 0xD800 && *value < 0xE000;
    append_utf8(out, half_of_pair ? 0xFFFD : *value);
    return true;
  }
  if (*value > 0xFF) return false;
  out += static_cast<char>(*value);
  return true;
}

}  // namespace

std::optional<std::string> unquote(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  std::size_t at = 0;
  while (at < inside.size()) {
    const char c = inside[at++];
    if (c == '\n') return std::nullopt;
    if (c != '\\') {
      out += c;
    } else if (!append_escape(out, inside, at)) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace convergence::filter
