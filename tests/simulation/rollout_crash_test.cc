#include <algorithm>
#include <random>

#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::all_bad;
using test::all_good;
using test::api_policy;
using test::api_start;
using test::decisions;
using test::ScriptedMetrics;
using test::World;

// A rollout carried by one driver after the other: each is dropped, without any goodbye, at the point that `dies`
// names.
struct Relay {
  using Dies = std::function<bool(std::size_t point, std::string_view name)>;

  Relay(ScriptedMetrics::Script script, Dies dies, CanaryPolicy given = api_policy())
      : metrics(std::move(script)), policy(std::move(given)), dies_(std::move(dies)) {
    world.add_api();
    for (const RolloutService& service : policy.also) world.add_service(service.service);
    options.ask_gate = [](const AskGate&, auto answer) { answer(true, ""); };
    options.copy_to_stable = [](const CopyToStable&, auto copied) { copied(absl::OkStatus()); };
    options.probe = [this](std::string_view name) { probe(name); };
  }

  void probe(std::string_view name) {
    const std::size_t point = points.size();
    points.emplace_back(name);
    if (dies_ && dies_(point, name)) {
      ++deaths;
      driver.reset();
    }
  }

  // Drivers until one of them sees the end.
  absl::StatusOr<CanaryState> run() {
    for (int drivers = 0; drivers < 1000; ++drivers) {
      std::optional<absl::StatusOr<CanaryState>> end;
      const auto done = [&](absl::StatusOr<CanaryState> state) { end = std::move(state); };
      ConsulClient& client = world.new_client();
      driver = std::make_unique<RolloutDriver>(client, metrics, "api", options);
      // What a host does when it comes up: go on with what there is, else begin.
      if (world.rollout()) {
        driver->resume(done);
      } else {
        driver->start(policy, api_start(), done);
      }
      if (!world.run_until([&] { return note_weight(), end.has_value(); })) {
        return make_error(ErrorKind::kTimeout, "never ended");
      }
      if (end->ok() || error_kind(end->status()) != ErrorKind::kCancelled) return *end;
    }
    return make_error(ErrorKind::kTimeout, "too many drivers");
  }

  // Every weight that ever stood in the splitter, seen after each task.
  void note_weight() {
    for (const auto& [id, entry] : world.consul.state().entries.map()) {
      if (id.kind != kServiceSplitter || id.name != "api") continue;
      const std::int32_t weight = std::get<ServiceSplitter>(entry->body).splits[1].weight;
      if (weights.empty() || weights.back() != weight) weights.push_back(weight);
    }
  }

  World world;
  ScriptedMetrics metrics;
  CanaryPolicy policy;
  RolloutOptions options;
  std::unique_ptr<RolloutDriver> driver;
  std::vector<std::string> points;
  std::vector<std::int32_t> weights;
  int deaths = 0;

 private:
  Dies dies_;
};

struct Story {
  const char* name;
  ScriptedMetrics::Script script;
  CanaryPhase end;
  std::vector<std::int32_t> weights;
  CanaryPolicy policy = api_policy();
};

CanaryPolicy with(void (*change)(CanaryPolicy&)) {
  CanaryPolicy policy = api_policy();
  change(policy);
  return policy;
}

void by_match(CanaryPolicy& policy) {
  policy.strategy = CanaryStrategy::kMatch;
  policy.match = {{{{"x-beta", MatchKind::kExact, "1"}}, {}, {}, "", {}}};
}
void blue_green(CanaryPolicy& policy) { policy.strategy = CanaryStrategy::kBlueGreen; }
void copied(CanaryPolicy& policy) {
  policy.promotion = Promotion::kCopy;
  policy.return_steps = {1000};
}
void baked(CanaryPolicy& policy) { policy.bake = std::chrono::seconds(25); }
void gated(CanaryPolicy& policy) {
  policy.gates.resize(2);
  policy.gates[0].name = "tests";
  policy.gates[0].at = GateAt::kStart;
  policy.gates[0].url = "http://tests/";
  policy.gates[1].name = "ann";
  policy.gates[1].url = "http://ann/";
}
void two_services(CanaryPolicy& policy) { policy.also = {{"web", "v1", "v2"}}; }
// Bad from the third window on, whatever the weight.
ScriptedMetrics::Script bad_third() {
  return [](const MeasureRequest& request) { return test::counted(400, request.window.epoch <= 1 ? 1 : 80); };
}
// Both services are counted.
std::optional<Measurement> both_good(const MeasureRequest&) {
  Measurement out = test::counted(400, 1);
  out.also = {{"web", {4000, 0}, {400, 1}}};
  return out;
}

const Story kStories[] = {
    {"promotion", all_good, CanaryPhase::kSucceeded, {0, 500, 2000, 10000}},
    {"rollback", all_bad, CanaryPhase::kFailed, {0, 500, 2000, 0}},
};

// Every strategy and every way to end, each killed at every point.
const Story kStrategies[] = {
    {"match, promoted", all_good, CanaryPhase::kSucceeded, {0, 10000}, with(by_match)},
    {"match, taken back", bad_third(), CanaryPhase::kFailed, {0}, with(by_match)},
    {"blue-green", all_good, CanaryPhase::kSucceeded, {0, 10000}, with(blue_green)},
    {"copy", all_good, CanaryPhase::kSucceeded, {0, 500, 2000, 1000, 0}, with(copied)},
    {"bake", all_good, CanaryPhase::kSucceeded, {0, 500, 2000, 10000}, with(baked)},
    {"gates", all_good, CanaryPhase::kSucceeded, {0, 500, 2000, 10000}, with(gated)},
    {"two services", both_good, CanaryPhase::kSucceeded, {0, 500, 2000, 10000}, with(two_services)},
};

