#ifndef CONVERGENCE_LIB_NODE_CRC32C_H_
#define CONVERGENCE_LIB_NODE_CRC32C_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace convergence {

// CRC-32C (Castagnoli) of `bytes` after those that gave `before`.
inline std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t value = ~before;
  for (const char byte : bytes) value = (value >> 8) ^ kTable[(value ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~value;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_CRC32C_H_
