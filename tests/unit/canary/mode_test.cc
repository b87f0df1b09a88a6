#include <cmath>

#include "fmt/format.h"
#include "lib/canary/rank_test.h"
#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"
#include "tests/unit/canary/walk.h"

namespace convergence {
namespace {

using test::t;
using test::Walk;
using Lines = std::vector<std::string>;

// ---- Flagger's traces (progressive-delivery.md 2.8) ---------------------------------------------------------

// A tick a minute. What takes Flagger a tick of its own takes this world one too: the copy, and seeing that the last
// write has arrived.
class Ticks {
 public:
  explicit Ticks(CanaryPolicy policy) : policy_(std::move(policy)) {
    policy_.mode = CanaryMode::kFlagger;
    policy_.promotion = Promotion::kCopy;
    policy_.interval = policy_.initial_delay = std::chrono::minutes(1);
    policy_.settle = Duration(0);
    policy_.intervals_per_step = policy_.strategy == CanaryStrategy::kWeights ? 1 : policy_.intervals_per_step;
    policy_.min_requests = 1;
    policy_.step_deadline = policy_.no_evidence_deadline = std::chrono::hours(10);
  }

  // "P" or "F" a window, the last one for ever.
  std::string checks = "P";
  std::function<bool(int tick)> gate = [](int) { return true; };
  std::function<void(Ticks&, int tick)> before_tick = [](Ticks&, int) {};
  CanaryState state{};

  void send(decltype(CanaryEvent::body) body) {
    const absl::StatusOr<CanaryStep> step = canary_step(policy_, state, {at_, std::move(body)});
    REQUIRE_OK(step);
    state = step->state;
  }

  // One line a tick, the first being that of the start: candidate's weight, what Flagger calls the phase, its failed
  // checks where there are any.
  Lines run(int ticks, int from = 0) {
    Lines lines;
    for (int tick = from; tick <= ticks; ++tick) {
      at_ = t(60.0 * tick);
      before_tick(*this, tick);
      if (tick == 0) send(StartRollout{"r1", "b", "ann"});
      work(tick);
      lines.push_back(line());
    }
    return lines;
  }

 private:
  template <typename Body>
  const Effect* find() const {
    for (const Effect& effect : state.outbox) {
      if (std::holds_alternative<Body>(effect.body)) return &effect;
    }
    return nullptr;
  }

  // All that is due now, each once.
  void work(int tick) {
    const bool slow = state.phase == CanaryPhase::kPromoting || state.phase == CanaryPhase::kReturning;
    if (const Effect* write = find<WriteWeights>(); write && slow)
      send(EffectDone{write->id, WriteOutcome::kDone, ""});
    else if (const Effect* copy = find<CopyToStable>())
      send(EffectDone{copy->id, WriteOutcome::kDone, ""});
    for (int i = 0; i < 10; ++i) {
      const Effect* write = find<WriteWeights>();
      const Effect* ask = find<AskGate>();
      const Effect* window = find<Measure>();
      const bool last =
          state.phase == CanaryPhase::kPromoting || (state.phase == CanaryPhase::kReturning && state.weight == 0);
      if (write && !last) {
        send(EffectDone{write->id, WriteOutcome::kDone, ""});
      } else if (ask) {
        const bool open = gate(tick);
        send(GateAnswer{ask->id, open, "closed"});
      } else if (window && std::get<Measure>(window->body).to <= at_) {
        const char check = checks[std::min(static_cast<std::size_t>(checked_++), checks.size() - 1)];
        Measurement measured = check == 'P' ? Walk::good() : Walk::bad();
        measured.epoch = std::get<Measure>(window->body).epoch;
        send(measured);
      } else if (state.deadline <= at_) {
        send(Tick{});
      } else {
        return;
      }
    }
  }

  std::string line() const {
    const char* phase = "";
    switch (state.phase) {
      case CanaryPhase::kCopying:
        phase = " Promoting";
        break;
      case CanaryPhase::kReturning:
        phase = state.weight == 0 ? " Finalising" : " Promoting";
        break;
      case CanaryPhase::kSucceeded:
        phase = " Succeeded";
        break;
      case CanaryPhase::kFailed:
        phase = " Failed";
        break;
      default:
        phase = state.gate ? " Waiting" : "";
    }
    std::string out = fmt::format("{}{}", state.weight / 100, phase);
    if (state.routed) out += " matched";
    if (state.failures > 0) out += fmt::format(" failed={}", state.failures);
    return out;
  }

