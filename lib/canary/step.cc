#include <algorithm>
#include <array>

#include "convergence/canary.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/event_check.h"
#include "lib/canary/invariants.h"
#include "lib/canary/table.h"
#include "lib/canary/verdict.h"
#include "lib/canary/weigh_evidence.h"

namespace convergence {
namespace {

// How long a write may go unreported before it is issued again: longer than a request may take, or a slow Consul would
// never be believed.
constexpr Duration kPatience = std::chrono::seconds(30);

// ---- one turn: the state being made ----------------------------------------------------------------------------

struct Turn {
  CanaryState state;
  Time at{};
  const CanaryPolicy* given = nullptr;  // for a start; a running rollout has its own
  std::vector<std::string> emitted;
  bool changed = false;
};

Time later(Time at, Duration by) { return at > kNever - by ? kNever : at + by; }

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
         reason == CanaryReason::kCandidateUnhealthy;
}

void note(Turn& turn, CanaryReason reason, std::string why, const Measurement* measured = nullptr) {
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

template <typename Body>
void retire(Turn& turn) {
  std::erase_if(turn.state.outbox, [](const Effect& effect) { return std::holds_alternative<Body>(effect.body); });
}

template <typename Body>
void emit(Turn& turn, Body body) {
  retire<Body>(turn);
  CanaryState& state = turn.state;
  state.outbox.push_back({fmt::format("{}/{}", state.rollout, state.next_effect++), body});
  turn.emitted.push_back(state.outbox.back().id);
  turn.changed = true;
}

// ---- deadlines -------------------------------------------------------------------------------------------------

Time no_evidence_limit(const CanaryState& state) {
  const bool waits_for_evidence = state.phase == CanaryPhase::kSettling || state.phase == CanaryPhase::kObserving;
  return waits_for_evidence ? later(state.evidence_at, state.policy.no_evidence_deadline) : kNever;
}

// A pause stops this clock: the step is not what takes so long, a person is. It starts again with the resume.
Time step_limit(const CanaryState& state) {
  const bool runs = !state.paused && state.phase != CanaryPhase::kRollingBack;
  return runs ? later(state.step_started_at, state.policy.step_deadline) : kNever;
}

// `own`: when the phase has something to do by itself; the limits may come first.
void wait(Turn& turn, Time own) {
  turn.state.deadline = std::min({own, no_evidence_limit(turn.state), step_limit(turn.state)});
  turn.changed = true;
}

// ---- what phases do --------------------------------------------------------------------------------------------

void write_weight(Turn& turn) {
  const CanaryState& state = turn.state;
  emit(turn, WriteWeights{10000 - state.weight, state.weight});
  wait(turn, later(turn.at, std::max(kPatience, state.policy.interval)));
}

void open_window(Turn& turn) {
  CanaryState& state = turn.state;
  ++state.epoch;
  const Time to = later(turn.at, state.policy.interval);
  emit(turn, Measure{state.epoch, turn.at, to});
  wait(turn, later(to, std::max(kPatience, state.policy.interval)));
}

void enter_step(Turn& turn, std::int32_t step) {
  CanaryState& state = turn.state;
  state.phase = CanaryPhase::kSettling;
  state.step = step;
  state.weight = state.policy.steps[static_cast<std::size_t>(step)];
  state.good = 0;
  state.step_started_at = turn.at;
  state.evidence_at = turn.at;
}

// Ends the rollout towards one of the two: everything under way is withdrawn and one write remains.
void conclude(Turn& turn, CanaryPhase phase, std::int32_t weight, CanaryReason reason, std::string why) {
  CanaryState& state = turn.state;
  state.phase = phase;
  state.weight = weight;
  state.paused = false;
  state.good = 0;
  state.step_started_at = turn.at;
  state.outbox.clear();
  note(turn, reason, std::move(why));
  write_weight(turn);
}

void roll_back(Turn& turn, CanaryReason reason, std::string why) {
  conclude(turn, CanaryPhase::kRollingBack, 0, reason, std::move(why));
}

void promote(Turn& turn, CanaryReason reason, std::string why) {
  conclude(turn, CanaryPhase::kPromoting, 10000, reason, std::move(why));
}

// The decision that the write carried out, to be said again at the end.
std::string decision(const CanaryState& state) {
  for (auto record = state.history.rbegin(); record != state.history.rend(); ++record) {
    if (record->phase == state.phase && !is_hold(record->reason)) return record->why;
  }
  return "";
}

void finish(Turn& turn, CanaryPhase phase, std::string_view subset) {
  CanaryState& state = turn.state;
  std::string why = fmt::format("all traffic is on {}: {}", subset, decision(state));
  state.phase = phase;
  state.outbox.clear();
  state.deadline = kNever;
  note(turn, CanaryReason::kWeightWritten, std::move(why));
}

void pass_step(Turn& turn) {
  CanaryState& state = turn.state;
  const auto steps = static_cast<std::int32_t>(state.policy.steps.size());
  const std::int32_t next = state.step + 1;
  if (next >= steps) {
    promote(turn, CanaryReason::kAllStepsPassed, fmt::format("all {} steps passed", steps));
    return;
  }
  const std::int32_t from = state.weight;
  enter_step(turn, next);
  state.outbox.clear();
  note(turn, CanaryReason::kStepPassed,
       fmt::format("step {} of {} passed: {} -> {}", next, steps, percent(from), percent(state.weight)));
  write_weight(turn);
}

// ---- handlers: the cells of the table --------------------------------------------------------------------------

void begin(Turn& turn, const CanaryEvent& event) {
  const auto& start = std::get<StartRollout>(event.body);
  // The same start handed in twice must not begin anew: effect ids are never used again.
  if (start.rollout == turn.state.rollout) return;
  CanaryState state;
  state.rollout = start.rollout;
  state.revision = start.revision;
  state.policy = *turn.given;
  state.started_at = turn.at;
  state.unknown = std::move(turn.state.unknown);
  turn.state = std::move(state);
  enter_step(turn, 0);
  note(turn, CanaryReason::kStarted,
       fmt::format("{} begins with {} (by {})", start.revision, percent(turn.state.weight), start.actor));
  write_weight(turn);
}

void settle(Turn& turn, const CanaryEvent&) {
  if (!pending<WriteWeights>(turn.state)) {
    turn.state.phase = CanaryPhase::kObserving;
    open_window(turn);
  } else if (!turn.state.paused) {
    write_weight(turn);
  }
}

void overdue(Turn& turn, const CanaryEvent&) {
  note(turn, CanaryReason::kSourceBroken, fmt::format("no measurement: no answer for window {}", turn.state.epoch));
  open_window(turn);
}

void write_again(Turn& turn, const CanaryEvent&) { write_weight(turn); }

void good_evidence(Turn& turn, const Measurement& measured, std::string why) {
  CanaryState& state = turn.state;
  state.good = std::min(state.good + 1, state.policy.intervals_per_step);
  state.evidence_at = turn.at;
  note(turn, CanaryReason::kGoodEvidence, std::move(why), &measured);
  if (state.good >= state.policy.intervals_per_step && !state.paused) {
    pass_step(turn);
  } else {
    open_window(turn);
  }
}

void bad_evidence(Turn& turn, const Measurement& measured, std::string why) {
  CanaryState& state = turn.state;
  ++state.failures;
  state.evidence_at = turn.at;
  note(turn, CanaryReason::kBadEvidence, why, &measured);
  if (state.failures >= state.policy.max_failures) {
    roll_back(
        turn, CanaryReason::kFailureBudget,
        fmt::format("{} of at most {} bad measurements; the last: {}", state.failures, state.policy.max_failures, why));
  } else {
    open_window(turn);
  }
}

void pause_at_deadline(Turn& turn, std::string why) {
  turn.state.paused = true;
  note(turn, CanaryReason::kPaused, std::move(why));
  open_window(turn);
}

// A paused rollout is still measured, and taken back when it must be; it moves nowhere else.
void follow(Turn& turn, const RampDecision& decision) {
  CanaryState& state = turn.state;
  if (decision.move == RampMove::kRollback) {
    return roll_back(turn, decision.at_deadline ? CanaryReason::kStepDeadline : CanaryReason::kBadEvidence,
                     decision.why);
  }
  if (state.paused || decision.move == RampMove::kStay) return open_window(turn);
  if (decision.move == RampMove::kRaise) return pass_step(turn);
  if (decision.move == RampMove::kPause) return pause_at_deadline(turn, decision.why);
  promote(turn, decision.at_deadline ? CanaryReason::kStepDeadline : CanaryReason::kAllStepsPassed, decision.why);
}

// By evidence (docs/canary-analysis.md).
void weigh_by_evidence(Turn& turn, const Measurement& measured) {
  absl::StatusOr<Weighed> weighed = weigh_evidence(turn.state, measured, turn.at);
  if (!weighed.ok() || !weighed->usable) {
    if (weighed.ok()) turn.state.analysis = weighed->analysis;
    note(turn, CanaryReason::kSourceBroken,
         fmt::format("no measurement: {}",
                     weighed.ok() ? weighed->analysis.refusal : std::string(weighed.status().message())));
    return open_window(turn);
  }
  turn.state.analysis = std::move(weighed->analysis);
  if (measured.candidate.requests > 0) turn.state.evidence_at = turn.at;
  const AnalysisReason reason = weighed->judgement.reason;
  const bool bad = reason == AnalysisReason::kWorse || reason == AnalysisReason::kSuspicious;
  const CanaryReason told = measured.candidate.requests == 0 ? CanaryReason::kTooFewRequests
                            : bad                            ? CanaryReason::kBadEvidence
                                                             : CanaryReason::kGoodEvidence;
  note(turn, told, weighed->decision.why, &measured);
  follow(turn, weighed->decision);
}

void weigh(Turn& turn, const CanaryEvent& event) {
  const auto& measured = std::get<Measurement>(event.body);
  if (measured.epoch != turn.state.epoch) return;
  if (turn.state.policy.evidence && measured.kind == EvidenceKind::kCounted) return weigh_by_evidence(turn, measured);
  Verdict verdict = judge(turn.state.policy, measured);
  switch (verdict.kind) {
    case VerdictKind::kGood:
      return good_evidence(turn, measured, std::move(verdict.why));
    case VerdictKind::kBad:
      return bad_evidence(turn, measured, std::move(verdict.why));
    case VerdictKind::kTooFew:
      note(turn, CanaryReason::kTooFewRequests, std::move(verdict.why), &measured);
      break;
    case VerdictKind::kBroken:
      note(turn, CanaryReason::kSourceBroken, std::move(verdict.why));
      break;
  }
  open_window(turn);
}

// The pending effect that the event reports on, or null when it is of another time.
const Effect* reported(const Turn& turn, const EffectDone& done) {
  for (const Effect& effect : turn.state.outbox) {
    if (effect.id == done.effect) return &effect;
  }
  return nullptr;
}

// True when the pending write was done. Where it was not, it stays pending and says why; the deadline repeats it.
bool written(Turn& turn, const EffectDone& done) {
  const Effect* effect = reported(turn, done);
  if (!effect || !std::holds_alternative<WriteWeights>(effect->body)) return false;
  if (done.outcome == WriteOutcome::kDone) return true;
  const bool conflict = done.outcome == WriteOutcome::kConflict;
  note(turn, conflict ? CanaryReason::kConflict : CanaryReason::kWriteFailed,
       fmt::format("{} is not written: {}", percent(turn.state.weight), done.problem));
  return false;
}

void step_written(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, std::get<EffectDone>(event.body))) return;
  retire<WriteWeights>(turn);
  note(turn, CanaryReason::kWeightWritten, fmt::format("{} is written", percent(turn.state.weight)));
  wait(turn, later(turn.at, turn.state.policy.settle));
}

