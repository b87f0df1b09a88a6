#include "lib/codec/evidence_codec.h"

#include "convergence/codec.h"
#include "lib/codec/analysis_codec.h"

namespace convergence::codec {
absl::Status decode_weights(const Json& json, const Place& place, std::vector<std::int32_t>& out) {
  const Json::Array* items = json.as_array();
  if (!items) return wrong_type(json, place, "a list");
  out.clear();
  for (std::size_t i = 0; i < items->size(); ++i) {
    CVG_RETURN_IF_ERROR(decode_percent((*items)[i], place.item(i), out.emplace_back()));
  }
  return absl::OkStatus();
}

ObjectReader& read_evidence(ObjectReader& in, EvidencePolicy& out) {
  return read_analysis(in, out.analysis)
      .optional("dwell", out.ramp.dwell)
      .optional("min_time", out.ramp.min_time)
      .optional("max_time", out.ramp.max_time)
      .optional("on_deadline", out.ramp.on_deadline, decode_name<OnDeadline>)
      .optional("service_risk", out.ramp.service_risk)
      .optional("absolute_risk", out.ramp.absolute_risk)
      .optional("react", out.ramp.react);
}

ObjectWriter& write_evidence(ObjectWriter& out, const EvidencePolicy& evidence) {
  write_analysis(out, evidence.analysis);
  return out.put("dwell", duration_to_text(evidence.ramp.dwell))
      .put("min_time", duration_to_text(evidence.ramp.min_time))
      .put("max_time", duration_to_text(evidence.ramp.max_time))
      .put("on_deadline", to_string(evidence.ramp.on_deadline))
      .put("service_risk", evidence.ramp.service_risk)
      .put("absolute_risk", evidence.ramp.absolute_risk)
      .put("react", duration_to_text(evidence.ramp.react));
}

}  // namespace convergence::codec