TEST_CASE("killed at any point, the next driver ends as if nothing had happened") {
  for (const Story& story : kStories) {
    SUBCASE(story.name) {
      Relay whole(story.script, nullptr);
      const absl::StatusOr<CanaryState> want = whole.run();
      REQUIRE_OK(want);
      REQUIRE(want->phase == story.end);
      REQUIRE(whole.weights == story.weights);
      // Before and after: the start, three weights, four windows, and the state after each of them and after settling.
      REQUIRE(whole.points.size() >= 2 * (1 + 3 + 4 + 9));
      for (const char* point : {"before:state", "after:state", "before:r1/1", "after:r1/1"}) {
        REQUIRE(std::find(whole.points.begin(), whole.points.end(), point) != whole.points.end());
      }
      for (std::size_t kill = 0; kill < whole.points.size(); ++kill) {
        INFO("killed at point ", kill, ", ", whole.points[kill]);
        Relay broken(story.script, [&](std::size_t point, std::string_view) { return point == kill; });
        const absl::StatusOr<CanaryState> got = broken.run();
        REQUIRE_OK(got);
        CHECK(broken.deaths == 1);
        CHECK(got->phase == want->phase);
        CHECK(decisions(*got) == decisions(*want));
        CHECK(broken.weights == whole.weights);
        CHECK(*broken.world.rollout() == *got);
        const ConfigEntry left = *broken.world.entry(kServiceSplitter, "api");
        const ConfigEntry there = *whole.world.entry(kServiceSplitter, "api");
        CHECK(std::get<ServiceSplitter>(left.body) == std::get<ServiceSplitter>(there.body));
        CHECK(left.meta.at("convergence-weight") == there.meta.at("convergence-weight"));
      }
    }
  }
}

TEST_CASE("every strategy, killed at any point, ends as if nothing had happened") {
  for (const Story& story : kStrategies) {
    SUBCASE(story.name) {
      Relay whole(story.script, nullptr, story.policy);
      const absl::StatusOr<CanaryState> want = whole.run();
      REQUIRE_OK(want);
      REQUIRE(want->phase == story.end);
      REQUIRE(whole.weights == story.weights);
      for (std::size_t kill = 0; kill < whole.points.size(); ++kill) {
        INFO("killed at point ", kill, ", ", whole.points[kill]);
        Relay broken(
            story.script, [&](std::size_t point, std::string_view) { return point == kill; }, story.policy);
        const absl::StatusOr<CanaryState> got = broken.run();
        REQUIRE_OK(got);
        CHECK(broken.deaths == 1);
        CHECK(decisions(*got) == decisions(*want));
        CHECK(broken.weights == whole.weights);
        for (const char* service : {"api", "web"}) {
          for (std::string_view kind : {kServiceSplitter, kServiceRouter}) {
            const std::optional<ConfigEntry> left = broken.world.entry(kind, service);
            const std::optional<ConfigEntry> there = whole.world.entry(kind, service);
            REQUIRE(left.has_value() == there.has_value());
            if (left) CHECK(left->body == there->body);
          }
        }
      }
    }
  }
}

// By chance and not in a rhythm: who dies between each measurement and the writing of it never gets on.
TEST_CASE("killed again and again, at about every third point") {
  for (const Story& story : kStories) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      SUBCASE((std::string(story.name) + std::to_string(seed)).c_str()) {
        INFO("seed ", seed);
        Relay whole(story.script, nullptr);
        const absl::StatusOr<CanaryState> want = whole.run();
        REQUIRE_OK(want);
        std::mt19937_64 random(seed);
        Relay broken(story.script, [&](std::size_t, std::string_view) { return random() % 3 == 0; });
        const absl::StatusOr<CanaryState> got = broken.run();
        REQUIRE_OK(got);
        CHECK(broken.deaths > 3);
        CHECK(decisions(*got) == decisions(*want));
        CHECK(broken.weights == whole.weights);
      }
    }
  }
}

// A driver that stops between its decision and its write, and wakes up when another has carried the rollout further,
// must not undo that: its write is from an older state.
TEST_CASE("a driver that slept through the rollback cannot raise the weight again") {
  World world;
  world.add_api();
  ScriptedMetrics metrics(all_good);
  // Its put of the second weight is held back until told.
  bool asleep = false;
  ConsulClient& slow = world.new_client([&](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (request.method == "PUT" && request.target.starts_with("/v1/config") &&
        request.body.find("\"convergence-weight\":\"2000\"") != std::string::npos) {
      asleep = true;
      fault.kind = Fault::Kind::kStall;
    }
    return fault;
  });
  std::optional<absl::StatusOr<CanaryState>> first_end;
  RolloutDriver first(slow, metrics, "api", {});
  first.start(api_policy(), api_start(), [&](absl::StatusOr<CanaryState> state) { first_end = std::move(state); });
  REQUIRE(world.run_until([&] { return asleep; }));
  RolloutDriver second(world.new_client(), metrics, "api", {});
  std::optional<absl::StatusOr<CanaryState>> second_end;
  second.resume([&](absl::StatusOr<CanaryState> state) { second_end = std::move(state); });
  absl::StatusOr<CanaryState> aborted = world.wait<CanaryState>([&](auto done) {
    second.command({CanaryVerb::kAbort, "ann", "stop"}, done);
  });
  REQUIRE_OK(aborted);
  REQUIRE(world.run_until([&] { return second_end.has_value() && first_end.has_value(); }));
  REQUIRE_OK(*second_end);
  REQUIRE_OK(*first_end);
  CHECK((*first_end)->phase == CanaryPhase::kFailed);
  world.executor.advance(std::chrono::hours(1));
  CHECK(world.candidate_weight() == 0);
}

}  // namespace
}  // namespace convergence
