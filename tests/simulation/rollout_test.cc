#include "fmt/format.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::all_bad;
using test::all_good;
using test::api_policy;
using test::api_start;
using test::counted;
using test::decisions;
using test::ScriptedMetrics;
using test::World;

using Lines = std::vector<std::string>;

// A driver under test with what it reports.
struct Run {
  Run(World& there, MetricsSource& metrics, RolloutOptions options = {}) : world(there), client(there.new_client()) {
    auto then = options.on_change;
    options.on_change = [this, then](const CanaryState& state) {
      seen.push_back(state);
      if (then) then(state);
    };
    driver = std::make_unique<RolloutDriver>(client, metrics, "api", options);
  }

  ConsulClient::Callback<CanaryState> ending() {
    return [this](absl::StatusOr<CanaryState> state) {
      CHECK(!end.has_value());
      end = std::move(state);
    };
  }
  void start(const CanaryPolicy& policy = api_policy()) { driver->start(policy, api_start(), ending()); }
  void resume() { driver->resume(ending()); }
  absl::StatusOr<CanaryState> finish() {
    if (!world.run_until([this] { return end.has_value(); })) return make_error(ErrorKind::kTimeout, "never ended");
    return *end;
  }
  bool until(CanaryPhase phase) {
    return world.run_until([this, phase] { return !seen.empty() && seen.back().phase == phase; });
  }
  absl::StatusOr<CanaryState> command(CanaryVerb verb, std::string reason = "because") {
    return world.wait<CanaryState>([&](auto done) { driver->command({verb, "ann", reason}, done); });
  }

  World& world;
  ConsulClient& client;
  std::vector<CanaryState> seen;
  std::optional<absl::StatusOr<CanaryState>> end;
  std::unique_ptr<RolloutDriver> driver;
};

const Lines kPromoted = {
    "settling started 500",          "settling weight-written 500",  "observing good-evidence 500",
    "observing good-evidence 500",   "settling step-passed 2000",    "settling weight-written 2000",
    "observing good-evidence 2000",  "observing good-evidence 2000", "promoting all-steps-passed 10000",
    "succeeded weight-written 10000"};

TEST_CASE("good all the way: promoted") {
  World world;
  world.add_api();
  const ConfigEntry before = *world.entry(kServiceSplitter, "api");
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->phase == CanaryPhase::kSucceeded);
  CHECK(decisions(*end) == kPromoted);
  CHECK(*end == *world.rollout());
  // Four windows of ten seconds, each after its weight had settled, none overlapping.
  REQUIRE(metrics.asked.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const MeasureRequest& asked = metrics.asked[i];
    CHECK(asked.service == "api");
    CHECK(asked.stable_subset == "v1");
    CHECK(asked.candidate_subset == "v2");
    CHECK(asked.window.epoch == static_cast<std::int64_t>(i) + 1);
    CHECK(asked.window.to - asked.window.from == std::chrono::seconds(10));
    if (i > 0) CHECK(asked.window.from >= metrics.asked[i - 1].window.to);
  }
  // Weights and stamps moved; all else of the splitter stays (I7).
  ConfigEntry after = *world.entry(kServiceSplitter, "api");
  CHECK(after.meta.at("owner") == "ann");
  CHECK(after.meta.at("convergence-rollout").starts_with("r1/"));
  CHECK(after.meta.at("convergence-weight") == "10000");
  auto& splits = std::get<ServiceSplitter>(after.body).splits;
  CHECK(splits[0].weight == 0);
  CHECK(splits[1].weight == 10000);
  splits[0].weight = 10000;
  splits[1].weight = 0;
  after.meta = before.meta;
  CHECK(same_content(after, before));
}

TEST_CASE("bad in the second step: rolled back") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_bad);
  Run run(world, metrics);
  run.start();
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(decisions(*end) == Lines{"settling started 500", "settling weight-written 500", "observing good-evidence 500",
                                 "observing good-evidence 500", "settling step-passed 2000",
                                 "settling weight-written 2000", "observing bad-evidence 2000",
                                 "observing bad-evidence 2000", "rolling-back failure-budget 0",
                                 "failed weight-written 0"});
  CHECK(end->history.back().why ==
        "all traffic is on v1: 2 of at most 2 bad measurements; the last: 80 of 400 failed "
        "(80.00 %), needs 99.00 %");
  CHECK(world.candidate_weight() == 0);
}

