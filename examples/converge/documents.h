#ifndef CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/desired.h"
#include "convergence/json.h"

namespace cli {

// The bytes of a file; "-" is standard input.
absl::StatusOr<std::string> read_file(const std::string& path);

// Desired state from JSON files. A file holds a whole state ({"services","entries"}), one config entry (it has "Kind"),
// one service, or a list of these; a directory stands for its *.json in the order of their names.
absl::StatusOr<convergence::DesiredState> read_desired_files(const std::vector<std::string>& paths);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_
