#include <cstdlib>
#include <map>
#include <random>

#include "convergence/error.h"
#include "fmt/format.h"
#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

using test::describe;
using test::t;

// ---- policies and events of every kind, by chance ----------------------------------------------------------------

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  template <typename E>
  E any(int count) {
    return static_cast<E>(below(count));
  }

  CanaryPolicy policy() {
    CanaryPolicy out = test::small_policy();
    out.strategy = any<CanaryStrategy>(3);
    if (out.strategy == CanaryStrategy::kMatch || one_in(3))
      out.match = {{{{"x", MatchKind::kPresent, ""}}, {}, {}, "", {}}};
    if (out.strategy == CanaryStrategy::kWeights && one_in(3))
      out.affinity = SessionAffinity{"c", std::chrono::hours(1), 3000};
    out.mode = any<CanaryMode>(5);
    if (out.mode == CanaryMode::kOwn && one_in(4)) out.evidence.emplace();
    if (!out.evidence && one_in(4)) out.also = {{"web", "a", "b"}};
    if (one_in(3)) out.initial_delay = std::chrono::seconds(15);
    for (GateAt at : {GateAt::kStart, GateAt::kStep, GateAt::kPromotion}) {
      if (!one_in(4)) continue;
      Gate gate;
      gate.name = std::string(to_string(at));
      gate.at = at;
      gate.url = one_in(2) ? "http://g/" : "";
      gate.deadline = std::chrono::seconds(20 + below(100));
      gate.on_deadline = any<GateDeadline>(2);
      out.gates.push_back(gate);
    }
    if (one_in(3)) out.metrics = {metric()};
    out.intervals_per_step = 1 + static_cast<std::int32_t>(below(2));
    out.settle = std::chrono::seconds(below(3));
    out.promotion = any<Promotion>(2);
    if (out.promotion == Promotion::kCopy && one_in(2)) out.return_steps = {3000, 400};
    if (out.promotion == Promotion::kSwap && one_in(2)) out.bake = std::chrono::seconds(25);
    out.on_new_revision = any<NewRevision>(3);
    out.on_foreign_edit = any<ForeignEdit>(3);
    out.no_evidence_deadline = std::chrono::seconds(60);
    out.step_deadline = std::chrono::seconds(90);
    return out;
  }

  CanaryEvent event(const CanaryState& state) {
    Time at = std::max(state.last_event_at, t(0)) + Duration(below(12000) * 1000000);
    if (one_in(4) && state.deadline != kNever) at = state.deadline;
    if (one_in(64)) at = state.last_event_at + std::chrono::hours(1);
    if (one_in(60)) return {at, StartRollout{fmt::format("r{}", below(1000)), fmt::format("{}", below(9)), "ann"}};
    return {at, one_in(12) ? order() : one_in(4) ? anything(state) : progress(state)};
  }

 private:
  using Body = decltype(CanaryEvent::body);

  static MetricLimit metric() {
    MetricLimit out;
    out.name = "queue";
    out.max = 10;
    out.critical = true;
    return out;
  }

  Measurement measured(std::int64_t epoch) {
    Measurement out;
    out.epoch = epoch;
    out.kind = one_in(5) ? any<EvidenceKind>(3) : EvidenceKind::kCounted;
    out.stable = {below(2000), 0};
    out.candidate.requests = below(300);
    if (one_in(6)) out.candidate.errors = below(out.candidate.requests + 1);
    out.also = {{"web", {100, 0}, {100, one_in(9) ? 50 : 0}}};
    out.metrics = {{"queue", one_in(9) ? any<EvidenceKind>(3) : EvidenceKind::kCounted, one_in(40) ? 11.0 : 1.0, ""}};
    return out;
  }

  Body order() { return Command{any<CanaryVerb>(6), "ann", "x"}; }

  // What the outbox asks for.
  Body progress(const CanaryState& state) {
    for (const Effect& effect : state.outbox) {
      if (std::holds_alternative<WriteWeights>(effect.body) || std::holds_alternative<CopyToStable>(effect.body)) {
        return EffectDone{effect.id, one_in(8) ? any<WriteOutcome>(3) : WriteOutcome::kDone, "p"};
      }
      if (std::holds_alternative<AskGate>(effect.body)) return GateAnswer{effect.id, one_in(2), "no"};
      if (const auto* measure = std::get_if<Measure>(&effect.body)) return measured(measure->epoch);
    }
    return Tick{};
  }

  Body anything(const CanaryState& state) {
    switch (below(6)) {
      case 0:
        return CandidateHealth{static_cast<std::int32_t>(below(3)), 2, {}, ""};
      case 1:
        return CandidateHealth{2, 2, static_cast<std::int32_t>(below(2)), one_in(4) ? "other" : ""};
      case 2:
        return EffectDone{fmt::format("{}/{}", state.rollout, below(20)), any<WriteOutcome>(3), "late"};
      case 3:
        return GateAnswer{fmt::format("{}/{}", state.rollout, below(20)), true, ""};
      case 4:
        return measured(state.epoch - below(2));
      default:
        return Tick{};
    }
  }

  std::mt19937_64 random_;
};

