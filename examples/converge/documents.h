#ifndef CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "convergence/desired.h"
#include "convergence/json.h"
#include "options.h"

namespace cli {

// The bytes of a file; "-" is standard input.
absl::StatusOr<std::string> read_file(const std::string& path);

// Desired state from files. JSON holds a whole state ({"services","entries"}), one config entry (it has "Kind"), one
// service, or a list of these; HCL (.hcl) one entry or service; YAML (.yaml, .yml) entries and resources of
// consul-k8s. A directory stands for its documents in the order of their names.
absl::StatusOr<convergence::DesiredState> read_desired_files(const std::vector<std::string>& paths);

// The datacenter and dialect that the flags name.
absl::StatusOr<convergence::ClusterIdentity> cluster_of(const Arguments& arguments);

// The config entries of the files in normal form, each once.
absl::StatusOr<convergence::EntryMap> entries_from_files(const std::vector<std::string>& paths,
                                                         const Arguments& arguments);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_DOCUMENTS_H_
