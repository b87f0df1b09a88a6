#ifndef CONVERGENCE_LIB_BASE_FNV_H_
#define CONVERGENCE_LIB_BASE_FNV_H_

#include <cstdint>
#include <string_view>

namespace convergence {

inline constexpr std::uint64_t kFnvStart = 14695981039346656037u;

// FNV-1a of 64 bits: the same on every machine. Goes on with the hash of what stood before.
inline std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnvStart) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_FNV_H_
