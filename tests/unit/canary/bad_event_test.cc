#include <limits>

#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

using test::small_policy;
using test::t;

// A rollout that observes, reached by the steps themselves.
CanaryState observing() {
  CanaryState state;
  const CanaryEvent events[] = {
      {t(0), StartRollout{"r1", "2.0", "ann"}}, {t(1), EffectDone{"r1/1", WriteOutcome::kDone, ""}}, {t(3), Tick{}}};
  for (const CanaryEvent& event : events) {
    absl::StatusOr<CanaryStep> step = canary_step(small_policy(), state, event);
    REQUIRE_OK(step);
    state = step->state;
  }
  return state;
}

Measurement counted(RequestCount stable, RequestCount candidate) {
  Measurement out;
  out.epoch = 1;
  out.stable = stable;
  out.candidate = candidate;
  return out;
}

TEST_CASE("an event that contradicts itself is refused by name") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    const char* name;
    CanaryEvent event;
    const char* message;
  };
  const Case cases[] = {
      {"a clock that runs backwards", {t(2), Tick{}}, "canary event: its time is 1 s before the last event's"},
      {"a time before 1970", {Time::min(), Tick{}}, "before 1970"},
      {"a time that nothing can be added to", {kNever, Tick{}}, "too far ahead"},
      {"negative requests", {t(13), counted({}, {-1, 0})}, "candidate: a count is negative"},
      {"negative errors", {t(13), counted({10, -1}, {})}, "stable: a count is negative"},
      {"more errors than requests", {t(13), counted({}, {10, 11})}, "candidate: 11 errors of 10 requests"},
      {"more of the stable", {t(13), counted({kMost - 1, kMost}, {})}, "stable: "},
      {"before the window's end", {t(12.5), counted({}, {100, 0})}, "window 1 is measured 0.5 s before its end"},
      {"more passing than there are", {t(5), CandidateHealth{3, 2}}, "3 of 2 instances passing"},
      {"fewer than none", {t(5), CandidateHealth{-1, 2}}, "-1 of 2 instances passing"},
      {"a start without id", {t(5), StartRollout{"", "2.0", "ann"}}, "the rollout has no id"},
      {"an id too long for Meta", {t(5), StartRollout{std::string(129, 'r'), "2.0", "ann"}}, "over 128 bytes"},
      {"a revision too long",
       {t(5), StartRollout{"r2", std::string(241, 'r'), "ann"}},
       "the revision is over 240 bytes"},
  };
  const CanaryState state = observing();
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(canary_step(small_policy(), state, c.event), ErrorKind::kValidate, c.message); }
  }
}

TEST_CASE("a start with a policy that cannot be is refused") {
  CanaryPolicy policy = small_policy();
  policy.steps.clear();
  CHECK_ERROR(canary_step(policy, CanaryState{}, {t(0), StartRollout{"r1", "2.0", "ann"}}), ErrorKind::kValidate,
              "canary policy: steps: is empty");
}

// A flipped bit or another hand in the document.
TEST_CASE("a state that no step made is refused by name") {
  struct Case {
    const char* name;
    void (*spoil)(CanaryState&);
    const char* message;
  };
  const Case cases[] = {
      {"weight of another step", [](CanaryState& s) { s.weight = 501; }, "weight 501 while observing at step 0"},
      {"weight over all", [](CanaryState& s) { s.weight = 10001; }, "weight 10001 is outside 0..10000"},
      {"a step there is not", [](CanaryState& s) { s.step = 2; }, "step 2 of 2"},
      {"no step", [](CanaryState& s) { s.step = -1; }, "step -1 of 2"},
      {"another phase", [](CanaryState& s) { s.phase = CanaryPhase::kSettling; },
       "1 measurements pending while settling"},
      {"the end with effects", [](CanaryState& s) { s.phase = CanaryPhase::kFailed, s.weight = 0; },
       "failed, but something is pending"},
      {"idle with effects", [](CanaryState& s) { s.phase = CanaryPhase::kIdle; }, "idle, but something is pending"},
      {"no id", [](CanaryState& s) { s.rollout.clear(); }, "no proper id"},
      {"another id", [](CanaryState& s) { s.rollout = "r2"; }, "effect id r1/4"},
      {"an effect id of the future", [](CanaryState& s) { s.outbox[0].id = "r1/6"; }, "effect id r1/6"},
      {"an effect id that is no number", [](CanaryState& s) { s.outbox[0].id = "r1/4x"; }, "effect id r1/4x"},
      {"an effect id with a leading zero", [](CanaryState& s) { s.outbox[0].id = "r1/04"; }, "effect id r1/04"},
      {"one effect twice", [](CanaryState& s) { s.outbox[1].id = "r1/4"; }, "effect id r1/4 twice"},
      {"no wake-up", [](CanaryState& s) { s.outbox.pop_back(); }, "not one wake-up"},
      {"a wake-up at another time", [](CanaryState& s) { s.outbox[1].body = WakeAt{t(44)}; }, "wakes at another time"},
      {"nothing to wait for", [](CanaryState& s) { s.deadline = kNever; }, "no deadline ahead"},
      {"a deadline that has passed", [](CanaryState& s) { s.deadline = t(3); }, "no deadline ahead"},
      {"another window", [](CanaryState& s) { s.epoch = 2; }, "measures another epoch"},
      {"an empty window",
       [](CanaryState& s) {
         s.outbox[0].body = Measure{1, t(3), t(3)};
       },
       "measures an empty window"},
      {"a write that does not belong",
       [](CanaryState& s) {
         s.outbox[0].body = WriteWeights{0, 10000};
       },
       "writes 0/10000 for weight 500"},
      {"failures over the budget", [](CanaryState& s) { s.failures = 3; }, "more failures than the budget"},
      {"negative failures", [](CanaryState& s) { s.failures = -1; }, "a count is negative"},
      {"good beyond need", [](CanaryState& s) { s.good = 3; }, "more good measurements"},
      {"times in disorder", [](CanaryState& s) { s.evidence_at = t(4); }, "a time is out of order"},
      {"a time before 1970", [](CanaryState& s) { s.started_at = Time::min(); }, "a time is out of order"},
      {"a deadline before 1970", [](CanaryState& s) { s.deadline = Time::min(); }, "before 1970"},
      {"a policy that cannot be", [](CanaryState& s) { s.policy.interval = Duration(0); }, "interval: is 0 ns"},
      {"a history without end", [](CanaryState& s) { s.history.resize(201); }, "history has 201 records"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CanaryState state = observing();
      c.spoil(state);
      CHECK_ERROR(canary_step(small_policy(), state, {t(60), Tick{}}), ErrorKind::kValidate, c.message);
    }
  }
}

TEST_CASE("a state rolling back must have its write") {
  absl::StatusOr<CanaryStep> step =
      canary_step(small_policy(), observing(), {t(5), Command{CanaryVerb::kAbort, "ann", "x"}});
  REQUIRE_OK(step);
  step->state.outbox.erase(step->state.outbox.begin());
  CHECK_ERROR(canary_step(small_policy(), step->state, {t(6), Tick{}}), ErrorKind::kValidate,
              "0 writes pending while rolling-back");
}

}  // namespace
}  // namespace convergence
