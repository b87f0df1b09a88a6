#ifndef CONVERGENCE_EXAMPLES_CONVERGE_AGENT_JOURNAL_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_AGENT_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/agent.h"
#include "convergence/node_state.h"

namespace cli {

// What an agent was told and what it made of it, so that it can be replayed. Records are JSON objects of one member:
// "begin" (an AgentState, at the start of each process), then for each event "event" and "step".
class AgentJournal {
 public:
  // Above `most` bytes it begins anew, with the state of that moment.
  static absl::StatusOr<std::unique_ptr<AgentJournal>> open(const std::string& path, std::uint64_t most,
                                                            Output& output);

  // `state`: before the event. On the disk when it returns. A journal that cannot be written is told once, and is no
  // reason not to go on: it begins anew when it can.
  void event(const convergence::AgentState& state, const convergence::AgentEvent& event);
  void step(const convergence::AgentStep& step);

 private:
  AgentJournal(std::unique_ptr<convergence::Journal> journal, std::uint64_t most, Output& output)
      : journal_(std::move(journal)), most_(most), output_(output) {}
  bool keep(const absl::Status& status);

  const std::unique_ptr<convergence::Journal> journal_;
  const std::uint64_t most_;
  Output& output_;
  bool begun_ = false;
  bool in_trouble_ = false;
};

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_AGENT_JOURNAL_H_
