#include <functional>
#include <limits>

#include "convergence/canary.h"
#include "convergence/codec.h"
#include "doctest/doctest.h"
#include "fmt/format.h"

// A rollout that goes by evidence: the same machine, another judge.

namespace convergence {
namespace {

using Count = std::function<Measurement(std::int32_t weight, Duration since_start)>;

CanaryPolicy by_evidence() {
  CanaryPolicy policy;
  policy.service = "api";
  policy.stable_subset = "v1";
  policy.candidate_subset = "v2";
  policy.steps = {500, 1000, 2000, 3500, 5000};
  policy.evidence.emplace();
  policy.evidence->analysis.phi = 1;
  return policy;
}

Measurement counted(double requests, std::int32_t weight, double stable_rate, double candidate_rate) {
  const auto arm = [&](double share, double rate) {
    const auto n = static_cast<std::int64_t>(requests * share);
    return RequestCount{n, static_cast<std::int64_t>(static_cast<double>(n) * rate + 0.5)};
  };
  Measurement measured;
  measured.stable = arm(1 - weight / 10000.0, stable_rate);
  measured.candidate = arm(weight / 10000.0, candidate_rate);
  return measured;
}

// A host without a network: carries effects out at once, and answers each window with what `count` says.
class Host {
 public:
  Host(const CanaryPolicy& policy, Count count) : policy_(policy), count_(std::move(count)) {
    send({now_, StartRollout{"r1", "2.0", "ann"}});
  }

  void run(Duration most = std::chrono::hours(1)) {
    const Time end = now_ + most;
    while (!is_terminal(state.phase) && now_ < end) turn();
  }
  void turn() {
    const Effect effect = next();
    if (const auto* write = std::get_if<WriteWeights>(&effect.body)) {
      weights.push_back(write->candidate);
      send({now_, EffectDone{effect.id}});
    } else if (const auto* window = std::get_if<Measure>(&effect.body)) {
      now_ = std::max(now_, window->to);
      Measurement measured = count_(state.weight, now_ - start_);
      measured.epoch = window->epoch;
      send({now_, measured});
    } else {
      now_ = std::max(now_, std::get<WakeAt>(effect.body).at);
      send({now_, Tick{}});
    }
  }
  void command(CanaryVerb verb) { send({now_, Command{verb, "ann", "asked"}}); }

  CanaryState state{};
  std::vector<std::int32_t> weights{};

 private:
  void send(CanaryEvent event) {
    absl::StatusOr<CanaryStep> step = canary_step(policy_, state, event);
    REQUIRE_MESSAGE(step.ok(), std::string(step.status().message()));
    // What a driver does between two events: the state goes to KV and comes back.
    absl::StatusOr<CanaryState> restored = from_json<CanaryState>(to_json(step->state), "state");
    REQUIRE_MESSAGE(restored.ok(), std::string(restored.status().message()));
    REQUIRE(*restored == step->state);
    state = *std::move(restored);
  }
  // A write first, then a window; the wake-up when there is neither.
  Effect next() const {
    for (const Effect& effect : state.outbox) {
      if (std::holds_alternative<WriteWeights>(effect.body)) return effect;
    }
    for (const Effect& effect : state.outbox) {
      if (std::holds_alternative<Measure>(effect.body)) return effect;
    }
    return state.outbox.front();
  }

