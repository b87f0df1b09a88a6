#include "tests/unit/canary/describe.h"

#include "fmt/format.h"

namespace convergence::test {
namespace {

std::string when(Time at) {
  if (at == kNever) return "never";
  if (at == Time{}) return "zero";
  const std::int64_t ns = (at - t(0)).count();
  return ns % 1000000000 == 0 ? fmt::format("{}", ns / 1000000000) : fmt::format("{}ns", ns);
}

std::string body(const Effect& effect) {
  if (const auto* write = std::get_if<WriteWeights>(&effect.body)) {
    return fmt::format("write {}/{}{}{}", write->stable, write->candidate, write->routed ? " routed" : "",
                       write->gives_cookie ? " cookie" : "");
  }
  if (const auto* ask = std::get_if<AskGate>(&effect.body)) {
    return fmt::format("ask {} at {} until {}", ask->gate, ask->url, when(ask->until));
  }
  if (const auto* copy = std::get_if<CopyToStable>(&effect.body)) return fmt::format("copy {}", copy->revision);
  if (const auto* measure = std::get_if<Measure>(&effect.body)) {
    return fmt::format("measure {} {}..{}", measure->epoch, when(measure->from), when(measure->to));
  }
  return fmt::format("wake {}", when(std::get<WakeAt>(effect.body).at));
}

std::string line(const CanaryRecord& record) {
  return fmt::format("{} {} {} {} s={}/{} c={}/{} {}\n", when(record.at), to_string(record.phase),
                     to_string(record.reason), record.weight, record.stable_errors, record.stable_requests,
                     record.candidate_errors, record.candidate_requests, record.why);
}

}  // namespace

std::string describe(const std::vector<Effect>& effects) {
  std::string out;
  for (const Effect& effect : effects) out += fmt::format("{} {}\n", effect.id, body(effect));
  return out;
}

std::string describe(const CanaryState& state) {
  std::string out = fmt::format("{} {} {} paused={} step={} weight={} epoch={} good={} failures={}\n", state.rollout,
                                state.revision, to_string(state.phase), state.paused, state.step, state.weight,
                                state.epoch, state.good, state.failures);
  out += fmt::format("started={} step_started={} evidence={} deadline={} last={} next={}\n", when(state.started_at),
                     when(state.step_started_at), when(state.evidence_at), when(state.deadline),
                     when(state.last_event_at), state.next_effect);
  if (state.gate)
    out += fmt::format("gate={} held={} until={}\n", state.gate->gate, state.held, when(state.gate->until));
  out += describe(state.outbox);
  for (const CanaryRecord& record : state.history) out += line(record);
  return out;
}

CanaryPolicy small_policy() {
  CanaryPolicy policy;
  policy.service = "api";
  policy.stable_subset = "v1";
  policy.candidate_subset = "v2";
  policy.steps = {500, 2000};
  return policy;
}

}  // namespace convergence::test
