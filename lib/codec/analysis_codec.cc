#include "lib/codec/analysis_codec.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

// What JSON has no number for, and what was no number where it was counted, is a null: an interval with one is no
// evidence, and says so.
absl::Status decode_count(const Json& json, const Place& place, double& out) {
  if (json.is_null()) {
    out = std::numeric_limits<double>::quiet_NaN();
    return absl::OkStatus();
  }
  return decode(json, place, out);
}

// Evidence that was never staked is minus infinity, which is a null here.
absl::Status decode_logs(const Json& json, const Place& place, std::vector<double>& out) {
  CVG_RETURN_IF_ERROR(decode_counts(json, place, out));
  for (double& value : out) {
    if (std::isnan(value)) value = -std::numeric_limits<double>::infinity();
  }
  return absl::OkStatus();
}

Json encode_number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// A list that ends with what is over every bound, as histograms have it, says no more without.
absl::Status decode_bounds(const Json& json, const Place& place, std::vector<double>& out) {
  const Json::Array* items = json.as_array();
  if (!items) return wrong_type(json, place, "a list");
  out.clear();
  for (std::size_t i = 0; i < items->size(); ++i) {
    const std::string* text = (*items)[i].as_string();
    const bool unbounded = (*items)[i].is_null() || (text && (*text == "+Inf" || *text == "inf"));
    if (unbounded && i + 1 == items->size()) break;
    CVG_RETURN_IF_ERROR(decode((*items)[i], place.item(i), out.emplace_back()));
  }
  return absl::OkStatus();
}

// A number of intervals, or an object.
absl::Status decode_warm_up(const Json& json, const Place& place, WarmUp& out) {
  if (!json.as_object()) return decode(json, place, out.intervals);
  return ObjectReader(json, place)
      .optional("intervals", out.intervals)
      .optional("rho0", out.rho0)
      .optional("delta0", out.delta0)
      .finish();
}

Json encode_warm_up(const WarmUp& warm_up) {
  return ObjectWriter()
      .put("intervals", warm_up.intervals)
      .put("rho0", warm_up.rho0)
      .put("delta0", warm_up.delta0)
      .take();
}

}  // namespace

absl::Status decode_counts(const Json& json, const Place& place, std::vector<double>& out) {
  const Json::Array* items = json.as_array();
  if (!items) return wrong_type(json, place, "a list");
  out.clear();
  for (std::size_t i = 0; i < items->size(); ++i) {
    CVG_RETURN_IF_ERROR(decode_count((*items)[i], place.item(i), out.emplace_back()));
  }
  return absl::OkStatus();
}

Json encode_numbers(const std::vector<double>& values) { return encode_each(values, encode_number); }

// ---- what is counted -------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, ArmCount& out) {
  return ObjectReader(json, place)
      .required("n", out.requests, decode_count)
      .required("x", out.failures, decode_count)
      .optional("buckets", out.buckets, decode_counts)
      .finish();
}

Json encode(const ArmCount& count) {
  ObjectWriter out;
  out.put("n", encode_number(count.requests)).put("x", encode_number(count.failures));
  if (!count.buckets.empty()) out.put("buckets", encode_numbers(count.buckets));
  return out.take();
}

absl::Status decode(const Json& json, const Place& place, Interval& out) {
  return ObjectReader(json, place)
      .required("canary", out.canary)
      .required("primary", out.primary)
      .optional("weight", out.weight)
      .optional("primary_instances", out.primary_instances)
      .finish();
}

Json encode(const Interval& interval) {
  ObjectWriter out;
  out.put("canary", encode(interval.canary)).put("primary", encode(interval.primary));
  if (interval.weight) out.put("weight", *interval.weight);
  if (!interval.primary_instances.empty()) {
    out.put("primary_instances", encode_list(interval.primary_instances, encode));
  }
  return out.take();
}

// ---- options ---------------------------------------------------------------------------------------------------

