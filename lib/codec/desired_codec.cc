#include "lib/codec/desired_codec.h"

#include <optional>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/base/go_text.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, CheckDefinition& out) {
  return ObjectReader(json, place)
      .optional("id", out.id)
      .optional("name", out.name)
      .optional("http", out.http)
      .optional("method", out.method)
      .optional("tls_skip_verify", out.tls_skip_verify)
      .optional("tcp", out.tcp)
      .optional("grpc", out.grpc)
      .optional("grpc_use_tls", out.grpc_use_tls)
      .optional("args", out.args)
      .optional("ttl", out.ttl)
      .optional("interval", out.interval)
      .optional("timeout", out.timeout)
      .optional("deregister_critical_service_after", out.deregister_critical_service_after)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, Package& out) {
  return ObjectReader(json, place)
      .required("source", out.source)
      .optional("sha256", out.sha256)
      .optional("size", out.size)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Hook& out) {
  return ObjectReader(json, place)
      .required("location", out.location)
      .optional("timeout", out.timeout)
      .optional("run_as", out.run_as)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Hooks& out) {
  const Json::Object* members = json.as_object();
  if (!members) return wrong_type(json, place, "an object");
  for (const Json::Member& member : *members) {
    const std::optional<HookEvent> event = parse_name<HookEvent>(member.name);
    if (!event) return place.member(member.name).error(member.value, "is none of " + all_names<HookEvent>());
    CVG_RETURN_IF_ERROR(decode(member.value, place.member(member.name), out[*event]));
  }
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, Demands& out) {
  return ObjectReader(json, place).optional("disk", out.disk).optional("memory", out.memory).finish();
}

absl::Status decode(const Json& json, const Place& place, Placement& out) {
  return ObjectReader(json, place)
      .optional("role", out.role)
      .optional("node_meta", out.node_meta)
      .optional("nodes", out.nodes)
      .optional("filter", out.filter)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Strategy& out) {
  return ObjectReader(json, place)
      .optional("max_unavailable", out.max_unavailable)
      .optional("min_healthy", out.min_healthy)
      .optional("first_wave", out.first_wave)
      .optional("bake", out.bake)
      .optional("health_deadline", out.health_deadline)
      .optional("auto_revert", out.auto_revert)
      .optional("on_removal", out.on_removal, decode_name<OnRemoval>)
      .optional("canary", out.canary)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, FleetProgress& out) {
  return ObjectReader(json, place)
      .optional("generation", out.generation)
      .optional("phase", out.phase, decode_name<FleetPhase>)
      .optional("since", out.since)
      .optional("first_wave", out.first_wave)
      .optional("why", out.why)
      .optional("nodes", out.nodes)
      .finish();
}

