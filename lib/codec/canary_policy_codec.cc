#include <array>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/codec/canary_codec.h"
#include "lib/codec/evidence_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, EvidencePolicy& out) {
  ObjectReader in(json, place);
  return read_evidence(in, out).finish();
}

Json encode(const EvidencePolicy& evidence) {
  ObjectWriter out;
  return write_evidence(out, evidence).take();
}

// ---- whom the candidate gets ------------------------------------------------------------------------------------

// {"name": ..., "exact" | "prefix" | "suffix" | "regex": text} or {"name": ..., "present": true}.
absl::Status decode(const Json& json, const Place& place, NamedMatch& out) {
  ObjectReader in(json, place);
  in.required("name", out.name);
  std::string_view said;
  for (MatchKind kind : {MatchKind::kExact, MatchKind::kPrefix, MatchKind::kSuffix, MatchKind::kRegex}) {
    if (!json.find(to_string(kind))) continue;
    if (!said.empty())
      return place.error(json, "says both " + std::string(said) + " and " + std::string(to_string(kind)));
    said = to_string(kind);
    out.kind = kind;
    in.required(said, out.value);
  }
  bool present = false;
  in.optional("present", present);
  CVG_RETURN_IF_ERROR(in.finish());
  if (present == !said.empty()) {
    return place.error(json, "needs one of exact, prefix, suffix, regex or \"present\": true");
  }
  if (present) out.kind = MatchKind::kPresent;
  return absl::OkStatus();
}

Json encode(const NamedMatch& match) {
  ObjectWriter out;
  out.put("name", match.name);
  if (match.kind == MatchKind::kPresent) return out.put("present", true).take();
  return out.put(to_string(match.kind), match.value).take();
}

absl::Status decode(const Json& json, const Place& place, RequestMatch& out) {
  return ObjectReader(json, place)
      .optional("headers", out.headers)
      .optional("cookies", out.cookies)
      .optional("query", out.query)
      .optional("path_prefix", out.path_prefix)
      .optional("methods", out.methods)
      .finish();
}

Json encode(const RequestMatch& match) {
  ObjectWriter out;
  if (!match.headers.empty()) out.put("headers", encode_list(match.headers, encode));
  if (!match.cookies.empty()) out.put("cookies", encode_list(match.cookies, encode));
  if (!match.query.empty()) out.put("query", encode_list(match.query, encode));
  return out.put_if("path_prefix", match.path_prefix).put_if("methods", match.methods).take();
}

absl::Status decode(const Json& json, const Place& place, SessionAffinity& out) {
  return ObjectReader(json, place)
      .optional("cookie", out.cookie)
      .optional("max_age", out.max_age)
      .optional("cap", out.cap, decode_percent)
      .finish();
}

Json encode(const SessionAffinity& affinity) {
  return ObjectWriter()
      .put("cookie", affinity.cookie)
      .put("max_age", duration_to_text(affinity.max_age))
      .put("cap", encode_percent(affinity.cap))
      .take();
}

absl::Status decode(const Json& json, const Place& place, RolloutService& out) {
  return ObjectReader(json, place)
      .required("service", out.service)
      .required("stable_subset", out.stable_subset)
      .required("candidate_subset", out.candidate_subset)
      .finish();
}

Json encode(const RolloutService& service) {
  return ObjectWriter()
      .put("service", service.service)
      .put("stable_subset", service.stable_subset)
      .put("candidate_subset", service.candidate_subset)
      .take();
}

// ---- what decides -----------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, Gate& out) {
  return ObjectReader(json, place)
      .required("name", out.name)
      .optional("at", out.at, decode_name<GateAt>)
      .optional("url", out.url)
      .optional("deadline", out.deadline)
      .optional("on_deadline", out.on_deadline, decode_name<GateDeadline>)
      .finish();
}

Json encode(const Gate& gate) {
  return ObjectWriter()
      .put("name", gate.name)
      .put("at", to_string(gate.at))
      .put_if("url", gate.url)
      .put("deadline", duration_to_text(gate.deadline))
      .put("on_deadline", to_string(gate.on_deadline))
      .take();
}

absl::Status decode(const Json& json, const Place& place, MetricLimit& out) {
  return ObjectReader(json, place)
      .required("name", out.name)
      .optional("query", out.query)
      .optional("min", out.min)
      .optional("max", out.max)
      .optional("weight", out.weight)
      .optional("critical", out.critical)
      .optional("observe_only", out.observe_only)
      .finish();
}

Json encode(const MetricLimit& limit) {
  ObjectWriter out;
  out.put("name", limit.name).put_if("query", limit.query);
  if (limit.min) out.put("min", *limit.min);
  if (limit.max) out.put("max", *limit.max);
  return out.put("weight", limit.weight)
      .put_if("critical", limit.critical)
      .put_if("observe_only", limit.observe_only)
      .take();
}

