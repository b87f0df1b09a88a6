#ifndef CONVERGENCE_EXAMPLES_CONVERGE_ENVIRONMENT_COMMAND_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_ENVIRONMENT_COMMAND_H_

#include <string>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/environment_driver.h"

namespace cli {

// The verbs about deployments on Environment Manager's keys (--environment NAME), where they differ from ours.

// Of --environment; empty: our own keys. Kind "usage" for a flag without a name.
absl::StatusOr<std::string> environment_of(const Arguments& arguments);

absl::StatusOr<convergence::EnvironmentSeen> environment_seen(Session& session, const std::string& environment,
                                                              convergence::DeploymentScope scope);

int deploy_in_environment(const Arguments& arguments, const std::string& environment, Output& output);
int cancel_in_environment(const Arguments& arguments, const std::string& environment, Output& output);
int toggle_in_environment(const Arguments& arguments, const std::string& environment, bool on, Output& output);
int undeploy_in_environment(const Arguments& arguments, const std::string& environment, Output& output);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_ENVIRONMENT_COMMAND_H_
