#include "convergence/rollout_replay.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::all_good;
using test::api_policy;
using test::api_start;
using test::ScriptedMetrics;
using test::World;

// One driver, and what it has said.
struct Trip {
  explicit Trip(ScriptedMetrics::Script script) : metrics(std::move(script)) {
    world.add_api();
    options.on_change = [this](const CanaryState& state) { last = state; };
  }

  void start(const CanaryPolicy& policy) {
    driver = std::make_unique<RolloutDriver>(world.new_client(), metrics, "api", options);
    driver->start(policy, api_start(), [this](absl::StatusOr<CanaryState> state) { end = std::move(state); });
  }
  bool until(CanaryPhase phase) {
    return world.run_until([&] { return last.phase == phase || end.has_value(); }) && last.phase == phase;
  }
  absl::StatusOr<CanaryState> finish() {
    if (!world.run_until([&] { return end.has_value(); })) return make_error(ErrorKind::kTimeout, "never ended");
    return *end;
  }
  absl::StatusOr<CanaryState> command(CanaryVerb verb) {
    return world.wait<CanaryState>([&](auto done) { driver->command({verb, "ann", "because"}, done); });
  }

  World world;
  ScriptedMetrics metrics;
  RolloutOptions options;
  CanaryState last{};
  std::optional<absl::StatusOr<CanaryState>> end;
  std::unique_ptr<RolloutDriver> driver;
};

RequestMatch beta() {
  RequestMatch match;
  match.headers = {{"x-beta", MatchKind::kExact, "1"}};
  return match;
}

TEST_CASE("A/B: a router is made for it, stands in front while it runs, and is gone after it") {
  Trip trip(all_good);
  CanaryPolicy policy = api_policy();
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {beta()};
  trip.start(policy);
  REQUIRE(trip.until(CanaryPhase::kObserving));
  const std::optional<ConfigEntry> router = trip.world.entry(kServiceRouter, "api");
  REQUIRE(router.has_value());
  CHECK(std::get<ServiceRouter>(router->body).routes.size() == 1);
  CHECK(trip.world.candidate_weight() == 0);
  REQUIRE_OK(trip.finish());
  CHECK(trip.end->value().phase == CanaryPhase::kSucceeded);
  CHECK(!trip.world.entry(kServiceRouter, "api").has_value());
  CHECK(trip.world.candidate_weight() == 10000);
}

TEST_CASE("a gate that only a person opens: approved from another process") {
  Trip trip(all_good);
  CanaryPolicy policy = api_policy();
  policy.gates.resize(1);
  policy.gates[0].name = "change board";
  policy.gates[0].at = GateAt::kStart;
  trip.start(policy);
  REQUIRE(trip.until(CanaryPhase::kWaiting));
  CHECK(trip.world.candidate_weight() == 0);
  REQUIRE_OK(trip.command(CanaryVerb::kApprove));
  REQUIRE_OK(trip.finish());
  CHECK(trip.end->value().phase == CanaryPhase::kSucceeded);
}

TEST_CASE("a host that cannot copy says so before anything is written") {
  Trip trip(all_good);
  CanaryPolicy policy = api_policy();
  policy.promotion = Promotion::kCopy;
  trip.start(policy);
  CHECK_ERROR(trip.finish(), ErrorKind::kUsage, "this host cannot put a version into v1; use swap");
  CHECK(!trip.world.rollout().has_value());
}

TEST_CASE("E14: what somebody else does to the weights, by policy") {
  CanaryPolicy policy = api_policy();
  SUBCASE("held until it is over") {
    Trip trip(all_good);
    trip.start(policy);
    REQUIRE(trip.until(CanaryPhase::kObserving));
    trip.world.move_candidate(700);
    REQUIRE_OK(trip.finish());
    CHECK(trip.end->value().phase == CanaryPhase::kFailed);
    CHECK(trip.world.candidate_weight() == 0);
  }
  SUBCASE("given up to him") {
    policy.on_foreign_edit = ForeignEdit::kYield;
    Trip trip(all_good);
    trip.start(policy);
    REQUIRE(trip.until(CanaryPhase::kObserving));
    trip.world.move_candidate(700);
    REQUIRE_OK(trip.finish());
    CHECK(trip.end->value().history.back().reason == CanaryReason::kYielded);
    CHECK(trip.world.candidate_weight() == 700);
  }
  SUBCASE("written over") {
    policy.on_foreign_edit = ForeignEdit::kReassert;
    Trip trip(all_good);
    trip.start(policy);
    REQUIRE(trip.until(CanaryPhase::kObserving));
    trip.world.move_candidate(700);
    REQUIRE(trip.world.run_until([&] { return trip.world.candidate_weight() == 500; }));
    REQUIRE_OK(trip.finish());
    CHECK(trip.end->value().phase == CanaryPhase::kSucceeded);
    CHECK(trip.world.candidate_weight() == 10000);
  }
}

