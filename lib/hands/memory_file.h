#ifndef CONVERGENCE_LIB_HANDS_MEMORY_FILE_H_
#define CONVERGENCE_LIB_HANDS_MEMORY_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace convergence::hands {

// The agent's memory on its disk. Beside it is kept room for the next one: what was begun has to be brought to its end,
// or put back, on a disk that has become full meanwhile too.
std::string memory_path(const std::string& folder);

// On the disk when it returns OK; after an error the old one stands.
absl::Status write_memory(const std::string& folder, std::string_view bytes);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_MEMORY_FILE_H_
