#include "fmt/format.h"
#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"
#include "tests/unit/canary/walk.h"

namespace convergence {
namespace {

using test::t;
using test::Walk;
using Lines = std::vector<std::string>;

// Two steps of one window, no time to settle: seconds are easy to count.
CanaryPolicy quick_policy() {
  CanaryPolicy policy = test::small_policy();
  policy.settle = Duration(0);
  policy.intervals_per_step = 1;
  return policy;
}

RequestMatch beta_users() {
  RequestMatch match;
  match.headers = {{"x-beta", MatchKind::kExact, "1"}};
  return match;
}

Gate gate(std::string name, GateAt at, std::string url = "") {
  Gate out;
  out.name = std::move(name);
  out.at = at;
  out.url = std::move(url);
  out.deadline = std::chrono::seconds(100);
  return out;
}

bool is_observing(const CanaryState& state) { return state.phase == CanaryPhase::kObserving; }

TEST_CASE("A/B: those who match go to the candidate, nobody else, until it has all") {
  CanaryPolicy policy = quick_policy();
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {beta_users()};
  policy.intervals_per_step = 2;
  Walk walk(policy);
  walk.start();
  walk.run(is_observing);
  CHECK(walk.traffic == WriteWeights{10000, 0, true, false});
  walk.run();
  CHECK(walk.told() ==
        Lines{"0 settling started 0", "20 promoting all-steps-passed 100", "20 succeeded weight-written 100"});
  CHECK(walk.traffic == WriteWeights{0, 10000, false, false});
}

TEST_CASE("A/B that is bad goes back: the routes go with the weight, in one write") {
  CanaryPolicy policy = quick_policy();
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {beta_users()};
  Walk walk(policy);
  walk.measure = [](const CanaryState&) { return Walk::bad(); };
  walk.start();
  walk.run();
  CHECK(walk.told() == Lines{"0 settling started 0", "20 rolling-back failure-budget 0", "20 failed weight-written 0"});
  CHECK(walk.traffic == WriteWeights{10000, 0, false, false});
}

TEST_CASE("blue and green: no traffic until it has all") {
  CanaryPolicy policy = quick_policy();
  policy.strategy = CanaryStrategy::kBlueGreen;
  Walk walk(policy);
  walk.start();
  walk.run(is_observing);
  CHECK(walk.traffic == WriteWeights{10000, 0, false, false});
  walk.run();
  CHECK(walk.told() ==
        Lines{"0 settling started 0", "10 promoting all-steps-passed 100", "10 succeeded weight-written 100"});
}

TEST_CASE("P22: users stay with the candidate until it has its cap, and not after") {
  CanaryPolicy policy = quick_policy();
  policy.affinity = SessionAffinity{};
  policy.affinity->cap = 4000;
  Walk walk(policy);
  walk.measure = [](const CanaryState& state) {
    Measurement out = Walk::good();
    if (state.step == 1) out.candidate.requests = 700;  // of 1600: those of the first step came again
    return out;
  };
  walk.start();
  walk.run(is_observing);
  CHECK(walk.traffic == WriteWeights{9500, 500, true, true});
  walk.run([](const CanaryState& state) { return state.step == 1 && !state.gives_cookie && is_observing(state); });
  CHECK(walk.traffic == WriteWeights{8000, 2000, true, false});
  walk.run();
  CHECK(walk.told() == Lines{"0 settling started 5", "10 settling step-passed 20", "20 settling affinity-capped 20",
                             "30 promoting all-steps-passed 100", "30 succeeded weight-written 100"});
}

TEST_CASE("a delay before the first weight") {
  CanaryPolicy policy = quick_policy();
  policy.initial_delay = std::chrono::seconds(60);
  Walk walk(policy);
  walk.start();
  CHECK(walk.state().outbox.size() == 1);  // the wake-up
  walk.run(is_observing);
  CHECK(walk.told() == Lines{"0 waiting started 0", "60 settling step-passed 5"});
}

TEST_CASE("gates hold a rollout up at their points, and only until they are opened") {
  CanaryPolicy policy = quick_policy();
  policy.gates = {gate("change board", GateAt::kStart), gate("tests", GateAt::kStep, "http://tests/"),
                  gate("ann", GateAt::kPromotion), gate("bob", GateAt::kPromotion)};
  Walk walk(policy);
  int asked = 0;
  walk.answer = [&](const std::string&) { return ++asked == 3; };
  walk.start();
  walk.run_to(25);
  CHECK(walk.state().phase == CanaryPhase::kWaiting);
  CHECK(walk.traffic == WriteWeights{});
  walk.command(CanaryVerb::kApprove);
  walk.run_to(95);
  walk.command(CanaryVerb::kApprove);
  walk.run_to(110);
  walk.command(CanaryVerb::kApprove);
  walk.run();
  CHECK(walk.told() == Lines{"0 waiting started 0", "0 waiting waits 0", "25 waiting approved 0",
                             "25 settling step-passed 5", "35 observing waits 5", "35 observing gate-closed 5",
                             "45 observing gate-closed 5", "55 observing approved 5", "55 settling step-passed 20",
                             "65 observing waits 20", "95 observing approved 20", "95 observing waits 20",
                             "110 observing approved 20", "110 promoting all-steps-passed 100",
                             "110 succeeded weight-written 100"});
  CHECK(asked == 3);
}

TEST_CASE("P11, E11: a gate that nobody opens does not stay closed for ever") {
  CanaryPolicy policy = quick_policy();
  policy.step_deadline = std::chrono::seconds(50);  // a gate's wait is not the step's
  policy.gates = {gate("ann", GateAt::kPromotion)};
  SUBCASE("back") {
    Walk walk(policy);
    walk.start();
    walk.run();
    CHECK(walk.told().back() == "120 failed weight-written 0");
    CHECK(walk.state().history.back().why == "all traffic is on v1: gate \"ann\" was not opened in 100 s");
  }
  SUBCASE("on") {
    policy.gates[0].on_deadline = GateDeadline::kOpen;
    Walk walk(policy);
    walk.start();
    walk.run();
    CHECK(walk.told().back() == "120 succeeded weight-written 100");
  }
  SUBCASE("before the start") {
    policy.gates[0].at = GateAt::kStart;
    Walk walk(policy);
    walk.start();
    walk.run();
    CHECK(walk.told() == Lines{"0 waiting started 0", "0 waiting waits 0", "100 rolling-back gate-deadline 0",
                               "100 failed weight-written 0"});
  }
}

TEST_CASE("P12: what is bad while a gate is closed goes back") {
  CanaryPolicy policy = quick_policy();
  policy.gates = {gate("ann", GateAt::kPromotion)};
  Walk walk(policy);
  walk.measure = [](const CanaryState& state) { return state.gate ? Walk::bad() : Walk::good(); };
  walk.start();
  walk.run();
  CHECK(walk.told() == Lines{"0 settling started 5", "10 settling step-passed 20", "20 observing waits 20",
                             "40 rolling-back failure-budget 0", "40 failed weight-written 0"});
}

TEST_CASE("P24: promoted, and still watched; the old subset takes over when it has to") {
  CanaryPolicy policy = quick_policy();
  policy.bake = std::chrono::seconds(60);
  SUBCASE("it holds") {
    Walk walk(policy);
    walk.start();
    walk.run();
    CHECK(walk.told() == Lines{"0 settling started 5", "10 settling step-passed 20",
                               "20 promoting all-steps-passed 100", "80 succeeded baked 100"});
  }
  SUBCASE("it turns bad") {
    Walk walk(policy);
    walk.measure = [](const CanaryState& state) {
      return state.phase == CanaryPhase::kBaking ? Walk::bad() : Walk::good();
    };
    walk.start();
    walk.run();
    CHECK(walk.told() == Lines{"0 settling started 5", "10 settling step-passed 20",
                               "20 promoting all-steps-passed 100", "40 rolling-back failure-budget 0",
                               "40 failed weight-written 0"});
  }
  SUBCASE("nobody answers: that is nothing against it") {
    Walk walk(policy);
    walk.measure = [](const CanaryState& state) {
      return state.phase == CanaryPhase::kBaking ? std::nullopt : std::optional(Walk::good());
    };
    walk.start();
    walk.run();
    CHECK(walk.told().back() == "80 succeeded baked 100");
  }
  SUBCASE("a person ends it, either way") {
    for (const auto& [verb, end] : {std::pair{CanaryVerb::kPromote, "35 succeeded promoted-by-hand 100"},
                                    {CanaryVerb::kAbort, "35 failed weight-written 0"}}) {
      Walk walk(policy);
      walk.start();
      walk.run_to(35);
      walk.command(verb);
      walk.run();
      CHECK(walk.told().back() == end);
    }
  }
}

TEST_CASE("P15: after a copy the traffic returns in steps") {
  CanaryPolicy policy = quick_policy();
  policy.promotion = Promotion::kCopy;
  policy.return_steps = {1500, 500};
  Walk walk(policy);
  walk.start();
  walk.run();
  CHECK(walk.told() == Lines{"0 settling started 5", "10 settling step-passed 20", "20 copying all-steps-passed 20",
                             "20 copying copied 20", "20 returning returned 15", "30 returning returned 5",
                             "40 succeeded returned 0"});
  CHECK(walk.traffic == WriteWeights{});
}

TEST_CASE("P14: the stable subset dies of the copy: the candidate, the only good one, keeps all traffic") {
  CanaryPolicy policy = quick_policy();
  policy.promotion = Promotion::kCopy;
  policy.return_steps = {1500};
  Walk walk(policy);
  walk.start();
  walk.run_to(25);
  CHECK(walk.state().phase == CanaryPhase::kReturning);
  CandidateHealth health{2, 2, 0, ""};
  walk.send(health);
  walk.run();
  CHECK(walk.told().back() == "25 failed stable-unhealthy 100");
  CHECK(walk.traffic == WriteWeights{0, 10000, false, false});
}

TEST_CASE("a newer revision in the middle: refused, queued, or at once") {
  CanaryPolicy policy = quick_policy();
  SUBCASE("refused") {
    Walk walk(policy);
    walk.start();
    walk.run_to(5);
    walk.start("r2", "3.0");
    walk.run();
    CHECK(walk.state().rollout == "r1");
    CHECK(walk.told().back() == "20 succeeded weight-written 100");
  }
  SUBCASE("queued") {
    policy.on_new_revision = NewRevision::kQueue;
    Walk walk(policy);
    walk.start();
    walk.run_to(5);
    walk.start("r2", "3.0");
    walk.run([](const CanaryState& state) { return state.rollout == "r2"; });
    CHECK(walk.told() == Lines{"20 settling started 5"});
    REQUIRE(walk.state().past.size() == 1);
    CHECK(walk.state().past[0] ==
          PastRollout{"r1", "2.0", CanaryPhase::kSucceeded, t(0), t(20), "all traffic is on v2: all 2 steps passed"});
    walk.run();
    CHECK(walk.told().back() == "40 succeeded weight-written 100");
  }
  SUBCASE("I8: at once, and the one before is on record as superseded") {
    policy.on_new_revision = NewRevision::kRestart;
    Walk walk(policy);
    walk.start();
    walk.run_to(5);
    walk.start("r2", "3.0");
    walk.run();
    CHECK(walk.told() == Lines{"5 settling started 5", "15 settling step-passed 20",
                               "25 promoting all-steps-passed 100", "25 succeeded weight-written 100"});
    REQUIRE(walk.state().past.size() == 1);
    CHECK(walk.state().past[0].why == "all traffic is on v1: superseded by 3.0");
  }
  SUBCASE("E7: not while it is being promoted") {
    policy.on_new_revision = NewRevision::kRestart;
    policy.bake = std::chrono::seconds(30);
    Walk walk(policy);
    walk.start();
    walk.run_to(25);
    REQUIRE(walk.state().phase == CanaryPhase::kBaking);
    walk.start("r2", "3.0");
    walk.run([](const CanaryState& state) { return state.rollout == "r2"; });
    CHECK(walk.state().past[0].phase == CanaryPhase::kSucceeded);
    CHECK(walk.now() == 50);
  }
  SUBCASE("the same start twice is one") {
    policy.on_new_revision = NewRevision::kQueue;
    Walk walk(policy);
    walk.start();
    walk.start("r2", "3.0");
    walk.start("r2", "3.0");
    walk.run();
    walk.start("r1", "2.0");
    walk.start("r2", "3.0");
    CHECK(walk.state().rollout == "r2");
    CHECK(walk.state().past.size() == 1);
  }
}

TEST_CASE("a failed revision is tried again by a person, under an id of its own") {
  Walk walk(quick_policy());
  walk.start();
  walk.command(CanaryVerb::kRetry);
  CHECK(walk.state().rollout == "r1");
  walk.command(CanaryVerb::kAbort);
  walk.run();
  walk.command(CanaryVerb::kRetry);
  CHECK(walk.state().rollout == "r1~2");
  CHECK(walk.told() == Lines{"0 settling retried 5"});
  walk.command(CanaryVerb::kAbort);
  walk.run();
  walk.command(CanaryVerb::kRetry);
  CHECK(walk.state().rollout == "r1~3");
  walk.run();
  CHECK(walk.told().back() == "20 succeeded weight-written 100");
  walk.command(CanaryVerb::kRetry);
  CHECK(walk.state().rollout == "r1~3");
}

TEST_CASE("E14: somebody else moves the weights, and the policy gives way to him") {
  CanaryPolicy policy = quick_policy();
  policy.on_foreign_edit = ForeignEdit::kYield;
  Walk walk(policy);
  walk.start();
  walk.run(is_observing);
  for (const Effect& effect : std::vector<Effect>(walk.state().outbox)) {
    if (std::holds_alternative<Measure>(effect.body)) {
      walk.send(EffectDone{effect.id, WriteOutcome::kConflict, "the candidate's leg is at 7 %"});
    }
  }
  CHECK(walk.told().back() == "0 failed yielded 5");
  CHECK(walk.state().outbox.empty());
}

TEST_CASE("I5, E6: what was replaced under way is not promoted") {
  Walk walk(quick_policy());
  walk.start();
  walk.run_to(15);
  walk.send(CandidateHealth{2, 2, {}, "2.0"});
  CHECK(walk.state().phase == CanaryPhase::kObserving);
  walk.send(CandidateHealth{2, 2, {}, "2.1"});
  walk.run();
  CHECK(walk.state().history.back().why ==
        "all traffic is on v1: the candidate's instances run 2.1 now, 2.0 is what this rollout is of");
}

TEST_CASE("fewer instances than the policy wants are none") {
  CanaryPolicy policy = quick_policy();
  policy.min_passing = 3;
  Walk walk(policy);
  walk.start();
  walk.send(CandidateHealth{2, 4, {}, ""});
  CHECK(walk.told().back() == "0 settling candidate-unhealthy 5");
  walk.send(CandidateHealth{3, 4, {}, ""});
  walk.run_to(5);
  walk.send(CandidateHealth{2, 4, {}, ""});
  CHECK(walk.told().back() == "5 rolling-back candidate-unhealthy 0");
}

TEST_CASE("P23: several services, one verdict") {
  CanaryPolicy policy = quick_policy();
  policy.also = {{"web", "v1", "v2"}};
  Walk walk(policy);
  const auto with_web = [](RequestCount web) {
    Measurement out = Walk::good();
    out.also = {{"web", {900, 0}, web}};
    return out;
  };
  SUBCASE("good where all are") {
    walk.measure = [&](const CanaryState&) { return with_web({100, 0}); };
    walk.start();
    walk.run();
    CHECK(walk.told().back() == "20 succeeded weight-written 100");
  }
  SUBCASE("bad where one is") {
    walk.measure = [&](const CanaryState&) { return with_web({100, 20}); };
    walk.start();
    walk.run();
    CHECK(walk.state().history.back().why ==
          "all traffic is on v1: 2 of at most 2 bad measurements; the last: web: 20 of 100 failed (80.00 %), needs "
          "99.00 %");
  }
  SUBCASE("nothing where one has too little") {
    walk.measure = [&](const CanaryState&) { return with_web({3, 3}); };
    walk.start();
    walk.run_to(15);
    CHECK(walk.state().step == 0);
    CHECK(walk.state().failures == 0);
  }
}

// ---- other numbers -------------------------------------------------------------------------------------------------

MetricLimit at_most(std::string name, double max) {
  MetricLimit out;
  out.name = std::move(name);
  out.max = max;
  return out;
}

TEST_CASE("metrics of the host: within, outside, missing, critical, only observed") {
  struct Case {
    const char* name;
    std::vector<MetricValue> values;
    const char* end;
    const char* why;
  };
  const auto value = [](std::string name, double number) {
    return MetricValue{std::move(name), EvidenceKind::kCounted, number, ""};
  };
  CanaryPolicy policy = quick_policy();
  policy.no_evidence_deadline = std::chrono::seconds(60);
  policy.metrics = {at_most("p99", 500), at_most("queue", 10), at_most("panics", 0), at_most("cost", 1)};
  policy.metrics[1].weight = 3;
  policy.metrics[2].critical = true;
  policy.metrics[3].observe_only = true;
  policy.pass_score = 75;
  const Case cases[] = {
      {"all within", {value("p99", 400), value("queue", 1), value("panics", 0)}, "20 succeeded weight-written 100", ""},
      {"one outside, the others weigh enough",
       {value("p99", 900), value("queue", 1), value("panics", 0)},
       "20 succeeded weight-written 100",
       ""},
      {"one outside that weighs too much",
       {value("p99", 400), value("queue", 11), value("panics", 0)},
       "20 failed weight-written 0",
       "all traffic is on v1: 2 of at most 2 bad measurements; the last: queue is 11, at most 10"},
      {"a critical one",
       {value("p99", 400), value("queue", 1), value("panics", 1)},
       "10 failed weight-written 0",
       "all traffic is on v1: panics is 1, at most 0"},
      {"P2: one without a value is no evidence",
       {value("p99", 400), value("panics", 0)},
       "60 failed weight-written 0",
       "all traffic is on v1: no evidence for 60 s"},
      {"P3: one that is no number is none",
       {value("p99", std::nan("")), value("queue", 1), value("panics", 0)},
       "60 failed weight-written 0",
       "all traffic is on v1: no evidence for 60 s"},
  };
  for (const Case& one : cases) {
    SUBCASE(one.name) {
      Walk walk(policy);
      walk.measure = [&](const CanaryState&) {
        Measurement out = Walk::good();
        out.metrics = one.values;
        out.metrics.push_back(value("cost", 99));
        return out;
      };
      walk.start();
      walk.run();
      CHECK(walk.told().back() == one.end);
      if (*one.why) CHECK(walk.state().history.back().why == one.why);
    }
  }
}

TEST_CASE("what a policy may not be is told with its field") {
  struct Case {
    const char* field;
    void (*spoil)(CanaryPolicy&);
  };
  const Case cases[] = {
      {"match", [](CanaryPolicy& p) { p.strategy = CanaryStrategy::kMatch; }},
      {"match[0]", [](CanaryPolicy& p) { p.match = {{}}; }},
      {"match[0].cookies[0]",
       [](CanaryPolicy& p) {
         p.match = {{{}, {{"c", MatchKind::kPrefix, "x"}}, {}, "", {}}};
       }},
      {"match[0].headers[0]",
       [](CanaryPolicy& p) {
         p.match = {{{{"h", MatchKind::kExact, ""}}, {}, {}, "", {}}};
       }},
      {"match[0].path_prefix",
       [](CanaryPolicy& p) {
         p.match = {{{}, {}, {}, "x", {}}};
       }},
      {"affinity",
       [](CanaryPolicy& p) {
         p.strategy = CanaryStrategy::kBlueGreen;
         p.affinity.emplace();
       }},
      {"affinity.cookie", [](CanaryPolicy& p) { p.affinity.emplace().cookie = "a b"; }},
      {"affinity.cap", [](CanaryPolicy& p) { p.affinity.emplace().cap = 0; }},
      {"also[0].service",
       [](CanaryPolicy& p) {
         p.also = {{"api", "a", "b"}};
       }},
      {"also[0].candidate_subset",
       [](CanaryPolicy& p) {
         p.also = {{"web", "a", "a"}};
       }},
      {"metrics[0]",
       [](CanaryPolicy& p) {
         p.metrics = {{}};
         p.metrics[0].name = "x";
       }},
      {"metrics[0].max",
       [](CanaryPolicy& p) {
         p.metrics = {at_most("x", 1)};
         p.metrics[0].min = 2;
       }},
      {"metrics[1].name",
       [](CanaryPolicy& p) {
         p.metrics = {at_most("x", 1), at_most("x", 2)};
       }},
      {"pass_score", [](CanaryPolicy& p) { p.pass_score = 101; }},
      {"gates[0].url", [](CanaryPolicy& p) { p.gates = {gate("a", GateAt::kStep, "ftp://x")}; }},
      {"gates[0].deadline",
       [](CanaryPolicy& p) {
         p.gates = {gate("a", GateAt::kStep)};
         p.gates[0].deadline = {};
       }},
      {"return_steps", [](CanaryPolicy& p) { p.return_steps = {100}; }},
      {"return_steps",
       [](CanaryPolicy& p) {
         p.promotion = Promotion::kCopy;
         p.return_steps = {100, 200};
       }},
      {"bake",
       [](CanaryPolicy& p) {
         p.promotion = Promotion::kCopy;
         p.bake = std::chrono::seconds(1);
       }},
      {"initial_delay", [](CanaryPolicy& p) { p.initial_delay = Duration(-1); }},
      {"min_passing", [](CanaryPolicy& p) { p.min_passing = 0; }},
      {"mode",
       [](CanaryPolicy& p) {
         p.evidence.emplace();
         p.mode = CanaryMode::kArgo;
       }},
  };
  for (const Case& one : cases) {
    CanaryPolicy policy = quick_policy();
    one.spoil(policy);
    const absl::Status status = validate(policy);
    CHECK_MESSAGE(std::string(status.message()).find(fmt::format("canary policy: {}: ", one.field)) == 0, one.field,
                  ": ", std::string(status.message()));
  }
}

}  // namespace
}  // namespace convergence
