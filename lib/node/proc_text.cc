#include "lib/node/proc_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

namespace convergence {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

std::optional<std::uint64_t> number_of(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Words of four bytes as this machine has them in memory, in hexadecimal.
std::optional<std::string> address_of(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < hex.size(); i += 8) {
    const auto word = number_of(hex.substr(i, 8), 16);
    if (!word) return std::nullopt;
    const auto value = static_cast<std::uint32_t>(*word);
    std::memcpy(bytes.data() + i / 2, &value, sizeof value);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = hex.size() == 8;
  inet_ntop(four ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return four ? std::string(text.data()) : fmt::format("[{}]", text.data());
}

template <typename Each>
void for_each_line(std::string_view text, Each each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::vector<Listener> listeners_of(std::string_view text, std::uint16_t port) {
  std::vector<Listener> listeners;
  for_each_line(text, [&](std::string_view line) {
    // sl, local address:port, remote, state, queues, timer, retransmits, uid, timeout, inode
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() < 10 || words[3] != "0A") return;
    const std::size_t colon = words[1].find(':');
    if (colon == std::string_view::npos || number_of(words[1].substr(colon + 1), 16) != port) return;
    const auto address = address_of(words[1].substr(0, colon));
    const auto inode = number_of(words[9], 10);
    if (address && inode) listeners.push_back({fmt::format("{}:{}", *address, port), *inode});
  });
  return listeners;
}

std::optional<std::uint64_t> available_memory_of(std::string_view text) {
  std::optional<std::uint64_t> bytes;
  for_each_line(text, [&](std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() != 3 || words[0] != "MemAvailable:" || words[2] != "kB") return;
    if (const auto kilobytes = number_of(words[1], 10)) bytes = *kilobytes * 1024;
  });
  return bytes;
}

}  // namespace convergence
