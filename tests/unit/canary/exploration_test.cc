#include <map>
#include <random>
#include <set>

#include "fmt/format.h"
#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

using test::describe;
using test::t;

// Small enough that its states can be visited, large enough that every deadline can be reached in every phase.
CanaryPolicy tiny_policy() {
  CanaryPolicy policy = test::small_policy();
  policy.steps = {500, 10000};
  policy.no_evidence_deadline = std::chrono::seconds(45);
  policy.step_deadline = std::chrono::seconds(70);
  return policy;
}

template <typename Body>
const Effect* find(const CanaryState& state) {
  for (const Effect& effect : state.outbox) {
    if (std::holds_alternative<Body>(effect.body)) return &effect;
  }
  return nullptr;
}

// ---- the alphabet ------------------------------------------------------------------------------------------------

Measurement counted(std::int64_t epoch, std::int64_t requests, std::int64_t errors) {
  Measurement out;
  out.epoch = epoch;
  out.candidate = {requests, errors};
  return out;
}

Measurement uncounted(std::int64_t epoch, EvidenceKind kind) {
  Measurement out;
  out.epoch = epoch;
  out.kind = kind;
  return out;
}

constexpr int kBodies = 18;

// The event `choice` after `state`: reports name what is pending, or an effect long gone.
decltype(CanaryEvent::body) body_of(const CanaryState& state, int choice) {
  const Effect* write = find<WriteWeights>(state);
  const Effect* measure = find<Measure>(state);
  const std::string write_id = write ? write->id : "r1/1";
  switch (choice) {
    case 0:
      return Tick{};
    case 1:
      return EffectDone{write_id, WriteOutcome::kDone, ""};
    case 2:
      return EffectDone{write_id, WriteOutcome::kConflict, "other"};
    case 3:
      return EffectDone{write_id, WriteOutcome::kError, "500"};
    case 4:
      return EffectDone{"r1/1", WriteOutcome::kDone, ""};
    case 5:
      return EffectDone{measure ? measure->id : "r1/4", WriteOutcome::kConflict, "other"};
    case 6:
      return counted(state.epoch, 100, 0);
    case 7:
      return counted(state.epoch, 100, 50);
    case 8:
      return counted(state.epoch, 3, 3);
    case 9:
      return uncounted(state.epoch, EvidenceKind::kNone);
    case 10:
      return uncounted(state.epoch, EvidenceKind::kBrokenSource);
    case 11:
      return counted(state.epoch - 1, 100, 100);
    case 12:
      return CandidateHealth{0, 2};
    case 13:
      return CandidateHealth{2, 2};
    case 14:
      return Command{CanaryVerb::kAbort, "ann", "a"};
    case 15:
      return Command{CanaryVerb::kPromote, "ann", "p"};
    case 16:
      return Command{CanaryVerb::kPause, "ann", "p"};
    default:
      return Command{CanaryVerb::kResume, "ann", "r"};
  }
}

// ---- the oracle: what must hold of every transition, said again in its own words ---------------------------------

bool is_good(const CanaryState& before, const CanaryEvent& event) {
  const auto* measured = std::get_if<Measurement>(&event.body);
  if (!measured || measured->kind != EvidenceKind::kCounted || measured->epoch != before.epoch) return false;
  const RequestCount& count = measured->candidate;
  return before.phase == CanaryPhase::kObserving && count.requests >= before.policy.min_requests &&
         static_cast<double>(count.requests - count.errors) >=
             before.policy.min_success_rate * static_cast<double>(count.requests);
}

std::string broken_weight(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (after.weight < 0 || after.weight > 10000) return "I1: weight out of range";
  for (const Effect& effect : after.outbox) {
    const auto* write = std::get_if<WriteWeights>(&effect.body);
    if (write && write->stable + write->candidate != 10000) return "I1: weights do not sum to 10000";
    if (write && write->candidate != after.weight) return "a write of another weight";
  }
  if (after.weight <= before.weight) return "";
  const auto* command = std::get_if<Command>(&event.body);
  if (command && command->verb == CanaryVerb::kPromote) return "";
  if (std::holds_alternative<StartRollout>(event.body)) return "";
  if (!is_good(before, event)) return "I3: the weight rose without good evidence";
  return before.paused ? "the weight rose in a pause" : "";
}

std::string broken_end(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  if (is_terminal(after.phase) == is_terminal(before.phase)) return "";
  if (!is_terminal(after.phase)) return "";
  const auto* done = std::get_if<EffectDone>(&event.body);
  const Effect* write = find<WriteWeights>(before);
  if (!done || !write || done->effect != write->id || done->outcome != WriteOutcome::kDone) {
    return "ended without the report of its write";
  }
  const std::int32_t written = std::get<WriteWeights>(write->body).candidate;
  if (after.phase == CanaryPhase::kFailed && written != 0) return "failed with weight written";
  if (after.phase == CanaryPhase::kSucceeded && written != 10000) return "succeeded without all traffic";
  if (!after.outbox.empty()) return "ended with effects pending";
  return "";
}