TEST_CASE("aborted from another process, in the middle of a window") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  const Time ordered = world.executor.now();
  RolloutDriver other(world.client, metrics, "api", {});
  const absl::StatusOr<CanaryState> accepted = world.wait<CanaryState>([&](auto done) {
    other.command({CanaryVerb::kAbort, "bob", "phone rings"}, done);
  });
  REQUIRE_OK(accepted);
  CHECK(accepted->phase == CanaryPhase::kRollingBack);
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->phase == CanaryPhase::kFailed);
  CHECK(end->history.back().why == "all traffic is on v1: aborted by bob: phone rings");
  CHECK(world.candidate_weight() == 0);
  // The running driver was woken by the write; it did not wait for its own timers.
  CHECK(world.executor.now() == ordered);
}

TEST_CASE("paused, it stays where it is; resumed, it goes on") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  REQUIRE_OK(run.command(CanaryVerb::kPause));
  world.executor.advance(std::chrono::minutes(45));  // longer than a step may take
  CHECK(world.rollout()->phase == CanaryPhase::kObserving);
  CHECK(world.rollout()->paused);
  CHECK(world.candidate_weight() == 500);
  CHECK(metrics.asked.size() > 200);
  REQUIRE_OK(run.command(CanaryVerb::kResume));
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->phase == CanaryPhase::kSucceeded);
}

TEST_CASE("promoted by hand") {
  World world;
  world.add_api();
  ScriptedMetrics metrics([](const MeasureRequest&) { return std::nullopt; });
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  REQUIRE_OK(run.command(CanaryVerb::kPromote, "hot fix"));
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->history.back().why == "all traffic is on v2: promoted by ann: hot fix");
  CHECK(world.candidate_weight() == 10000);
}

TEST_CASE("another hand moves the legs: held, not overwritten, in the end taken back") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  world.move_candidate(3000);
  world.executor.advance(std::chrono::minutes(5));
  // What is measured at a weight that is not ours is no evidence (E14).
  CHECK(world.candidate_weight() == 3000);
  CHECK(metrics.asked.empty());
  CHECK(world.rollout()->history.back().why ==
        "no measurement: the candidate's leg is at 30.00 %, the rollout wrote 5.00 %: somebody else changed it");
  SUBCASE("the other hand puts it back: goes on") {
    world.move_candidate(500);
    const absl::StatusOr<CanaryState> end = run.finish();
    REQUIRE_OK(end);
    CHECK(end->phase == CanaryPhase::kSucceeded);
  }
  SUBCASE("nobody does: rolled back by the deadline") {
    const absl::StatusOr<CanaryState> end = run.finish();
    REQUIRE_OK(end);
    CHECK(end->phase == CanaryPhase::kFailed);
    CHECK(decisions(*end).end()[-2] == "rolling-back no-evidence-deadline 0");
    CHECK(world.candidate_weight() == 0);
  }
}

TEST_CASE("another hand between the measurement and the next weight: the rise waits") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(world.run_until([&] { return !run.seen.empty() && run.seen.back().good == 1; }));
  // The second good measurement has been asked for; before it is in, somebody moves the legs.
  REQUIRE(world.run_until([&] { return metrics.asked.size() == 2 || run.seen.back().step == 1; }));
  world.move_candidate(100);
  REQUIRE(world.run_until([&] { return run.seen.back().history.back().reason == CanaryReason::kConflict; }));
  CHECK(world.candidate_weight() == 100);
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->phase == CanaryPhase::kFailed);
  CHECK(world.candidate_weight() == 0);
}

