#include "lib/canary/turn.h"

#include <algorithm>

#include "lib/canary/shape.h"
#include "lib/canary/verdict.h"

namespace convergence {
namespace {

// Cuts between characters, so that the text stays UTF-8.
std::string cut(std::string text) {
  if (text.size() <= kMaxWhy) return text;
  std::size_t end = kMaxWhy - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

// A rollout that is held up says so once, not at every try.
bool is_hold(CanaryReason reason) {
  return reason == CanaryReason::kConflict || reason == CanaryReason::kWriteFailed ||
         reason == CanaryReason::kCandidateUnhealthy || reason == CanaryReason::kGateClosed;
}

// The first closed gate of a point, or null.
const Gate* closed_gate(const CanaryState& state, GateAt at) {
  for (const Gate& gate : state.policy.gates) {
    if (gate.at != at) continue;
    if (std::find(state.opened.begin(), state.opened.end(), gate.name) == state.opened.end()) return &gate;
  }
  return nullptr;
}

void ask(Turn& turn) {
  const CanaryState& state = turn.state;
  if (!state.gate || pending<AskGate>(state)) return;
  const Gate* gate = find_gate(state.policy, state.gate->gate);
  if (gate && !gate->url.empty()) emit(turn, AskGate{gate->name, gate->url, state.gate->until});
}

void stand_at(Turn& turn, const Gate& gate) {
  turn.state.gate = GateWait{gate.name, turn.at, later(turn.at, gate.deadline)};
  note(turn, CanaryReason::kWaits,
       fmt::format("waits at gate \"{}\": {}; in {} it {}", gate.name,
                   gate.url.empty() ? "approve opens it" : "its url or approve opens it", seconds(gate.deadline),
                   gate.on_deadline == GateDeadline::kRollback ? "rolls back" : "goes on"));
}

// Whether a gate of that point holds the rollout up; from the first time on it stands there.
bool is_closed(Turn& turn, GateAt at) {
  const Gate* closed = closed_gate(turn.state, at);
  if (closed && !turn.state.gate) stand_at(turn, *closed);
  return closed != nullptr;
}

void enter_step(Turn& turn, std::int32_t step) {
  CanaryState& state = turn.state;
  state.phase = CanaryPhase::kSettling;
  state.step = step;
  state.weight = step_weight(state.policy, step);
  state.good = 0;
  state.windows.clear();
  state.step_started_at = turn.at;
  state.evidence_at = turn.at;
  if (state.policy.mode == CanaryMode::kConsecutive) state.failures = 0;
}

void first_step(Turn& turn) {
  CanaryState& state = turn.state;
  enter_step(turn, 0);
  state.routed = has_routes(state.policy);
  state.gives_cookie = state.policy.affinity.has_value();
}

// Ends the steps: everything under way is withdrawn.
void leave_steps(Turn& turn, CanaryPhase phase) {
  CanaryState& state = turn.state;
  state.phase = phase;
  state.paused = false;
  state.good = 0;
  state.held = false;
  state.gate.reset();
  state.opened.clear();
  state.windows.clear();
  state.step_started_at = turn.at;
  state.outbox.clear();
}

// Towards one of the two subsets: one write remains.
void conclude(Turn& turn, CanaryPhase phase, std::int32_t weight, CanaryReason reason, std::string why) {
  leave_steps(turn, phase);
  CanaryState& state = turn.state;
  state.weight = weight;
  state.routed = false;
  state.gives_cookie = false;
  state.lost_stable = false;
  note(turn, reason, std::move(why));
  write_traffic(turn);
}

PastRollout past_of(const CanaryState& state) {
  PastRollout past;
  past.rollout = state.rollout;
  past.revision = state.revision;
  past.phase = state.phase;
  past.started_at = state.started_at;
  past.ended_at = state.last_event_at;
  if (!state.history.empty()) past.why = state.history.back().why;
  return past;
}

std::string first_words(const CanaryState& state, const QueuedRollout& next) {
  const CanaryPolicy& policy = state.policy;
  switch (policy.strategy) {
    case CanaryStrategy::kWeights:
      return fmt::format("{} begins with {} (by {})", next.revision, percent(state.weight), next.actor);
    case CanaryStrategy::kMatch:
      return fmt::format("{} begins with the requests that match (by {})", next.revision, next.actor);
    case CanaryStrategy::kBlueGreen:
      break;
  }
  return fmt::format("{} begins beside {} (by {})", next.revision, policy.stable_subset, next.actor);
}

}  // namespace

Time later(Time at, Duration by) { return at > kNever - by ? kNever : at + by; }

Duration patience(const CanaryState& state) { return std::max(kPatience, state.policy.interval); }

void note(Turn& turn, CanaryReason reason, std::string why, const Measurement* measured) {
  CanaryState& state = turn.state;
  CanaryRecord record;
  record.at = turn.at;
  record.phase = state.phase;
  record.reason = reason;
  record.weight = state.weight;
  record.why = cut(std::move(why));
  if (measured) {
    record.stable_requests = measured->stable.requests;
    record.stable_errors = measured->stable.errors;
    record.candidate_requests = measured->candidate.requests;
    record.candidate_errors = measured->candidate.errors;
  }
  turn.changed = true;
  if (!state.history.empty() && is_hold(reason)) {
    CanaryRecord last = state.history.back();
    last.at = turn.at;
    if (last == record) {
      state.history.back() = std::move(record);
      return;
    }
  }
  // The first record says who started what; of the others the oldest goes.
  if (state.history.size() >= kMaxHistory) state.history.erase(state.history.begin() + 1);
  state.history.push_back(std::move(record));
}

// ---- deadlines -----------------------------------------------------------------------------------------------------

Time no_evidence_limit(const CanaryState& state) {
  const bool waits_for_evidence = state.phase == CanaryPhase::kSettling || state.phase == CanaryPhase::kObserving;
  return waits_for_evidence ? later(state.evidence_at, state.policy.no_evidence_deadline) : kNever;
}

// A pause or a gate stops this clock: the step is not what takes so long, a person is. It starts again with the resume.
Time step_limit(const CanaryState& state) {
  const bool runs = !state.paused && !state.gate && state.phase != CanaryPhase::kWaiting &&
                    state.phase != CanaryPhase::kBaking && state.phase != CanaryPhase::kRollingBack &&
                    !state.lost_stable;
  return runs ? later(state.step_started_at, state.policy.step_deadline) : kNever;
}

Time gate_limit(const CanaryState& state) { return state.gate ? state.gate->until : kNever; }

Time bake_limit(const CanaryState& state) {
  return state.phase == CanaryPhase::kBaking ? later(state.step_started_at, state.policy.bake) : kNever;
}

void wait(Turn& turn, Time own) {
  const CanaryState& state = turn.state;
  turn.state.deadline =
      std::min({own, no_evidence_limit(state), step_limit(state), gate_limit(state), bake_limit(state)});
  turn.changed = true;
}

void wait_for_window(Turn& turn, const Measure& measure) { wait(turn, later(measure.to, patience(turn.state))); }

// ---- moves -------------------------------------------------------------------------------------------------------

void write_traffic(Turn& turn) {
  const CanaryState& state = turn.state;
  emit(turn, WriteWeights{10000 - state.weight, state.weight, state.routed, state.gives_cookie});
  wait(turn, later(turn.at, patience(state)));
}

void open_window(Turn& turn) {
  CanaryState& state = turn.state;
  ++state.epoch;
  const Measure measure{state.epoch, turn.at, later(turn.at, state.policy.interval)};
  emit(turn, measure);
  ask(turn);
  wait_for_window(turn, measure);
}

void roll_back(Turn& turn, CanaryReason reason, std::string why) {
  conclude(turn, CanaryPhase::kRollingBack, 0, reason, std::move(why));
}

void promote(Turn& turn, CanaryReason reason, std::string why) {
  const CanaryPolicy& policy = turn.state.policy;
  // Blue and green change places as a whole; who copies does it behind the traffic's back.
  if (policy.promotion == Promotion::kSwap || policy.strategy == CanaryStrategy::kBlueGreen) {
    return conclude(turn, CanaryPhase::kPromoting, 10000, reason, std::move(why));
  }
  leave_steps(turn, CanaryPhase::kCopying);
  note(turn, reason, std::move(why));
  copy(turn);
}

void copy(Turn& turn) {
  emit(turn, CopyToStable{turn.state.revision});
  wait(turn, later(turn.at, patience(turn.state)));
}

void promote_through_gates(Turn& turn, CanaryReason reason, std::string why) {
  turn.state.held = is_closed(turn, GateAt::kPromotion);
  if (turn.state.held) return open_window(turn);
  promote(turn, reason, std::move(why));
}

void pass_step(Turn& turn) {
  CanaryState& state = turn.state;
  const std::int32_t steps = step_count(state.policy);
  const std::int32_t next = state.step + 1;
  if (next >= steps) {
    return promote_through_gates(turn, CanaryReason::kAllStepsPassed,
                                 state.policy.strategy == CanaryStrategy::kWeights
                                     ? fmt::format("all {} steps passed", steps)
                                     : "all its windows passed");
  }
  state.held = is_closed(turn, GateAt::kStep);
  if (state.held) return open_window(turn);
  const std::int32_t from = state.weight;
  enter_step(turn, next);
  state.opened.clear();
  state.outbox.clear();
  note(turn, CanaryReason::kStepPassed,
       fmt::format("step {} of {} passed: {} -> {}", next, steps, percent(from), percent(state.weight)));
  write_traffic(turn);
}

std::string decision(const CanaryState& state) {
  for (auto record = state.history.rbegin(); record != state.history.rend(); ++record) {
    if (record->phase == state.phase && !is_hold(record->reason)) return record->why;
  }
  return "";
}

void finish(Turn& turn, CanaryPhase phase, CanaryReason reason, std::string why) {
  const Time began = turn.state.step_started_at;
  leave_steps(turn, phase);
  CanaryState& state = turn.state;
  state.step_started_at = began;
  state.deadline = kNever;
  note(turn, reason, std::move(why));
  if (!state.queued) return;
  state.last_event_at = turn.at;
  begin_rollout(turn, QueuedRollout(*state.queued), CanaryReason::kStarted);
}

// ---- beginning ---------------------------------------------------------------------------------------------------

void begin_rollout(Turn& turn, const QueuedRollout& next, CanaryReason reason) {
  CanaryState state;
  state.past = std::move(turn.state.past);
  if (!turn.state.rollout.empty()) state.past.push_back(past_of(turn.state));
  if (state.past.size() > kMaxPast) state.past.erase(state.past.begin());
  state.unknown = std::move(turn.state.unknown);
  state.rollout = next.rollout;
  state.revision = next.revision;
  state.policy = next.policy;
  state.started_at = turn.at;
  turn.state = std::move(state);
  if (turn.state.policy.initial_delay <= Duration(0) && !closed_gate(turn.state, GateAt::kStart)) {
    first_step(turn);
    note(turn, reason, first_words(turn.state, next));
    return write_traffic(turn);
  }
  turn.state.phase = CanaryPhase::kWaiting;
  turn.state.step = 0;
  turn.state.step_started_at = turn.at;
  turn.state.evidence_at = turn.at;
  note(turn, reason, fmt::format("{} is to begin (by {})", next.revision, next.actor));
  begin_or_wait(turn);
}

void begin_or_wait(Turn& turn) {
  CanaryState& state = turn.state;
  if (is_closed(turn, GateAt::kStart)) {
    ask(turn);
    return wait(turn, later(turn.at, state.policy.interval));
  }
  const Time begins = later(state.started_at, state.policy.initial_delay);
  if (turn.at < begins) return wait(turn, begins);
  first_step(turn);
  state.opened.clear();
  state.outbox.clear();
  note(turn, CanaryReason::kStepPassed, fmt::format("begins with {}", percent(state.weight)));
  write_traffic(turn);
}

// ---- gates -------------------------------------------------------------------------------------------------------

void open_gate(Turn& turn, CanaryReason reason, std::string why) {
  CanaryState& state = turn.state;
  if (!state.gate) return;
  state.opened.push_back(state.gate->gate);
  state.gate.reset();
  retire<AskGate>(turn);
  // The person was slow, not the step.
  state.step_started_at = turn.at;
  note(turn, reason, std::move(why));
  if (state.phase == CanaryPhase::kWaiting) return begin_or_wait(turn);
  if (std::exchange(state.held, false) && !state.paused) return pass_step(turn);
  if (const Measure* measure = pending<Measure>(state)) wait_for_window(turn, *measure);
}

}  // namespace convergence
