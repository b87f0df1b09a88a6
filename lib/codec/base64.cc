#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/error.h"

namespace convergence {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 64;

constexpr std::array<std::uint8_t, 256> inverse() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr std::array<std::uint8_t, 256> kInverse = inverse();

absl::Status bad(std::string_view problem) { return make_error(ErrorKind::kDecode, "base64: " + std::string(problem)); }

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

// Strict: padded, one text for each value, no blanks.
absl::StatusOr<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return bad("the length is no multiple of four");
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t letters = 4;
    if (i + 4 == text.size() && text[i + 3] == '=') letters = text[i + 2] == '=' ? 2 : 3;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::uint8_t value = j < letters ? kInverse[static_cast<unsigned char>(text[i + j])] : std::uint8_t{0};
      if (value == kNone) return bad("a character outside the alphabet");
      group = group << 6 | value;
    }
    for (std::size_t j = 0; j + 1 < letters; ++j) out += static_cast<char>(group >> (16 - 8 * j) & 255);
    const std::uint32_t unused = letters == 4 ? 0 : group & ((std::uint32_t{1} << (8 * (4 - letters))) - 1);
    if (unused != 0) return bad("bits are set past the end");
  }
  return out;
}

}  // namespace convergence