std::string broken_evidence(const CanaryState& before, const CanaryEvent& event, const CanaryState& after) {
  const bool more = after.failures > before.failures;
  const auto* measured = std::get_if<Measurement>(&event.body);
  const bool counts = measured && measured->kind == EvidenceKind::kCounted && measured->epoch == before.epoch &&
                      measured->candidate.requests >= before.policy.min_requests;
  if (more && !counts) return "a failure was counted without evidence";
  return "";
}

std::string broken(const CanaryState& before, const CanaryEvent& event, const CanaryStep& step) {
  const CanaryState& after = step.state;
  if (!is_terminal(after.phase) && (after.deadline == kNever || after.deadline <= event.at)) return "I9: no deadline";
  if (std::string out = broken_weight(before, event, after); !out.empty()) return out;
  if (std::string out = broken_end(before, event, after); !out.empty()) return out;
  if (std::string out = broken_evidence(before, event, after); !out.empty()) return out;
  const auto* command = std::get_if<Command>(&event.body);
  if (command && command->verb == CanaryVerb::kAbort && !is_terminal(before.phase)) {
    if (after.phase != CanaryPhase::kRollingBack || !find<WriteWeights>(after)) return "I4: abort did not roll back";
  }
  if (before.phase == CanaryPhase::kRollingBack && !is_terminal(after.phase) &&
      after.phase != CanaryPhase::kRollingBack) {
    return "rolling back was left";
  }
  for (const Effect& effect : step.effects) {
    if (std::find(after.outbox.begin(), after.outbox.end(), effect) == after.outbox.end()) return "an effect got lost";
    for (const Effect& old : before.outbox) {
      if (old.id == effect.id) return "an effect id was used again";
    }
  }
  if (after.phase != before.phase && after.history.size() == before.history.size() &&
      after.phase != CanaryPhase::kObserving) {
    return "P18: a phase changed without a record";
  }
  return "";
}

// ---- liveness ----------------------------------------------------------------------------------------------------

// I8: with nobody measuring and writes that are done, time alone brings every rollout to its end.
std::string never_ends(CanaryState state) {
  for (int i = 0; i < 20; ++i) {
    if (is_terminal(state.phase)) return "";
    CanaryEvent event{state.deadline, Tick{}};
    if (const Effect* write = find<WriteWeights>(state)) {
      event = {state.last_event_at, EffectDone{write->id, WriteOutcome::kDone, ""}};
    }
    absl::StatusOr<CanaryStep> step = canary_step(state.policy, state, event);
    if (!step.ok()) return std::string(step.status().message());
    state = std::move(step->state);
  }
  return "I8: no end in sight:\n" + describe(state);
}

// ---- exhaustive --------------------------------------------------------------------------------------------------

// What decides about the future: times relative to now, no ids, no history but whether it ends in a hold for health.
std::string key_of(const CanaryState& state) {
  const auto since = [&](Time time) { return (time - state.last_event_at).count() / 1000000000; };
  const Effect* measure = find<Measure>(state);
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", static_cast<int>(state.phase), state.paused, state.step,
                     state.good, state.failures, since(state.step_started_at), since(state.evidence_at),
                     is_terminal(state.phase) ? 0 : since(state.deadline), find<WriteWeights>(state) != nullptr,
                     measure ? since(std::get<Measure>(measure->body).to) : -1) +
         (state.history.back().reason == CanaryReason::kCandidateUnhealthy ? " unhealthy" : "");
}

// The rest of the history decides nothing; dropping it keeps the search small.
CanaryState short_history(CanaryState state) {
  if (state.history.size() > 2) state.history.erase(state.history.begin() + 1, state.history.end() - 1);
  return state;
}

