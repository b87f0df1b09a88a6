#include "lib/canary/invariants.h"

#include <algorithm>
#include <charconv>

#include "fmt/format.h"

namespace convergence {
namespace {

bool is_step_phase(CanaryPhase phase) { return phase == CanaryPhase::kSettling || phase == CanaryPhase::kObserving; }

template <typename Body>
std::ptrdiff_t count_of(const CanaryState& state) {
  return std::count_if(state.outbox.begin(), state.outbox.end(),
                       [](const Effect& effect) { return std::holds_alternative<Body>(effect.body); });
}

std::string broken_number(const CanaryState& state) {
  if (state.epoch < 0 || state.good < 0 || state.failures < 0 || state.next_effect < 1) return "a count is negative";
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

std::string broken_weight(const CanaryState& state) {
  const auto steps = static_cast<std::int32_t>(state.policy.steps.size());
  if (state.step < 0 || state.step >= steps) return fmt::format("step {} of {}", state.step, steps);
  std::int32_t wanted = 0;
  if (is_step_phase(state.phase)) wanted = state.policy.steps[static_cast<std::size_t>(state.step)];
  if (state.phase == CanaryPhase::kPromoting || state.phase == CanaryPhase::kSucceeded) wanted = 10000;
  if (state.weight == wanted) return "";
  return fmt::format("weight {} while {} at step {}", state.weight, to_string(state.phase), state.step);
}

std::string broken_effect(const CanaryState& state, const Effect& effect) {
  const std::int64_t number = effect_number(state, effect);
  if (number < 1 || number >= state.next_effect) return fmt::format("effect id {}", effect.id);
  if (const auto* write = std::get_if<WriteWeights>(&effect.body)) {
    if (write->candidate != state.weight || write->stable != 10000 - state.weight) {
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
  if (must_write ? writes != 1 : writes > (state.phase == CanaryPhase::kSettling ? 1 : 0)) {
    return fmt::format("{} writes pending while {}", writes, to_string(state.phase));
  }
  if (count_of<Measure>(state) != (state.phase == CanaryPhase::kObserving ? 1 : 0)) {
    return fmt::format("{} measurements pending while {}", count_of<Measure>(state), to_string(state.phase));
  }
  if (count_of<WakeAt>(state) != 1) return "not one wake-up";
  return "";
}

// I3: only a start, good evidence or a person's order raises the weight.
bool may_raise(const CanaryState& before, const CanaryEvent& event) {
  if (std::holds_alternative<StartRollout>(event.body)) return is_terminal(before.phase);
  if (const auto* command = std::get_if<Command>(&event.body)) return command->verb == CanaryVerb::kPromote;
  if (const auto* measured = std::get_if<Measurement>(&event.body)) {
    return !before.paused && before.phase == CanaryPhase::kObserving && measured->epoch == before.epoch &&
           measured->kind == EvidenceKind::kCounted &&
           (before.policy.evidence || measured->candidate.requests >= before.policy.min_requests);
  }
  return false;
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
  if (is_terminal(state.phase)) {
    const bool ended = state.outbox.empty() && state.deadline == kNever && !state.paused;
    return ended ? "" : fmt::format("{}, but something is pending", to_string(state.phase));
  }
  if (state.paused && !is_step_phase(state.phase)) return fmt::format("paused while {}", to_string(state.phase));
  // I9: nothing waits for ever.
  if (state.deadline == kNever || state.deadline <= state.last_event_at) return "no deadline ahead";
  return broken_outbox(state);
}

std::string broken_rule(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (std::string broken = broken_rule(after); !broken.empty()) return broken;
  if (after.last_event_at < before.last_event_at) return "time went back";
  const bool same_rollout = after.rollout == before.rollout;
  if (same_rollout && (after.next_effect < before.next_effect || after.epoch < before.epoch)) return "a counter fell";
  if (same_rollout && !(after.policy == before.policy)) return "the policy of a running rollout changed";
  const bool raised = after.weight > before.weight || (!same_rollout && after.weight > 0);
  if (raised && !may_raise(before, event)) {
    return fmt::format("weight rose from {} to {} without good evidence", before.weight, after.weight);
  }
  if (after.phase == before.phase) return "";
  if (after.phase == CanaryPhase::kFailed &&
      (before.phase != CanaryPhase::kRollingBack || !reports_write(before, event))) {
    return "failed before weight 0 was written";
  }
  if (after.phase == CanaryPhase::kSucceeded &&
      (before.phase != CanaryPhase::kPromoting || !reports_write(before, event))) {
    return "succeeded before the whole weight was written";
  }
  if (is_terminal(before.phase) && same_rollout) return "a rollout that had ended moved";
  return "";
}

}  // namespace convergence
