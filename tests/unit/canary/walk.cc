#include "tests/unit/canary/walk.h"

#include <algorithm>

#include "fmt/format.h"
#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence::test {

namespace {

constexpr int kMostEvents = 20000;

template <typename Body>
std::optional<Effect> pending_effect(const CanaryState& state) {
  for (const Effect& effect : state.outbox) {
    if (std::holds_alternative<Body>(effect.body)) return effect;
  }
  return std::nullopt;
}

bool is_evidence(CanaryReason reason) {
  return reason == CanaryReason::kGoodEvidence || reason == CanaryReason::kBadEvidence ||
         reason == CanaryReason::kTooFewRequests || reason == CanaryReason::kSourceBroken ||
         reason == CanaryReason::kWeightWritten;
}

}  // namespace

Measurement Walk::good() {
  Measurement out;
  out.stable = {900, 1};
  out.candidate = {100, 0};
  return out;
}

Measurement Walk::bad() {
  Measurement out;
  out.stable = {900, 1};
  out.candidate = {100, 50};
  return out;
}

double Walk::now() const { return std::chrono::duration<double>(at_ - t(0)).count(); }

void Walk::send(decltype(CanaryEvent::body) body) {
  const CanaryEvent event{std::max(at_, t(0)), std::move(body)};
  journal.push_back(event);
  const absl::StatusOr<CanaryStep> step = canary_step(policy_, state_, event);
  REQUIRE_OK(step);
  state_ = step->state;
}

void Walk::start(const std::string& rollout, const std::string& revision) {
  at_ = std::max(at_, t(0));
  send(StartRollout{rollout, revision, "ann"});
}

void Walk::carry_out() {
  for (int i = 0; i < 20; ++i) {
    if (const auto write = pending_effect<WriteWeights>(state_)) {
      traffic = std::get<WriteWeights>(write->body);
      send(EffectDone{write->id, WriteOutcome::kDone, ""});
    } else if (const auto copy = pending_effect<CopyToStable>(state_)) {
      send(EffectDone{copy->id, WriteOutcome::kDone, ""});
    } else if (const auto ask = pending_effect<AskGate>(state_)) {
      const bool open = answer(std::get<AskGate>(ask->body).gate);
      send(GateAnswer{ask->id, open, open ? "" : "not yet"});
    } else {
      return;
    }
  }
}

void Walk::run(const std::function<bool(const CanaryState&)>& done) {
  for (int i = 0; i < kMostEvents; ++i) {
    carry_out();
    if (done(state_) || is_terminal(state_.phase)) return;
    const auto window = pending_effect<Measure>(state_);
    if (window && std::get<Measure>(window->body).to <= state_.deadline) {
      const std::optional<Measurement> answer_ = measure(state_);
      if (answer_) {
        at_ = std::get<Measure>(window->body).to;
        Measurement measured = *answer_;
        measured.epoch = std::get<Measure>(window->body).epoch;
        send(measured);
        continue;
      }
    }
    at_ = state_.deadline;
    send(Tick{});
  }
  FAIL("no end after so many events:\n", describe(state_));
}

void Walk::run_to(double seconds) {
  run([&](const CanaryState& state) {
    const auto window = pending_effect<Measure>(state);
    const Time next = window ? std::min(state.deadline, std::get<Measure>(window->body).to) : state.deadline;
    return next > t(seconds);
  });
  at_ = t(seconds);
}

std::vector<std::string> Walk::told(bool evidence) const {
  std::vector<std::string> lines;
  for (const CanaryRecord& record : state_.history) {
    if (!evidence && is_evidence(record.reason) && !is_terminal(record.phase)) continue;
    lines.push_back(fmt::format("{} {} {} {}", std::chrono::duration<double>(record.at - t(0)).count(),
                                to_string(record.phase), to_string(record.reason), record.weight / 100.0));
  }
  return lines;
}

}  // namespace convergence::test
