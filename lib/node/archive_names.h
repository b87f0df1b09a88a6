#ifndef CONVERGENCE_LIB_NODE_ARCHIVE_NAMES_H_
#define CONVERGENCE_LIB_NODE_ARCHIVE_NAMES_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/node_files.h"

namespace convergence {

// What an archive holds, as it becomes known. Decides on names only; nothing here touches a file.
class ArchiveNames {
 public:
  ArchiveNames(std::string archive, const UnpackLimits& limits) : archive_(std::move(archive)), limits_(limits) {}

  // The entry's name in normal form; empty: the archive's root itself.
  absl::StatusOr<std::string> normal_name(std::string_view name) const;
  // Takes an entry in, and the folders that it implies. Its name is a normal one.
  absl::Status add(ManifestEntry entry);
  absl::Status check_target(std::string_view link, std::string_view target) const;
  // Once all are in: no link leads out, by way of other links either.
  absl::Status check_links() const;
  const ManifestEntry* find(const std::string& name) const;
  ManifestEntry* find(const std::string& name);
  Manifest manifest() const;

  // Kind "validate" with the entry's name.
  absl::Status refuse(std::string_view entry, std::string_view problem) const;
  absl::Status too_large(std::string_view entry, std::string_view problem) const;

 private:
  struct Held {
    ManifestEntry entry;
    bool implied = false;
  };
  absl::Status check_link(const std::string& link) const;

  std::string archive_;
  UnpackLimits limits_;
  std::map<std::string, Held> entries_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_ARCHIVE_NAMES_H_
