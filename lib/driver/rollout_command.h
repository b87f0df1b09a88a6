#ifndef CONVERGENCE_LIB_DRIVER_ROLLOUT_COMMAND_H_
#define CONVERGENCE_LIB_DRIVER_ROLLOUT_COMMAND_H_

#include <string>
#include <string_view>

#include "convergence/canary.h"
#include "convergence/consul_client.h"

namespace convergence {

// Reads the rollout's state, takes the step and writes it, again where others are faster. It carries out nothing: the
// driver that runs the rollout, wherever it is, sees the new state.
void send_command(ConsulClient& client, std::string_view prefix, const std::string& service, const Command& command,
                  ConsulClient::Callback<CanaryState> done);

// Clocks of different hosts differ; the state's own time never goes back.
Time event_time(const Executor& executor, const CanaryState& state);

absl::Status no_rollout(std::string_view service);
absl::Status overtaken(std::string_view service);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_ROLLOUT_COMMAND_H_
