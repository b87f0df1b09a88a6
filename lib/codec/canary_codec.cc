#include "lib/codec/canary_codec.h"

#include <string>
#include <string_view>
#include <variant>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/codec/analysis_codec.h"
#include "lib/codec/evidence_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

// A union is an object whose "type" names the alternative; the rest of its members are the alternative's.
absl::Status unknown_type(const Json& json, const Place& place, std::string_view type, std::string_view names) {
  return place.member("type").error(*json.find("type"),
                                    "\"" + std::string(type) + "\" is none of " + std::string(names));
}

}  // namespace

// ---- effects ---------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, Effect& out) {
  std::string type;
  ObjectReader in(json, place);
  in.required("id", out.id).required("type", type);
  CVG_RETURN_IF_ERROR(in.finish_ignoring());
  if (type == "write-weights") {
    WriteWeights& body = out.body.emplace<WriteWeights>();
    return in.required("stable", body.stable, decode_percent)
        .required("candidate", body.candidate, decode_percent)
        .optional("routed", body.routed)
        .optional("gives_cookie", body.gives_cookie)
        .finish();
  }
  if (type == "ask-gate") {
    AskGate& body = out.body.emplace<AskGate>();
    return in.required("gate", body.gate).required("url", body.url).required("until", body.until).finish();
  }
  if (type == "copy-to-stable") {
    return in.required("revision", out.body.emplace<CopyToStable>().revision).finish();
  }
  if (type == "measure") {
    Measure& body = out.body.emplace<Measure>();
    return in.required("epoch", body.epoch).required("from", body.from).required("to", body.to).finish();
  }
  if (type == "wake-at") return in.required("at", out.body.emplace<WakeAt>().at).finish();
  return unknown_type(json, place, type, "write-weights, measure, wake-at, ask-gate, copy-to-stable");
}

Json encode(const Effect& effect) {
  ObjectWriter out;
  out.put("id", effect.id);
  if (const WriteWeights* write = std::get_if<WriteWeights>(&effect.body)) {
    out.put("type", "write-weights")
        .put("stable", encode_percent(write->stable))
        .put("candidate", encode_percent(write->candidate))
        .put_if("routed", write->routed)
        .put_if("gives_cookie", write->gives_cookie);
  } else if (const AskGate* ask = std::get_if<AskGate>(&effect.body)) {
    out.put("type", "ask-gate").put("gate", ask->gate).put("url", ask->url).put("until", encode(ask->until));
  } else if (const CopyToStable* copy = std::get_if<CopyToStable>(&effect.body)) {
    out.put("type", "copy-to-stable").put("revision", copy->revision);
  } else if (const Measure* measure = std::get_if<Measure>(&effect.body)) {
    out.put("type", "measure")
        .put("epoch", measure->epoch)
        .put("from", encode(measure->from))
        .put("to", encode(measure->to));
  } else {
    out.put("type", "wake-at").put("at", encode(std::get<WakeAt>(effect.body).at));
  }
  return out.take();
}

// ---- state -----------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, CanaryRecord& out) {
  return ObjectReader(json, place)
      .required("at", out.at)
      .required("phase", out.phase, decode_name<CanaryPhase>)
      .required("reason", out.reason, decode_name<CanaryReason>)
      .optional("weight", out.weight, decode_percent)
      .optional("stable_requests", out.stable_requests)
      .optional("stable_errors", out.stable_errors)
      .optional("candidate_requests", out.candidate_requests)
      .optional("candidate_errors", out.candidate_errors)
      .optional("why", out.why)
      .finish();
}

Json encode(const CanaryRecord& record) {
  return ObjectWriter()
      .put("at", encode(record.at))
      .put("phase", to_string(record.phase))
      .put("reason", to_string(record.reason))
      .put("weight", encode_percent(record.weight))
      .put("stable_requests", record.stable_requests)
      .put("stable_errors", record.stable_errors)
      .put("candidate_requests", record.candidate_requests)
      .put("candidate_errors", record.candidate_errors)
      .put("why", record.why)
      .take();
}

