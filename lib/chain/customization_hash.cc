#include "lib/chain/customization_hash.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace convergence {
namespace {

constexpr std::uint64_t kFnvStart = 0xcbf29ce484222325;
constexpr std::uint64_t kFnvPrime = 0x100000001b3;

// FNV-1: multiplies before it mixes the byte in, unlike the commoner FNV-1a.
constexpr std::uint64_t add_byte(std::uint64_t hash, std::uint64_t byte) { return hash * kFnvPrime ^ byte; }

constexpr std::uint64_t add_number(std::uint64_t hash, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) hash = add_byte(hash, number >> shift & 0xff);
  return hash;
}

constexpr std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = kFnvStart;
  for (char c : text) hash = add_byte(hash, static_cast<unsigned char>(c));
  return hash;
}

constexpr std::uint64_t number_hash(std::uint64_t number) { return add_number(kFnvStart, number); }

// Fields are joined by xor, so that their order does not count.
constexpr std::uint64_t field_hash(std::string_view name, std::uint64_t value) {
  return add_number(add_number(kFnvStart, text_hash(name)), value);
}

}  // namespace

std::string customization_hash(const ChainOverrides& effective) {
  const std::uint64_t mesh_gateway =
      text_hash("MeshGatewayConfig") ^ field_hash("Mode", text_hash(effective.mesh_gateway_mode));
  const auto timeout = static_cast<std::uint64_t>(effective.connect_timeout.count());
  const std::uint64_t hash = text_hash("") ^ field_hash("OverrideMeshGateway", mesh_gateway) ^
                             field_hash("OverrideProtocol", text_hash(effective.protocol)) ^
                             field_hash("OverrideConnectTimeout", number_hash(timeout));
  return fmt::format("{:x}", hash).substr(0, 8);
}

}  // namespace convergence