  const CanaryPolicy policy_;
  const Count count_;
  const Time start_ = Time(std::chrono::hours(1000));
  Time now_ = start_;
};

std::string last_why(const CanaryState& state) { return state.history.back().why; }

TEST_CASE("a healthy canary climbs the ladder and is promoted, not before its minimum time") {
  Host host(by_evidence(), [](std::int32_t weight, Duration) { return counted(10000, weight, 0.001, 0.001); });
  host.run();
  CHECK(host.state.phase == CanaryPhase::kSucceeded);
  CHECK(host.weights == std::vector<std::int32_t>{500, 1000, 2000, 3500, 5000, 10000});
  CHECK(host.state.last_event_at - host.state.started_at >= std::chrono::seconds(300));
  CHECK(last_why(host.state).find("all traffic is on v2: PROMOTE after 5m") == 0);
}

TEST_CASE("a canary that fails ten percent more is taken back within three windows") {
  Host host(by_evidence(), [](std::int32_t weight, Duration) { return counted(10000, weight, 0.001, 0.101); });
  host.run();
  CHECK(host.state.phase == CanaryPhase::kFailed);
  CHECK(host.weights == std::vector<std::int32_t>{500, 0});
  CHECK(host.state.last_event_at - host.state.started_at <= std::chrono::seconds(40));
  CHECK(last_why(host.state).find("all traffic is on v1: ROLLBACK after ") == 0);
}

TEST_CASE("E6, W-A9: an incident of both arms is nothing against the canary") {
  Host host(by_evidence(), [](std::int32_t weight, Duration since) {
    const double rate = since > std::chrono::minutes(2) && since < std::chrono::minutes(8) ? 0.05 : 0.001;
    return counted(10000, weight, rate, rate);
  });
  host.run();
  CHECK(host.state.phase == CanaryPhase::kSucceeded);
}

TEST_CASE("a fault that comes late is found at the top") {
  Host host(by_evidence(), [](std::int32_t weight, Duration since) {
    return counted(10000, weight, 0.001, since > std::chrono::seconds(200) ? 0.02 : 0.001);
  });
  host.run();
  CHECK(host.state.phase == CanaryPhase::kFailed);
  CHECK(host.weights == std::vector<std::int32_t>{500, 1000, 2000, 3500, 5000, 0});
}

TEST_CASE("counts that cannot be are no evidence: said, and nothing else happens") {
  CanaryPolicy policy = by_evidence();
  policy.evidence->analysis.bounds = {100, 500};
  Host host(policy, [](std::int32_t weight, Duration) {
    Measurement measured = counted(10000, weight, 0.001, 0.001);
    measured.stable_buckets = {9000, 9400};
    measured.candidate_buckets = {400, 300};
    return measured;
  });
  for (int i = 0; i < 8; ++i) host.turn();
  CHECK(host.state.phase == CanaryPhase::kObserving);
  CHECK(host.state.analysis->intervals == 0);
  CHECK(host.state.analysis->refused > 2);
  CHECK(last_why(host.state) == "no measurement: canary: bucket 1 is 300 after 400; buckets never fall");
  CHECK(host.state.history.back().reason == CanaryReason::kSourceBroken);
}

TEST_CASE("latency alone takes a canary back") {
  CanaryPolicy policy = by_evidence();
  policy.evidence->analysis.bounds = {100, 500};
  Host host(policy, [](std::int32_t weight, Duration) {
    Measurement measured = counted(10000, weight, 0.001, 0.001);
    const auto within = [](const RequestCount& count, double first, double second) {
      const auto n = static_cast<double>(count.requests);
      return std::vector<double>{n * first, n * second};
    };
    measured.stable_buckets = within(measured.stable, 0.6, 0.95);
    measured.candidate_buckets = within(measured.candidate, 0.6, 0.7);
    return measured;
  });
  host.run();
  CHECK(host.state.phase == CanaryPhase::kFailed);
  CHECK(last_why(host.state).find("latency: 30.0% of canary requests over 500 ms") != std::string::npos);
}

TEST_CASE("what happens when the time is over is the policy's affair, and is called inconclusive") {
  struct Case {
    OnDeadline action;
    CanaryPhase phase;
    bool paused;
  };
  for (const Case& row : {Case{OnDeadline::kPromote, CanaryPhase::kSucceeded, false},
                          Case{OnDeadline::kRollback, CanaryPhase::kFailed, false},
                          Case{OnDeadline::kPause, CanaryPhase::kObserving, true}}) {
    CAPTURE(to_string(row.action));
    CanaryPolicy policy = by_evidence();
    policy.evidence->ramp.on_deadline = row.action;
    policy.evidence->analysis.margin = 0.0001;
    Host host(policy, [](std::int32_t weight, Duration) { return counted(40, weight, 0, 0); });
    host.run(std::chrono::minutes(31));
    CHECK(host.state.phase == row.phase);
    CHECK(host.state.paused == row.paused);
    bool told = false;
    for (const CanaryRecord& record : host.state.history) told = told || record.why.find("INCONCLUSIVE after 30m") == 0;
    CHECK(told);
  }
}

TEST_CASE("a paused rollout is measured and taken back, but not raised") {
  bool bad = false;
  Host host(by_evidence(),
            [&bad](std::int32_t weight, Duration) { return counted(10000, weight, 0.001, bad ? 0.1 : 0.001); });
  host.command(CanaryVerb::kPause);
  host.command(CanaryVerb::kResume);
  host.turn();
  host.command(CanaryVerb::kPause);
  for (int i = 0; i < 12; ++i) host.turn();
  CHECK(host.state.weight == 500);
  bad = true;
  host.run(std::chrono::minutes(2));
  CHECK(host.state.phase == CanaryPhase::kFailed);
}

TEST_CASE("a policy by evidence that cannot be is refused with its field") {
  CanaryPolicy policy = by_evidence();
  policy.evidence->analysis.alpha = 0;
  CHECK(validate(policy).message() == "analysis: alpha: is 0; a probability between 0 and 1 is wanted, as 0.01");
  policy = by_evidence();
  policy.evidence->ramp.max_time = std::chrono::seconds(100);
  CHECK(validate(policy).message() == "ramp: max_time: is not after min_time");
}

}  // namespace
}  // namespace convergence
