#ifndef CONVERGENCE_LIB_NODE_INSTALL_PLACE_H_
#define CONVERGENCE_LIB_NODE_INSTALL_PLACE_H_

#include <sys/stat.h>

#include <string>

#include "absl/status/statusor.h"
#include "convergence/node_files.h"
#include "lib/node/file_calls.h"

namespace convergence {

// A tree's places on the disk, opened from the allowed root downwards without following a link.
struct InstallPlace {
  Descriptor parent;  // of the destination
  Descriptor folder;  // what PlannedTree::folder names
  std::string parent_path;
  std::string folder_path;
  std::string name;    // of the destination in `parent`
  std::string target;  // of the destination's link, from `parent`

  std::string tree() const { return name + ".tree"; }
  std::string link() const { return name + ".link"; }
  std::string aside() const { return name + ".aside"; }
  std::string back() const { return name + ".back"; }
};

// Kind "not-found" where the folders are not there and are not to be made.
absl::StatusOr<InstallPlace> open_place(const PlannedTree& tree, bool make);

enum class Standing { kNothing, kLink, kDirectory, kFile };
struct Stands {
  Standing what = Standing::kNothing;
  std::string target{};  // of a link
};
// What stands there; kind "conflict" for a device, fifo or socket.
absl::StatusOr<Stands> what_stands(int folder, const std::string& name, std::string_view place);
// Whether the destination is the plan's own link.
absl::StatusOr<bool> is_in_place(const InstallPlace& place);
// As installed_as_planned(), of one tree, in place or not.
absl::Status check_staged(const PlannedTree& tree, const InstallPlace& place);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_INSTALL_PLACE_H_