absl::Status decode(const Json& json, const Place& place, GateWait& out) {
  return ObjectReader(json, place)
      .required("gate", out.gate)
      .required("since", out.since)
      .required("until", out.until)
      .finish();
}

Json encode(const GateWait& wait) {
  return ObjectWriter().put("gate", wait.gate).put("since", encode(wait.since)).put("until", encode(wait.until)).take();
}

absl::Status decode(const Json& json, const Place& place, QueuedRollout& out) {
  return ObjectReader(json, place)
      .required("rollout", out.rollout)
      .optional("revision", out.revision)
      .optional("actor", out.actor)
      .required("policy", out.policy)
      .finish();
}

Json encode(const QueuedRollout& queued) {
  return ObjectWriter()
      .put("rollout", queued.rollout)
      .put("revision", queued.revision)
      .put("actor", queued.actor)
      .put("policy", encode(queued.policy))
      .take();
}

absl::Status decode(const Json& json, const Place& place, PastRollout& out) {
  return ObjectReader(json, place)
      .required("rollout", out.rollout)
      .optional("revision", out.revision)
      .required("phase", out.phase, decode_name<CanaryPhase>)
      .optional("started_at", out.started_at)
      .optional("ended_at", out.ended_at)
      .optional("why", out.why)
      .finish();
}

Json encode(const PastRollout& past) {
  return ObjectWriter()
      .put("rollout", past.rollout)
      .put("revision", past.revision)
      .put("phase", to_string(past.phase))
      .put("started_at", encode(past.started_at))
      .put("ended_at", encode(past.ended_at))
      .put("why", past.why)
      .take();
}

absl::Status decode(const Json& json, const Place& place, WindowRates& out) {
  return ObjectReader(json, place).required("stable", out.stable).required("candidate", out.candidate).finish();
}

Json encode(const WindowRates& window) {
  return ObjectWriter().put("stable", window.stable).put("candidate", window.candidate).take();
}

absl::Status decode(const Json& json, const Place& place, CanaryState& out) {
  // {} is the state before the first rollout, which is what a caller has who has none yet.
  const bool fresh = json.is_object() && json.as_object()->empty();
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/fresh)
      .optional("rollout", out.rollout)
      .optional("revision", out.revision)
      .optional("policy", out.policy)
      .optional("phase", out.phase, decode_name<CanaryPhase>)
      .optional("paused", out.paused)
      .optional("step", out.step)
      .optional("weight", out.weight, decode_percent)
      .optional("epoch", out.epoch)
      .optional("good", out.good)
      .optional("failures", out.failures)
      .optional("broken", out.broken)
      .optional("routed", out.routed)
      .optional("gives_cookie", out.gives_cookie)
      .optional("lost_stable", out.lost_stable)
      .optional("held", out.held)
      .optional("gate", out.gate)
      .optional("opened", out.opened)
      .optional("windows", out.windows)
      .optional("analysis", out.analysis)
      .optional("started_at", out.started_at)
      .optional("step_started_at", out.step_started_at)
      .optional("evidence_at", out.evidence_at)
      .optional("deadline", out.deadline)
      .optional("last_event_at", out.last_event_at)
      .optional("next_effect", out.next_effect)
      .optional("outbox", out.outbox)
      .optional("history", out.history)
      .optional("queued", out.queued)
      .optional("past", out.past)
      .finish(out.unknown);
}

