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

// ---- policy ----------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, EvidencePolicy& out) {
  ObjectReader in(json, place);
  return read_evidence(in, out).finish();
}

Json encode(const EvidencePolicy& evidence) {
  ObjectWriter out;
  return write_evidence(out, evidence).take();
}

absl::Status decode(const Json& json, const Place& place, CanaryPolicy& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("service", out.service)
      .optional("stable_subset", out.stable_subset)
      .optional("candidate_subset", out.candidate_subset)
      .optional("steps", out.steps, decode_weights)
      .optional("interval", out.interval)
      .optional("settle", out.settle)
      .optional("evidence", out.evidence)
      .optional("intervals_per_step", out.intervals_per_step)
      .optional("min_requests", out.min_requests)
      .optional("min_success_rate", out.min_success_rate)
      .optional("max_failures", out.max_failures)
      .optional("no_evidence_deadline", out.no_evidence_deadline)
      .optional("step_deadline", out.step_deadline)
      .finish(out.unknown);
}

Json encode(const CanaryPolicy& policy) {
  Json::Array steps;
  for (std::int32_t weight : policy.steps) steps.push_back(encode_percent(weight));
  ObjectWriter out;
  out.put("schema", CVG_SCHEMA_CURRENT)
      .put("service", policy.service)
      .put("stable_subset", policy.stable_subset)
      .put("candidate_subset", policy.candidate_subset)
      .put("steps", std::move(steps))
      .put("interval", duration_to_text(policy.interval))
      .put("settle", duration_to_text(policy.settle));
  if (policy.evidence) out.put("evidence", encode(*policy.evidence));
  return out.put("intervals_per_step", policy.intervals_per_step)
      .put("min_requests", policy.min_requests)
      .put("min_success_rate", policy.min_success_rate)
      .put("max_failures", policy.max_failures)
      .put("no_evidence_deadline", duration_to_text(policy.no_evidence_deadline))
      .put("step_deadline", duration_to_text(policy.step_deadline))
      .rest(policy.unknown)
      .take();
}

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
        .finish();
  }
  if (type == "measure") {
    Measure& body = out.body.emplace<Measure>();
    return in.required("epoch", body.epoch).required("from", body.from).required("to", body.to).finish();
  }
  if (type == "wake-at") return in.required("at", out.body.emplace<WakeAt>().at).finish();
  return unknown_type(json, place, type, "write-weights, measure, wake-at");
}

Json encode(const Effect& effect) {
  ObjectWriter out;
  out.put("id", effect.id);
  if (const WriteWeights* write = std::get_if<WriteWeights>(&effect.body)) {
    out.put("type", "write-weights")
        .put("stable", encode_percent(write->stable))
        .put("candidate", encode_percent(write->candidate));
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
      .optional("analysis", out.analysis)
      .optional("started_at", out.started_at)
      .optional("step_started_at", out.step_started_at)
      .optional("evidence_at", out.evidence_at)
      .optional("deadline", out.deadline)
      .optional("last_event_at", out.last_event_at)
      .optional("next_effect", out.next_effect)
      .optional("outbox", out.outbox)
      .optional("history", out.history)
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
      .put("failures", state.failures);
  if (state.analysis) out.put("analysis", encode(*state.analysis));
  return out.put("started_at", encode(state.started_at))
      .put("step_started_at", encode(state.step_started_at))
      .put("evidence_at", encode(state.evidence_at))
      .put("deadline", state.deadline == kNever ? Json() : encode(state.deadline))
      .put("last_event_at", encode(state.last_event_at))
      .put("next_effect", state.next_effect)
      .put("outbox", encode_list(state.outbox, encode))
      .put("history", encode_list(state.history, encode))
      .rest(state.unknown)
      .take();
}

// ---- events ----------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, RequestCount& out) {
  return ObjectReader(json, place).required("requests", out.requests).required("errors", out.errors).finish();
}

Json encode(const RequestCount& count) {
  return ObjectWriter().put("requests", count.requests).put("errors", count.errors).take();
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
      .optional("problem", out.problem);
}
ObjectReader& read_members(ObjectReader& in, EffectDone& out) {
  return in.required("effect", out.effect)
      .optional("outcome", out.outcome, decode_name<WriteOutcome>)
      .optional("problem", out.problem);
}
ObjectReader& read_members(ObjectReader& in, CandidateHealth& out) {
  return in.required("passing", out.passing).required("total", out.total);
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
  out.put("problem", body.problem);
}
void write_members(ObjectWriter& out, const EffectDone& body) {
  out.put("type", "effect-done")
      .put("effect", body.effect)
      .put("outcome", to_string(body.outcome))
      .put("problem", body.problem);
}
void write_members(ObjectWriter& out, const CandidateHealth& body) {
  out.put("type", "candidate-health").put("passing", body.passing).put("total", body.total);
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
  if (type == "candidate-health") return read_members(in, out.body.emplace<CandidateHealth>()).finish();
  if (type == "command") return read_members(in, out.body.emplace<Command>()).finish();
  return unknown_type(json, place, type, "tick, start, measurement, effect-done, candidate-health, command");
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
absl::StatusOr<CanaryPolicy> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CanaryPolicy>(json, document);
}
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

Json to_json(const CanaryPolicy& policy) { return codec::encode(policy); }
Json to_json(const CanaryState& state) { return codec::encode(state); }
Json to_json(const CanaryEvent& event) { return codec::encode(event); }
Json to_json(const CanaryStep& step) {
  return codec::ObjectWriter()
      .put("state", codec::encode(step.state))
      .put("effects", codec::encode_list(step.effects, codec::encode))
      .take();
}

}  // namespace convergence