namespace {

// A release's members stand beside those of the object that has it.
void read_release(ObjectReader& reader, Release& out) {
  reader.optional("version", out.version)
      .optional("deployment", out.deployment)
      .optional("package", out.package)
      .optional("port", out.port)
      .optional("tags", out.tags)
      .optional("meta", out.meta)
      .optional("checks", out.checks)
      .optional("hooks", out.hooks)
      .optional("environment", out.environment)
      .optional("run_as", out.run_as)
      .optional("depends_on", out.depends_on)
      .optional("demands", out.demands)
      .optional("deadline", out.deadline);
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, Release& out) {
  ObjectReader reader(json, place);
  read_release(reader, out);
  return reader.finish();
}

absl::Status decode(const Json& json, const Place& place, DesiredService& out) {
  ObjectReader reader(json, place);
  reader.schema(/*may_be_absent=*/true)
      .required("name", out.name)
      .optional("slice", out.slice, decode_name<Slice>)
      .optional("id", out.id)
      .optional("registered_name", out.registered_name)
      .optional("placement", out.placement)
      .optional("action", out.action, decode_name<DesiredAction>)
      .optional("generation", out.generation)
      .optional("last_good", out.last_good)
      .optional("strategy", out.strategy)
      .optional("progress", out.progress);
  read_release(reader, out.release);
  return reader.finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, DesiredState& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("services", out.services)
      .optional("entries", out.entries)
      .finish();
}

Json encode(const CheckDefinition& check) {
  return ObjectWriter()
      .put_if("id", check.id)
      .put_if("name", check.name)
      .put_if("http", check.http)
      .put_if("method", check.method)
      .put_if("tls_skip_verify", check.tls_skip_verify)
      .put_if("tcp", check.tcp)
      .put_if("grpc", check.grpc)
      .put_if("grpc_use_tls", check.grpc_use_tls)
      .put_if("args", check.args)
      .put_if("ttl", check.ttl)
      .put_if("interval", check.interval)
      .put_if("timeout", check.timeout)
      .put_if("deregister_critical_service_after", check.deregister_critical_service_after)
      .rest(check.unknown)
      .take();
}

Json encode(const Hooks& hooks) {
  Json::Object object;
  for (const auto& [event, entries] : hooks) {
    object.push_back({std::string(to_string(event)), encode_each(entries, [](const Hook& hook) {
                        return ObjectWriter()
                            .put("location", hook.location)
                            .put_if("timeout", hook.timeout)
                            .put_if("run_as", hook.run_as)
                            .take();
                      })});
  }
  return Json(std::move(object));
}

Json encode(const Package& package) {
  return ObjectWriter()
      .put("source", package.source)
      .put_if("sha256", package.sha256)
      .put_if("size", package.size)
      .take();
}

Json encode(const Placement& placement) {
  return ObjectWriter()
      .put("role", placement.role)
      .put("node_meta", encode(placement.node_meta))
      .put("nodes", encode(placement.nodes))
      .put_if("filter", placement.filter)
      .take();
}

Json encode(const Strategy& strategy) {
  return ObjectWriter()
      .put("max_unavailable", std::int64_t{strategy.max_unavailable})
      .put("min_healthy", std::int64_t{strategy.min_healthy})
      .put("first_wave", std::int64_t{strategy.first_wave})
      .put("bake", go_duration(strategy.bake))
      .put("health_deadline", go_duration(strategy.health_deadline))
      .put("auto_revert", strategy.auto_revert)
      .put("on_removal", to_string(strategy.on_removal))
      .put_if("canary", strategy.canary)
      .take();
}

Json encode(const FleetProgress& progress) {
  return ObjectWriter()
      .put("generation", progress.generation)
      .put("phase", to_string(progress.phase))
      .put("since", encode(progress.since))
      .put("first_wave", encode(progress.first_wave))
      .put_if("why", progress.why)
      .put_if("nodes", std::int64_t{progress.nodes})
      .take();
}

// What few releases have; the others of its members stand at their own places.
static void write_rest_of(const Release& release, ObjectWriter& writer) {
  writer.put_if("deployment", release.deployment);
  if (release.package != Package()) writer.put("package", encode(release.package));
  if (!release.hooks.empty()) writer.put("hooks", codec::encode(release.hooks));
  writer.put_if("environment", release.environment)
      .put_if("run_as", release.run_as)
      .put_if("depends_on", release.depends_on);
  if (release.demands != Demands()) {
    writer.put("demands",
               ObjectWriter().put_if("disk", release.demands.disk).put_if("memory", release.demands.memory).take());
  }
  writer.put_if("deadline", release.deadline);
}

Json encode(const Release& release) {
  ObjectWriter writer;
  writer.put("version", release.version)
      .put("port", release.port)
      .put("tags", encode(release.tags))
      .put("meta", encode(release.meta))
      .put("checks", encode_list(release.checks, encode));
  write_rest_of(release, writer);
  return writer.take();
}

Json encode(const DesiredService& service) {
  const Release& release = service.release;
  ObjectWriter writer;
  writer.put("schema", CVG_SCHEMA_CURRENT)
      .put("name", service.name)
      .put("version", release.version)
      .put("slice", to_string(service.slice))
      .put("placement", encode(service.placement))
      .put("port", release.port)
      .put("tags", encode(release.tags))
      .put("meta", encode(release.meta))
      .put("checks", encode_list(release.checks, encode));
  write_rest_of(release, writer);
  writer.put_if("id", service.id).put_if("registered_name", service.registered_name);
  if (service.action != DesiredAction::kInstall) writer.put("action", to_string(service.action));
  writer.put_if("generation", service.generation);
  if (service.last_good) writer.put("last_good", encode(*service.last_good));
  if (service.strategy != Strategy()) writer.put("strategy", encode(service.strategy));
  if (service.progress != FleetProgress()) writer.put("progress", encode(service.progress));
  return writer.rest(service.unknown).take();
}

Json encode(const DesiredState& desired) {
  return ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("services", encode_list(desired.services, encode))
      .put("entries", encode_list(desired.entries, encode))
      .take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<CheckDefinition> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<CheckDefinition>(json, document);
}
template <>
absl::StatusOr<Release> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<Release>(json, document);
}
template <>
absl::StatusOr<DesiredService> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DesiredService>(json, document);
}
template <>
absl::StatusOr<DesiredState> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DesiredState>(json, document);
}

Json to_json(const Release& release) { return codec::encode(release); }
Json to_json(const CheckDefinition& check) { return codec::encode(check); }
Json to_json(const DesiredService& service) { return codec::encode(service); }
Json to_json(const DesiredState& desired) { return codec::encode(desired); }

}  // namespace convergence