Json encode(const CanaryState& state) {
  ObjectWriter out;
  out.put("schema", CVG_SCHEMA_CURRENT)
      .put("rollout", state.rollout)
      .put("revision", state.revision)
      .put("policy", encode(state.policy))
      .put("phase", to_string(state.phase))
      .put("paused", state.paused)
      .put("step", state.step)
      .put("weight", encode_percent(state.weight))
      .put("epoch", state.epoch)
      .put("good", state.good)
      .put("failures", state.failures)
      .put_if("broken", std::int64_t{state.broken})
      .put_if("routed", state.routed)
      .put_if("gives_cookie", state.gives_cookie)
      .put_if("lost_stable", state.lost_stable)
      .put_if("held", state.held)
      .put_if("opened", state.opened);
  if (state.gate) out.put("gate", encode(*state.gate));
  if (!state.windows.empty()) out.put("windows", encode_list(state.windows, encode));
  if (state.analysis) out.put("analysis", encode(*state.analysis));
  out.put("started_at", encode(state.started_at))
      .put("step_started_at", encode(state.step_started_at))
      .put("evidence_at", encode(state.evidence_at))
      .put("deadline", state.deadline == kNever ? Json() : encode(state.deadline))
      .put("last_event_at", encode(state.last_event_at))
      .put("next_effect", state.next_effect)
      .put("outbox", encode_list(state.outbox, encode))
      .put("history", encode_list(state.history, encode));
  if (state.queued) out.put("queued", encode(*state.queued));
  if (!state.past.empty()) out.put("past", encode_list(state.past, encode));
  return out.rest(state.unknown).take();
}

// ---- events ----------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, RequestCount& out) {
  return ObjectReader(json, place).required("requests", out.requests).required("errors", out.errors).finish();
}

Json encode(const RequestCount& count) {
  return ObjectWriter().put("requests", count.requests).put("errors", count.errors).take();
}

absl::Status decode(const Json& json, const Place& place, MetricValue& out) {
  return ObjectReader(json, place)
      .required("name", out.name)
      .optional("evidence", out.kind, decode_name<EvidenceKind>)
      .optional("value", out.value)
      .optional("problem", out.problem)
      .finish();
}

Json encode(const MetricValue& metric) {
  return ObjectWriter()
      .put("name", metric.name)
      .put("evidence", to_string(metric.kind))
      .put("value", metric.value)
      .put_if("problem", metric.problem)
      .take();
}

absl::Status decode(const Json& json, const Place& place, ServiceCount& out) {
  return ObjectReader(json, place)
      .required("service", out.service)
      .optional("stable", out.stable)
      .optional("candidate", out.candidate)
      .finish();
}

Json encode(const ServiceCount& count) {
  return ObjectWriter()
      .put("service", count.service)
      .put("stable", encode(count.stable))
      .put("candidate", encode(count.candidate))
      .take();
}

