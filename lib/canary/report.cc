#include <algorithm>

#include "lib/canary/handlers.h"
#include "lib/canary/shape.h"
#include "lib/canary/verdict.h"

namespace convergence {
namespace {

// The pending effect that the event reports on, or null when it is of another time. What this turn has asked for cannot
// have been done yet.
const Effect* reported(const Turn& turn, const std::string& id) {
  if (std::find(turn.emitted.begin(), turn.emitted.end(), id) != turn.emitted.end()) return nullptr;
  for (const Effect& effect : turn.state.outbox) {
    if (effect.id == id) return &effect;
  }
  return nullptr;
}

// Somebody else moved what is ours, and the policy gives way: nothing more is written.
bool yields(Turn& turn, const EffectDone& done) {
  if (done.outcome != WriteOutcome::kConflict || turn.state.policy.on_foreign_edit != ForeignEdit::kYield) return false;
  finish(turn, CanaryPhase::kFailed, CanaryReason::kYielded,
         fmt::format("given up to somebody else: {}", done.problem));
  return true;
}

// True when the pending effect of that kind was done. Where it was not, it stays pending and says why; the deadline
// repeats it.
template <typename Body>
bool carried_out(Turn& turn, const EffectDone& done, std::string_view what) {
  const Effect* effect = reported(turn, done.effect);
  if (!effect || !std::holds_alternative<Body>(effect->body)) return false;
  if (done.outcome == WriteOutcome::kDone) return true;
  if (turn.state.phase != CanaryPhase::kRollingBack && yields(turn, done)) return false;
  const bool conflict = done.outcome == WriteOutcome::kConflict;
  note(turn, conflict ? CanaryReason::kConflict : CanaryReason::kWriteFailed,
       fmt::format("{} is not {}: {}", what, std::is_same_v<Body, WriteWeights> ? "written" : "there", done.problem));
  return false;
}

bool written(Turn& turn, const CanaryEvent& event) {
  return carried_out<WriteWeights>(turn, std::get<EffectDone>(event.body), percent(turn.state.weight));
}

std::string all_is_on(std::string_view subset, const std::string& why) {
  return fmt::format("all traffic is on {}: {}", subset, why);
}

std::string unhealthy(const CandidateHealth& health) {
  return fmt::format("{} of {} instances of the candidate are passing", health.passing, health.total);
}

bool is_enough(const CanaryState& state, const CandidateHealth& health) {
  return health.passing >= state.policy.min_passing;
}

// I5: what was analysed is what is promoted. True where it is not so any more.
bool was_replaced(Turn& turn, const CandidateHealth& health) {
  if (health.revision.empty() || health.revision == turn.state.revision) return false;
  roll_back(turn, CanaryReason::kSuperseded,
            fmt::format("the candidate's instances run {} now, {} is what this rollout is of", health.revision,
                        turn.state.revision));
  return true;
}

void begin_return(Turn& turn) {
  CanaryState& state = turn.state;
  state.phase = CanaryPhase::kReturning;
  state.weight = next_return(state.policy, state.weight);
  state.routed = false;
  state.gives_cookie = false;
  state.outbox.clear();
  write_traffic(turn);
}

}  // namespace

void step_written(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, event)) return;
  retire<WriteWeights>(turn);
  note(turn, CanaryReason::kWeightWritten, fmt::format("{} is written", percent(turn.state.weight)));
  wait(turn, later(turn.at, turn.state.policy.settle));
}

void window_failed(Turn& turn, const CanaryEvent& event) {
  const auto& done = std::get<EffectDone>(event.body);
  const Effect* effect = reported(turn, done.effect);
  // A measurement that was made reports itself, with its numbers.
  if (!effect || !std::holds_alternative<Measure>(effect->body) || done.outcome == WriteOutcome::kDone) return;
  if (yields(turn, done)) return;
  const bool conflict = done.outcome == WriteOutcome::kConflict;
  note(turn, conflict ? CanaryReason::kConflict : CanaryReason::kSourceBroken,
       fmt::format("no measurement: {}", done.problem));
  CanaryState& state = turn.state;
  const bool reasserts = conflict && state.policy.on_foreign_edit == ForeignEdit::kReassert;
  if (!reasserts || state.phase != CanaryPhase::kObserving) return open_window(turn);
  // The weight that somebody moved is written again before anything is measured at it.
  state.phase = CanaryPhase::kSettling;
  state.held = false;
  state.outbox.clear();
  write_traffic(turn);
}

