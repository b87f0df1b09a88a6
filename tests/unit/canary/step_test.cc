#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

using test::describe;
using test::small_policy;
using test::t;

// ---- states, each written out from the one before ---------------------------------------------------------------

CanaryRecord record(double at, CanaryPhase phase, CanaryReason reason, std::int32_t weight, std::string why) {
  CanaryRecord out;
  out.at = t(at);
  out.phase = phase;
  out.reason = reason;
  out.weight = weight;
  out.why = std::move(why);
  return out;
}

CanaryRecord counted(CanaryRecord out, RequestCount candidate) {
  out.candidate_requests = candidate.requests;
  out.candidate_errors = candidate.errors;
  return out;
}

// Started at 0: the first weight is being written.
CanaryState started() {
  CanaryState state;
  state.rollout = "r1";
  state.revision = "2.0";
  state.policy = small_policy();
  state.phase = CanaryPhase::kSettling;
  state.step = 0;
  state.weight = 500;
  state.started_at = state.step_started_at = state.evidence_at = state.last_event_at = t(0);
  state.deadline = t(30);
  state.next_effect = 3;
  state.outbox = {{"r1/1", WriteWeights{9500, 500}}, {"r1/2", WakeAt{t(30)}}};
  state.history = {record(0, CanaryPhase::kSettling, CanaryReason::kStarted, 500, "2.0 begins with 5.00 % (by ann)")};
  return state;
}

// Written at 1: settling until 3.
CanaryState written() {
  CanaryState state = started();
  state.last_event_at = t(1);
  state.deadline = t(3);
  state.next_effect = 4;
  state.outbox = {{"r1/3", WakeAt{t(3)}}};
  state.history.push_back(record(1, CanaryPhase::kSettling, CanaryReason::kWeightWritten, 500, "5.00 % is written"));
  return state;
}

// Window 1 from 3 to 13; an answer is overdue at 43.
CanaryState observing() {
  CanaryState state = written();
  state.phase = CanaryPhase::kObserving;
  state.epoch = 1;
  state.last_event_at = t(3);
  state.deadline = t(43);
  state.next_effect = 6;
  state.outbox = {{"r1/4", Measure{1, t(3), t(13)}}, {"r1/5", WakeAt{t(43)}}};
  return state;
}

// One good measurement at 13; window 2 until 23.
CanaryState one_good() {
  CanaryState state = observing();
  state.epoch = 2;
  state.good = 1;
  state.evidence_at = state.last_event_at = t(13);
  state.deadline = t(53);
  state.next_effect = 8;
  state.outbox = {{"r1/6", Measure{2, t(13), t(23)}}, {"r1/7", WakeAt{t(53)}}};
  state.history.push_back(counted(record(13, CanaryPhase::kObserving, CanaryReason::kGoodEvidence, 500,
                                         "0 of 100 failed (100.00 %), needs 99.00 %"),
                                  {100, 0}));
  return state;
}

// The second step since 23, its weight being written.
CanaryState second_step() {
  CanaryState state = one_good();
  state.phase = CanaryPhase::kSettling;
  state.step = 1;
  state.weight = 2000;
  state.good = 0;
  state.step_started_at = state.evidence_at = state.last_event_at = t(23);
  state.deadline = t(53);
  state.next_effect = 10;
  state.outbox = {{"r1/8", WriteWeights{8000, 2000}}, {"r1/9", WakeAt{t(53)}}};
  state.history.push_back(counted(
      record(23, CanaryPhase::kObserving, CanaryReason::kGoodEvidence, 500, "1 of 100 failed (99.00 %), needs 99.00 %"),
      {100, 1}));
  state.history.push_back(
      record(23, CanaryPhase::kSettling, CanaryReason::kStepPassed, 2000, "step 1 of 2 passed: 5.00 % -> 20.00 %"));
  return state;
}

