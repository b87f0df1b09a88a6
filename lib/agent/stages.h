#ifndef CONVERGENCE_LIB_AGENT_STAGES_H_
#define CONVERGENCE_LIB_AGENT_STAGES_H_

#include <optional>
#include <string_view>
#include <vector>

#include "convergence/agent.h"

namespace convergence::agent {

// What a failure in a stage leads to.
enum class OnFailure {
  kNothing,  // the task ends as failed; what runs was not touched
  kWait,     // the task ends without a verdict and is tried again later
  kBack,     // what ran is put back
  kOn,       // the task goes on; the failure is told
  kAgain,    // tried again until it works: leaving it undone would keep a service out of the traffic
};

struct Row {
  Stage stage;
  OnFailure on_failure;
};

// The stages that concern the task, in order; those of the way back when it has a failure.
std::vector<Row> rows_of(const Task& task);

// The row after `stage`, or nothing when that was the last.
std::optional<Row> row_after(const Task& task, Stage stage);
Row row_at(const Task& task, Stage stage);

// The hooks that run at a stage, those of the release before those of the package; nothing for other stages.
std::optional<HookEvent> hook_of(Stage stage);
std::vector<Hook> hooks_of(const Installed& subject, HookEvent event);

// From here on what ran before is not as it was.
bool touches(Stage stage);

}  // namespace convergence::agent

#endif  // CONVERGENCE_LIB_AGENT_STAGES_H_
