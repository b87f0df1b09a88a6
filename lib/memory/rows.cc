#include "lib/memory/rows.h"

#include <utility>

#include "convergence/codec.h"

namespace convergence::memory {
namespace {

Json list(const std::vector<std::string>& texts, Lists lists) {
  if (texts.empty() && lists == Lists::kNull) return Json();
  return text_array(texts);
}

Json weights_json(const ServiceWeights& weights) {
  return Json::Object{{"Passing", std::int64_t{weights.passing}}, {"Warning", std::int64_t{weights.warning}}};
}

void add(Json::Object& row, std::string name, Json value) { row.push_back({std::move(name), std::move(value)}); }

}  // namespace

Json text_array(const std::vector<std::string>& texts) {
  Json::Array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

Json labels_json(const MemoryLabels& labels) {
  if (!labels) return Json();
  Json::Object out;
  for (const auto& [name, value] : *labels) add(out, name, value);
  return out;
}

Json kv_row(const KvPair& pair, bool with_value) {
  const bool has_value = with_value && !pair.value.empty();
  Json::Object row{{"LockIndex", pair.lock_index},
                   {"Key", pair.key},
                   {"Flags", pair.flags},
                   {"Value", has_value ? Json(base64_encode(pair.value)) : Json()}};
  if (!pair.session.empty()) add(row, "Session", pair.session);
  add(row, "CreateIndex", pair.create_index);
  add(row, "ModifyIndex", pair.modify_index);
  return row;
}

Json session_row(const MemorySession& session) {
  Json::Array services;
  for (const std::string& id : session.service_checks) services.push_back(Json::Object{{"ID", id}, {"Namespace", ""}});
  return Json::Object{{"ID", session.id},
                      {"Name", session.name},
                      {"Node", session.node},
                      {"LockDelay", std::int64_t{session.lock_delay.count()}},
                      {"Behavior", session.behavior},
                      {"TTL", session.ttl_text},
                      {"NodeChecks", text_array(session.node_checks)},
                      {"ServiceChecks", services.empty() ? Json() : Json(services)},
                      {"CreateIndex", session.create_index},
                      {"ModifyIndex", session.modify_index}};
}

Json node_row(const MemoryNode& node) {
  return Json::Object{{"ID", node.id},
                      {"Node", node.name},
                      {"Address", node.address},
                      {"Datacenter", node.datacenter},
                      {"TaggedAddresses", labels_json(node.tagged_addresses)},
                      {"Meta", labels_json(node.meta)},
                      {"CreateIndex", node.create_index},
                      {"ModifyIndex", node.modify_index}};
}

Json service_row(const MemoryService& service, Lists lists) {
  Json::Object row;
  if (!service.kind.empty()) add(row, "Kind", service.kind);
  add(row, "ID", service.id);
  add(row, "Service", service.service);
  add(row, "Tags", list(service.tags, lists));
  add(row, "Address", service.address);
  if (!service.tagged_addresses.is_null()) add(row, "TaggedAddresses", service.tagged_addresses);
  add(row, "Meta", labels_json(service.meta));
  add(row, "Port", service.port);
  add(row, "Weights", weights_json(service.weights));
  add(row, "EnableTagOverride", service.enable_tag_override);
  add(row, "Proxy", service.proxy);
  add(row, "Connect", service.connect);
  add(row, "CreateIndex", service.create_index);
  add(row, "ModifyIndex", service.modify_index);
  return row;
}

Json check_row(const MemoryCheck& check, Lists lists) {
  return Json::Object{{"Node", check.node},
                      {"CheckID", check.id},
                      {"Name", check.name},
                      {"Status", check.status},
                      {"Notes", check.notes},
                      {"Output", check.output},
                      {"ServiceID", check.service_id},
                      {"ServiceName", check.service_name},
                      {"ServiceTags", list(check.service_tags, lists)},
                      {"Type", check.type},
                      {"Definition", check.definition},
                      {"CreateIndex", check.create_index},
                      {"ModifyIndex", check.modify_index}};
}

Json catalog_service_row(const MemoryNode& node, const MemoryService& service) {
  Json::Object row{{"ID", node.id},
                   {"Node", node.name},
                   {"Address", node.address},
                   {"Datacenter", node.datacenter},
                   {"TaggedAddresses", labels_json(node.tagged_addresses)},
                   {"NodeMeta", labels_json(node.meta)},
                   {"ServiceKind", service.kind},
                   {"ServiceID", service.id},
                   {"ServiceName", service.service},
                   {"ServiceTags", text_array(service.tags)},
                   {"ServiceAddress", service.address}};
  if (!service.tagged_addresses.is_null()) add(row, "ServiceTaggedAddresses", service.tagged_addresses);
  add(row, "ServiceWeights", weights_json(service.weights));
  add(row, "ServiceMeta", service.meta ? labels_json(service.meta) : Json(Json::Object{}));
  add(row, "ServicePort", service.port);
  add(row, "ServiceEnableTagOverride", service.enable_tag_override);
  add(row, "ServiceProxy", service.proxy);
  add(row, "ServiceConnect", service.connect);
  add(row, "CreateIndex", service.create_index);
  add(row, "ModifyIndex", service.modify_index);
  return row;
}

Json agent_service_row(const MemoryService& service) {
  Json::Object row;
  if (!service.kind.empty()) add(row, "Kind", service.kind);
  add(row, "ID", service.id);
  add(row, "Service", service.service);
  add(row, "Tags", text_array(service.tags));
  add(row, "Meta", service.meta ? labels_json(service.meta) : Json(Json::Object{}));
  add(row, "Port", service.port);
  add(row, "Address", service.address);
  if (!service.tagged_addresses.is_null()) add(row, "TaggedAddresses", service.tagged_addresses);
  add(row, "Weights", weights_json(service.weights));
  add(row, "EnableTagOverride", service.enable_tag_override);
  if (!service.kind.empty()) add(row, "Proxy", service.proxy);
  if (service.connect.find("Native") != nullptr) add(row, "Connect", service.connect);
  return row;
}

Json agent_check_row(const MemoryCheck& check) {
  MemoryCheck shown = check;
  shown.create_index = 0;
  shown.modify_index = 0;
  return check_row(shown);
}

}  // namespace convergence::memory