// Concluded at `at` out of `state`: one write of `weight`, its id and the wake-up's from next_effect.
CanaryState concluded(CanaryState state, double at, CanaryPhase phase, std::int32_t weight, CanaryReason reason,
                      std::string why) {
  state.phase = phase;
  state.weight = weight;
  state.paused = false;
  state.good = 0;
  state.step_started_at = state.last_event_at = t(at);
  state.deadline = t(at + 30);
  state.history.push_back(record(at, phase, reason, weight, std::move(why)));
  const std::string id = "r1/";
  state.outbox = {{id + std::to_string(state.next_effect), WriteWeights{10000 - weight, weight}},
                  {id + std::to_string(state.next_effect + 1), WakeAt{t(at + 30)}}};
  state.next_effect += 2;
  return state;
}

CanaryState aborted() {
  return concluded(observing(), 5, CanaryPhase::kRollingBack, 0, CanaryReason::kAborted, "aborted by ann: nervous");
}

CanaryState promoting() {
  return concluded(observing(), 5, CanaryPhase::kPromoting, 10000, CanaryReason::kPromotedByHand,
                   "promoted by ann: hurry");
}

CanaryState failed() {
  CanaryState state = aborted();
  state.phase = CanaryPhase::kFailed;
  state.last_event_at = t(6);
  state.deadline = kNever;
  state.outbox.clear();
  state.history.push_back(record(6, CanaryPhase::kFailed, CanaryReason::kWeightWritten, 0,
                                 "all traffic is on v1: aborted by ann: nervous"));
  return state;
}

CanaryState succeeded() {
  CanaryState state = promoting();
  state.phase = CanaryPhase::kSucceeded;
  state.last_event_at = t(6);
  state.deadline = kNever;
  state.outbox.clear();
  state.history.push_back(record(6, CanaryPhase::kSucceeded, CanaryReason::kWeightWritten, 10000,
                                 "all traffic is on v2: promoted by ann: hurry"));
  return state;
}

CanaryState paused() {
  CanaryState state = observing();
  state.paused = true;
  state.last_event_at = t(4);
  state.history.push_back(record(4, CanaryPhase::kObserving, CanaryReason::kPaused, 500, "paused by ann: lunch"));
  return state;
}

// ---- events -------------------------------------------------------------------------------------------------------

using Body = decltype(CanaryEvent::body);

CanaryEvent at(double seconds, Body body) { return {t(seconds), std::move(body)}; }
Body measured(std::int64_t epoch, std::int64_t requests, std::int64_t errors) {
  Measurement out;
  out.epoch = epoch;
  out.candidate = {requests, errors};
  return out;
}
Body evidence(std::int64_t epoch, EvidenceKind kind, std::string problem = "") {
  Measurement out;
  out.epoch = epoch;
  out.kind = kind;
  out.problem = std::move(problem);
  return out;
}
Body done(std::string effect, WriteOutcome outcome = WriteOutcome::kDone, std::string problem = "") {
  return EffectDone{std::move(effect), outcome, std::move(problem)};
}
Body order(CanaryVerb verb, std::string reason) { return Command{verb, "ann", std::move(reason)}; }
const Body kStart = StartRollout{"r1", "2.0", "ann"};

// ---- rows ---------------------------------------------------------------------------------------------------------

// Moves the last event and writes what changed; `change` gets the state before.
CanaryState with(CanaryState state, double seconds, void (*change)(CanaryState&)) {
  state.last_event_at = t(seconds);
  change(state);
  return state;
}

struct Row {
  const char* name;
  CanaryState from;
  CanaryEvent event;
  CanaryState want;
};

void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      const absl::StatusOr<CanaryStep> got = canary_step(small_policy(), row.from, row.event);
      REQUIRE_OK(got);
      CHECK(describe(got->state) == describe(row.want));
      CHECK(got->state == row.want);
      // What is new in the outbox is what is to be done now.
      std::vector<Effect> fresh;
      for (const Effect& effect : row.want.outbox) {
        if (std::find(row.from.outbox.begin(), row.from.outbox.end(), effect) == row.from.outbox.end()) {
          fresh.push_back(effect);
        }
      }
      CHECK(describe(got->effects) == describe(fresh));
    }
  }
}

