#ifndef CONVERGENCE_TESTS_UNIT_CANARY_WALK_H_
#define CONVERGENCE_TESTS_UNIT_CANARY_WALK_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "convergence/canary.h"

namespace convergence::test {

// A rollout taken from event to event by a world that does as it is told: every write and copy is done at once, every
// window is answered at its end by `measure`, every question to a gate by `answer`, and time goes from one deadline to
// the next.
class Walk {
 public:
  using Measure_ = std::function<std::optional<Measurement>(const CanaryState& state)>;
  explicit Walk(CanaryPolicy policy) : policy_(std::move(policy)) {}

  Measure_ measure = [](const CanaryState&) { return good(); };
  std::function<bool(const std::string& gate)> answer = [](const std::string&) { return true; };

  void start(const std::string& rollout = "r1", const std::string& revision = "2.0");
  void send(decltype(CanaryEvent::body) body);
  void command(CanaryVerb verb) { send(Command{verb, "ann", "because"}); }
  // Until `done`, the end, or so many seconds after the beginning.
  void run(const std::function<bool(const CanaryState&)>& done);
  void run_to(double seconds);
  void run() {
    run([](const CanaryState&) { return false; });
  }

  // "10 settling step-passed 20.00", one a record of the running rollout, evidence left out unless asked for.
  std::vector<std::string> told(bool evidence = false) const;
  const CanaryState& state() const { return state_; }
  const CanaryPolicy& policy() const { return policy_; }
  double now() const;
  std::vector<CanaryEvent> journal{};
  // What stands in the entries: the last write that was done.
  WriteWeights traffic{};

  static Measurement good();
  static Measurement bad();

 private:
  void carry_out();
  CanaryPolicy policy_;
  CanaryState state_;
  Time at_{};
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_CANARY_WALK_H_