void window_failed(Turn& turn, const CanaryEvent& event) {
  const auto& done = std::get<EffectDone>(event.body);
  const Effect* effect = reported(turn, done);
  // A measurement that was made reports itself, with its numbers.
  if (!effect || !std::holds_alternative<Measure>(effect->body) || done.outcome == WriteOutcome::kDone) return;
  const bool conflict = done.outcome == WriteOutcome::kConflict;
  note(turn, conflict ? CanaryReason::kConflict : CanaryReason::kSourceBroken,
       fmt::format("no measurement: {}", done.problem));
  open_window(turn);
}

void promoted(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, std::get<EffectDone>(event.body))) return;
  finish(turn, CanaryPhase::kSucceeded, turn.state.policy.candidate_subset);
}

void rolled_back(Turn& turn, const CanaryEvent& event) {
  if (!written(turn, std::get<EffectDone>(event.body))) return;
  finish(turn, CanaryPhase::kFailed, turn.state.policy.stable_subset);
}

std::string unhealthy(const CandidateHealth& health) {
  return fmt::format("{} of {} instances of the candidate are passing", health.passing, health.total);
}

// The first weight waits for an instance; once the candidate may have traffic, losing the last one takes it back (I2).
void health_settling(Turn& turn, const CanaryEvent& event) {
  const auto& health = std::get<CandidateHealth>(event.body);
  const bool first_write = turn.state.step == 0 && pending<WriteWeights>(turn.state);
  if (health.passing > 0) {
    if (first_write && !turn.state.paused && turn.state.history.back().reason == CanaryReason::kCandidateUnhealthy) {
      write_weight(turn);
    }
  } else if (first_write) {
    note(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
  } else {
    roll_back(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
  }
}

void health_check(Turn& turn, const CanaryEvent& event) {
  const auto& health = std::get<CandidateHealth>(event.body);
  if (health.passing == 0) roll_back(turn, CanaryReason::kCandidateUnhealthy, unhealthy(health));
}

std::string order(const Command& command, std::string_view what) {
  return fmt::format("{} by {}: {}", what, command.actor, command.reason);
}

void abort(Turn& turn, const CanaryEvent& event) {
  roll_back(turn, CanaryReason::kAborted, order(std::get<Command>(event.body), "aborted"));
}

void promote_by_hand(Turn& turn, const CanaryEvent& event) {
  promote(turn, CanaryReason::kPromotedByHand, order(std::get<Command>(event.body), "promoted"));
}

void pause(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (state.paused) return;
  const bool was_step_limit = state.deadline == step_limit(state);
  state.paused = true;
  note(turn, CanaryReason::kPaused, order(std::get<Command>(event.body), "paused"));
  if (pending<WriteWeights>(state)) {
    wait(turn, kNever);  // not written again while paused; the no-evidence deadline is ahead
  } else if (const Measure* measure = pending<Measure>(state)) {
    wait(turn, later(measure->to, std::max(kPatience, state.policy.interval)));
  } else {
    wait(turn, was_step_limit ? later(turn.at, state.policy.settle) : state.deadline);
  }
}

void resume(Turn& turn, const CanaryEvent& event) {
  CanaryState& state = turn.state;
  if (!state.paused) return;
  state.paused = false;
  state.step_started_at = turn.at;
  note(turn, CanaryReason::kResumed, order(std::get<Command>(event.body), "resumed"));
  if (pending<WriteWeights>(state)) {
    write_weight(turn);
  } else {
    wait(turn, state.deadline);
  }
}

// ---- the table -------------------------------------------------------------------------------------------------

struct Cell {
  std::string_view name;
  void (*run)(Turn&, const CanaryEvent&) = nullptr;
};

constexpr Cell kNothing{"-", nullptr};
constexpr Cell kBegin{"begin", begin};
constexpr Cell kSettle{"observe, or write again", settle};
constexpr Cell kOverdue{"measure again", overdue};
constexpr Cell kWriteAgain{"write again", write_again};
constexpr Cell kWeigh{"weigh", weigh};
constexpr Cell kStepWritten{"let settle", step_written};
constexpr Cell kWindowFailed{"measure again", window_failed};
constexpr Cell kPromoted{"succeed", promoted};
constexpr Cell kRolledBack{"fail", rolled_back};
constexpr Cell kHealthSettling{"hold, or roll back", health_settling};
constexpr Cell kHealthCheck{"roll back", health_check};
constexpr Cell kAbort{"roll back", abort};
constexpr Cell kPromote{"promote", promote_by_hand};
constexpr Cell kPause{"pause", pause};
constexpr Cell kResume{"resume", resume};

using Row = std::array<Cell, kInputs>;

// clang-format off
constexpr std::array<Row, kPhases> kTable = {{
    // deadline     start     measurement effect done     health           abort     promote   pause     resume
    {kNothing,      kBegin,   kNothing,   kNothing,       kNothing,        kNothing, kNothing, kNothing, kNothing},  // idle
    {kSettle,       kNothing, kNothing,   kStepWritten,   kHealthSettling, kAbort,   kPromote, kPause,   kResume},   // settling
    {kOverdue,      kNothing, kWeigh,     kWindowFailed,  kHealthCheck,    kAbort,   kPromote, kPause,   kResume},   // observing
    {kWriteAgain,   kNothing, kNothing,   kPromoted,      kHealthCheck,    kAbort,   kNothing, kNothing, kNothing},  // promoting
    {kWriteAgain,   kNothing, kNothing,   kRolledBack,    kNothing,        kNothing, kNothing, kNothing, kNothing},  // rolling back
    {kNothing,      kBegin,   kNothing,   kNothing,       kNothing,        kNothing, kNothing, kNothing, kNothing},  // succeeded
    {kNothing,      kBegin,   kNothing,   kNothing,       kNothing,        kNothing, kNothing, kNothing, kNothing},  // failed
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
  constexpr std::array<std::string_view, kInputs> kNames = {
      "deadline", "start", "measurement", "effect done", "health", "abort", "promote", "pause", "resume"};
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