TEST_CASE("the straight way") {
  check_rows({
      {"idle: a start writes the first weight", CanaryState{}, at(0, kStart), started()},
      {"settling: the write was done", started(), at(1, done("r1/1")), written()},
      {"settling: time is over, the first window opens", written(), at(3, Tick{}), observing()},
      {"observing: good", observing(), at(13, measured(1, 100, 0)), one_good()},
      {"observing: enough good, the weight rises", one_good(), at(23, measured(2, 100, 1)), second_step()},
      {"rolling back: written, failed", aborted(), at(6, done("r1/6")), failed()},
      {"promoting: written, succeeded", promoting(), at(6, done("r1/6")), succeeded()},
      {"observing: aborted", observing(), at(5, order(CanaryVerb::kAbort, "nervous")), aborted()},
      {"observing: promoted by hand", observing(), at(5, order(CanaryVerb::kPromote, "hurry")), promoting()},
      {"observing: paused", observing(), at(4, order(CanaryVerb::kPause, "lunch")), paused()},
  });
}

// The last step's last good measurement.
TEST_CASE("all steps passed: all traffic to the candidate") {
  CanaryState from = second_step();
  from.phase = CanaryPhase::kObserving;
  from.epoch = 4;
  from.good = 1;
  from.last_event_at = t(40);
  from.deadline = t(80);
  from.next_effect = 14;
  from.outbox = {{"r1/12", Measure{4, t(40), t(50)}}, {"r1/13", WakeAt{t(80)}}};
  CanaryState want = from;
  want.evidence_at = t(50);
  want.history.push_back(counted(record(50, CanaryPhase::kObserving, CanaryReason::kGoodEvidence, 2000,
                                        "0 of 900 failed (100.00 %), needs 99.00 %"),
                                 {900, 0}));
  want = concluded(want, 50, CanaryPhase::kPromoting, 10000, CanaryReason::kAllStepsPassed, "all 2 steps passed");
  check_rows({{"promotes", from, at(50, measured(4, 900, 0)), want}});
}

CanaryState next_window(CanaryState state, double seconds) {
  state.last_event_at = t(seconds);
  ++state.epoch;
  state.deadline = t(seconds + 40);
  state.outbox = {{"r1/" + std::to_string(state.next_effect), Measure{state.epoch, t(seconds), t(seconds + 10)}},
                  {"r1/" + std::to_string(state.next_effect + 1), WakeAt{t(seconds + 40)}}};
  state.next_effect += 2;
  return state;
}

