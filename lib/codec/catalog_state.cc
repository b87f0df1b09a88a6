#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace codec {
namespace {

using ChecksById = std::map<std::string, HealthCheck>;

// The answers as they came, each decoded.
struct Answers {
  std::string datacenter;
  std::uint64_t index = 0;
  std::vector<Node> nodes;
  std::map<std::string, Json> services;
  std::map<std::string, std::vector<HealthRow>> health;
  std::map<std::string, std::vector<HealthCheck>> node_health;
  std::vector<KvPair> kv;
  std::vector<ConfigEntry> config;
};

}  // namespace

absl::Status decode(const Json& json, const Place& place, Answers& out) {
  return ObjectReader(json, place)
      .optional("datacenter", out.datacenter)
      .optional("index", out.index)
      .optional("nodes", out.nodes)
      .optional("services", out.services)
      .optional("health", out.health)
      .optional("node_health", out.node_health)
      .optional("kv", out.kv)
      .optional("config", out.config)
      .finish();
}

namespace {

// The answers were read one after the other: of two that tell of one thing the later counts.
template <typename T>
void take_newer(T& kept, T&& found) {
  if (found.modify_index >= kept.modify_index) kept = std::move(found);
}

std::vector<HealthCheck> values(ChecksById checks) {
  std::vector<HealthCheck> list;
  list.reserve(checks.size());
  for (auto& [id, check] : checks) list.push_back(std::move(check));
  return list;
}

// Gathers nodes from every answer that tells of them.
class NodeGatherer {
 public:
  void add(Node&& node) { take_newer(nodes_[node.name], std::move(node)); }
  void add_check(const std::string& node, HealthCheck&& check) {
    if (complete_.contains(node)) return;
    take_newer(checks_[node][check.id], std::move(check));
  }
  // All checks of a node, from its own answer: what rows of services say of it is not needed.
  void set_checks(const std::string& node, std::vector<HealthCheck>&& checks) {
    nodes_[node].name = node;
    checks_[node].clear();
    for (HealthCheck& check : checks) {
      if (check.service_id.empty()) add_check(node, std::move(check));
    }
    complete_.insert(node);
  }
  std::map<std::string, Shared<NodeState>> take() {
    std::map<std::string, Shared<NodeState>> states;
    for (auto& [name, node] : nodes_) {
      states.emplace(name, NodeState{.node = std::move(node), .checks = values(std::move(checks_[name]))});
    }
    return states;
  }

 private:
  std::map<std::string, Node> nodes_;
  std::map<std::string, ChecksById> checks_;
  std::set<std::string> complete_;
};

ServiceState gather_service(const std::string& name, std::vector<HealthRow>&& rows, NodeGatherer& nodes) {
  std::map<InstanceId, std::pair<ServiceInstance, ChecksById>> instances;
  for (HealthRow& row : rows) {
    auto& [instance, checks] = instances[InstanceId{row.node.name, row.instance.id}];
    for (HealthCheck& check : row.checks) {
      if (check.node.empty()) check.node = row.node.name;
      if (check.service_id.empty()) {
        nodes.add_check(row.node.name, std::move(check));
      } else {
        take_newer(checks[check.id], std::move(check));
      }
    }
    take_newer(instance, std::move(row.instance));
    nodes.add(std::move(row.node));
  }
  ServiceState state{.name = name, .instances = {}};
  for (auto& [id, found] : instances) {
    state.instances.push_back({.instance = std::move(found.first), .checks = values(std::move(found.second))});
  }
  return state;
}

}  // namespace
}  // namespace codec

absl::StatusOr<CatalogState> catalog_from_consul(const Json& json, std::string_view document) {
  CVG_ASSIGN_OR_RETURN(codec::Answers answers, codec::decode_document<codec::Answers>(json, document));
  CatalogState catalog;
  catalog.index = answers.index;
  catalog.datacenter = std::move(answers.datacenter);
  if (catalog.datacenter.empty() && !answers.nodes.empty()) catalog.datacenter = answers.nodes.front().datacenter;
  codec::NodeGatherer nodes;
  for (auto& [node, checks] : answers.node_health) nodes.set_checks(node, std::move(checks));
  for (const auto& [name, tags] : answers.services)
    catalog.services[name] = ServiceState{.name = name, .instances = {}};
  for (auto& [name, rows] : answers.health) {
    catalog.services[name] = codec::gather_service(name, std::move(rows), nodes);
  }
  for (Node& node : answers.nodes) nodes.add(std::move(node));
  catalog.nodes = nodes.take();
  for (ConfigEntry& entry : answers.config) {
    const EntryId key = entry_key(entry);
    catalog.entries[key] = std::move(entry);
  }
  for (KvPair& pair : answers.kv) {
    const std::string key = pair.key;
    catalog.kv[key] = std::move(pair);
  }
  return catalog;
}

template <>
absl::StatusOr<CatalogState> from_json(const Json& json, std::string_view document) {
  return catalog_from_consul(json, document);
}

// The checks of the node stand before those of the instance; the server sorts all of them by id.
Json health_row(const InstanceState& instance, const NodeState& node) {
  codec::ChecksById checks;
  for (const HealthCheck& check : node.checks) checks[check.id] = check;
  for (const HealthCheck& check : instance.checks) checks[check.id] = check;
  return codec::ObjectWriter()
      .put("Node", codec::encode(node.node))
      .put("Service", codec::encode(instance.instance))
      .put("Checks", codec::encode_list(codec::values(std::move(checks)), codec::encode))
      .take();
}

namespace {

Json tags_of(const ServiceState& service) {
  std::set<std::string> tags;
  for (const InstanceState& state : service.instances)
    tags.insert(state.instance.tags.begin(), state.instance.tags.end());
  return codec::encode(std::vector<std::string>(tags.begin(), tags.end()));
}

Json health_of(const ServiceState& service, const CatalogState& catalog) {
  Json::Array rows;
  for (const InstanceState& state : service.instances) {
    const auto node = catalog.nodes.find(state.instance.node);
    if (node != catalog.nodes.end()) {
      rows.push_back(health_row(state, *node->second));
    } else {
      NodeState unknown;
      unknown.node.name = state.instance.node;
      rows.push_back(health_row(state, unknown));
    }
  }
  return Json(std::move(rows));
}

}  // namespace

Json to_json(const CatalogState& catalog) {
  Json::Array nodes;
  Json::Object node_health;
  for (const auto& [name, state] : catalog.nodes) {
    nodes.push_back(codec::encode(state->node));
    node_health.push_back({name, codec::encode_list(state->checks, codec::encode)});
  }
  Json::Object services;
  Json::Object health;
  for (const auto& [name, state] : catalog.services) {
    services.push_back({name, tags_of(*state)});
    health.push_back({name, health_of(*state, catalog)});
  }
  Json::Array kv;
  for (const auto& [key, pair] : catalog.kv) kv.push_back(codec::encode(pair));
  Json::Array config;
  for (const auto& [key, entry] : catalog.entries) config.push_back(codec::encode(*entry));
  return codec::ObjectWriter()
      .put("datacenter", catalog.datacenter)
      .put("index", catalog.index)
      .put("nodes", std::move(nodes))
      .put("services", std::move(services))
      .put("health", std::move(health))
      .put("node_health", std::move(node_health))
      .put("kv", std::move(kv))
      .put("config", std::move(config))
      .take();
}

}  // namespace convergence
