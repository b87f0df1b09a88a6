#ifndef CONVERGENCE_LIB_DRIVER_WEIGHT_WRITER_H_
#define CONVERGENCE_LIB_DRIVER_WEIGHT_WRITER_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "convergence/consul_client.h"
#include "lib/driver/state_document.h"

namespace convergence {

// What the host of a job gives it. `probe` says before and after each effect on the world; false: stop here, at once.
struct JobContext {
  ConsulClient& client;
  std::string key;  // of the state
  std::function<bool(std::string_view point)> probe;
};

// What a job has to tell: an event for the state machine, or a state newer than the one that it was given, whose
// effects count instead.
using JobResult = std::variant<EffectDone, CandidateHealth, StateDocument>;
using JobDone = std::function<void(JobResult)>;

// Carries out one WriteWeights: reads the splitter, then the state (so that what is decided on is the latest), and puts
// the splitter by compare-and-set. Before a rise it looks whether the chain compiles and an instance of the candidate
// passes.
void write_weights(const JobContext& context, const StateDocument& document, const Effect& effect, JobDone done);

// Looks whether the window that is over may be measured: the weights are still ours and the candidate lives. Empty: it
// may.
void check_window(const JobContext& context, const StateDocument& document, const Effect& effect,
                  std::function<void(std::optional<JobResult>)> done);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_WEIGHT_WRITER_H_
