#ifndef CONVERGENCE_LIB_CANARY_WORLD_H_
#define CONVERGENCE_LIB_CANARY_WORLD_H_

#include <vector>

#include "convergence/simulate.h"
#include "lib/canary/random.h"

namespace convergence {

// The made-up service of a simulation. Time is from the rollout's start; before it, negative.
class World {
 public:
  World(const Scenario& scenario, Duration interval, Random& random)
      : scenario_(scenario), interval_(interval), random_(random) {}

  // What is counted in the interval from `at` on, at this weight.
  Interval measure(Duration at, std::int32_t weight);

  // How likely a request of the canary is harmed then beyond one of the primary, as its user sees it.
  double extra_harm(Duration at) const;

 private:
  struct Conditions {
    double failing = 0;            // chance of an attempt
    std::vector<double> within{};  // chance of a request to be within each bound
  };
  Conditions conditions(Duration at, bool canary) const;
  double failing(Duration at, bool canary) const;
  double slow_share(double bound, Duration at, bool canary) const;
  void count(const Conditions& conditions, std::int64_t requests, bool stalled, ArmCount& out);
  double draw_failures(double chance, std::int64_t requests);
  ArmCount count_arm(Duration at, std::int64_t requests, bool canary, std::int32_t instances,
                     std::vector<ArmCount>* apart);

  const Scenario& scenario_;
  const Duration interval_;
  Random& random_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_WORLD_H_
