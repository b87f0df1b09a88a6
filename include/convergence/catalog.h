#ifndef CONVERGENCE_CATALOG_H_
#define CONVERGENCE_CATALOG_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/config_entry.h"
#include "convergence/json.h"
#include "convergence/shared_value.h"

namespace convergence {

// What is there, as Consul's catalog tells it. Field names and meanings are Consul's; indexes are Raft indexes.

enum class CheckStatus { kPassing, kWarning, kCritical };
std::string_view to_string(CheckStatus status);

// An instance is one service id on one node.
struct InstanceId {
  std::string node{};
  std::string service_id{};
  friend auto operator<=>(const InstanceId&, const InstanceId&) = default;
};

struct Node {
  std::string id{};  // uuid, empty for nodes registered from outside
  std::string name{};
  std::string address{};
  std::string datacenter{};
  std::map<std::string, std::string> tagged_addresses{};
  std::map<std::string, std::string> meta{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  Json::Object unknown{};
  friend bool operator==(const Node&, const Node&) = default;
};

struct HealthCheck {
  std::string node{};
  std::string id{};
  std::string name{};
  CheckStatus status = CheckStatus::kCritical;
  std::string notes{};
  std::string output{};
  std::string service_id{};  // empty: a check of the node
  std::string service_name{};
  std::vector<std::string> service_tags{};
  std::string type{};
  Json definition{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  Json::Object unknown{};
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct ServiceWeights {
  std::int32_t passing = 1;
  std::int32_t warning = 1;
  friend bool operator==(const ServiceWeights&, const ServiceWeights&) = default;
};

struct ServiceInstance {
  std::string node{};
  std::string id{};
  std::string service{};
  std::string kind{};  // empty for a plain service, else connect-proxy, mesh-gateway, ...
  std::vector<std::string> tags{};
  std::string address{};  // empty: the node's
  std::int32_t port = 0;
  std::map<std::string, std::string> meta{};
  ServiceWeights weights{};
  bool enable_tag_override = false;
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  Json::Object unknown{};  // Proxy, Connect, TaggedAddresses, ...
  friend bool operator==(const ServiceInstance&, const ServiceInstance&) = default;
};

// A row of /v1/health/service without its node: the instance and the checks that speak of it alone.
struct InstanceState {
  ServiceInstance instance{};
  std::vector<HealthCheck> checks{};  // by check id
  friend bool operator==(const InstanceState&, const InstanceState&) = default;
};

struct ServiceState {
  std::string name{};
  std::vector<InstanceState> instances{};  // by (node, id)
  friend bool operator==(const ServiceState&, const ServiceState&) = default;
};

struct NodeState {
  Node node{};
  std::vector<HealthCheck> checks{};  // of the node itself, by check id
  friend bool operator==(const NodeState&, const NodeState&) = default;
};

struct KvPair {
  std::string key{};
  std::string value{};  // bytes, decoded
  std::uint64_t flags = 0;
  std::string session{};
  std::uint64_t lock_index = 0;
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const KvPair&, const KvPair&) = default;
};

struct CatalogState {
  std::string datacenter{};
  std::uint64_t index = 0;                                 // the lowest X-Consul-Index among the reads it was made of
  std::map<std::string, Shared<NodeState>> nodes{};        // by node name
  std::map<std::string, Shared<ServiceState>> services{};  // by service name
  std::map<EntryId, Shared<ConfigEntry>> entries{};
  std::map<std::string, KvPair> kv{};  // by key: the prefix that was read, if any
  friend bool operator==(const CatalogState&, const CatalogState&) = default;
};

// The instance, or null.
const InstanceState* find_instance(const CatalogState& catalog, std::string_view service, const InstanceId& id);

// The worst of the checks given, as Consul aggregates them; no checks means passing.
CheckStatus worst_status(const std::vector<HealthCheck>& instance_checks, const std::vector<HealthCheck>& node_checks);

}  // namespace convergence

#endif  // CONVERGENCE_CATALOG_H_
