#ifndef CONVERGENCE_LIB_HANDS_COLLECT_H_
#define CONVERGENCE_LIB_HANDS_COLLECT_H_

#include "convergence/agent.h"
#include "convergence/linux_hands.h"

namespace convergence::hands {

// Takes away, of the agent's folder, the deployments and packages that `stays` does not name, and of deployments that
// are not installed the trees beside their destinations. What cannot be removed stays for the next time; links and
// files among the folders are not ours and stay.
void collect(const LinuxHandsOptions& options, const Collect& stays);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_COLLECT_H_