  CanaryPolicy policy_;
  Time at_{};
  int checked_ = 0;
};

CanaryPolicy weights(std::vector<std::int32_t> steps, std::int32_t threshold = 5) {
  CanaryPolicy policy = test::small_policy();
  policy.steps = std::move(steps);
  policy.max_failures = threshold;
  return policy;
}

Gate asked(GateAt at) {
  Gate gate;
  gate.name = "gate";
  gate.at = at;
  gate.url = "http://gate/";
  gate.deadline = std::chrono::hours(9);
  return gate;
}

TEST_CASE("T1: ten percent a tick to fifty") {
  CHECK(Ticks(weights({1000, 2000, 3000, 4000, 5000})).run(8) ==
        Lines{"0", "10", "20", "30", "40", "50", "50 Promoting", "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T2: a step that does not divide the maximum goes over it") {
  CHECK(Ticks(weights({2000, 4000, 6000})).run(4) == Lines{"0", "20", "40", "60", "60 Promoting"});
}

TEST_CASE("T3, E1: bad from the first sample: back a tick after the budget is spent") {
  Ticks ticks(weights({1000, 2000}, 2));
  ticks.checks = "F";
  CHECK(ticks.run(4) == Lines{"0", "10", "10 failed=1", "10 failed=2", "0 Failed failed=2"});
}

TEST_CASE("T4, E2: failures are never forgiven") {
  Ticks ticks(weights({500, 1000, 1500, 2000, 2500}, 3));
  ticks.checks = "FPFPF";
  CHECK(ticks.run(7) ==
        Lines{"0", "5", "5 failed=1", "10 failed=1", "10 failed=2", "15 failed=2", "15 failed=3", "0 Failed failed=3"});
}

TEST_CASE("T5: the traffic returns in steps") {
  CanaryPolicy policy = weights({5000, 10000});
  policy.return_steps = {7000, 4000, 1000};
  CHECK(Ticks(policy).run(8) == Lines{"0", "50", "100", "100 Promoting", "70 Promoting", "40 Promoting", "10 Promoting",
                                      "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T6, E3, differs on purpose: one that died between two writes of the return goes on") {
  CanaryPolicy policy = weights({5000});
  policy.return_steps = {2500};
  Ticks ticks(policy);
  const Lines before = ticks.run(3);
  REQUIRE(ticks.state.phase == CanaryPhase::kReturning);
  // Its write has been done, nobody has reported it, and whoever takes over has the state alone.
  CHECK(ticks.run(6, 4).back() == "0 Succeeded");
}

TEST_CASE("T7: a newer revision begins from nothing") {
  CanaryPolicy policy = weights({2000, 4000, 6000});
  policy.on_new_revision = NewRevision::kRestart;
  Ticks ticks(policy);
  ticks.before_tick = [](Ticks& self, int tick) {
    if (tick == 3) self.send(StartRollout{"r2", "c", "ann"});
  };
  CHECK(ticks.run(5) == Lines{"0", "20", "40", "0", "20", "40"});
  CHECK(ticks.state.revision == "c");
}

TEST_CASE("T8: the promoted revision again, in mid-rollout, is no new revision") {
  CHECK(Ticks(weights({5000, 10000})).run(5) ==
        Lines{"0", "50", "100", "100 Promoting", "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T9, E4, differs on purpose: a new revision after a failure is deployed, however its first tick ends") {
  CanaryPolicy policy = weights({5000});
  Ticks ticks(policy);
  ticks.checks = "FFFFFFP";
  const Lines before = ticks.run(7);
  REQUIRE(before.back() == "0 Failed failed=5");
  ticks.send(StartRollout{"r2", "c", "ann"});
  CHECK(ticks.state.rollout == "r2");
  CHECK(ticks.state.phase == CanaryPhase::kWaiting);
}

TEST_CASE("T10: blue and green") {
  CanaryPolicy policy = weights({500});
  policy.strategy = CanaryStrategy::kBlueGreen;
  policy.intervals_per_step = 2;
  CHECK(Ticks(policy).run(6) == Lines{"0", "0", "0", "100", "100 Promoting", "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T11: A/B") {
  CanaryPolicy policy = weights({500});
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {{{{"x", MatchKind::kPresent, ""}}, {}, {}, "", {}}};
  policy.intervals_per_step = 2;
  CHECK(Ticks(policy).run(5) ==
        Lines{"0", "0 matched", "0 matched", "0 Promoting matched", "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T13: the gate before the promotion opens at the fifth tick") {
  CanaryPolicy policy = weights({5000});
  policy.gates = {asked(GateAt::kPromotion)};
  Ticks ticks(policy);
  ticks.gate = [](int tick) { return tick >= 5; };
  CHECK(ticks.run(7) ==
        Lines{"0", "50", "50 Waiting", "50 Waiting", "50 Waiting", "50 Promoting", "0 Finalising", "0 Succeeded"});
}

TEST_CASE("T14, E11: A/B at a gate that stays closed waits, and is asked at every tick") {
  CanaryPolicy policy = weights({500});
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {{{{"x", MatchKind::kPresent, ""}}, {}, {}, "", {}}};
  policy.intervals_per_step = 1;
  policy.gates = {asked(GateAt::kPromotion)};
  Ticks ticks(policy);
  std::vector<int> asked_at;
  ticks.gate = [&](int tick) {
    asked_at.push_back(tick);
    return false;
  };
  CHECK(ticks.run(4) == Lines{"0", "0 matched", "0 Waiting matched", "0 Waiting matched", "0 Waiting matched"});
  CHECK(asked_at == std::vector<int>{2, 3, 4});
}

TEST_CASE("T15: the primary dies while it is given the new version") {
  Ticks ticks(weights({5000}));
  ticks.before_tick = [](Ticks& self, int tick) {
    if (tick == 3) self.send(CandidateHealth{2, 2, 0, ""});
  };
  CHECK(ticks.run(3) == Lines{"0", "50", "50 Promoting", "100 Failed"});
}

TEST_CASE("T16, E8, differs on purpose: a rollout keeps the weights that it began with") {
  Ticks ticks(weights({500, 1000, 2000}));
  ticks.run(2);
  CanaryPolicy edited = ticks.state.policy;
  edited.steps = {500, 2000, 4000};
  Measurement measured = Walk::good();
  measured.epoch = ticks.state.epoch;
  const absl::StatusOr<CanaryStep> step = canary_step(edited, ticks.state, {t(180), measured});
  REQUIRE_OK(step);
  CHECK(step->state.weight == 2000);
}

TEST_CASE("T17: a gate before the first weight that stays closed") {
  CanaryPolicy policy = weights({5000});
  policy.gates = {asked(GateAt::kStart)};
  Ticks ticks(policy);
  ticks.gate = [](int tick) { return tick >= 3; };
  CHECK(ticks.run(4) == Lines{"0 Waiting", "0 Waiting", "0 Waiting", "50", "50 Promoting"});
}

TEST_CASE("T18: what is bad at a closed gate goes back") {
  CanaryPolicy policy = weights({5000}, 2);
  policy.gates = {asked(GateAt::kPromotion)};
  Ticks ticks(policy);
  ticks.gate = [](int) { return false; };
  ticks.checks = "PFF";
  CHECK(ticks.run(5) ==
        Lines{"0", "50", "50 Waiting", "50 Waiting failed=1", "50 Waiting failed=2", "0 Failed failed=2"});
}

TEST_CASE("E9, E10: in Flagger's mode no data and no answer are failed checks; in ours they are nothing") {
  for (const EvidenceKind kind : {EvidenceKind::kNone, EvidenceKind::kBrokenSource}) {
    for (const CanaryMode mode : {CanaryMode::kFlagger, CanaryMode::kOwn}) {
      CanaryPolicy policy = weights({5000}, 2);
      policy.mode = mode;
      policy.settle = Duration(0);
      Walk walk(policy);
      walk.measure = [&](const CanaryState&) {
        Measurement out;
        out.kind = kind;
        return out;
      };
      walk.start();
      walk.run_to(35);
      CHECK(walk.state().failures == (mode == CanaryMode::kFlagger ? 2 : 0));
      CHECK(walk.state().phase == (mode == CanaryMode::kFlagger ? CanaryPhase::kFailed : CanaryPhase::kObserving));
    }
  }
}

// ---- consul-release-controller (2.9) ------------------------------------------------------------------------

TEST_CASE("its trace: 10, 30, 50, 70, 90, then all; failures count in one step") {
  CanaryPolicy policy = weights({1000, 3000, 5000, 7000, 9000}, 3);
  policy.mode = CanaryMode::kConsecutive;
  policy.settle = Duration(0);
  policy.interval = policy.initial_delay = std::chrono::seconds(30);
  policy.intervals_per_step = 1;
  int window = 0;
  Walk walk(policy);
  SUBCASE("two bad ones in each of two steps are forgiven") {
    walk.measure = [&](const CanaryState&) {
      const bool bad = window < 5 && window != 2;
      ++window;
      return bad ? Walk::bad() : Walk::good();
    };
    walk.start();
    walk.run();
    CHECK(walk.told() == Lines{"0 waiting started 0", "30 settling step-passed 10", "120 settling step-passed 30",
                               "210 settling step-passed 50", "240 settling step-passed 70",
                               "270 settling step-passed 90", "300 promoting all-steps-passed 100",
                               "300 succeeded weight-written 100"});
  }
  SUBCASE("three in one step are not") {
    walk.measure = [&](const CanaryState&) { return Walk::bad(); };
    walk.start();
    walk.run();
    CHECK(walk.told().back() == "120 failed weight-written 0");
  }
}

// ---- Argo (2.12) --------------------------------------------------------------------------------

TEST_CASE("Argo: nothing to see waits for a person; five broken answers in a row end it") {
  CanaryPolicy policy = weights({5000}, 4);
  policy.mode = CanaryMode::kArgo;
  policy.settle = Duration(0);
  Walk walk(policy);
  const auto of_kind = [](EvidenceKind kind) {
    Measurement out;
    out.kind = kind;
    return out;
  };
  SUBCASE("inconclusive") {
    walk.measure = [&](const CanaryState& state) {
      return state.epoch == 1 ? of_kind(EvidenceKind::kNone) : Walk::good();
    };
    walk.start();
    walk.run_to(60);
    CHECK(walk.told() == Lines{"0 settling started 50", "10 observing inconclusive 50"});
    walk.command(CanaryVerb::kResume);
    walk.run();
    CHECK(walk.told().back() == "70 succeeded weight-written 100");
  }
  SUBCASE("broken") {
    walk.measure = [&](const CanaryState& state) {
      return state.epoch == 2 ? Walk::good() : of_kind(EvidenceKind::kBrokenSource);
    };
    policy.intervals_per_step = 9;
    Walk longer(policy);
    longer.measure = walk.measure;
    longer.start();
    longer.run();
    CHECK(longer.told().back() == "70 failed weight-written 0");
  }
}

// ---- Kayenta (2.14) --------------------------------------------------------------------------------

TEST_CASE("the shift between two samples, and what Mann-Whitney does not exclude of it") {
  // Every value of one above every value of the other: by 10 at the median, at least 8 for sure.
  const std::vector<double> low = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  std::vector<double> high;
  for (double value : low) high.push_back(value + 10);
  const ShiftInterval shift = rank_shift(high, low, 2.3263478740408408);
  CHECK(std::abs(shift.estimate - 10) < 1e-6);
  CHECK(std::abs((shift.high - 10) - (10 - shift.low)) < 1e-6);
  CHECK(shift.low > 6 - 1e-6);
  CHECK(shift.low < 10);
  CHECK(is_rank_high(high, low));
  CHECK(!is_rank_high(low, high));
  CHECK(!is_rank_high(low, low));
  // Three windows cannot exclude anything at 98 %.
  CHECK(!is_rank_high({11, 12, 13}, {1, 2, 3}));
}

TEST_CASE("Kayenta: high after enough windows, never after few") {
  CanaryPolicy policy = weights({5000}, 1);
  policy.mode = CanaryMode::kKayenta;
  policy.settle = Duration(0);
  policy.intervals_per_step = 20;
  for (const bool bad : {false, true}) {
    Walk walk(policy);
    int window = 0;
    walk.measure = [&](const CanaryState&) {
      Measurement out;
      ++window;
      out.stable = {1000, 10 + window % 3};
      out.candidate = {1000, (bad ? 60 : 10) + (window + 1) % 3};
      return out;
    };
    walk.start();
    walk.run();
    CHECK(walk.told().back() == (bad ? "70 failed weight-written 0" : "200 succeeded weight-written 100"));
  }
}

}  // namespace
}  // namespace convergence