TEST_CASE("evidence of four kinds is never mixed") {
  const auto bad = [](double seconds) {
    return counted(record(seconds, CanaryPhase::kObserving, CanaryReason::kBadEvidence, 500,
                          "12 of 400 failed (97.00 %), needs 99.00 %"),
                   {400, 12});
  };
  CanaryState one_bad = next_window(observing(), 13);
  one_bad.failures = 1;
  one_bad.evidence_at = t(13);
  one_bad.history.push_back(bad(13));
  CanaryState two_bad = one_bad;
  two_bad.failures = 2;
  two_bad.evidence_at = t(23);
  two_bad.history.push_back(bad(23));
  two_bad = concluded(two_bad, 23, CanaryPhase::kRollingBack, 0, CanaryReason::kFailureBudget,
                      "2 of at most 2 bad measurements; the last: 12 of 400 failed (97.00 %), needs 99.00 %");
  CanaryState few = next_window(observing(), 13);
  few.history.push_back(counted(
      record(13, CanaryPhase::kObserving, CanaryReason::kTooFewRequests, 500, "49 requests of the candidate, needs 50"),
      {49, 49}));
  CanaryState none = next_window(observing(), 13);
  none.history.push_back(record(13, CanaryPhase::kObserving, CanaryReason::kTooFewRequests, 500,
                                "no data: needs 50 requests of the candidate"));
  CanaryState broken = next_window(observing(), 13);
  broken.history.push_back(
      record(13, CanaryPhase::kObserving, CanaryReason::kSourceBroken, 500, "no measurement: 503"));
  CanaryState overdue = next_window(observing(), 43);
  overdue.history.push_back(
      record(43, CanaryPhase::kObserving, CanaryReason::kSourceBroken, 500, "no measurement: no answer for window 1"));
  CanaryState foreign = next_window(observing(), 13);
  foreign.history.push_back(
      record(13, CanaryPhase::kObserving, CanaryReason::kConflict, 500, "no measurement: splitter changed"));
  check_rows({
      {"bad: counted", observing(), at(13, measured(1, 400, 12)), one_bad},
      {"the last one allowed: back", one_bad, at(23, measured(2, 400, 12)), two_bad},
      {"too few, though all failed (E9)", observing(), at(13, measured(1, 49, 49)), few},
      {"no data (E9)", observing(), at(13, evidence(1, EvidenceKind::kNone)), none},
      {"source broken (E10)", observing(), at(13, evidence(1, EvidenceKind::kBrokenSource, "503")), broken},
      {"source broken before the window's end", observing(), at(12, evidence(1, EvidenceKind::kBrokenSource, "503")),
       with(next_window(observing(), 12), 12,
            [](CanaryState& s) {
              s.history.push_back(
                  record(12, CanaryPhase::kObserving, CanaryReason::kSourceBroken, 500, "no measurement: 503"));
            })},
      {"source silent", observing(), at(43, Tick{}), overdue},
      {"answered just in time", observing(), at(43, measured(1, 400, 12)),
       with(next_window(observing(), 43), 43,
            [](CanaryState& s) {
              s.failures = 1;
              s.evidence_at = t(43);
              s.history.push_back(counted(record(43, CanaryPhase::kObserving, CanaryReason::kBadEvidence, 500,
                                                 "12 of 400 failed (97.00 %), needs 99.00 %"),
                                          {400, 12}));
            })},
      {"another hand in the splitter", observing(), at(13, done("r1/4", WriteOutcome::kConflict, "splitter changed")),
       foreign},
      {"the measurement could not be asked for", observing(), at(13, done("r1/4", WriteOutcome::kError, "503")),
       broken},
  });
}

TEST_CASE("what comes late or twice changes nothing") {
  const Row rows[] = {
      {"an old window", one_good(), at(23, measured(1, 400, 400)), {}},
      {"a window to come", one_good(), at(23, measured(3, 400, 400)), {}},
      {"a measurement while settling", second_step(), at(24, measured(2, 400, 400)), {}},
      {"a measurement while rolling back", aborted(), at(6, measured(1, 400, 400)), {}},
      {"a measurement at the end", failed(), at(600, measured(1, 400, 400)), {}},
      {"a report of a write long done", second_step(), at(24, done("r1/1")), {}},
      {"a report of another rollout", started(), at(1, done("r0/1")), {}},
      {"a report of a wake-up", started(), at(1, done("r1/2")), {}},
      {"a measurement reported done without numbers", observing(), at(13, done("r1/4")), {}},
      {"a report at the end", failed(), at(7, done("r1/6")), {}},
      {"a tick before time", observing(), at(42, Tick{}), {}},
      {"a tick at the end", succeeded(), at(1e6, Tick{}), {}},
      {"a tick on nothing", CanaryState{}, at(0, Tick{}), {}},
      {"an abort of nothing", CanaryState{}, at(0, order(CanaryVerb::kAbort, "")), {}},
      {"an abort while rolling back", aborted(), at(6, order(CanaryVerb::kAbort, "again")), {}},
      {"an abort at the end", succeeded(), at(7, order(CanaryVerb::kAbort, "too late")), {}},
      {"a promotion while rolling back", aborted(), at(6, order(CanaryVerb::kPromote, "no, on")), {}},
      {"a promotion while promoting", promoting(), at(6, order(CanaryVerb::kPromote, "again")), {}},
      {"a pause in the pause", paused(), at(5, order(CanaryVerb::kPause, "again")), {}},
      {"a pause while rolling back", aborted(), at(6, order(CanaryVerb::kPause, "")), {}},
      {"a pause while promoting", promoting(), at(6, order(CanaryVerb::kPause, "")), {}},
      {"a resume without a pause", observing(), at(5, order(CanaryVerb::kResume, "")), {}},
      {"the same start again", started(), at(1, kStart), {}},
      {"the same start again at the end", failed(), at(7, kStart), {}},
      {"another start in mid-flight", observing(), at(5, StartRollout{"r2", "3.0", "bob"}), {}},
      {"health that is fine", observing(), at(5, CandidateHealth{1, 3}), {}},
      {"no instance while rolling back", aborted(), at(6, CandidateHealth{0, 3}), {}},
      {"no instance at the end", failed(), at(7, CandidateHealth{0, 3}), {}},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      const absl::StatusOr<CanaryStep> got = canary_step(small_policy(), row.from, row.event);
      REQUIRE_OK(got);
      CHECK(describe(got->state) == describe(row.from));
      CHECK(got->state == row.from);
      CHECK(got->effects.empty());
    }
  }
}

