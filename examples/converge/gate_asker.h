#ifndef CONVERGENCE_EXAMPLES_CONVERGE_GATE_ASKER_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_GATE_ASKER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "convergence/canary.h"
#include "convergence/transport.h"

namespace cli {

// Asks at the urls of a rollout's gates: POST of {"gate","service","until"}; any 2xx answer opens the gate, what else
// comes says why it stays closed.
class GateAsker {
 public:
  GateAsker(convergence::Executor& executor, std::string service) : executor_(executor), service_(std::move(service)) {}
  void ask(const convergence::AskGate& gate, std::function<void(bool open, std::string said)> done);

 private:
  convergence::Executor& executor_;
  std::string service_;
  std::map<std::string, std::unique_ptr<convergence::Transport>> transports_;  // by scheme and host
};

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_GATE_ASKER_H_
