#include "lib/codec/desired_codec.h"

#include <string_view>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, CheckDefinition& out) {
  return ObjectReader(json, place)
      .optional("id", out.id)
      .optional("name", out.name)
      .optional("http", out.http)
      .optional("tcp", out.tcp)
      .optional("ttl", out.ttl)
      .optional("interval", out.interval)
      .optional("timeout", out.timeout)
      .optional("deregister_critical_service_after", out.deregister_critical_service_after)
      .finish(out.unknown);
}

absl::Status decode(const Json& json, const Place& place, Placement& out) {
  return ObjectReader(json, place)
      .optional("role", out.role)
      .optional("node_meta", out.node_meta)
      .optional("nodes", out.nodes)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, DesiredService& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .required("name", out.name)
      .optional("version", out.version)
      .optional("slice", out.slice, decode_name<Slice>)
      .optional("placement", out.placement)
      .optional("port", out.port)
      .optional("tags", out.tags)
      .optional("meta", out.meta)
      .optional("checks", out.checks)
      .finish(out.unknown);
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
      .put_if("tcp", check.tcp)
      .put_if("ttl", check.ttl)
      .put_if("interval", check.interval)
      .put_if("timeout", check.timeout)
      .put_if("deregister_critical_service_after", check.deregister_critical_service_after)
      .rest(check.unknown)
      .take();
}

Json encode(const DesiredService& service) {
  return ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("name", service.name)
      .put("version", service.version)
      .put("slice", to_string(service.slice))
      .put("placement", ObjectWriter()
                            .put("role", service.placement.role)
                            .put("node_meta", encode(service.placement.node_meta))
                            .put("nodes", encode(service.placement.nodes))
                            .take())
      .put("port", service.port)
      .put("tags", encode(service.tags))
      .put("meta", encode(service.meta))
      .put("checks", encode_list(service.checks, encode))
      .rest(service.unknown)
      .take();
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
absl::StatusOr<DesiredService> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DesiredService>(json, document);
}
template <>
absl::StatusOr<DesiredState> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DesiredState>(json, document);
}

Json to_json(const CheckDefinition& check) { return codec::encode(check); }
Json to_json(const DesiredService& service) { return codec::encode(service); }
Json to_json(const DesiredState& desired) { return codec::encode(desired); }

}  // namespace convergence
