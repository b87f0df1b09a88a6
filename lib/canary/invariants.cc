#include "lib/canary/invariants.h"

#include <algorithm>
#include <charconv>

#include "fmt/format.h"
#include "lib/canary/shape.h"

namespace convergence {
namespace {

bool is_step_phase(CanaryPhase phase) { return phase == CanaryPhase::kSettling || phase == CanaryPhase::kObserving; }

template <typename Body>
std::ptrdiff_t count_of(const CanaryState& state) {
  return std::count_if(state.outbox.begin(), state.outbox.end(),
                       [](const Effect& effect) { return std::holds_alternative<Body>(effect.body); });
}

std::string broken_number(const CanaryState& state) {
  if (state.epoch < 0 || state.good < 0 || state.failures < 0 || state.broken < 0 || state.next_effect < 1) {
    return "a count is negative";
  }
  if (state.weight < 0 || state.weight > 10000) return fmt::format("weight {} is outside 0..10000", state.weight);
  if (state.history.size() > kMaxHistory) return fmt::format("history has {} records", state.history.size());
  if (state.good > state.policy.intervals_per_step) return "more good measurements than a step takes";
  if (state.failures > state.policy.max_failures) return "more failures than the budget";
  return "";
}

// Within what can be added and subtracted without overflow.
std::string broken_time(const CanaryState& state) {
  for (Time time : {state.started_at, state.step_started_at, state.evidence_at, state.last_event_at}) {
    if (time < Time{} || time > state.last_event_at) return "a time is out of order";
  }
  return state.deadline < Time{} ? "the deadline is before 1970" : "";
}

// The candidate's weights that a phase may have.
bool is_weight_of(const CanaryState& state) {
  const std::vector<std::int32_t>& returns = state.policy.return_steps;
  const bool copies = state.policy.promotion == Promotion::kCopy;
  switch (state.phase) {
    case CanaryPhase::kSettling:
    case CanaryPhase::kObserving:
      return state.weight == step_weight(state.policy, state.step);
    case CanaryPhase::kPromoting:
    case CanaryPhase::kBaking:
      return state.weight == 10000;
    case CanaryPhase::kCopying:
      // Before the first weight a person may promote, too.
      return copies && (state.policy.strategy == CanaryStrategy::kBlueGreen
                            ? state.weight == 10000
                            : state.weight == 0 || state.weight == step_weight(state.policy, state.step));
    case CanaryPhase::kReturning:
      return copies && (state.weight == 0 || std::find(returns.begin(), returns.end(), state.weight) != returns.end());
    case CanaryPhase::kSucceeded:
      return state.weight == (copies ? 0 : 10000);
    case CanaryPhase::kFailed:  // one that gave way to somebody else leaves the weight to him
      return state.weight == (state.lost_stable ? 10000 : 0) ||
             (!state.history.empty() && state.history.back().reason == CanaryReason::kYielded);
    case CanaryPhase::kIdle:
    case CanaryPhase::kWaiting:
    case CanaryPhase::kRollingBack:
      break;
  }
  return state.weight == 0;
}

std::string broken_weight(const CanaryState& state) {
  const std::int32_t steps = step_count(state.policy);
  if (state.step < 0 || state.step >= steps) return fmt::format("step {} of {}", state.step, steps);
  if (is_weight_of(state)) return "";
  return fmt::format("weight {} while {} at step {}", state.weight, to_string(state.phase), state.step);
}

std::string broken_gate(const CanaryState& state) {
  if (state.held && !state.gate) return "held, and at no gate";
  if (!state.gate) return "";
  if (state.phase != CanaryPhase::kWaiting && !is_step_phase(state.phase)) {
    return fmt::format("at a gate while {}", to_string(state.phase));
  }
  if (find_gate(state.policy, state.gate->gate)) return "";
  return fmt::format("at gate {}, which the policy does not have", state.gate->gate);
}

std::string broken_effect(const CanaryState& state, const Effect& effect) {
  const std::int64_t number = effect_number(state, effect);
  if (number < 1 || number >= state.next_effect) return fmt::format("effect id {}", effect.id);
  if (const auto* write = std::get_if<WriteWeights>(&effect.body)) {
    if (write->candidate != state.weight || write->stable != 10000 - state.weight || write->routed != state.routed ||
        write->gives_cookie != state.gives_cookie) {
      return fmt::format("effect {} writes {}/{} for weight {}", effect.id, write->stable, write->candidate,
                         state.weight);
    }
  }
  if (const auto* measure = std::get_if<Measure>(&effect.body)) {
    if (measure->epoch != state.epoch) return fmt::format("effect {} measures another epoch", effect.id);
    if (measure->to <= measure->from) return fmt::format("effect {} measures an empty window", effect.id);
  }
  if (const auto* wake = std::get_if<WakeAt>(&effect.body)) {
    if (wake->at != state.deadline) return fmt::format("effect {} wakes at another time than the deadline", effect.id);
  }
  return "";
}

std::string broken_outbox(const CanaryState& state) {
  for (std::size_t i = 0; i < state.outbox.size(); ++i) {
    std::string broken = broken_effect(state, state.outbox[i]);
    if (!broken.empty()) return broken;
    for (std::size_t j = 0; j < i; ++j) {
      if (state.outbox[j].id == state.outbox[i].id) return fmt::format("effect id {} twice", state.outbox[i].id);
    }
  }
  const std::ptrdiff_t writes = count_of<WriteWeights>(state);
  const bool must_write = state.phase == CanaryPhase::kPromoting || state.phase == CanaryPhase::kRollingBack;
  const bool may_write = state.phase == CanaryPhase::kSettling || state.phase == CanaryPhase::kReturning;
  if (must_write ? writes != 1 : writes > (may_write ? 1 : 0)) {
    return fmt::format("{} writes pending while {}", writes, to_string(state.phase));
  }
  const bool measures = state.phase == CanaryPhase::kObserving || state.phase == CanaryPhase::kBaking;
  if (count_of<Measure>(state) != (measures ? 1 : 0)) {
    return fmt::format("{} measurements pending while {}", count_of<Measure>(state), to_string(state.phase));
  }
  if (count_of<CopyToStable>(state) != (state.phase == CanaryPhase::kCopying ? 1 : 0)) {
    return fmt::format("{} copies pending while {}", count_of<CopyToStable>(state), to_string(state.phase));
  }
  if (count_of<AskGate>(state) > (state.gate ? 1 : 0)) return "asks at a gate where it does not stand";
  if (count_of<WakeAt>(state) != 1) return "not one wake-up";
  return "";
}

bool is_good_enough(const CanaryState& before, const Measurement& measured) {
  const bool own = !before.policy.evidence && before.policy.mode == CanaryMode::kOwn;
  return measured.kind == EvidenceKind::kCounted && (!own || measured.candidate.requests >= before.policy.min_requests);
}

// I3: only a start, good evidence or a person's order raises the weight; and the loss of the other subset while it is
// being replaced.
bool may_raise(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (before.phase == CanaryPhase::kWaiting && is_step_phase(after.phase)) return !after.gate;
  if (after.lost_stable) return std::holds_alternative<CandidateHealth>(event.body);
  // The last window was good, and somebody has opened the gate that it stood at; or time has.
  if (before.held && !before.paused && !after.gate) return true;
  if (const auto* command = std::get_if<Command>(&event.body)) return command->verb == CanaryVerb::kPromote;
  if (const auto* measured = std::get_if<Measurement>(&event.body)) {
    return !before.paused && before.phase == CanaryPhase::kObserving && measured->epoch == before.epoch &&
           is_good_enough(before, *measured);
  }
  return false;
}

// Another rollout begins where one has ended, by a start or a retry, or that one's end lets the queued one begin.
bool begins_well(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (before.queued && after.rollout == before.queued->rollout) return !is_terminal(before.phase);
  const auto* start = std::get_if<StartRollout>(&event.body);
  // One that is queued in the turn in which the other ends begins in it, too.
  if (start && start->rollout == after.rollout) {
    return is_terminal(before.phase) || before.policy.on_new_revision != NewRevision::kRefuse;
  }
  if (!is_terminal(before.phase)) return false;
  const auto* command = std::get_if<Command>(&event.body);
  return command && command->verb == CanaryVerb::kRetry && before.phase == CanaryPhase::kFailed;
}

bool reports_write(const CanaryState& before, const CanaryEvent& event) {
  const auto* done = std::get_if<EffectDone>(&event.body);
  if (!done || done->outcome != WriteOutcome::kDone) return false;
  return std::any_of(before.outbox.begin(), before.outbox.end(), [&](const Effect& effect) {
    return effect.id == done->effect && std::holds_alternative<WriteWeights>(effect.body);
  });
}

}  // namespace

std::int64_t effect_number(const CanaryState& state, const Effect& effect) {
  const std::string_view id = effect.id;
  if (id.size() <= state.rollout.size() + 1 || !id.starts_with(state.rollout) || id[state.rollout.size()] != '/') {
    return 0;
  }
  const std::string_view digits = id.substr(state.rollout.size() + 1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && digits[0] != '0' ? number : 0;
}

std::string broken_rule(const CanaryState& state) {
  if (state.phase == CanaryPhase::kIdle) {
    const bool empty = state.outbox.empty() && state.deadline == kNever && !state.paused && state.weight == 0;
    if (state.last_event_at < Time{}) return "a time is out of order";
    return empty ? "" : "idle, but something is pending";
  }
  if (state.rollout.empty() || state.rollout.size() > kMaxRollout) return "the rollout has no proper id";
  if (absl::Status policy = validate(state.policy); !policy.ok()) return std::string(policy.message());
  if (std::string broken = broken_number(state); !broken.empty()) return broken;
  if (std::string broken = broken_time(state); !broken.empty()) return broken;
  if (std::string broken = broken_weight(state); !broken.empty()) return broken;
  if (std::string broken = broken_gate(state); !broken.empty()) return broken;
  if (state.past.size() > kMaxPast) return fmt::format("{} past rollouts", state.past.size());
  if (is_terminal(state.phase)) {
    const bool ended = state.outbox.empty() && state.deadline == kNever && !state.paused;
    return ended ? "" : fmt::format("{}, but something is pending", to_string(state.phase));
  }
  if (state.paused && !is_step_phase(state.phase)) return fmt::format("paused while {}", to_string(state.phase));
  // I9: nothing waits for ever.
  if (state.deadline == kNever || state.deadline <= state.last_event_at) return "no deadline ahead";
  return broken_outbox(state);
}

namespace {

// How a rollout that moved may end.
std::string broken_end(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  const bool yielded = !after.history.empty() && after.history.back().reason == CanaryReason::kYielded;
  const bool wrote = reports_write(before, event);
  if (after.phase == CanaryPhase::kFailed && !yielded) {
    const bool rolled_back = before.phase == CanaryPhase::kRollingBack && wrote;
    const bool kept = before.phase == CanaryPhase::kPromoting && before.lost_stable && wrote;
    if (!rolled_back && !kept) return "failed before weight 0 was written";
  }
  if (after.phase == CanaryPhase::kSucceeded) {
    const bool promoted = before.phase == CanaryPhase::kPromoting && wrote;
    const bool returned = before.phase == CanaryPhase::kReturning && before.weight == 0 && wrote;
    if (!promoted && !returned && before.phase != CanaryPhase::kBaking) {
      return "succeeded before the whole weight was written";
    }
  }
  return "";
}

}  // namespace

std::string broken_rule(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (std::string broken = broken_rule(after); !broken.empty()) return broken;
  if (after.last_event_at < before.last_event_at) return "time went back";
  const bool same_rollout = after.rollout == before.rollout;
  if (!same_rollout) return begins_well(before, event, after) ? "" : "a rollout began while another moved";
  if (after.next_effect < before.next_effect || after.epoch < before.epoch) return "a counter fell";
  if (!(after.policy == before.policy)) return "the policy of a running rollout changed";
  if (after.weight > before.weight && !may_raise(before, event, after)) {
    return fmt::format("weight rose from {} to {} without good evidence", before.weight, after.weight);
  }
  if (after.phase == before.phase) return "";
  if (is_terminal(before.phase)) return "a rollout that had ended moved";
  return broken_end(before, event, after);
}

}  // namespace convergence