ObjectReader& read_analysis(ObjectReader& in, AnalysisOptions& out) {
  return in.optional("alpha", out.alpha)
      .optional("beta", out.beta)
      .optional("rho0", out.rho0)
      .optional("delta0", out.delta0)
      .optional("margin", out.margin)
      .optional("phi", out.phi)
      .optional("least_phi", out.least_phi)
      .optional("warm_up", out.warm_up, decode_warm_up)
      .optional("bounds", out.bounds, decode_bounds)
      .optional("choose_bounds", out.choose_bounds)
      .optional("target", out.target)
      .optional("phi_window", out.phi_window)
      .optional("error_share", out.error_share);
}

ObjectWriter& write_analysis(ObjectWriter& out, const AnalysisOptions& options) {
  out.put("alpha", options.alpha).put("beta", options.beta).put("rho0", options.rho0).put("delta0", options.delta0);
  if (options.margin) out.put("margin", *options.margin);
  if (options.phi) out.put("phi", *options.phi);
  return out.put("least_phi", options.least_phi)
      .put("warm_up", encode_warm_up(options.warm_up))
      .put("bounds", encode_numbers(options.bounds))
      .put("choose_bounds", options.choose_bounds)
      .put("target", duration_to_text(options.target))
      .put("phi_window", duration_to_text(options.phi_window))
      .put("error_share", options.error_share);
}

absl::Status decode(const Json& json, const Place& place, AnalysisOptions& out) {
  ObjectReader in(json, place);
  return read_analysis(in, out).optional("interval", out.interval).finish();
}

Json encode(const AnalysisOptions& options) {
  ObjectWriter out;
  return write_analysis(out, options).put("interval", duration_to_text(options.interval)).take();
}

// ---- the running evidence --------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, Boundary& out) {
  return ObjectReader(json, place)
      .required("bound", out.bound)
      .required("margin", out.margin)
      .optional("promotes", out.promotes)
      .finish();
}

Json encode(const Boundary& boundary) {
  return ObjectWriter()
      .put("bound", boundary.bound)
      .put("margin", encode_number(boundary.margin))
      .put("promotes", boundary.promotes)
      .take();
}

absl::Status decode(const Json& json, const Place& place, AnalysisPlan& out) {
  return ObjectReader(json, place).required("margin", out.margin).required("boundaries", out.boundaries).finish();
}

Json encode(const AnalysisPlan& plan) {
  return ObjectWriter().put("margin", plan.margin).put("boundaries", encode_list(plan.boundaries, encode)).take();
}

absl::Status decode(const Json& json, const Place& place, MetricEvidence& out) {
  return ObjectReader(json, place)
      .required("worse", out.worse, decode_logs)
      .required("fine", out.fine, decode_logs)
      .required("fine_at", out.fine_at)
      .required("canary", out.canary)
      .required("primary", out.primary)
      .required("squares", out.squares)
      .required("expected", out.expected)
      .required("squares_before", out.squares_before)
      .required("expected_before", out.expected_before)
      .required("phi", out.phi)
      .finish();
}

Json encode(const MetricEvidence& metric) {
  return ObjectWriter()
      .put("worse", encode_numbers(metric.worse))
      .put("fine", encode_numbers(metric.fine))
      .put("fine_at", metric.fine_at)
      .put("canary", metric.canary)
      .put("primary", metric.primary)
      .put("squares", metric.squares)
      .put("expected", metric.expected)
      .put("squares_before", metric.squares_before)
      .put("expected_before", metric.expected_before)
      .put("phi", metric.phi)
      .take();
}

absl::Status decode(const Json& json, const Place& place, AnalysisState& out) {
  return ObjectReader(json, place)
      .optional("plan", out.plan)
      .required("intervals", out.intervals)
      .required("in_window", out.in_window)
      .required("two_instances", out.two_instances)
      .required("canary_requests", out.canary_requests)
      .required("primary_requests", out.primary_requests)
      .required("errors", out.errors)
      .required("latency", out.latency)
      .required("upper_a", out.upper_a)
      .required("upper_g", out.upper_g)
      .required("lower_a", out.lower_a)
      .required("lower_g", out.lower_g)
      .required("max_log_w", out.max_log_w)
      .required("refused", out.refused)
      .required("refused_in_row", out.refused_in_row)
      .optional("refusal", out.refusal)
      .finish();
}

