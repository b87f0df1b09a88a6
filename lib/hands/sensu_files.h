#ifndef CONVERGENCE_LIB_HANDS_SENSU_FILES_H_
#define CONVERGENCE_LIB_HANDS_SENSU_FILES_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/agent.h"
#include "convergence/linux_hands.h"

namespace convergence::hands {

// The files that tell Sensu of a service's checks (environment-manager.md 6.6). Which of those in the folder are ours
// stands in <agent's folder>/sensu/<service id>.json before they are written: names alone tell it of no file, since ids
// may have dashes (W-A23). Killed anywhere, the next call leaves what it was asked for.

// Those of `subject`, whole, and none that the service had before. Without a Sensu folder there are none.
absl::Status put_sensu_files(const LinuxHandsOptions& options, const std::string& service_id, const Installed& subject);
absl::Status remove_sensu_files(const LinuxHandsOptions& options, const std::string& service_id);
// Puts right what is not as it should be for what is installed, and for what is not any more; that is no reason to
// touch what runs. Leaves the service of the task alone. What cannot be done now is left for the next call.
void mend_sensu_files(const LinuxHandsOptions& options, const AgentMemory& memory);

// Name -> path of each program in the folders where checks look for theirs; the first that has a name counts.
std::map<std::string, std::string> sensu_plugins(const LinuxHandsOptions& options);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_SENSU_FILES_H_