// ---- the policy -------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, CanaryPolicy& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("service", out.service)
      .optional("stable_subset", out.stable_subset)
      .optional("candidate_subset", out.candidate_subset)
      .optional("also", out.also)
      .optional("strategy", out.strategy, decode_name<CanaryStrategy>)
      .optional("match", out.match)
      .optional("affinity", out.affinity)
      .optional("steps", out.steps, decode_weights)
      .optional("initial_delay", out.initial_delay)
      .optional("interval", out.interval)
      .optional("settle", out.settle)
      .optional("mode", out.mode, decode_name<CanaryMode>)
      .optional("evidence", out.evidence)
      .optional("intervals_per_step", out.intervals_per_step)
      .optional("min_requests", out.min_requests)
      .optional("min_success_rate", out.min_success_rate)
      .optional("max_failures", out.max_failures)
      .optional("metrics", out.metrics)
      .optional("pass_score", out.pass_score)
      .optional("gates", out.gates)
      .optional("min_passing", out.min_passing)
      .optional("version_meta", out.version_meta)
      .optional("promotion", out.promotion, decode_name<Promotion>)
      .optional("return_steps", out.return_steps, decode_weights)
      .optional("bake", out.bake)
      .optional("on_new_revision", out.on_new_revision, decode_name<NewRevision>)
      .optional("on_foreign_edit", out.on_foreign_edit, decode_name<ForeignEdit>)
      .optional("no_evidence_deadline", out.no_evidence_deadline)
      .optional("step_deadline", out.step_deadline)
      .finish(out.unknown);
}

namespace {

Json encode_weights(const std::vector<std::int32_t>& weights) {
  Json::Array list;
  for (std::int32_t weight : weights) list.push_back(encode_percent(weight));
  return Json(std::move(list));
}

void write_traffic(ObjectWriter& out, const CanaryPolicy& policy) {
  if (!policy.also.empty()) out.put("also", encode_list(policy.also, encode));
  if (policy.strategy != CanaryStrategy::kWeights) out.put("strategy", to_string(policy.strategy));
  if (!policy.match.empty()) out.put("match", encode_list(policy.match, encode));
  if (policy.affinity) out.put("affinity", encode(*policy.affinity));
  out.put("steps", encode_weights(policy.steps)).put_if("initial_delay", policy.initial_delay);
}

void write_limits(ObjectWriter& out, const CanaryPolicy& policy) {
  if (!policy.metrics.empty()) out.put("metrics", encode_list(policy.metrics, encode));
  if (policy.pass_score != 100) out.put("pass_score", policy.pass_score);
  if (!policy.gates.empty()) out.put("gates", encode_list(policy.gates, encode));
  if (policy.min_passing != 1) out.put("min_passing", policy.min_passing);
  out.put_if("version_meta", policy.version_meta);
}

void write_end(ObjectWriter& out, const CanaryPolicy& policy) {
  if (policy.promotion != Promotion::kSwap) out.put("promotion", to_string(policy.promotion));
  if (!policy.return_steps.empty()) out.put("return_steps", encode_weights(policy.return_steps));
  out.put_if("bake", policy.bake);
  if (policy.on_new_revision != NewRevision::kRefuse) out.put("on_new_revision", to_string(policy.on_new_revision));
  if (policy.on_foreign_edit != ForeignEdit::kHold) out.put("on_foreign_edit", to_string(policy.on_foreign_edit));
}

}  // namespace

Json encode(const CanaryPolicy& policy) {
  ObjectWriter out;
  out.put("schema", CVG_SCHEMA_CURRENT)
      .put("service", policy.service)
      .put("stable_subset", policy.stable_subset)
      .put("candidate_subset", policy.candidate_subset);
  write_traffic(out, policy);
  out.put("interval", duration_to_text(policy.interval)).put("settle", duration_to_text(policy.settle));
  if (policy.mode != CanaryMode::kOwn) out.put("mode", to_string(policy.mode));
  if (policy.evidence) out.put("evidence", encode(*policy.evidence));
  out.put("intervals_per_step", policy.intervals_per_step)
      .put("min_requests", policy.min_requests)
      .put("min_success_rate", policy.min_success_rate)
      .put("max_failures", policy.max_failures);
  write_limits(out, policy);
  write_end(out, policy);
  return out.put("no_evidence_deadline", duration_to_text(policy.no_evidence_deadline))
      .put("step_deadline", duration_to_text(policy.step_deadline))
      .rest(policy.unknown)
      .take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<CanaryPolicy> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CanaryPolicy>(json, document);
}

Json to_json(const CanaryPolicy& policy) { return codec::encode(policy); }

}  // namespace convergence