TEST_CASE("a source that is broken, silent or without data never counts against the candidate, and never promotes") {
  struct Case {
    const char* name;
    ScriptedMetrics::Script script;
    const char* hold;
  };
  Measurement broken;
  broken.kind = EvidenceKind::kBrokenSource;
  broken.problem = "503";
  Measurement none;
  none.kind = EvidenceKind::kNone;
  const Case cases[] = {
      {"broken", [&](const MeasureRequest&) { return broken; }, "observing source-broken 500"},
      {"silent", [](const MeasureRequest&) { return std::nullopt; }, "observing source-broken 500"},
      {"no data", [&](const MeasureRequest&) { return none; }, "observing too-few-requests 500"},
      {"numbers that cannot be", [](const MeasureRequest&) { return counted(10, 11); }, "observing source-broken 500"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      World world;
      world.add_api();
      ScriptedMetrics metrics(c.script);
      Run run(world, metrics);
      run.start();
      const absl::StatusOr<CanaryState> end = run.finish();
      REQUIRE_OK(end);
      CHECK(end->failures == 0);
      const Lines got = decisions(*end);
      CHECK(got.end()[-3] == c.hold);
      CHECK(got.end()[-2] == "rolling-back no-evidence-deadline 0");
      CHECK(world.candidate_weight() == 0);
    }
  }
}

TEST_CASE("answers that come late, twice or for another window change nothing") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(world.run_until([&] { return metrics.asked.size() == 3; }));
  for (auto& callback : metrics.callbacks) callback(counted(400, 400));
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(decisions(*end) == kPromoted);
  metrics.callbacks.front()(counted(400, 400));
  world.executor.run_ready();
  CHECK(*world.rollout() == *end);
}

TEST_CASE("no passing instance: the first weight waits for one") {
  World world;
  world.add_api();
  world.remove_instance("n4", "api");
  world.add_instance("n3", "api", "2.0", CheckStatus::kCritical);
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  world.executor.advance(std::chrono::minutes(5));
  CHECK(world.candidate_weight() == 0);
  CHECK(world.rollout()->history.back().why == "0 of 1 instances of the candidate are passing");
  world.add_instance("n3", "api", "2.0", CheckStatus::kPassing);
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(end->phase == CanaryPhase::kSucceeded);
}

TEST_CASE("the last passing instance is lost: taken back at the window's end") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  world.remove_instance("n3", "api");
  world.remove_instance("n4", "api");
  const absl::StatusOr<CanaryState> end = run.finish();
  REQUIRE_OK(end);
  CHECK(decisions(*end).end()[-2] == "rolling-back candidate-unhealthy 0");
  CHECK(metrics.asked.empty());
}

// Says what it is asked, in its order.
struct Recorded : MetricsSource {
  void check(const MeasureRequest& request, std::function<void(absl::Status)> done) override {
    lines.push_back(fmt::format("check {} {}", request.stable_subset,
                                request.window.to - request.window.from == std::chrono::seconds(10)));
    done(refusal);
  }
  void begin(const MeasureRequest& request) override { tell("begin", request); }
  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override {
    tell("measure", request);
    done(*all_good(request));
  }
  void tell(std::string_view what, const MeasureRequest& request) {
    lines.push_back(fmt::format("{} {} at {}", what, request.window.epoch,
                                executor->now() == (what == "begin" ? request.window.from : request.window.to)));
  }
  const SimulatedExecutor* executor = nullptr;
  absl::Status refusal{};
  Lines lines;
};

TEST_CASE("a source is checked before the start, and told of the beginning and the end of each window") {
  World world;
  world.add_api();
  Recorded metrics;
  metrics.executor = &world.executor;
  Run run(world, metrics);
  SUBCASE("it is well") {
    run.start();
    REQUIRE_OK(run.finish());
    CHECK(metrics.lines == Lines{"check v1 true", "begin 1 at true", "measure 1 at true", "begin 2 at true",
                                 "measure 2 at true", "begin 3 at true", "measure 3 at true", "begin 4 at true",
                                 "measure 4 at true"});
  }
  SUBCASE("it refuses: no state is written") {
    metrics.refusal = make_error(ErrorKind::kNotFound, "metrics: nobody counts v1");
    run.start();
    CHECK_ERROR(run.finish(), ErrorKind::kNotFound, "metrics: nobody counts v1");
    CHECK(metrics.lines == Lines{"check v1 true"});
    CHECK(!world.rollout().has_value());
    CHECK(world.candidate_weight() == 0);
  }
}