Json encode(const AnalysisState& state) {
  ObjectWriter out;
  if (state.plan) out.put("plan", encode(*state.plan));
  return out.put("intervals", state.intervals)
      .put("in_window", state.in_window)
      .put("two_instances", state.two_instances)
      .put("canary_requests", state.canary_requests)
      .put("primary_requests", state.primary_requests)
      .put("errors", encode(state.errors))
      .put("latency", encode_list(state.latency, encode))
      .put("upper_a", encode_numbers(state.upper_a))
      .put("upper_g", encode_numbers(state.upper_g))
      .put("lower_a", encode_numbers(state.lower_a))
      .put("lower_g", encode_numbers(state.lower_g))
      .put("max_log_w", state.max_log_w)
      .put("refused", state.refused)
      .put("refused_in_row", state.refused_in_row)
      .put_if("refusal", state.refusal)
      .take();
}

// ---- verdicts --------------------------------------------------------------------------------------------------

namespace {

Json encode_boundary(const BoundaryJudgement& boundary) {
  return ObjectWriter()
      .put("bound", boundary.bound)
      .put("margin", encode_number(boundary.margin))
      .put("promotes", boundary.promotes)
      .put("log_W", encode_number(boundary.log_w))
      .put("log_fine", encode_number(boundary.log_fine))
      .put("fine", boundary.fine)
      .put("phi", boundary.phi)
      .put("canary", boundary.canary)
      .put("primary", boundary.primary)
      .take();
}

void put_judgement(const Judgement& judgement, ObjectWriter& out) {
  out.put("verdict", to_string(judgement.verdict))
      .put("reason", to_string(judgement.reason))
      .put("why", judgement.why)
      .put("cause", judgement.cause ? Json(*judgement.cause) : Json())
      .put("log_W", judgement.log_w)
      .put("log_F", judgement.log_f)
      .put("log_fine", judgement.log_fine)
      .put("fine", judgement.fine)
      .put("U", judgement.upper)
      .put("L", judgement.lower)
      .put("p_value", judgement.p_value)
      .put("phi", judgement.phi)
      .put("margin", judgement.margin)
      .put("latency", encode_each(judgement.latency, encode_boundary));
}

Json encode_refused(const RefusedInterval& refused) {
  return ObjectWriter().put("interval", refused.interval).put("why", refused.why).take();
}

}  // namespace
}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<AnalysisOptions> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AnalysisOptions>(json, document);
}
template <>
absl::StatusOr<AnalysisState> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AnalysisState>(json, document);
}
template <>
absl::StatusOr<std::vector<Interval>> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<std::vector<Interval>>(json, document);
}

Json to_json(const AnalysisOptions& options) { return codec::encode(options); }
Json to_json(const AnalysisState& state) { return codec::encode(state); }
Json to_json(const Interval& interval) { return codec::encode(interval); }

Json to_json(const Judgement& judgement) {
  codec::ObjectWriter out;
  codec::put_judgement(judgement, out);
  return out.take();
}

Json to_json(const Comparison& comparison) {
  codec::ObjectWriter out;
  codec::put_judgement(comparison.judgement, out);
  const auto evidence = [](const std::vector<double>& bets) { return codec::encode_numbers(bets); };
  return out.put("intervals", comparison.intervals)
      .put("rolls_back", comparison.rolls_back ? Json(*comparison.rolls_back) : Json())
      .put("errors", codec::ObjectWriter().put("log_e", codec::encode_each(comparison.log_e, evidence)).take())
      .put("refused", codec::encode_each(comparison.refused, codec::encode_refused))
      .take();
}

}  // namespace convergence
