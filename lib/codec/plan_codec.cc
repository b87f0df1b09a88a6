#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

bool is_entry_action(Action action) { return action == Action::kPutEntry || action == Action::kDeleteEntry; }

// ---- what a step writes ----------------------------------------------------------------------------------------

Json encode_body(const StepBody& body) {
  if (const ConfigEntry* entry = std::get_if<ConfigEntry>(&body)) return encode(*entry);
  const ServiceRegistration* registration = std::get_if<ServiceRegistration>(&body);
  if (!registration) return Json();
  return ObjectWriter()
      .put("node", registration->instance.node)
      .put("service", encode(registration->instance))
      .put("checks", encode_list(registration->checks, encode))
      .put("remove_checks", encode(registration->remove_checks))
      .take();
}

absl::Status decode_action_body(const Json& json, const Place& place, StepBody& out) {
  if (json.find("Kind")) return decode(json, place, out.emplace<ConfigEntry>());
  ServiceRegistration& registration = out.emplace<ServiceRegistration>();
  std::string node;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .required("node", node)
                          .required("service", registration.instance)
                          .optional("checks", registration.checks)
                          .optional("remove_checks", registration.remove_checks)
                          .finish());
  registration.instance.node = node;
  return absl::OkStatus();
}

// ---- steps -----------------------------------------------------------------------------------------------------

Json encode_target(const Step& step) {
  if (is_entry_action(step.action)) {
    return ObjectWriter().put("kind", step.entry.kind).put("name", step.entry.name).take();
  }
  return ObjectWriter()
      .put("node", step.instance.node)
      .put("service_id", step.instance.service_id)
      .put("service", step.service)
      .take();
}

absl::Status decode_target(const Json& json, const Place& place, Step& out) {
  ObjectReader in(json, place);
  if (is_entry_action(out.action)) return in.required("kind", out.entry.kind).required("name", out.entry.name).finish();
  return in.required("node", out.instance.node)
      .required("service_id", out.instance.service_id)
      .required("service", out.service)
      .finish();
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, Step& out) {
  return ObjectReader(json, place)
      .required("id", out.id)
      .required("action", out.action, decode_name<Action>)
      .required("target", out, decode_target)  // after the action, which says what it is
      .required("reason", out.reason, decode_name<Reason>)
      .optional("why", out.why)
      .optional("needs", out.needs)
      .optional("cas_index", out.cas_index)
      .optional("cas_from", out.cas_from)
      .optional("body", out.body, decode_action_body)
      .optional("before", out.before, decode_action_body)
      .finish();
}

Json encode(const Step& step) {
  return ObjectWriter()
      .put("id", step.id)
      .put("action", to_string(step.action))
      .put("target", encode_target(step))
      .put("reason", to_string(step.reason))
      .put("why", step.why)
      .put("needs", encode(step.needs))
      .put("cas_index", step.cas_index)
      .put("cas_from", step.cas_from)
      .put("body", encode_body(step.body))
      .put("before", encode_body(step.before))
      .take();
}

absl::Status decode(const Json& json, const Place& place, Held& out) {
  return ObjectReader(json, place)
      .required("id", out.id)
      .required("reason", out.reason, decode_name<Reason>)
      .optional("why", out.why)
      .finish();
}

Json encode(const Held& held) {
  return ObjectWriter().put("id", held.id).put("reason", to_string(held.reason)).put("why", held.why).take();
}

absl::Status decode(const Json& json, const Place& place, Plan& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/false)
      .optional("catalog_index", out.catalog_index)
      .required("steps", out.steps)
      .optional("held", out.held)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, PlanOptions& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("prune", out.prune)
      .optional("take_foreign", out.take_foreign)
      .optional("owner", out.owner)
      .optional("datacenter", out.cluster.datacenter)
      .optional("trust_domain", out.cluster.trust_domain)
      .optional("dialect", out.cluster.dialect, decode_name<Dialect>)
      .finish();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<Plan> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<Plan>(json, document);
}
template <>
absl::StatusOr<PlanOptions> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<PlanOptions>(json, document);
}

Json to_json(const Plan& plan) {
  return codec::ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("catalog_index", plan.catalog_index)
      .put("steps", codec::encode_list(plan.steps, codec::encode))
      .put("held", codec::encode_list(plan.held, codec::encode))
      .take();
}

Json to_json(const PlanOptions& options) {
  return codec::ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("prune", options.prune)
      .put("take_foreign", options.take_foreign)
      .put("owner", options.owner)
      .put("datacenter", options.cluster.datacenter)
      .put("trust_domain", options.cluster.trust_domain)
      .put("dialect", to_string(options.cluster.dialect))
      .take();
}

}  // namespace convergence
