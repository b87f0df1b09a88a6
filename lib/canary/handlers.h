#ifndef CONVERGENCE_LIB_CANARY_HANDLERS_H_
#define CONVERGENCE_LIB_CANARY_HANDLERS_H_

#include "lib/canary/turn.h"

namespace convergence {

// The cells of the table (step.cc). Each is told the event that led to it and takes only what it names.

// ---- the world reports: report.cc --------------------------------------------------------------------------------
void step_written(Turn& turn, const CanaryEvent& event);
void window_failed(Turn& turn, const CanaryEvent& event);
void promoted(Turn& turn, const CanaryEvent& event);
void copied(Turn& turn, const CanaryEvent& event);
void returned(Turn& turn, const CanaryEvent& event);
void rolled_back(Turn& turn, const CanaryEvent& event);
void gate_answered(Turn& turn, const CanaryEvent& event);
void health_settling(Turn& turn, const CanaryEvent& event);
void health_check(Turn& turn, const CanaryEvent& event);
void health_returning(Turn& turn, const CanaryEvent& event);

// ---- measurements: weigh_window.cc -------------------------------------------------------------------------------
void weigh(Turn& turn, const CanaryEvent& event);
void weigh_bake(Turn& turn, const CanaryEvent& event);

// ---- people: order.cc --------------------------------------------------------------------------------------------
void begin(Turn& turn, const CanaryEvent& event);
void newer(Turn& turn, const CanaryEvent& event);
void queue_newer(Turn& turn, const CanaryEvent& event);
void abort(Turn& turn, const CanaryEvent& event);
void promote_by_hand(Turn& turn, const CanaryEvent& event);
void end_bake(Turn& turn, const CanaryEvent& event);
void pause(Turn& turn, const CanaryEvent& event);
void resume(Turn& turn, const CanaryEvent& event);
void approve(Turn& turn, const CanaryEvent& event);
void retry(Turn& turn, const CanaryEvent& event);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_HANDLERS_H_
