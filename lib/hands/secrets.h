#ifndef CONVERGENCE_LIB_HANDS_SECRETS_H_
#define CONVERGENCE_LIB_HANDS_SECRETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/desired.h"
#include "convergence/linux_hands.h"

namespace convergence::hands {

// What no log and no report may show from the start on: what the options name, and the keys that packages are fetched
// with. Kind "usage" for a file that cannot be read, so that nothing runs without it.
absl::StatusOr<std::vector<std::string>> first_secrets(const LinuxHandsOptions& options);
// These, with what the files hold by now (one that is being replaced may not be there) and the release's own.
std::vector<std::string> secrets_of(const LinuxHandsOptions& options, const Release& release);

std::string without_secrets(const std::string& text, const std::vector<std::string>& secrets);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_SECRETS_H_
