#ifndef CONVERGENCE_TESTS_SIMULATION_CANARY_SCENARIOS_H_
#define CONVERGENCE_TESTS_SIMULATION_CANARY_SCENARIOS_H_

#include <string>
#include <vector>

#include "convergence/simulate.h"

// The cells of statistics.md 9, named as there: kind/what/b<base error rate>/r<requests a second>.
struct NamedScenario {
  std::string name;
  convergence::Scenario scenario;
};

std::vector<NamedScenario> healthy_scenarios();    // T1
std::vector<NamedScenario> incident_scenarios();   // T2
std::vector<NamedScenario> violation_scenarios();  // 7: bursts, offset scrapes, stalls, extrapolation; all healthy
std::vector<NamedScenario> error_scenarios();      // T3
std::vector<NamedScenario> latency_scenarios();    // T4, and the long tail with stalls of section 7
std::vector<NamedScenario> retry_scenarios();      // T5
std::vector<NamedScenario> late_scenarios();       // T6

#endif  // CONVERGENCE_TESTS_SIMULATION_CANARY_SCENARIOS_H_
