#ifndef CONVERGENCE_LIB_CANARY_TABLE_H_
#define CONVERGENCE_LIB_CANARY_TABLE_H_

#include <array>
#include <string_view>

#include "convergence/canary.h"

namespace convergence {

// What can happen to a rollout, each in every phase. kDeadline is time itself: any event may bring it.
enum class Input {
  kDeadline,
  kStart,
  kMeasurement,
  kEffectDone,
  kGate,
  kHealth,
  kAbort,
  kPromote,
  kPause,
  kResume,
  kApprove,
  kRetry,
};
inline constexpr std::size_t kInputs = 12;
inline constexpr std::size_t kPhases = 11;
std::string_view to_string(Input input);

// The name of what the table does with `input` in `phase`; "-": nothing. docs/canary.md shows the table and a test
// compares.
std::string_view transition_name(CanaryPhase phase, Input input);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_TABLE_H_
