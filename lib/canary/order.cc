#include <charconv>

#include "lib/canary/handlers.h"
#include "lib/canary/verdict.h"

namespace convergence {
namespace {

std::string order(const Command& command, std::string_view what) {
  return fmt::format("{} by {}: {}", what, command.actor, command.reason);
}

std::string order(const CanaryEvent& event, std::string_view what) {
  return order(std::get<Command>(event.body), what);
}

QueuedRollout rollout_of(const Turn& turn, const StartRollout& start) {
  return {start.rollout, start.revision, start.actor, *turn.given};
}

// The same start handed in twice must not begin anew: effect ids are never used again.
bool is_known(const CanaryState& state, const StartRollout& start) {
  if (start.rollout == state.rollout || (state.queued && state.queued->rollout == start.rollout)) return true;
  for (const PastRollout& past : state.past) {
    if (past.rollout == start.rollout) return true;
  }
  return false;
}

// "r1" -> "r1~2" -> "r1~3".
std::string next_try(const std::string& rollout) {
  const std::size_t tilde = rollout.rfind('~');
  std::int32_t number = 1;
  if (tilde != std::string::npos) {
    std::from_chars(rollout.data() + tilde + 1, rollout.data() + rollout.size(), number);
  }
  return fmt::format("{}~{}", rollout.substr(0, tilde), number + 1);
}

}  // namespace

void begin(Turn& turn, const CanaryEvent& event) {
  const auto& start = std::get<StartRollout>(event.body);
  if (!is_known(turn.state, start)) begin_rollout(turn, rollout_of(turn, start), CanaryReason::kStarted);
}

void queue_newer(Turn& turn, const CanaryEvent& event) {
  const auto& start = std::get<StartRollout>(event.body);
  CanaryState& state = turn.state;
  if (state.policy.on_new_revision == NewRevision::kRefuse || is_known(state, start)) return;
  state.queued = rollout_of(turn, start);
  note(turn, CanaryReason::kQueued, fmt::format("{} begins when this has ended (by {})", start.revision, start.actor));
}

void newer(Turn& turn, const CanaryEvent& event) {
  queue_newer(turn, event);
  const CanaryState& state = turn.state;
  if (!state.queued || state.queued->rollout != std::get<StartRollout>(event.body).rollout) return;
  if (state.policy.on_new_revision != NewRevision::kRestart) return;
  roll_back(turn, CanaryReason::kSuperseded, fmt::format("superseded by {}", state.queued->revision));
}

void abort(Turn& turn, const CanaryEvent& event) { roll_back(turn, CanaryReason::kAborted, order(event, "aborted")); }

void promote_by_hand(Turn& turn, const CanaryEvent& event) {
  promote(turn, CanaryReason::kPromotedByHand, order(event, "promoted"));
}

void end_bake(Turn& turn, const CanaryEvent& event) {
  finish(turn, CanaryPhase::kSucceeded, CanaryReason::kPromotedByHand, order(event, "no longer watched"));
}

void pause(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (state.paused) return;
  const bool was_step_limit = state.deadline == step_limit(state);
  state.paused = true;
  note(turn, CanaryReason::kPaused, order(event, "paused"));
  if (pending<WriteWeights>(state)) {
    wait(turn, kNever);  // not written again while paused; the no-evidence deadline is ahead
  } else if (const Measure* measure = pending<Measure>(state)) {
    wait_for_window(turn, *measure);
  } else {
    wait(turn, was_step_limit ? later(turn.at, state.policy.settle) : state.deadline);
  }
}

void resume(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (!state.paused) return;
  state.paused = false;
  state.step_started_at = turn.at;
  note(turn, CanaryReason::kResumed, order(event, "resumed"));
  if (pending<WriteWeights>(state)) {
    write_traffic(turn);
  } else {
    wait(turn, state.deadline);
  }
}

void approve(Turn& turn, const CanaryEvent& event) {
  if (!turn.state.gate) return;
  open_gate(turn, CanaryReason::kApproved, order(event, fmt::format("gate \"{}\" approved", turn.state.gate->gate)));
}

void retry(Turn& turn, const CanaryEvent& event) {
  const CanaryState& state = turn.state;
  const auto& command = std::get<Command>(event.body);
  const std::string rollout = next_try(state.rollout);
  if (rollout.size() > kMaxRollout) return;
  begin_rollout(turn, {rollout, state.revision, command.actor, state.policy}, CanaryReason::kRetried);
}

}  // namespace convergence
