#ifndef CONVERGENCE_LIB_NODE_FILES_H_
#define CONVERGENCE_LIB_NODE_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace convergence {

std::string folder_of(const std::string& path);

// Names that were made or changed in a folder last only once that is on the disk too.
absl::Status sync_folder(const std::string& folder);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_FILES_H_