TEST_CASE("a write that is not done stays pending and is issued again") {
  CanaryState conflict = with(started(), 2, [](CanaryState& s) {
    s.history.push_back(record(2, CanaryPhase::kSettling, CanaryReason::kConflict, 500,
                               "5.00 % is not written: the candidate's leg is at 30.00 %"));
  });
  const auto again = [](CanaryState& s) {
    s.deadline = s.last_event_at + std::chrono::seconds(30);
    s.outbox = {{"r1/3", WriteWeights{9500, 500}}, {"r1/4", WakeAt{s.deadline}}};
    s.next_effect = 5;
  };
  const CanaryState repeated = with(conflict, 30, again);
  // One hold is one record, however often it is tried: the last time is kept.
  CanaryState held = with(repeated, 31, [](CanaryState& s) { s.history.back().at = t(31); });
  const Body foreign = done("r1/1", WriteOutcome::kConflict, "the candidate's leg is at 30.00 %");
  check_rows({
      {"another hand", started(), at(2, foreign), conflict},
      {"Consul refused", started(), at(2, done("r1/1", WriteOutcome::kError, "500")),
       with(started(), 2,
            [](CanaryState& s) {
              s.history.push_back(
                  record(2, CanaryPhase::kSettling, CanaryReason::kWriteFailed, 500, "5.00 % is not written: 500"));
            })},
      {"again with a new id", conflict, at(30, Tick{}), repeated},
      {"again when nobody reported", started(), at(30, Tick{}), with(started(), 30, again)},
      {"held up again", repeated, at(31, done("r1/3", WriteOutcome::kConflict, "the candidate's leg is at 30.00 %")),
       held},
      {"the old id is not believed any more", repeated, at(31, done("r1/1")), repeated},
      {"a report on time is not overtaken by its repetition", started(), at(30, done("r1/1")),
       with(started(), 30,
            [](CanaryState& s) {
              s.deadline = t(32);
              s.outbox = {{"r1/3", WakeAt{t(32)}}};
              s.next_effect = 4;
              s.history.push_back(
                  record(30, CanaryPhase::kSettling, CanaryReason::kWeightWritten, 500, "5.00 % is written"));
            })},
      {"rolling back does not give up", aborted(), at(35, Tick{}),
       with(aborted(), 35,
            [](CanaryState& s) {
              s.deadline = t(65);
              s.outbox = {{"r1/8", WriteWeights{10000, 0}}, {"r1/9", WakeAt{t(65)}}};
              s.next_effect = 10;
            })},
  });
}

