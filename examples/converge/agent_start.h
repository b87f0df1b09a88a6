#ifndef CONVERGENCE_EXAMPLES_CONVERGE_AGENT_START_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_AGENT_START_H_

#include <string>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/node_facts.h"
#include "convergence/time.h"

namespace cli {

// What comes before an agent's first look at Consul: who the node is, and whether it may begin.

inline constexpr convergence::Duration kLook = std::chrono::seconds(1);  // how long a signal may go unnoticed

// Environment Manager's keys are read when that is asked for, by -environment or -environment-manager. An environment
// that only a variable, a file or a tag names changes nothing of what is read.
bool reads_environment_manager(const Arguments& arguments);

// Flags over variables over the file over EC2. Needed are the role, and for Environment Manager's keys the environment
// and the instance, under which it looks for reports; with -ec2 the instance too, as it is asked for then.
absl::StatusOr<convergence::Identity> agent_identity(const Arguments& arguments, convergence::Executor& executor);
// "this is i-1: role web, environment pr1": what is known, in a line.
std::string describe(const convergence::Identity& identity);

struct ReadinessWait {
  std::string file{};  // empty: there is nothing to wait for
  convergence::Duration patience = std::chrono::minutes(30);
  bool go_when_late = false;
};
absl::StatusOr<ReadinessWait> readiness_wait(const Arguments& arguments);
// Tells what it waits for. An error when it may not begin: too late (timeout), or a signal came (cancelled).
absl::Status wait_until_ready(const ReadinessWait& wait, convergence::LoopExecutor& executor, Output& output);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_AGENT_START_H_