TEST_CASE("a start is refused by name") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  SUBCASE("no splitter") {
    const absl::StatusOr<bool> gone = world.wait<bool>(
        [&](auto done) { world.client.config_delete("service-splitter", "api", std::nullopt, {}, done); });
    REQUIRE_OK(gone);
    run.start();
    CHECK_ERROR(run.finish(), ErrorKind::kNotFound,
                "service-splitter/api: is not there; write it with weight 100 to subset v1 and 0 to subset v2");
  }
  SUBCASE("no leg for the candidate") {
    CanaryPolicy policy = api_policy();
    policy.candidate_subset = "v3";
    run.start(policy);
    CHECK_ERROR(run.finish(), ErrorKind::kValidate, "no leg goes to subset v3");
  }
  SUBCASE("a policy that cannot be") {
    CanaryPolicy policy = api_policy();
    policy.steps.clear();
    run.start(policy);
    CHECK_ERROR(run.finish(), ErrorKind::kValidate, "steps: is empty");
  }
  SUBCASE("the policy of another service") {
    CanaryPolicy policy = api_policy();
    policy.service = "web";
    run.start(policy);
    CHECK_ERROR(run.finish(), ErrorKind::kValidate, "service: is web, the driver's is api");
  }
  SUBCASE("nothing to resume") {
    run.resume();
    CHECK_ERROR(run.finish(), ErrorKind::kNotFound, "rollout of api: there is none; start one");
  }
  SUBCASE("nothing to command") {
    CHECK_ERROR(run.command(CanaryVerb::kAbort), ErrorKind::kNotFound, "rollout of api: there is none");
    return;
  }
  CHECK(!world.rollout().has_value());
  CHECK(run.seen.empty());
}

TEST_CASE("one rollout of a service at a time") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run first(world, metrics);
  first.start();
  REQUIRE(first.until(CanaryPhase::kObserving));
  Run second(world, metrics);
  second.driver->start(api_policy(), {"r2", "3.0", "bob"}, second.ending());
  CHECK_ERROR(second.finish(), ErrorKind::kUsage, "rollout of api: r1 is observing; wait for its end or abort it");
  // The same driver cannot run twice either.
  absl::StatusOr<CanaryState> again = world.wait<CanaryState>([&](auto done) { first.driver->resume(done); });
  CHECK_ERROR(again, ErrorKind::kUsage, "this driver is running already");
  REQUIRE_OK(first.finish());
  // Once it has ended there may be another, by the same driver too; the same id ends at once.
  first.end.reset();
  first.start();
  const absl::StatusOr<CanaryState> same = first.finish();
  REQUIRE_OK(same);
  CHECK(decisions(*same) == kPromoted);
}

TEST_CASE("a state that cannot be read stops the driver and is not overwritten") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  SUBCASE("before it begins") {
    world.put_kv("convergence/rollouts/api", "{\"schema\":99}");
    SUBCASE("resume") { run.resume(); }
    SUBCASE("start") { run.start(); }
    CHECK_ERROR(run.finish(), ErrorKind::kDecode, "convergence/rollouts/api");
    CHECK(world.consul.state().kv.at("convergence/rollouts/api").value == "{\"schema\":99}");
  }
  SUBCASE("while it runs") {
    run.start();
    REQUIRE(run.until(CanaryPhase::kObserving));
    world.put_kv("convergence/rollouts/api", "garbage");
    CHECK_ERROR(run.finish(), ErrorKind::kDecode, "convergence/rollouts/api");
    CHECK(world.consul.state().kv.at("convergence/rollouts/api").value == "garbage");
    CHECK(world.candidate_weight() == 500);
  }
  SUBCASE("deleted while it runs") {
    run.start();
    REQUIRE(run.until(CanaryPhase::kObserving));
    const absl::StatusOr<bool> gone = world.wait<bool>(
        [&](auto done) { world.client.kv_delete("convergence/rollouts/api", std::nullopt, {}, done); });
    REQUIRE_OK(gone);
    CHECK_ERROR(run.finish(), ErrorKind::kNotFound, "its state was deleted while it ran");
  }
}

