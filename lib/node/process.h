#ifndef CONVERGENCE_LIB_NODE_PROCESS_H_
#define CONVERGENCE_LIB_NODE_PROCESS_H_

#include <functional>
#include <string>

#include "convergence/node_process.h"
#include "lib/node/spawn_protocol.h"

namespace convergence {

// run_process() with a clock of the caller's: what has passed since the start. It is asked after each piece of output.
absl::StatusOr<ProcessResult> run_process_by(const ProcessSpec& spec, const OutputSink& sink, const StopSignal& stop,
                                             const std::function<Duration()>& elapsed);

// What the helper is sent; an error for what cannot be said to it.
absl::StatusOr<std::string> spawn_request_of(const ProcessSpec& spec);

// What the helper says kept the program from running.
absl::Status spawn_failure(const ProcessSpec& spec, const spawn_message& message);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_PROCESS_H_
