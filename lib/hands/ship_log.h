#ifndef CONVERGENCE_LIB_HANDS_SHIP_LOG_H_
#define CONVERGENCE_LIB_HANDS_SHIP_LOG_H_

#include <string>

#include "absl/status/statusor.h"
#include "convergence/agent_driver.h"
#include "convergence/linux_hands.h"
#include "convergence/node.h"

namespace convergence::hands {

// Whether logs can be shipped there.
absl::Status check_ship_logs(const std::string& target);
// NodeHands::ship_log(). What was shipped is remembered beside the log, in logs/shipped.json.
absl::StatusOr<std::string> ship_log(const LinuxHandsOptions& options, const EndedLog& log, const StopSignal& stop);
void log_told(const LinuxHandsOptions& options, const EndedLog& log);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_SHIP_LOG_H_
