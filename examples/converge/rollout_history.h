#ifndef CONVERGENCE_EXAMPLES_CONVERGE_ROLLOUT_HISTORY_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_ROLLOUT_HISTORY_H_

#include <string>

#include "command.h"
#include "convergence/canary.h"

namespace cli {

std::string line_of(const convergence::CanaryRecord& record);
std::string line_of(const convergence::CanaryState& state);

// rollout history: those that have ended, the latest last, and the present one decision by decision.
int say_history(const convergence::CanaryState& state, Output& output);

// rollout replay FILE: every record of a journal through the state machine again, and with --policy what the same
// evidence would have led to under another one.
int replay_rollout(const std::string& file, const Arguments& arguments, Output& output);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_ROLLOUT_HISTORY_H_