TEST_CASE("deadlines come first and lead back") {
  check_rows({
      {"no evidence for ten minutes", observing(), at(600, Tick{}),
       concluded(observing(), 600, CanaryPhase::kRollingBack, 0, CanaryReason::kNoEvidenceDeadline,
                 "no evidence for 600 s")},
      {"good evidence that comes too late (P17)", observing(), at(600, measured(1, 100, 0)),
       concluded(observing(), 600, CanaryPhase::kRollingBack, 0, CanaryReason::kNoEvidenceDeadline,
                 "no evidence for 600 s")},
      {"an abort after it changes nothing more", observing(), at(601, order(CanaryVerb::kAbort, "nervous")),
       concluded(observing(), 601, CanaryPhase::kRollingBack, 0, CanaryReason::kNoEvidenceDeadline,
                 "no evidence for 601 s")},
      {"the first write is never done", started(), at(600, done("r1/1")),
       concluded(started(), 600, CanaryPhase::kRollingBack, 0, CanaryReason::kNoEvidenceDeadline,
                 "no evidence for 600 s")},
      {"a step that takes half an hour", with(one_good(), 13, [](CanaryState& s) { s.step_started_at = Time{}; }),
       at(14, Tick{}),
       concluded(with(one_good(), 13, [](CanaryState& s) { s.step_started_at = Time{}; }), 14,
                 CanaryPhase::kRollingBack, 0, CanaryReason::kStepDeadline, "observing for 1576800014 s at 5.00 %")},
      {"a promotion that cannot be written in half an hour", promoting(), at(5 + 1800, Tick{}),
       concluded(promoting(), 5 + 1800, CanaryPhase::kRollingBack, 0, CanaryReason::kStepDeadline,
                 "promoting for 1800 s at 100.00 %")},
  });
}

TEST_CASE("abort is legal wherever something moves (I4, E18)") {
  const auto back = [](CanaryState from, double seconds) {
    return concluded(std::move(from), seconds, CanaryPhase::kRollingBack, 0, CanaryReason::kAborted,
                     "aborted by ann: stop");
  };
  const Body stop = order(CanaryVerb::kAbort, "stop");
  check_rows({
      {"before the first write is done", started(), at(1, stop), back(started(), 1)},
      {"while it settles", written(), at(2, stop), back(written(), 2)},
      {"while observing", observing(), at(5, stop), back(observing(), 5)},
      {"in a later step", second_step(), at(24, stop), back(second_step(), 24)},
      {"while promoting", promoting(), at(6, stop), back(promoting(), 6)},
      {"while paused", paused(), at(6, stop), back(paused(), 6)},
  });
}

