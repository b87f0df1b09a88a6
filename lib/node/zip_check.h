#ifndef CONVERGENCE_LIB_NODE_ZIP_CHECK_H_
#define CONVERGENCE_LIB_NODE_ZIP_CHECK_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace convergence {

// What the directory at a zip's end says of one entry.
struct ZipEntry {
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t size = 0;
};

// Whether a zip's directory and what stands before each entry say the same, one after the other without gap or overlap:
// readers that believe the one and readers that believe the other then see the same package. Kind "validate" names the
// entry. `archive` is the path, for messages. Returns the entries by name.
absl::StatusOr<std::map<std::string, ZipEntry>> check_zip(int file, std::string_view archive, std::size_t max_entries);

// As zip and gzip have it; begins with 0.
std::uint32_t crc32_of(std::uint32_t so_far, std::string_view bytes);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_ZIP_CHECK_H_