TEST_CASE("a newer revision is queued while one moves, and begins after it with its own policy") {
  Trip trip(all_good);
  CanaryPolicy policy = api_policy();
  policy.on_new_revision = NewRevision::kQueue;
  trip.start(policy);
  REQUIRE(trip.until(CanaryPhase::kObserving));
  // v1 and v2 have changed roles by then.
  CanaryPolicy back = policy;
  std::swap(back.stable_subset, back.candidate_subset);
  RolloutDriver other(trip.world.new_client(), trip.metrics, "api", {});
  std::optional<absl::StatusOr<CanaryState>> other_end;
  other.start(back, {"r2", "1.1", "bob"}, [&](absl::StatusOr<CanaryState> state) { other_end = std::move(state); });
  REQUIRE(trip.world.run_until([&] { return other_end.has_value() && trip.end.has_value(); }));
  REQUIRE_OK(*other_end);
  CHECK((*other_end)->rollout == "r2");
  CHECK((*other_end)->phase == CanaryPhase::kSucceeded);
  REQUIRE((*other_end)->past.size() == 1);
  CHECK((*other_end)->past[0].rollout == "r1");
  CHECK((*other_end)->past[0].phase == CanaryPhase::kSucceeded);
  CHECK(trip.world.candidate_weight() == 0);
}

TEST_CASE("I5: instances of another version than the rollout's are not given traffic") {
  Trip trip(all_good);
  CanaryPolicy policy = api_policy();
  policy.version_meta = "version";
  RolloutDriver driver(trip.world.new_client(), trip.metrics, "api", trip.options);
  std::optional<absl::StatusOr<CanaryState>> end;
  driver.start(policy, {"r1", "2.1", "ann"}, [&](absl::StatusOr<CanaryState> state) { end = std::move(state); });
  REQUIRE(trip.world.run_until([&] { return end.has_value(); }));
  REQUIRE_OK(*end);
  CHECK((*end)->phase == CanaryPhase::kFailed);
  CHECK((*end)->history.back().why ==
        "all traffic is on v1: the candidate's instances run 2.0 now, 2.1 is what this rollout is of");
  CHECK(trip.world.candidate_weight() == 0);
}

TEST_CASE("I11, C5: a start is refused while an instance is of both subsets") {
  Trip trip(all_good);
  trip.world.put_entry(
      R"({"Kind":"service-resolver","Name":"api","DefaultSubset":"v1","Subsets":{)"
      R"("v1":{"Filter":"Service.Meta.version != \"3.0\""},"v2":{"Filter":"Service.Meta.version == \"2.0\""}}})");
  trip.start(api_policy());
  CHECK_ERROR(trip.finish(), ErrorKind::kValidate,
              "service-resolver/api: the filters of v1 and v2 both select the instance on n3");
  CHECK(!trip.world.rollout().has_value());
}

// ---- replay ---------------------------------------------------------------------------------------------------

TEST_CASE("I10: the journal gives the same states again, over a command of another process too") {
  Trip trip(all_good);
  std::vector<std::string> records;
  trip.options.on_record = [&](const std::string& record) { records.push_back(record); };
  trip.start(api_policy());
  REQUIRE(trip.until(CanaryPhase::kObserving));
  REQUIRE_OK(trip.command(CanaryVerb::kPause));
  REQUIRE_OK(trip.command(CanaryVerb::kResume));
  REQUIRE_OK(trip.finish());
  RolloutReplay replay("journal");
  for (const std::string& record : records) REQUIRE_OK(replay.take(record));
  CHECK(replay.state() == trip.end->value());
  SUBCASE("one that was changed is told from what was") {
    std::string& record = records[records.size() / 2];
    const std::size_t at = record.find("\"state\":\"");
    REQUIRE(at != std::string::npos);
    record[at + 9] = record[at + 9] == '0' ? '1' : '0';
    RolloutReplay forged("journal");
    absl::Status status;
    for (const std::string& one : records) status.Update(forged.take(one));
    CHECK_ERROR(status, ErrorKind::kConflict, "journal: record ");
  }
  SUBCASE("what is no record") {
    CHECK_ERROR(RolloutReplay("j").take("{}"), ErrorKind::kDecode, "j: record 1: is neither");
  }
}

TEST_CASE("what if: the same evidence under another policy") {
  Trip trip([](const MeasureRequest& request) { return test::counted(400, request.window.epoch == 2 ? 8 : 1); });
  std::vector<std::string> records;
  trip.options.on_record = [&](const std::string& record) { records.push_back(record); };
  trip.start(api_policy());
  REQUIRE_OK(trip.finish());
  CHECK(trip.end->value().phase == CanaryPhase::kSucceeded);
  RolloutReplay replay("journal");
  for (const std::string& record : records) REQUIRE_OK(replay.take(record));
  const absl::StatusOr<CanaryState> same = what_if(api_policy(), replay.events());
  REQUIRE_OK(same);
  CHECK(test::decisions(*same) == test::decisions(trip.end->value()));
  CanaryPolicy stricter = api_policy();
  stricter.max_failures = 1;
  const absl::StatusOr<CanaryState> other = what_if(stricter, replay.events());
  REQUIRE_OK(other);
  CHECK(other->history.back().why ==
        "all traffic is on v1: 1 of at most 1 bad measurements; the last: 8 of 400 failed (98.00 %), needs 99.00 %");
  // More windows than there is evidence: it stands where the evidence ends.
  CanaryPolicy longer = api_policy();
  longer.intervals_per_step = 9;
  const absl::StatusOr<CanaryState> unended = what_if(longer, replay.events());
  REQUIRE_OK(unended);
  CHECK(unended->phase == CanaryPhase::kObserving);
  CHECK_ERROR(what_if(stricter, {}), ErrorKind::kValidate, "has no start");
}

}  // namespace
}  // namespace convergence