namespace {

ObjectReader& read_members(ObjectReader& in, Tick&) { return in; }
ObjectReader& read_members(ObjectReader& in, StartRollout& out) {
  return in.required("rollout", out.rollout).optional("revision", out.revision).optional("actor", out.actor);
}
ObjectReader& read_members(ObjectReader& in, Measurement& out) {
  return in.required("epoch", out.epoch)
      .optional("evidence", out.kind, decode_name<EvidenceKind>)
      .optional("stable", out.stable)
      .optional("candidate", out.candidate)
      .optional("stable_buckets", out.stable_buckets, decode_counts)
      .optional("candidate_buckets", out.candidate_buckets, decode_counts)
      .optional("stable_instances", out.stable_instances)
      .optional("metrics", out.metrics)
      .optional("also", out.also)
      .optional("problem", out.problem);
}
ObjectReader& read_members(ObjectReader& in, EffectDone& out) {
  return in.required("effect", out.effect)
      .optional("outcome", out.outcome, decode_name<WriteOutcome>)
      .optional("problem", out.problem);
}
ObjectReader& read_members(ObjectReader& in, GateAnswer& out) {
  return in.required("effect", out.effect).required("open", out.open).optional("problem", out.problem);
}
ObjectReader& read_members(ObjectReader& in, CandidateHealth& out) {
  return in.required("passing", out.passing)
      .required("total", out.total)
      .optional("stable_passing", out.stable_passing)
      .optional("revision", out.revision);
}
ObjectReader& read_members(ObjectReader& in, Command& out) {
  return in.required("verb", out.verb, decode_name<CanaryVerb>)
      .optional("actor", out.actor)
      .optional("reason", out.reason);
}

void write_members(ObjectWriter& out, const Tick&) { out.put("type", "tick"); }
void write_members(ObjectWriter& out, const StartRollout& body) {
  out.put("type", "start").put("rollout", body.rollout).put("revision", body.revision).put("actor", body.actor);
}
void write_members(ObjectWriter& out, const Measurement& body) {
  out.put("type", "measurement")
      .put("epoch", body.epoch)
      .put("evidence", to_string(body.kind))
      .put("stable", encode(body.stable))
      .put("candidate", encode(body.candidate));
  if (!body.stable_buckets.empty()) out.put("stable_buckets", encode_numbers(body.stable_buckets));
  if (!body.candidate_buckets.empty()) out.put("candidate_buckets", encode_numbers(body.candidate_buckets));
  if (!body.stable_instances.empty()) out.put("stable_instances", encode_list(body.stable_instances, encode));
  if (!body.metrics.empty()) out.put("metrics", encode_list(body.metrics, encode));
  if (!body.also.empty()) out.put("also", encode_list(body.also, encode));
  out.put("problem", body.problem);
}
void write_members(ObjectWriter& out, const GateAnswer& body) {
  out.put("type", "gate-answer").put("effect", body.effect).put("open", body.open).put("problem", body.problem);
}
void write_members(ObjectWriter& out, const EffectDone& body) {
  out.put("type", "effect-done")
      .put("effect", body.effect)
      .put("outcome", to_string(body.outcome))
      .put("problem", body.problem);
}
void write_members(ObjectWriter& out, const CandidateHealth& body) {
  out.put("type", "candidate-health").put("passing", body.passing).put("total", body.total);
  if (body.stable_passing) out.put("stable_passing", *body.stable_passing);
  out.put_if("revision", body.revision);
}
void write_members(ObjectWriter& out, const Command& body) {
  out.put("type", "command").put("verb", to_string(body.verb)).put("actor", body.actor).put("reason", body.reason);
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, CanaryEvent& out) {
  std::string type;
  ObjectReader in(json, place);
  in.schema(/*may_be_absent=*/true).required("at", out.at).required("type", type);
  CVG_RETURN_IF_ERROR(in.finish_ignoring());
  if (type == "tick") return read_members(in, out.body.emplace<Tick>()).finish();
  if (type == "start") return read_members(in, out.body.emplace<StartRollout>()).finish();
  if (type == "measurement") return read_members(in, out.body.emplace<Measurement>()).finish();
  if (type == "effect-done") return read_members(in, out.body.emplace<EffectDone>()).finish();
  if (type == "gate-answer") return read_members(in, out.body.emplace<GateAnswer>()).finish();
  if (type == "candidate-health") return read_members(in, out.body.emplace<CandidateHealth>()).finish();
  if (type == "command") return read_members(in, out.body.emplace<Command>()).finish();
  return unknown_type(json, place, type,
                      "tick, start, measurement, effect-done, gate-answer, candidate-health, command");
}

Json encode(const CanaryEvent& event) {
  ObjectWriter out;
  out.put("schema", CVG_SCHEMA_CURRENT).put("at", encode(event.at));
  std::visit([&out](const auto& body) { write_members(out, body); }, event.body);
  return out.take();
}

absl::Status decode(const Json& json, const Place& place, CanaryStep& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .required("state", out.state)
      .optional("effects", out.effects)
      .finish();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<CanaryState> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CanaryState>(json, document);
}
template <>
absl::StatusOr<CanaryEvent> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CanaryEvent>(json, document);
}
template <>
absl::StatusOr<CanaryStep> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CanaryStep>(json, document);
}

Json to_json(const CanaryState& state) { return codec::encode(state); }
Json to_json(const CanaryEvent& event) { return codec::encode(event); }
Json to_json(const CanaryStep& step) {
  return codec::ObjectWriter()
      .put("state", codec::encode(step.state))
      .put("effects", codec::encode_list(step.effects, codec::encode))
      .take();
}

}  // namespace convergence
