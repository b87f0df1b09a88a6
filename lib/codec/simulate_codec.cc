#include <cmath>
#include <string>

#include "convergence/codec.h"
#include "convergence/simulate.h"
#include "lib/codec/evidence_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

// A scenario's times are seconds, because people write them: 90, or 0.5.
absl::Status decode_seconds(const Json& json, const Place& place, Duration& out) {
  double seconds = 0;
  CVG_RETURN_IF_ERROR(decode(json, place, seconds));
  constexpr double kMost = 1e9;
  if (!(seconds >= -kMost && seconds <= kMost)) return place.error(json, "is no number of seconds");
  out = Duration(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
  return absl::OkStatus();
}

Json encode_seconds(Duration duration) { return Json(std::chrono::duration<double>(duration).count()); }

struct Latency {
  double& median_ms;
  double& sigma;
};
absl::Status decode_latency(const Json& json, const Place& place, Latency& out) {
  return ObjectReader(json, place).optional("median_ms", out.median_ms).optional("sigma", out.sigma).finish();
}

}  // namespace

// ---- scenarios -------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, CanaryFault& out) {
  return ObjectReader(json, place)
      .optional("error_times", out.error_times)
      .optional("error_add", out.error_add)
      .optional("latency_times", out.latency_times)
      .optional("tail_share", out.tail_share)
      .optional("tail_ms", out.tail_ms)
      .optional("start_s", out.start, decode_seconds)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Incident& out) {
  return ObjectReader(json, place)
      .required("start_s", out.start, decode_seconds)
      .required("length_s", out.length, decode_seconds)
      .optional("error_rate", out.error_rate)
      .optional("latency_times", out.latency_times)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Drift& out) {
  return ObjectReader(json, place).required("peak", out.peak).optional("period_s", out.period, decode_seconds).finish();
}

// A share of intervals, or an object.
absl::Status decode(const Json& json, const Place& place, Stall& out) {
  if (!json.as_object()) return decode(json, place, out.share);
  return ObjectReader(json, place).optional("share", out.share).optional("slow", out.slow).finish();
}

absl::Status decode(const Json& json, const Place& place, Scenario& out) {
  Latency latency{out.median_ms, out.sigma};
  return ObjectReader(json, place)
      .optional("rps", out.rps)
      .optional("error_rate", out.error_rate)
      .optional("latency", latency, decode_latency)
      .optional("slow_ms", out.slow_ms)
      .optional("canary", out.canary)
      .optional("incident", out.incident)
      .optional("drift", out.drift)
      .optional("retries", out.retries)
      .optional("counts_attempts", out.counts_attempts)
      .optional("burst", out.burst)
      .optional("stall", out.stall)
      .optional("extrapolation", out.extrapolation)
      .optional("scrape_offset_s", out.scrape_offset, decode_seconds)
      .optional("before_s", out.before, decode_seconds)
      .optional("horizon_s", out.horizon, decode_seconds)
      .optional("primary_instances", out.primary_instances)
      .optional("canary_instances", out.canary_instances)
      .optional("bounds", out.bounds)
      .finish();
}

namespace {

// ---- policies -----------------------------------------------------------------------------------------------------

// "threshold" is what Flagger's rule is called where it is not Flagger's.
absl::Status decode_rule(const Json& json, const Place& place, SimulatedRule& out) {
  const std::string* name = json.as_string();
  if (!name || *name != "threshold") return decode_name(json, place, out);
  out = SimulatedRule::kFlagger;
  return absl::OkStatus();
}

absl::Status decode_evidence(ObjectReader& in, EvidencePolicy& out) {
  return read_evidence(in, out)
      .optional("interval", out.analysis.interval)
      .optional("ladder", out.ramp.ladder, decode_weights)
      .optional("free", out.ramp.free)
      .finish();
}

absl::Status decode_threshold(const Json& json, const Place& place, ObjectReader& in, ThresholdRule& out) {
  std::int32_t step = 0;
  std::int32_t most = 5000;
  in.optional("interval", out.interval)
      .optional("steps", out.steps, decode_weights)
      .optional("step_weight", step, decode_percent)
      .optional("max_weight", most, decode_percent)
      .optional("checks_per_step", out.checks_per_step)
      .optional("threshold", out.threshold)
      .optional("min_success_rate", out.min_success_rate)
      .optional("max_latency_ms", out.max_latency_ms);
  CVG_RETURN_IF_ERROR(in.finish());
  if (step == 0) return absl::OkStatus();
  if (json.find("steps")) return place.member("step_weight").error(json, "and \"steps\" exclude each other");
  out.steps.clear();
  for (std::int32_t weight = step; weight <= most && out.steps.size() < 1000; weight += step)
    out.steps.push_back(weight);
  return absl::OkStatus();
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, SimulatedPolicy& out) {
  SimulatedRule rule = SimulatedRule::kEvidence;
  ObjectReader in(json, place);
  in.optional("mode", rule, decode_rule);
  CVG_RETURN_IF_ERROR(in.finish_ignoring());
  out = simulated_policy(rule);
  return rule == SimulatedRule::kEvidence ? decode_evidence(in, out.evidence)
                                          : decode_threshold(json, place, in, out.threshold);
}

namespace {

// ---- results ------------------------------------------------------------------------------------------------------

Json encode_spread(const std::optional<Spread>& spread) {
  if (!spread) return Json(Json::Object{{"p10", Json()}, {"p50", Json()}, {"p90", Json()}});
  return ObjectWriter().put("p10", spread->p10).put("p50", spread->p50).put("p90", spread->p90).take();
}

Json encode_run(const SimulatedRun& run) {
  Json::Array weights;
  for (const auto& [at, weight] : run.weights) {
    weights.push_back(ObjectWriter().put("at_s", encode_seconds(at)).put("weight", encode_percent(weight)).take());
  }
  return ObjectWriter()
      .put("outcome", to_string(run.outcome))
      .put("promoted", run.promoted)
      .put("took_s", encode_seconds(run.took))
      .put("harmed_requests", run.harmed)
      .put("weights", std::move(weights))
      .put("why", run.why)
      .take();
}

}  // namespace
}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<Scenario> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<Scenario>(json, document);
}
template <>
absl::StatusOr<SimulatedPolicy> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<SimulatedPolicy>(json, document);
}

Json to_json(const Simulation& simulation) {
  return codec::ObjectWriter()
      .put("runs", simulation.runs)
      .put("promoted", simulation.promoted)
      .put("rolled_back", simulation.rolled_back)
      .put("inconclusive", simulation.inconclusive)
      .put("time_to_rollback_s", codec::encode_spread(simulation.seconds_to_rollback))
      .put("time_to_promotion_s", codec::encode_spread(simulation.seconds_to_promotion))
      .put("harmed_requests",
           codec::ObjectWriter().put("mean", simulation.harmed_mean).put("p90", simulation.harmed_p90).take())
      .put("first", codec::encode_run(simulation.first))
      .take();
}

}  // namespace convergence
