#ifndef CONVERGENCE_EXAMPLES_CONVERGE_METRICS_COMMAND_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_METRICS_COMMAND_H_

#include <functional>
#include <string>
#include <utility>

#include "convergence/driver.h"

namespace cli {

// Evidence from a program of the user's: run by the shell for each window with CONVERGENCE_SERVICE, _STABLE,
// _CANDIDATE, _FROM and _TO (nanoseconds since 1970) in its environment, it prints
// {"stable":{"requests","errors"},"candidate":{...}}. A status other than 0, or another output, is a broken source and
// never counts against the candidate. The loop waits while it runs.
class MetricsCommand : public convergence::MetricsSource {
 public:
  explicit MetricsCommand(std::string command) : command_(std::move(command)) {}
  void measure(const convergence::MeasureRequest& request, std::function<void(convergence::Measurement)> done) override;

 private:
  std::string command_;
};

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_METRICS_COMMAND_H_
