#ifndef CONVERGENCE_TESTS_SUPPORT_HEALTH_ROWS_H_
#define CONVERGENCE_TESTS_SUPPORT_HEALTH_ROWS_H_

#include <string>
#include <string_view>

#include "convergence/catalog.h"
#include "convergence/json.h"

namespace convergence::test {

// A row of /v1/health/service as values. Written apart from lib/codec, so that a mistake there cannot hide one here;
// members that filters do not speak of are left out.
struct HealthRow {
  InstanceState instance;
  NodeState node;
};

inline std::string member_text(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found && found->as_string() ? *found->as_string() : std::string();
}

inline std::map<std::string, std::string> member_map(const Json& json, std::string_view name) {
  std::map<std::string, std::string> map;
  const Json* found = json.find(name);
  if (!found || !found->as_object()) return map;
  for (const Json::Member& member : *found->as_object()) map[member.name] = *member.value.as_string();
  return map;
}

inline std::vector<std::string> member_list(const Json& json, std::string_view name) {
  std::vector<std::string> list;
  const Json* found = json.find(name);
  if (!found || !found->as_array()) return list;
  for (const Json& item : *found->as_array()) list.push_back(*item.as_string());
  return list;
}

inline HealthCheck check_from(const Json& json) {
  HealthCheck check;
  check.node = member_text(json, "Node");
  check.id = member_text(json, "CheckID");
  check.name = member_text(json, "Name");
  const std::string status = member_text(json, "Status");
  if (status == "passing") check.status = CheckStatus::kPassing;
  if (status == "warning") check.status = CheckStatus::kWarning;
  check.notes = member_text(json, "Notes");
  check.output = member_text(json, "Output");
  check.service_id = member_text(json, "ServiceID");
  check.service_name = member_text(json, "ServiceName");
  check.service_tags = member_list(json, "ServiceTags");
  check.type = member_text(json, "Type");
  return check;
}

inline HealthRow health_row_from(const Json& row) {
  HealthRow result;
  const Json& node = *row.find("Node");
  result.node.node.id = member_text(node, "ID");
  result.node.node.name = member_text(node, "Node");
  result.node.node.address = member_text(node, "Address");
  result.node.node.datacenter = member_text(node, "Datacenter");
  result.node.node.tagged_addresses = member_map(node, "TaggedAddresses");
  result.node.node.meta = member_map(node, "Meta");
  const Json& service = *row.find("Service");
  ServiceInstance& instance = result.instance.instance;
  instance.node = result.node.node.name;
  instance.id = member_text(service, "ID");
  instance.service = member_text(service, "Service");
  instance.kind = member_text(service, "Kind");
  instance.tags = member_list(service, "Tags");
  instance.address = member_text(service, "Address");
  instance.port = static_cast<std::int32_t>(service.find("Port")->to_int64().value());
  instance.meta = member_map(service, "Meta");
  const Json& weights = *service.find("Weights");
  instance.weights.passing = static_cast<std::int32_t>(weights.find("Passing")->to_int64().value());
  instance.weights.warning = static_cast<std::int32_t>(weights.find("Warning")->to_int64().value());
  instance.enable_tag_override = *service.find("EnableTagOverride")->as_bool();
  for (std::string_view name : {"Proxy", "Connect", "TaggedAddresses"}) {
    if (const Json* found = service.find(name)) instance.unknown.push_back({std::string(name), *found});
  }
  for (const Json& check : *row.find("Checks")->as_array()) {
    HealthCheck value = check_from(check);
    (value.service_id.empty() ? result.node.checks : result.instance.checks).push_back(std::move(value));
  }
  return result;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_HEALTH_ROWS_H_