TEST_CASE("two drivers at once do no harm") {
  World world;
  world.add_api();
  std::vector<std::int32_t> weights;
  ScriptedMetrics metrics(all_good);
  Run first(world, metrics);
  Run second(world, metrics);
  first.start();
  REQUIRE(world.run_until([&] { return !first.seen.empty(); }));
  second.resume();
  REQUIRE(world.run_until([&] {
    for (const auto& [id, entry] : world.consul.state().entries.map()) {
      if (id.kind != kServiceSplitter) continue;
      const std::int32_t weight = std::get<ServiceSplitter>(entry->body).splits[1].weight;
      if (weights.empty() || weights.back() != weight) weights.push_back(weight);
    }
    return first.end.has_value() && second.end.has_value();
  }));
  REQUIRE_OK(*first.end);
  REQUIRE_OK(*second.end);
  CHECK(**first.end == **second.end);
  CHECK(decisions(**first.end) == kPromoted);
  CHECK(weights == std::vector<std::int32_t>{0, 500, 2000, 10000});
}

TEST_CASE("a driver that is gone says so, and says nothing more") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  Run run(world, metrics);
  run.start();
  REQUIRE(run.until(CanaryPhase::kObserving));
  run.driver.reset();
  const std::size_t seen = run.seen.size();
  CHECK_ERROR(run.finish(), ErrorKind::kCancelled, "rollout of api: the driver is gone");
  world.executor.advance(std::chrono::hours(2));
  CHECK(run.seen.size() == seen);
  CHECK(world.rollout()->phase == CanaryPhase::kObserving);
}

// ---- by evidence --------------------------------------------------------------------------------------------------

CanaryPolicy evidence_policy() {
  CanaryPolicy policy = api_policy();
  policy.evidence.emplace();
  policy.evidence->analysis.phi = 1;
  policy.evidence->ramp.min_time = std::chrono::seconds(120);
  return policy;
}

// Ten thousand requests a window at the weight that stands, of which so many in a thousand fail at the candidate.
struct Traffic {
  explicit Traffic(std::int64_t candidate_per_mille) : per_mille(candidate_per_mille) {}
  RolloutOptions watching() {
    RolloutOptions options;
    options.on_change = [this](const CanaryState& state) { weight = state.weight; };
    return options;
  }

  std::int64_t per_mille;
  std::int32_t weight = 0;
  ScriptedMetrics metrics{[this](const MeasureRequest&) -> std::optional<Measurement> {
    Measurement out;
    out.candidate = {weight, weight * per_mille / 1000};
    out.stable = {10000 - weight, (10000 - weight) / 1000};
    return out;
  }};
};

TEST_CASE("by evidence: one that is no worse is promoted, one that fails a tenth of its requests is taken back") {
  for (const auto& [per_mille, phase, said] :
       {std::tuple{std::int64_t{1}, CanaryPhase::kSucceeded, "all traffic is on v2: PROMOTE after "},
        {std::int64_t{100}, CanaryPhase::kFailed, "all traffic is on v1: ROLLBACK after "}}) {
    World world;
    world.add_api();
    Traffic traffic(per_mille);
    Run run(world, traffic.metrics, traffic.watching());
    run.start(evidence_policy());
    const absl::StatusOr<CanaryState> end = run.finish();
    REQUIRE_OK(end);
    CHECK(end->phase == phase);
    CHECK(end->history.back().why.find(said) == 0);
    CHECK(*end == *world.rollout());
  }
}

TEST_CASE("by evidence: who takes over goes on with the evidence that there was") {
  World world;
  world.add_api();
  Traffic traffic(1);
  Run whole(world, traffic.metrics, traffic.watching());
  whole.start(evidence_policy());
  const absl::StatusOr<CanaryState> uninterrupted = whole.finish();
  REQUIRE_OK(uninterrupted);

  World other;
  other.add_api();
  Traffic others(1);
  Run first(other, others.metrics, others.watching());
  first.start(evidence_policy());
  REQUIRE(other.run_until([&] {
    return !first.seen.empty() && first.seen.back().analysis.has_value() && first.seen.back().analysis->intervals == 5;
  }));
  first.driver.reset();
  Run second(other, others.metrics, others.watching());
  second.resume();
  const absl::StatusOr<CanaryState> end = second.finish();
  REQUIRE_OK(end);
  CHECK(decisions(*end) == decisions(*uninterrupted));
  CHECK(end->analysis == uninterrupted->analysis);
}

}  // namespace
}  // namespace convergence
