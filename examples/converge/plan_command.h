#ifndef CONVERGENCE_EXAMPLES_CONVERGE_PLAN_COMMAND_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_PLAN_COMMAND_H_

#include <vector>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/driver.h"

namespace cli {

// What plan, apply and watch have in common.

// Options of planning from the flags; desired documents from the files named, if any.
absl::StatusOr<convergence::ConvergeOptions> converge_options(const Arguments& arguments, const Session& session);

// Documents in KV that could not be read, for people and for machines.
void say_broken(const std::vector<absl::Status>& broken, Output& output);
convergence::Json broken_json(const std::vector<absl::Status>& broken);

// A progress line for each step of a round.
void say_progress(const convergence::ConvergeProgress& progress, Output& output);
convergence::Json step_json(const convergence::StepReport& report);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_PLAN_COMMAND_H_
