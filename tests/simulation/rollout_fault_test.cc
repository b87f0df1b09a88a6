#include <set>

#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::all_good;
using test::api_policy;
using test::api_start;
using test::ScriptedMetrics;
using test::World;

// One rollout in which one request goes wrong, or a span of them.
struct Troubled {
  World world;
  ScriptedMetrics metrics;
  std::uint64_t requests = 0;
  std::vector<std::int32_t> weights;

  explicit Troubled(ScriptedMetrics::Script script) : metrics(std::move(script)) { world.add_api(); }

  void note_weight() {
    for (const auto& [id, entry] : world.consul.state().entries.map()) {
      if (id.kind != kServiceSplitter) continue;
      const std::int32_t weight = std::get<ServiceSplitter>(entry->body).splits[1].weight;
      if (weights.empty() || weights.back() != weight) weights.push_back(weight);
    }
  }

  absl::StatusOr<CanaryState> run(const std::function<Fault(std::uint64_t, const HttpRequest&)>& decide) {
    ConsulClient& client = world.new_client([this, decide](std::uint64_t number, const HttpRequest& request) {
      requests = number + 1;
      return decide(number, request);
    });
    RolloutDriver driver(client, metrics, "api", {});
    absl::StatusOr<CanaryState> end = make_error(ErrorKind::kTimeout, "not begun");
    // A host whose start failed tries it again, under the same id.
    for (int tries = 0; tries < 5 && !end.ok(); ++tries) {
      std::optional<absl::StatusOr<CanaryState>> result;
      driver.start(api_policy(), api_start(), [&](absl::StatusOr<CanaryState> state) { result = std::move(state); });
      if (!world.run_until([&] { return note_weight(), result.has_value(); })) {
        return make_error(ErrorKind::kTimeout, "never ended");
      }
      end = *std::move(result);
    }
    return end;
  }
};

// Without what a fault may add: a window measured again, a write tried again.
std::vector<std::int32_t> weights_decided(const CanaryState& state) {
  std::vector<std::int32_t> out;
  for (const CanaryRecord& record : state.history) {
    if (out.empty() || out.back() != record.weight) out.push_back(record.weight);
  }
  return out;
}

// By the number of answers, not by window: a fault may make a window be measured again.
ScriptedMetrics::Script bad_from_the_third() {
  return [asked = 0](const MeasureRequest&) mutable { return test::counted(400, ++asked <= 2 ? 1 : 80); };
}

struct Story {
  const char* name;
  ScriptedMetrics::Script script;  // copied for each run
  CanaryPhase end;
  std::vector<std::int32_t> weights;
};

const Story kStories[] = {
    {"promotion", all_good, CanaryPhase::kSucceeded, {0, 500, 2000, 10000}},
    {"rollback", bad_from_the_third(), CanaryPhase::kFailed, {0, 500, 2000, 0}},
};

TEST_CASE("any one request may go wrong in any way") {
  using Kind = Fault::Kind;
  struct Way {
    const char* name;
    Kind kind;
  };
  const Way ways[] = {{"fails before", Kind::kFailBefore},
                      {"fails after", Kind::kFailAfter},
                      {"500", Kind::kStatus},
                      {"cut body", Kind::kCutBody},
                      {"garbage", Kind::kGarbage},
                      {"stalls", Kind::kStall},
                      {"late", Kind::kDelay}};
  for (const Story& story : kStories) {
    for (const Way& way : ways) {
      // Requests are the same up to the second step: there the first story has shown what all ways do.
      if (story.end == CanaryPhase::kFailed && way.kind != Kind::kFailBefore && way.kind != Kind::kFailAfter) continue;
      SUBCASE((std::string(story.name) + ", " + way.name).c_str()) {
        Troubled whole(story.script);
        const absl::StatusOr<CanaryState> want = whole.run([](std::uint64_t, const HttpRequest&) { return Fault{}; });
        REQUIRE_OK(want);
        REQUIRE(whole.requests > 50);
        for (std::uint64_t bad = 0; bad < whole.requests; ++bad) {
          std::string target;
          Troubled run(story.script);
          const absl::StatusOr<CanaryState> got = run.run([&](std::uint64_t number, const HttpRequest& request) {
            Fault fault;
            if (number != bad) return fault;
            target = request.method + " " + request.target;
            fault.kind = way.kind;
            fault.body = "<html>";
            fault.delay = std::chrono::seconds(20);
            return fault;
          });
          INFO("request ", bad, ": ", target);
          REQUIRE_OK(got);
          CHECK(got->phase == story.end);
          CHECK(weights_decided(*got) == weights_decided(*want));
          CHECK(run.weights == story.weights);
          CHECK(got->failures == want->failures);
        }
      }
    }
  }
}

TEST_CASE("Consul is gone for a minute: the rollout waits and goes on") {
  for (const Story& story : kStories) {
    SUBCASE(story.name) {
      Troubled run(story.script);
      const Time begin = run.world.executor.now();
      const absl::StatusOr<CanaryState> got = run.run([&](std::uint64_t, const HttpRequest&) {
        const Duration since = run.world.executor.now() - begin;
        Fault fault;
        if (since >= std::chrono::seconds(20) && since < std::chrono::seconds(80))
          fault.kind = Fault::Kind::kFailBefore;
        return fault;
      });
      REQUIRE_OK(got);
      CHECK(got->phase == story.end);
      CHECK(run.weights == story.weights);
    }
  }
}

TEST_CASE("Consul is gone for good: a typed error after a bounded time, nothing written") {
  Troubled run(all_good);
  const Time begin = run.world.executor.now();
  const absl::StatusOr<CanaryState> got = run.run([&](std::uint64_t, const HttpRequest&) {
    Fault fault;
    if (run.world.executor.now() - begin >= std::chrono::seconds(20)) fault.kind = Fault::Kind::kFailBefore;
    return fault;
  });
  CHECK_ERROR(got, ErrorKind::kUnreachable, "");
  CHECK(run.world.executor.now() - begin < std::chrono::hours(1));
  CHECK(run.world.candidate_weight() == 500);
}

TEST_CASE("a refused token is no reason to try for ever") {
  Troubled run(all_good);
  const absl::StatusOr<CanaryState> got = run.run([&](std::uint64_t, const HttpRequest& request) {
    Fault fault;
    if (request.target.starts_with("/v1/txn")) {
      fault.kind = Fault::Kind::kStatus;
      fault.status = 403;
      fault.body = "Permission denied";
    }
    return fault;
  });
  CHECK_ERROR(got, ErrorKind::kDenied, "Permission denied");
  CHECK(run.weights == std::vector<std::int32_t>{0});
}

}  // namespace
}  // namespace convergence