// ---- what must hold of all of them ---------------------------------------------------------------------------------

std::string broken(const CanaryState& before, const CanaryEvent& event, const CanaryStep& step) {
  const CanaryState& after = step.state;
  if (!is_terminal(after.phase) && (after.deadline == kNever || after.deadline <= event.at)) return "I9: no deadline";
  std::int64_t writes = 0;
  for (const Effect& effect : after.outbox) {
    const auto* write = std::get_if<WriteWeights>(&effect.body);
    if (!write) continue;
    ++writes;
    if (write->stable + write->candidate != 10000) return "I1: weights do not sum to 10000";
  }
  const auto* command = std::get_if<Command>(&event.body);
  if (command && command->verb == CanaryVerb::kAbort && !is_terminal(before.phase) &&
      before.phase != CanaryPhase::kRollingBack && after.rollout == before.rollout) {
    if (after.phase != CanaryPhase::kRollingBack || after.weight != 0 || writes != 1)
      return "I4: abort did not roll back";
  }
  const bool moved = after.phase != before.phase || after.weight != before.weight;
  const bool quiet = after.phase == CanaryPhase::kObserving || after.phase == CanaryPhase::kReturning;
  if (moved && !quiet && after.rollout == before.rollout && after.history == before.history) return "P18: no record";
  if (after.rollout != before.rollout && !before.rollout.empty()) {
    if (after.past.empty() || after.past.back().rollout != before.rollout) return "I8: a rollout left no record";
  }
  return "";
}

// I8: time, and writes that are done, bring every rollout to its end.
std::string never_ends(CanaryState state) {
  for (int i = 0; i < 400; ++i) {
    if (is_terminal(state.phase)) return "";
    CanaryEvent event{state.deadline, Tick{}};
    for (const Effect& effect : state.outbox) {
      if (std::holds_alternative<WriteWeights>(effect.body)) {
        event = {state.last_event_at, EffectDone{effect.id, WriteOutcome::kDone, ""}};
      }
    }
    const absl::StatusOr<CanaryStep> step = canary_step(state.policy, state, event);
    if (!step.ok()) return std::string(step.status().message());
    state = step->state;
  }
  return "I8: no end in sight";
}

TEST_CASE("any policy, any events: the invariants hold, time ends it, the journal gives the same again") {
  const char* asked = std::getenv("CONVERGENCE_CANARY_EVENTS");
  const bool nightly = std::getenv("CONVERGENCE_NIGHTLY") != nullptr;
  const std::int64_t events = asked ? std::atoll(asked) : nightly ? 1000000 : 60000;
  const std::uint64_t seed = 20261128;
  INFO("seed ", seed);
  Chance chance(seed);
  std::map<CanaryPhase, std::int64_t> visits;
  std::map<CanaryReason, std::int64_t> reasons;
  for (std::int64_t sent = 0; sent < events;) {
    const CanaryPolicy policy = chance.policy();
    REQUIRE_OK(validate(policy));
    CanaryState state;
    std::vector<CanaryEvent> journal;
    std::string last;
    for (int i = 0; i < 150; ++i, ++sent) {
      const CanaryEvent event = chance.event(state);
      const absl::StatusOr<CanaryStep> step = canary_step(policy, state, event);
      if (!step.ok()) {
        // Counts of a window that is not over; nothing else is refused.
        REQUIRE_MESSAGE(error_kind(step.status()) == ErrorKind::kValidate, std::string(step.status().message()), "\n",
                        describe(state));
        continue;
      }
      journal.push_back(event);
      const std::string problem = broken(state, event, *step);
      if (!problem.empty()) FAIL(problem, "\nbefore:\n", describe(state), "after:\n", describe(step->state));
      ++visits[step->state.phase];
      if (!step->state.history.empty()) ++reasons[step->state.history.back().reason];
      state = step->state;
    }
    if (state.phase != CanaryPhase::kIdle) {
      const std::string endless = never_ends(state);
      if (!endless.empty()) FAIL(endless, "\n", describe(state));
    }
    CanaryState replayed;
    for (const CanaryEvent& event : journal) replayed = canary_step(policy, replayed, event)->state;
    REQUIRE(replayed == state);
  }
  // The walk is no good if it does not come everywhere.
  for (int phase = 0; phase <= static_cast<int>(CanaryPhase::kFailed); ++phase) {
    CHECK_MESSAGE(visits[static_cast<CanaryPhase>(phase)] > 0, std::string(to_string(static_cast<CanaryPhase>(phase))));
  }
  for (int reason = 1; reason <= static_cast<int>(CanaryReason::kAffinityCapped); ++reason) {
    CHECK_MESSAGE(reasons[static_cast<CanaryReason>(reason)] > 0,
                  std::string(to_string(static_cast<CanaryReason>(reason))));
  }
}

}  // namespace
}  // namespace convergence
