#ifndef CONVERGENCE_LIB_CANARY_EVENT_CHECK_H_
#define CONVERGENCE_LIB_CANARY_EVENT_CHECK_H_

#include "convergence/canary.h"

namespace convergence {

// INVALID_ARGUMENT kind "validate" for an event that contradicts itself or the state: numbers that cannot be, a time
// before the last event's. What merely comes too late or twice is no error.
absl::Status check_event(const CanaryPolicy& policy, const CanaryState& state, const CanaryEvent& event);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_EVENT_CHECK_H_