TEST_CASE("every state that can be reached in eight events keeps the invariants") {
  const Duration pauses[] = {Duration(0), std::chrono::seconds(2), std::chrono::seconds(10), std::chrono::seconds(35)};
  absl::StatusOr<CanaryStep> first =
      canary_step(tiny_policy(), CanaryState{}, {t(0), StartRollout{"r1", "2.0", "ann"}});
  REQUIRE_OK(first);
  std::map<std::string, CanaryState> frontier{{key_of(first->state), first->state}};
  std::set<std::string> seen{key_of(first->state)};
  std::set<std::pair<CanaryPhase, CanaryPhase>> arrows;
  std::size_t steps = 0;
  for (int depth = 0; depth < 8 && !frontier.empty(); ++depth) {
    std::map<std::string, CanaryState> next;
    for (const auto& [key, state] : frontier) {
      for (int choice = 0; choice < kBodies * 4; ++choice) {
        const CanaryEvent event{state.last_event_at + pauses[choice / kBodies], body_of(state, choice % kBodies)};
        absl::StatusOr<CanaryStep> step = canary_step({}, state, event);
        ++steps;
        // The one refusal in the alphabet: counts of a window that is not over.
        if (!step.ok()) {
          REQUIRE(std::string(step.status().message()).find("before its end") != std::string::npos);
          continue;
        }
        const std::string problem = broken(state, event, *step);
        if (!problem.empty()) FAIL(problem, "\nbefore:\n", describe(state), "after:\n", describe(step->state));
        arrows.emplace(state.phase, step->state.phase);
        std::string reached = key_of(step->state);
        if (steps % 16 == 0 && !seen.count(reached)) {
          const std::string endless = never_ends(step->state);
          if (!endless.empty()) FAIL(endless);
        }
        if (seen.insert(reached).second) next.emplace(std::move(reached), short_history(std::move(step->state)));
      }
    }
    // Wide levels are thinned evenly: the first ones are complete, the last are a sample.
    frontier.clear();
    const std::size_t stride = next.size() / 700 + 1;
    std::size_t i = 0;
    for (auto& [key, state] : next) {
      if (i++ % stride == 0) frontier.emplace(key, std::move(state));
    }
  }
  MESSAGE(seen.size(), " states, ", steps, " steps");
  using P = CanaryPhase;
  const std::set<std::pair<P, P>> moves = {
      {P::kSettling, P::kObserving},    {P::kSettling, P::kPromoting},  {P::kSettling, P::kRollingBack},
      {P::kObserving, P::kSettling},    {P::kObserving, P::kPromoting}, {P::kObserving, P::kRollingBack},
      {P::kPromoting, P::kRollingBack}, {P::kPromoting, P::kSucceeded}, {P::kRollingBack, P::kFailed}};
  std::set<std::pair<P, P>> want = moves;
  for (P same : {P::kSettling, P::kObserving, P::kPromoting, P::kRollingBack, P::kSucceeded, P::kFailed}) {
    want.emplace(same, same);
  }
  CHECK(arrows == want);
}

// ---- random ------------------------------------------------------------------------------------------------------

struct Journal {
  std::vector<CanaryEvent> events;
  std::string bytes;  // of every state and its effects
};

CanaryEvent random_event(const CanaryState& state, std::mt19937_64& random) {
  // Mostly near the times that matter, now and then before the last event or far away.
  Time at = std::max(state.last_event_at, t(0)) + Duration(static_cast<std::int64_t>(random() % 12000) * 1000000);
  if (random() % 4 == 0 && state.deadline != kNever) {
    at = state.deadline + Duration(static_cast<std::int64_t>(random() % 3) - 1);
  }
  if (random() % 16 == 0) at = state.last_event_at - Duration(1);
  if (random() % 64 == 0) at = state.last_event_at + std::chrono::hours(1);
  if (random() % 40 == 0) return {at, StartRollout{fmt::format("r{}", random() % 100), "x", "ann"}};
  // Reports and measurements more often than orders, so that some get through.
  const std::uint64_t choice = random() % 40;
  return {at, body_of(state, choice < kBodies ? static_cast<int>(choice) : choice < 29 ? 1 : 6)};
}

TEST_CASE("random sequences keep the invariants, and their journal gives the same bytes again") {
  const std::uint64_t seed = 20250131;
  INFO("seed ", seed);
  std::mt19937_64 random(seed);
  std::map<CanaryPhase, int> ends;
  for (int sequence = 0; sequence < 500; ++sequence) {
    CanaryPolicy policy = tiny_policy();
    policy.intervals_per_step = 1 + static_cast<std::int32_t>(random() % 2);
    policy.settle = std::chrono::seconds(random() % 3);
    CanaryState state;
    Journal journal;
    for (int i = 0; i < 200; ++i) {
      const CanaryEvent event = random_event(state, random);
      journal.events.push_back(event);
      absl::StatusOr<CanaryStep> step = canary_step(policy, state, event);
      if (!step.ok()) {
        journal.bytes += std::string(step.status().message());
        REQUIRE(error_kind(step.status()) == ErrorKind::kValidate);
        continue;
      }
      const std::string problem = broken(state, event, *step);
      if (!problem.empty() && state.rollout == step->state.rollout) {
        FAIL(problem, "\nbefore:\n", describe(state), "after:\n", describe(step->state));
      }
      state = std::move(step->state);
      journal.bytes += describe(state.outbox);
    }
    journal.bytes += describe(state);
    ++ends[state.phase];
    const std::string endless = state.phase == CanaryPhase::kIdle ? "" : never_ends(state);
    if (!endless.empty()) FAIL(endless);

    Journal again;
    CanaryState replayed;
    for (const CanaryEvent& event : journal.events) {
      absl::StatusOr<CanaryStep> step = canary_step(policy, replayed, event);
      if (!step.ok()) {
        again.bytes += std::string(step.status().message());
        continue;
      }
      replayed = std::move(step->state);
      again.bytes += describe(replayed.outbox);
    }
    again.bytes += describe(replayed);
    REQUIRE(again.bytes == journal.bytes);
  }
  // The walk is no good if it never gets anywhere.
  CHECK(ends[CanaryPhase::kSucceeded] > 10);
  CHECK(ends[CanaryPhase::kFailed] > 10);
}

}  // namespace
}  // namespace convergence