TEST_CASE("a pause freezes the weight, not the eye") {
  CanaryState enough = with(one_good(), 14, [](CanaryState& s) {
    s.paused = true;
    s.history.push_back(record(14, CanaryPhase::kObserving, CanaryReason::kPaused, 500, "paused by ann: lunch"));
  });
  CanaryState full = next_window(enough, 24);
  full.good = 2;
  full.evidence_at = t(24);
  full.history.push_back(counted(record(24, CanaryPhase::kObserving, CanaryReason::kGoodEvidence, 500,
                                        "0 of 100 failed (100.00 %), needs 99.00 %"),
                                 {100, 0}));
  CanaryState resumed = with(full, 25, [](CanaryState& s) {
    s.paused = false;
    s.step_started_at = t(25);
    s.history.push_back(record(25, CanaryPhase::kObserving, CanaryReason::kResumed, 500, "resumed by ann: back"));
  });
  CanaryState bad = enough;
  bad.failures = 1;
  CanaryState back = bad;
  back.failures = 2;
  back.evidence_at = t(24);
  back.history.push_back(counted(
      record(24, CanaryPhase::kObserving, CanaryReason::kBadEvidence, 500, "12 of 400 failed (97.00 %), needs 99.00 %"),
      {400, 12}));
  back = concluded(back, 24, CanaryPhase::kRollingBack, 0, CanaryReason::kFailureBudget,
                   "2 of at most 2 bad measurements; the last: 12 of 400 failed (97.00 %), needs 99.00 %");
  CanaryState held = with(started(), 2, [](CanaryState& s) {
    s.paused = true;
    s.deadline = t(600);  // no evidence: the one limit that a pause leaves
    s.outbox = {{"r1/1", WriteWeights{9500, 500}}, {"r1/3", WakeAt{t(600)}}};
    s.next_effect = 4;
    s.history.push_back(record(2, CanaryPhase::kSettling, CanaryReason::kPaused, 500, "paused by ann: lunch"));
  });
  const Body lunch = order(CanaryVerb::kPause, "lunch");
  check_rows({
      {"enough good, but no rise", enough, at(24, measured(2, 100, 0)), full},
      {"going on does not raise by itself", full, at(25, order(CanaryVerb::kResume, "back")), resumed},
      {"bad evidence rolls back", bad, at(24, measured(2, 400, 12)), back},
      {"a write is not issued again", started(), at(2, lunch), held},
      {"one that was under way may still end", held, at(3, done("r1/1")),
       with(held, 3,
            [](CanaryState& s) {
              s.deadline = t(5);
              s.outbox = {{"r1/4", WakeAt{t(5)}}};
              s.next_effect = 5;
              s.history.push_back(
                  record(3, CanaryPhase::kSettling, CanaryReason::kWeightWritten, 500, "5.00 % is written"));
            })},
      {"going on issues it", held, at(3, order(CanaryVerb::kResume, "back")),
       with(held, 3,
            [](CanaryState& s) {
              s.paused = false;
              s.step_started_at = t(3);
              s.deadline = t(33);
              s.outbox = {{"r1/4", WriteWeights{9500, 500}}, {"r1/5", WakeAt{t(33)}}};
              s.next_effect = 6;
              s.history.push_back(
                  record(3, CanaryPhase::kSettling, CanaryReason::kResumed, 500, "resumed by ann: back"));
            })},
      {"blind for ten minutes", paused(), at(600, Tick{}),
       concluded(paused(), 600, CanaryPhase::kRollingBack, 0, CanaryReason::kNoEvidenceDeadline,
                 "no evidence for 600 s")},
      {"an order to promote ends it", paused(), at(5, order(CanaryVerb::kPromote, "hurry")),
       concluded(paused(), 5, CanaryPhase::kPromoting, 10000, CanaryReason::kPromotedByHand, "promoted by ann: hurry")},
  });
}

TEST_CASE("a pause stops the step's clock and a resume starts it again") {
  CanaryState state = paused();
  state.step_started_at = Time{};
  absl::StatusOr<CanaryStep> step = canary_step(small_policy(), state, at(5, Tick{}));
  REQUIRE_OK(step);
  CHECK(step->state == state);
  step = canary_step(small_policy(), state, at(5, order(CanaryVerb::kResume, "back")));
  REQUIRE_OK(step);
  CHECK(step->state.phase == CanaryPhase::kObserving);
  CHECK(step->state.step_started_at == t(5));
}

TEST_CASE("no traffic without a passing instance (I2)") {
  const auto back = [](CanaryState from, double seconds) {
    return concluded(std::move(from), seconds, CanaryPhase::kRollingBack, 0, CanaryReason::kCandidateUnhealthy,
                     "0 of 2 instances of the candidate are passing");
  };
  const CanaryState waiting = with(started(), 2, [](CanaryState& s) {
    s.history.push_back(record(2, CanaryPhase::kSettling, CanaryReason::kCandidateUnhealthy, 500,
                               "0 of 2 instances of the candidate are passing"));
  });
  const Body gone = CandidateHealth{0, 2};
  check_rows({
      {"the first weight waits", started(), at(2, gone), waiting},
      {"and is written once there is one", waiting, at(4, CandidateHealth{1, 2}),
       with(waiting, 4,
            [](CanaryState& s) {
              s.deadline = t(34);
              s.outbox = {{"r1/3", WriteWeights{9500, 500}}, {"r1/4", WakeAt{t(34)}}};
              s.next_effect = 5;
            })},
      {"lost while it settles", written(), at(2, gone), back(written(), 2)},
      {"lost while observing", observing(), at(5, gone), back(observing(), 5)},
      {"lost while the next weight is written", second_step(), at(24, gone), back(second_step(), 24)},
      {"lost while promoting", promoting(), at(6, gone), back(promoting(), 6)},
  });
}

