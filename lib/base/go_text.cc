#include "lib/base/go_text.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace convergence {
namespace {

struct Rune {
  std::uint32_t code = 0;
  std::size_t size = 0;  // in bytes; 0: these bytes are no UTF-8
};

Rune rune_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

// Controls, spaces other than U+0020, format characters and private use; unassigned code points count as printable.
bool printable(std::uint32_t code) {
  struct Range {
    std::uint32_t first;
    std::uint32_t last;
  };
  constexpr Range kHidden[] = {{0, 0x1f},        {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},
                               {0x61c, 0x61c},   {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x1680, 0x1680},
                               {0x180e, 0x180e}, {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
                               {0x3000, 0x3000}, {0xd800, 0xf8ff},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},
                               {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff}};
  for (const Range& range : kHidden) {
    if (code >= range.first && code <= range.last) return false;
  }
  return true;
}

void append_escape(std::string& out, std::uint32_t code) {
  constexpr std::string_view kNames = "abtnvfr";  // U+0007 to U+000D
  if (code >= 7 && code <= 13) {
    fmt::format_to(std::back_inserter(out), "\\{}", kNames[code - 7]);
  } else if (code < ' ') {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", code);
  } else if (code < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
  } else {
    fmt::format_to(std::back_inserter(out), "\\U{:08x}", code);
  }
}

// `value` units of 10^-digits, without trailing zeros.
std::string decimal(std::uint64_t value, int digits) {
  std::uint64_t scale = 1;
  for (int i = 0; i < digits; ++i) scale *= 10;
  std::string out = fmt::format("{}", value / scale);
  if (value % scale == 0) return out;
  std::string fraction = fmt::format("{:0{}}", value % scale, digits);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return out + "." + fraction;
}

}  // namespace

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = rune_at(text);
    const std::size_t size = rune.size == 0 ? 1 : rune.size;
    if (rune.size == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (rune.code == '"' || rune.code == '\\') {
      out += '\\';
      out += text[0];
    } else if (printable(rune.code)) {
      out += text.substr(0, size);
    } else {
      append_escape(out, rune.code);
    }
    text.remove_prefix(size);
  }
  return out + '"';
}

std::string go_duration(Duration duration) {
  const std::int64_t count = duration.count();
  // The magnitude of the smallest value has no signed form.
  const std::uint64_t ns = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const char* sign = count < 0 ? "-" : "";
  if (ns == 0) return "0s";
  if (ns < 1'000) return fmt::format("{}{}ns", sign, ns);
  if (ns < 1'000'000) return fmt::format("{}{}µs", sign, decimal(ns, 3));
  if (ns < 1'000'000'000) return fmt::format("{}{}ms", sign, decimal(ns, 6));
  constexpr std::uint64_t kMinute = 60'000'000'000;
  std::string out = decimal(ns % kMinute, 9) + "s";
  const std::uint64_t minutes = ns / kMinute;
  if (minutes > 0) out = fmt::format("{}m{}", minutes % 60, out);
  if (minutes >= 60) out = fmt::format("{}h{}", minutes / 60, out);
  return sign + out;
}

}  // namespace convergence
