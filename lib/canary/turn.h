#ifndef CONVERGENCE_LIB_CANARY_TURN_H_
#define CONVERGENCE_LIB_CANARY_TURN_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/canary.h"
#include "fmt/format.h"
#include "lib/canary/invariants.h"

namespace convergence {

// One event being worked in: the state as it is becoming, and what the handlers of the table do with it. Nothing here
// decides; handlers do.
struct Turn {
  CanaryState state;
  Time at{};
  const CanaryPolicy* given = nullptr;  // for a start; a running rollout has its own
  std::vector<std::string> emitted;
  bool changed = false;
};

// How long a write may go unreported before it is issued again: longer than a request may take, or a slow Consul would
// never be believed.
inline constexpr Duration kPatience = std::chrono::seconds(30);

Time later(Time at, Duration by);
// kPatience, or an interval where that is longer.
Duration patience(const CanaryState& state);

// ---- the record and the outbox -----------------------------------------------------------------------------------

void note(Turn& turn, CanaryReason reason, std::string why, const Measurement* measured = nullptr);

template <typename Body>
void retire(Turn& turn) {
  std::erase_if(turn.state.outbox, [](const Effect& effect) { return std::holds_alternative<Body>(effect.body); });
}

template <typename Body>
void emit(Turn& turn, Body body) {
  retire<Body>(turn);
  CanaryState& state = turn.state;
  state.outbox.push_back({fmt::format("{}/{}", state.rollout, state.next_effect++), std::move(body)});
  turn.emitted.push_back(state.outbox.back().id);
  turn.changed = true;
}

// ---- deadlines -----------------------------------------------------------------------------------------------------

Time no_evidence_limit(const CanaryState& state);
Time step_limit(const CanaryState& state);
Time gate_limit(const CanaryState& state);
Time bake_limit(const CanaryState& state);
// `own`: when the phase has something to do by itself; the limits may come first.
void wait(Turn& turn, Time own);
// The window's answer, or that it does not come.
void wait_for_window(Turn& turn, const Measure& measure);

// ---- moves -------------------------------------------------------------------------------------------------------

void write_traffic(Turn& turn);
void open_window(Turn& turn);
void roll_back(Turn& turn, CanaryReason reason, std::string why);
void promote(Turn& turn, CanaryReason reason, std::string why);
// In kCopying: hands the copy to the host.
void copy(Turn& turn);
// The promotion, unless a gate before it is closed: then it is measured on.
void promote_through_gates(Turn& turn, CanaryReason reason, std::string why);
// Past this step if nothing closes the way: the next weight, or the promotion. Where a gate does, it is measured on.
void pass_step(Turn& turn);
// The end. A revision that was queued begins in the same turn.
void finish(Turn& turn, CanaryPhase phase, CanaryReason reason, std::string why);
// What the phase's write carries out, as it was said when it was decided.
std::string decision(const CanaryState& state);

// ---- beginning ---------------------------------------------------------------------------------------------------

void begin_rollout(Turn& turn, const QueuedRollout& next, CanaryReason reason);
// In kWaiting: the first weight, unless the delay or a gate is still ahead.
void begin_or_wait(Turn& turn);

// ---- gates -------------------------------------------------------------------------------------------------------

void open_gate(Turn& turn, CanaryReason reason, std::string why);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_TURN_H_
