#ifndef CONVERGENCE_KV_VIEW_H_
#define CONVERGENCE_KV_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace convergence {

// Keys and values as a recursive read of KV answers them, in the bytes of the answer itself: values are decoded where
// they stand. Flags, sessions and lock indexes are left out; KvPair (catalog.h) has them.
struct KvView {
  struct Entry {
    std::uint32_t key_at = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value_at = 0;
    std::uint32_t value_size = 0;
    std::uint64_t modify_index = 0;
  };

  std::string bytes{};
  std::vector<Entry> entries{};  // in the order of the answer, which is the one of the keys' bytes

  std::size_t size() const { return entries.size(); }
  std::string_view key(std::size_t i) const { return {bytes.data() + entries[i].key_at, entries[i].key_size}; }
  std::string_view value(std::size_t i) const { return {bytes.data() + entries[i].value_at, entries[i].value_size}; }
};

// The same keys, values and indexes, wherever they stand.
bool operator==(const KvView& a, const KvView& b);

// An answer of /v1/kv/<prefix>?recurse, at most 2 GiB long (else kind "too-large"). As read_health() (fleet_view.h):
// the result is the one of the strict reader, errors included.
absl::StatusOr<KvView> read_kv(std::string answer, std::string_view document);

}  // namespace convergence

#endif  // CONVERGENCE_KV_VIEW_H_
