#ifndef CONVERGENCE_RAMP_H_
#define CONVERGENCE_RAMP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convergence/analysis.h"
#include "convergence/time.h"

namespace convergence {

// How fast a canary gets its traffic: a weight is raised while what could still be wrong, at that weight, stays within
// what the service may lose (statistics.md 6). Pure; the caller asks after each interval.

enum class OnDeadline { kPromote, kPause, kRollback };
std::string_view to_string(OnDeadline action);

struct RampPolicy {
  std::vector<std::int32_t> ladder = {500, 1000, 2000, 3500,
                                      5000};  // canary's weights, hundredths of a percent, rising
  bool free = false;  // instead of the ladder's next weight: at most twice the present one, up to the ladder's last
  Duration dwell = std::chrono::seconds(30);      // at each weight, at least
  Duration min_time = std::chrono::seconds(300);  // no promotion before: faults that come late
  Duration max_time = std::chrono::seconds(1800);
  OnDeadline on_deadline = OnDeadline::kPromote;
  double service_risk = 0.01;                 // share of all requests that the next weight may put at risk
  double absolute_risk = 10;                  // or so many requests until it is noticed
  Duration react = std::chrono::seconds(20);  // how long it takes to be noticed
  friend bool operator==(const RampPolicy&, const RampPolicy&) = default;
};

// INVALID_ARGUMENT kind "validate" naming the field.
absl::Status validate(const RampPolicy& policy);

struct RampState {
  std::int32_t weight = 0;  // canary's, hundredths of a percent
  Duration elapsed{0};      // since the rollout started
  Duration at_weight{0};    // since this weight arrived
  double rate = 0;          // requests a second of the service, both arms
  friend bool operator==(const RampState&, const RampState&) = default;
};

enum class RampMove { kStay, kRaise, kPromote, kRollback, kPause };
std::string_view to_string(RampMove move);

struct RampDecision {
  RampMove move = RampMove::kStay;
  std::int32_t weight = 0;   // that is wanted now
  bool at_deadline = false;  // the time was over; what was found is not conclusive
  std::string why{};         // one line for a person
  friend bool operator==(const RampDecision&, const RampDecision&) = default;
};

RampDecision ramp_step(const RampPolicy& policy, const RampState& state, const Judgement& judgement);

}  // namespace convergence

#endif  // CONVERGENCE_RAMP_H_
