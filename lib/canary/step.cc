#include <algorithm>
#include <array>

#include "convergence/canary.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/event_check.h"
#include "lib/canary/handlers.h"
#include "lib/canary/invariants.h"
#include "lib/canary/shape.h"
#include "lib/canary/table.h"
#include "lib/canary/turn.h"
#include "lib/canary/verdict.h"

namespace convergence {
namespace {

// ---- what time brings --------------------------------------------------------------------------------------------

void begin_waiting(Turn& turn, const CanaryEvent&) { begin_or_wait(turn); }

void settle(Turn& turn, const CanaryEvent&) {
  if (!pending<WriteWeights>(turn.state)) {
    turn.state.phase = CanaryPhase::kObserving;
    open_window(turn);
  } else if (!turn.state.paused) {
    write_traffic(turn);
  }
}

void overdue(Turn& turn, const CanaryEvent&) {
  note(turn, CanaryReason::kSourceBroken, fmt::format("no measurement: no answer for window {}", turn.state.epoch));
  open_window(turn);
}

void write_again(Turn& turn, const CanaryEvent&) { write_traffic(turn); }

void copy_again(Turn& turn, const CanaryEvent&) { copy(turn); }

void return_more(Turn& turn, const CanaryEvent&) {
  CanaryState& state = turn.state;
  if (!pending<WriteWeights>(state)) state.weight = next_return(state.policy, state.weight);
  write_traffic(turn);
}

void bake_on(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (turn.at < bake_limit(state)) return overdue(turn, event);
  finish(turn, CanaryPhase::kSucceeded, CanaryReason::kBaked,
         fmt::format("all traffic is on {}, {} without cause to take it back", state.policy.candidate_subset,
                     seconds(state.policy.bake)));
}

// ---- the table -------------------------------------------------------------------------------------------------

struct Cell {
  std::string_view name;
  void (*run)(Turn&, const CanaryEvent&) = nullptr;
};

constexpr Cell kNothing{"-", nullptr};
constexpr Cell kBegin{"begin", begin};
constexpr Cell kBeginWaiting{"begin, or ask again", begin_waiting};
constexpr Cell kNewer{"by on_new_revision", newer};
constexpr Cell kQueue{"queue", queue_newer};
constexpr Cell kSettle{"observe, or write again", settle};
constexpr Cell kOverdue{"measure again", overdue};
constexpr Cell kWriteAgain{"write again", write_again};
constexpr Cell kCopyAgain{"copy again", copy_again};
constexpr Cell kReturnMore{"return more, or write again", return_more};
constexpr Cell kBakeOn{"succeed, or measure again", bake_on};
constexpr Cell kWeigh{"weigh", weigh};
constexpr Cell kWeighBake{"weigh", weigh_bake};
constexpr Cell kStepWritten{"let settle", step_written};
constexpr Cell kWindowFailed{"measure again", window_failed};
constexpr Cell kPromoted{"succeed, or bake", promoted};
constexpr Cell kCopied{"return", copied};
constexpr Cell kReturned{"hold, or succeed", returned};
constexpr Cell kRolledBack{"fail", rolled_back};
constexpr Cell kGate{"open, or note", gate_answered};
constexpr Cell kHealthSettling{"hold, or roll back", health_settling};
constexpr Cell kHealthCheck{"roll back", health_check};
constexpr Cell kHealthReturning{"keep the candidate", health_returning};
constexpr Cell kAbort{"roll back", abort};
constexpr Cell kPromote{"promote", promote_by_hand};
constexpr Cell kEndBake{"succeed", end_bake};
constexpr Cell kPause{"pause", pause};
constexpr Cell kResume{"resume", resume};
constexpr Cell kApprove{"open", approve};
constexpr Cell kRetry{"begin", retry};

using Row = std::array<Cell, kInputs>;

// clang-format off
constexpr std::array<Row, kPhases> kTable = {{
    // deadline     start     measurement  effect done     gate      health            abort     promote   pause     resume    approve   retry
    {kNothing,      kBegin,   kNothing,    kNothing,       kNothing, kNothing,         kNothing, kNothing, kNothing, kNothing, kNothing, kNothing},  // idle
    {kBeginWaiting, kNewer,   kNothing,    kNothing,       kGate,    kNothing,         kAbort,   kPromote, kNothing, kNothing, kApprove, kNothing},  // waiting
    {kSettle,       kNewer,   kNothing,    kStepWritten,   kNothing, kHealthSettling,  kAbort,   kPromote, kPause,   kResume,  kNothing, kNothing},  // settling
    {kOverdue,      kNewer,   kWeigh,      kWindowFailed,  kGate,    kHealthCheck,     kAbort,   kPromote, kPause,   kResume,  kApprove, kNothing},  // observing
    {kWriteAgain,   kQueue,   kNothing,    kPromoted,      kNothing, kHealthCheck,     kAbort,   kNothing, kNothing, kNothing, kNothing, kNothing},  // promoting
    {kCopyAgain,    kQueue,   kNothing,    kCopied,        kNothing, kHealthReturning, kAbort,   kNothing, kNothing, kNothing, kNothing, kNothing},  // copying
    {kReturnMore,   kQueue,   kNothing,    kReturned,      kNothing, kHealthReturning, kAbort,   kNothing, kNothing, kNothing, kNothing, kNothing},  // returning
    {kBakeOn,       kQueue,   kWeighBake,  kWindowFailed,  kNothing, kHealthCheck,     kAbort,   kEndBake, kNothing, kNothing, kNothing, kNothing},  // baking
    {kWriteAgain,   kQueue,   kNothing,    kRolledBack,    kNothing, kNothing,         kNothing, kNothing, kNothing, kNothing, kNothing, kNothing},  // rolling back
    {kNothing,      kBegin,   kNothing,    kNothing,       kNothing, kNothing,         kNothing, kNothing, kNothing, kNothing, kNothing, kNothing},  // succeeded
    {kNothing,      kBegin,   kNothing,    kNothing,       kNothing, kNothing,         kNothing, kNothing, kNothing, kNothing, kNothing, kRetry},    // failed
}};
// clang-format on

const Cell& cell(CanaryPhase phase, Input input) {
  return kTable[static_cast<std::size_t>(phase)][static_cast<std::size_t>(input)];
}

Input input_of(const CanaryEvent& event) {
  struct Visitor {
    Input operator()(const Tick&) const { return Input::kDeadline; }
    Input operator()(const StartRollout&) const { return Input::kStart; }
    Input operator()(const Measurement&) const { return Input::kMeasurement; }
    Input operator()(const EffectDone&) const { return Input::kEffectDone; }
    Input operator()(const GateAnswer&) const { return Input::kGate; }
    Input operator()(const CandidateHealth&) const { return Input::kHealth; }
    Input operator()(const Command& command) const {
      switch (command.verb) {
        case CanaryVerb::kAbort:
          return Input::kAbort;
        case CanaryVerb::kPromote:
          return Input::kPromote;
        case CanaryVerb::kPause:
          return Input::kPause;
        case CanaryVerb::kResume:
          return Input::kResume;
        case CanaryVerb::kApprove:
          return Input::kApprove;
        case CanaryVerb::kRetry:
          return Input::kRetry;
      }
      return Input::kDeadline;
    }
  };
  return std::visit(Visitor{}, event.body);
}

// ---- a turn, in order ------------------------------------------------------------------------------------------

// The limits come before anything an event says (P17): late evidence does not save a rollout whose time is over.
void apply_limits(Turn& turn) {
  const CanaryState& state = turn.state;
  if (is_terminal(state.phase) || state.phase == CanaryPhase::kRollingBack) return;
  if (turn.at >= gate_limit(state)) {
    const Gate& gate = *find_gate(state.policy, state.gate->gate);
    const std::string why = fmt::format("gate \"{}\" was not opened in {}", gate.name, seconds(gate.deadline));
    if (gate.on_deadline == GateDeadline::kRollback) return roll_back(turn, CanaryReason::kGateDeadline, why);
    open_gate(turn, CanaryReason::kGateDeadline, why);
  }
  if (turn.at >= no_evidence_limit(state)) {
    roll_back(turn, CanaryReason::kNoEvidenceDeadline,
              fmt::format("no evidence for {}", seconds(turn.at - state.evidence_at)));
  } else if (turn.at >= step_limit(state)) {
    roll_back(turn, CanaryReason::kStepDeadline,
              fmt::format("{} for {} at {}", to_string(state.phase), seconds(turn.at - state.step_started_at),
                          percent(state.weight)));
  }
}

void run(Turn& turn, const CanaryEvent& event) {
  apply_limits(turn);
  const Input input = input_of(event);
  if (input != Input::kDeadline) {
    if (auto* handler = cell(turn.state.phase, input).run) handler(turn, event);
  }
  // After the event: a report that comes just in time is not overtaken by the repetition of its effect.
  if (!is_terminal(turn.state.phase) && turn.at >= turn.state.deadline) {
    if (auto* handler = cell(turn.state.phase, Input::kDeadline).run) handler(turn, event);
  }
}

void seal(Turn& turn) {
  CanaryState& state = turn.state;
  state.last_event_at = turn.at;
  if (is_terminal(state.phase)) return;
  const WakeAt* wake = pending<WakeAt>(state);
  if (!wake || wake->at != state.deadline) emit(turn, WakeAt{state.deadline});
}

}  // namespace

std::string_view to_string(Input input) {
  constexpr std::array<std::string_view, kInputs> kNames = {"deadline", "start",  "measurement", "effect done",
                                                            "gate",     "health", "abort",       "promote",
                                                            "pause",    "resume", "approve",     "retry"};
  return kNames[static_cast<std::size_t>(input)];
}

std::string_view transition_name(CanaryPhase phase, Input input) { return cell(phase, input).name; }

absl::StatusOr<CanaryStep> canary_step(const CanaryPolicy& policy, const CanaryState& state, const CanaryEvent& event) {
  if (std::string broken = broken_rule(state); !broken.empty()) {
    return make_error(ErrorKind::kValidate, fmt::format("canary state: {}; it was not made by this library", broken));
  }
  CVG_RETURN_IF_ERROR(check_event(policy, state, event));
  Turn turn{state, event.at, &policy, {}, false};
  run(turn, event);
  if (!turn.changed) return CanaryStep{state, {}};
  seal(turn);
  if (std::string broken = broken_rule(state, event, turn.state); !broken.empty()) {
    return make_error(ErrorKind::kInvariant, fmt::format("canary step: {}; the state is unchanged", broken));
  }
  CanaryStep step{std::move(turn.state), {}};
  for (const Effect& effect : step.state.outbox) {
    if (std::find(turn.emitted.begin(), turn.emitted.end(), effect.id) != turn.emitted.end()) {
      step.effects.push_back(effect);
    }
  }
  return step;
}

}  // namespace convergence