TEST_CASE("a start after the end begins from nothing") {
  CanaryState want = started();
  want.rollout = "r2";
  want.revision = "3.0";
  want.started_at = want.step_started_at = want.evidence_at = want.last_event_at = t(50);
  want.deadline = t(80);
  want.outbox = {{"r2/1", WriteWeights{9500, 500}}, {"r2/2", WakeAt{t(80)}}};
  want.history = {record(50, CanaryPhase::kSettling, CanaryReason::kStarted, 500, "3.0 begins with 5.00 % (by bob)")};
  const Body next = StartRollout{"r2", "3.0", "bob"};
  const auto after = [&](const CanaryState& before, CanaryPhase phase, const std::string& why) {
    CanaryState state = want;
    state.past = {{"r1", "2.0", phase, before.started_at, before.last_event_at, why}};
    return state;
  };
  check_rows({
      {"after success", succeeded(), at(50, next),
       after(succeeded(), CanaryPhase::kSucceeded, "all traffic is on v2: promoted by ann: hurry")},
      {"after failure", failed(), at(50, next),
       after(failed(), CanaryPhase::kFailed, "all traffic is on v1: aborted by ann: nervous")},
  });
}

TEST_CASE("a running rollout keeps the policy it began with") {
  CanaryPolicy stricter = small_policy();
  stricter.min_success_rate = 1.0;
  stricter.steps = {10000};
  const absl::StatusOr<CanaryStep> step = canary_step(stricter, one_good(), at(23, measured(2, 100, 1)));
  REQUIRE_OK(step);
  CHECK(describe(step->state) == describe(second_step()));
}

TEST_CASE("the history is bounded: who began stays, the oldest goes") {
  CanaryState state = observing();
  double now = 3;
  for (int i = 0; i < 500; ++i) {
    now += 10;
    state.evidence_at = state.step_started_at = state.last_event_at;  // keeps the deadlines away
    const absl::StatusOr<CanaryStep> step =
        canary_step(small_policy(), state,
                    at(now, evidence(state.epoch, EvidenceKind::kBrokenSource, std::string(1000, 'x') + "\xC3\xA4")));
    REQUIRE_OK(step);
    state = step->state;
  }
  CHECK(state.history.size() == 200);
  CHECK(state.history.front().reason == CanaryReason::kStarted);
  CHECK(state.history[1].at == t(3 + 10 * (500 - 198)));
  CHECK(state.history.back().at == t(now));
  for (const CanaryRecord& one : state.history) CHECK(one.why.size() <= 240);
}

TEST_CASE("a long text is cut between characters") {
  for (std::size_t before = 200; before < 244; ++before) {
    std::string problem(before, 'x');
    for (int i = 0; i < 40; ++i) problem += "\xE2\x82\xAC";
    const absl::StatusOr<CanaryStep> step =
        canary_step(small_policy(), observing(), at(13, evidence(1, EvidenceKind::kBrokenSource, problem)));
    REQUIRE_OK(step);
    std::string why = step->state.history.back().why;
    REQUIRE(why.size() <= 240);
    REQUIRE(why.ends_with("..."));
    why.resize(why.size() - 3);
    const std::size_t plain = why.find('\xE2');
    CHECK((plain == std::string::npos || (why.size() - plain) % 3 == 0));
  }
}

}  // namespace
}  // namespace convergence