void promoted(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, event)) return;
  CanaryState& state = turn.state;
  const std::string why = all_is_on(state.policy.candidate_subset, decision(state));
  if (state.lost_stable) return finish(turn, CanaryPhase::kFailed, CanaryReason::kStableUnhealthy, why);
  if (state.policy.promotion == Promotion::kCopy) {
    state.phase = CanaryPhase::kCopying;
    state.step_started_at = turn.at;
    state.outbox.clear();
    note(turn, CanaryReason::kWeightWritten, why);
    return copy(turn);
  }
  if (state.policy.bake <= Duration(0)) {
    return finish(turn, CanaryPhase::kSucceeded, CanaryReason::kWeightWritten, why);
  }
  state.phase = CanaryPhase::kBaking;
  state.step_started_at = turn.at;
  state.failures = 0;
  state.outbox.clear();
  note(turn, CanaryReason::kWeightWritten, fmt::format("{}; watched for {}", why, seconds(state.policy.bake)));
  open_window(turn);
}

void copied(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (!carried_out<CopyToStable>(turn, std::get<EffectDone>(event.body),
                                 fmt::format("{} in {}", state.revision, state.policy.stable_subset))) {
    return;
  }
  note(turn, CanaryReason::kCopied,
       fmt::format("{} runs {}; traffic returns", state.policy.stable_subset, state.revision));
  state.step_started_at = turn.at;
  begin_return(turn);
}

void returned(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, event)) return;
  CanaryState& state = turn.state;
  if (state.weight == 0) {
    return finish(turn, CanaryPhase::kSucceeded, CanaryReason::kReturned,
                  all_is_on(state.policy.stable_subset, fmt::format("it runs {} now", state.revision)));
  }
  retire<WriteWeights>(turn);
  state.step_started_at = turn.at;
  note(turn, CanaryReason::kReturned,
       fmt::format("{} is left on {}", percent(state.weight), state.policy.candidate_subset));
  wait(turn, later(turn.at, state.policy.interval));
}

void rolled_back(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, event)) return;
  finish(turn, CanaryPhase::kFailed, CanaryReason::kWeightWritten,
         all_is_on(turn.state.policy.stable_subset, decision(turn.state)));
}

void gate_answered(Turn& turn, const CanaryEvent& event) {
  const auto& answer = std::get<GateAnswer>(event.body);
  const Effect* effect = reported(turn, answer.effect);
  if (!effect || !std::holds_alternative<AskGate>(effect->body) || !turn.state.gate) return;
  const std::string name = turn.state.gate->gate;
  if (answer.open) return open_gate(turn, CanaryReason::kApproved, fmt::format("gate \"{}\" is open", name));
  retire<AskGate>(turn);
  note(turn, CanaryReason::kGateClosed, fmt::format("gate \"{}\" is closed: {}", name, answer.problem));
}

// The first weight waits for an instance; once the candidate may have traffic, losing the last one takes it back (I2).
void health_settling(Turn& turn, const CanaryEvent& event) {
  const auto& health = std::get<CandidateHealth>(event.body);
  const CanaryState& state = turn.state;
  const bool first_write = state.step == 0 && pending<WriteWeights>(state);
  if (is_enough(state, health)) {
    if (was_replaced(turn, health)) return;
    if (first_write && !state.paused && state.history.back().reason == CanaryReason::kCandidateUnhealthy) {
      write_traffic(turn);
    }
  } else if (first_write) {
    note(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
  } else {
    roll_back(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
  }
}

void health_check(Turn& turn, const CanaryEvent& event) {
  const auto& health = std::get<CandidateHealth>(event.body);
  if (!is_enough(turn.state, health)) {
    return roll_back(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
  }
  was_replaced(turn, health);
}

// While the stable subset is given the new version, the candidate is the only good copy: traffic goes where it lives.
void health_returning(Turn& turn, const CanaryEvent& event) {
  const auto& health = std::get<CandidateHealth>(event.body);
  CanaryState& state = turn.state;
  if (!health.stable_passing || *health.stable_passing > 0 || health.passing == 0) return;
  state.lost_stable = true;
  state.phase = CanaryPhase::kPromoting;
  state.weight = 10000;
  state.routed = false;
  state.gives_cookie = false;
  state.outbox.clear();
  note(turn, CanaryReason::kStableUnhealthy,
       fmt::format("no instance of {} is passing; {} keeps the traffic", state.policy.stable_subset,
                   state.policy.candidate_subset));
  write_traffic(turn);
}

}  // namespace convergence
