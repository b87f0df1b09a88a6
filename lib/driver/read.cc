#include <algorithm>
#include <tuple>
#include <utility>

#include "convergence/driver.h"
#include "fmt/format.h"
#include "lib/driver/gather.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

// What read_catalog is putting together. Its reads run side by side; each adds what it has found.
struct CatalogRead {
  ConsulClient& client;
  ReadOptions options;
  CatalogState catalog{};
  std::vector<HealthCheck> checks{};  // of every node and service
  // Kept alive by its calls under way: a read that nobody answers any more must not keep itself.
  std::weak_ptr<Gather> gather{};

  void add(Gather::Call call) const { gather.lock()->add(std::move(call)); }
};

void note_index(CatalogState& catalog, std::uint64_t index) {
  if (index != 0 && (catalog.index == 0 || index < catalog.index)) catalog.index = index;
}

void sort_checks(std::vector<HealthCheck>& checks) {
  std::sort(checks.begin(), checks.end(), [](const HealthCheck& a, const HealthCheck& b) { return a.id < b.id; });
}

void add_node(CatalogState& catalog, const Node& node) {
  catalog.nodes.insert_or_assign(node.name, NodeState{node, {}});
  if (catalog.datacenter.empty()) catalog.datacenter = node.datacenter;
}

// Checks of nodes, not of services: those came with their instances.
void add_node_checks(CatalogState& catalog, const std::vector<HealthCheck>& checks) {
  std::map<std::string, std::vector<HealthCheck>> by_node;
  for (const HealthCheck& check : checks) {
    if (check.service_id.empty()) by_node[check.node].push_back(check);
  }
  for (auto& [name, own] : by_node) {
    const auto node = catalog.nodes.find(name);
    if (node == catalog.nodes.end()) continue;  // gone since
    sort_checks(own);
    node->second = NodeState{node->second->node, std::move(own)};
  }
}

void add_service(CatalogState& catalog, const std::string& name, const std::vector<HealthRow>& rows) {
  if (rows.empty()) return;
  ServiceState service;
  service.name = name;
  for (const HealthRow& row : rows) {
    InstanceState instance{row.instance, {}};
    instance.instance.node = row.node.name;
    for (const HealthCheck& check : row.checks) {
      if (!check.service_id.empty()) instance.checks.push_back(check);
    }
    sort_checks(instance.checks);
    service.instances.push_back(std::move(instance));
    // A node that was registered after the nodes were read.
    if (!catalog.nodes.contains(row.node.name)) add_node(catalog, row.node);
  }
  std::sort(service.instances.begin(), service.instances.end(), [](const InstanceState& a, const InstanceState& b) {
    return std::tie(a.instance.node, a.instance.id) < std::tie(b.instance.node, b.instance.id);
  });
  catalog.services.insert_or_assign(name, std::move(service));
}

// Hands the answer's value to `take` and its status to the gather.
template <typename T, typename Take>
ConsulClient::Callback<Answer<T>> taking(const std::shared_ptr<CatalogRead>& read, Gather::Done done, Take take) {
  return [read, done = std::move(done), take](absl::StatusOr<Answer<T>> answer) {
    if (!answer.ok()) return done(answer.status());
    note_index(read->catalog, answer->index);
    take(answer->value);
    done(absl::OkStatus());
  };
}

void add_node_reads(const std::shared_ptr<CatalogRead>& read) {
  read->add([read](Gather::Done done) {
    read->client.catalog_nodes(read->options,
                               taking<std::vector<Node>>(read, std::move(done), [read](const std::vector<Node>& nodes) {
                                 for (const Node& node : nodes) add_node(read->catalog, node);
                               }));
  });
  // One read for the checks of all nodes, instead of one a node.
  read->add([read](Gather::Done done) {
    read->client.health_state(
        "any", read->options,
        taking<std::vector<HealthCheck>>(read, std::move(done),
                                         [read](const std::vector<HealthCheck>& checks) { read->checks = checks; }));
  });
}

void add_service_read(const std::shared_ptr<CatalogRead>& read, const std::string& name) {
  read->add([read, name](Gather::Done done) {
    read->client.health_service(
        name, read->options,
        taking<std::vector<HealthRow>>(read, std::move(done), [read, name](const std::vector<HealthRow>& rows) {
          add_service(read->catalog, name, rows);
        }));
  });
}

void add_list_of_services(const std::shared_ptr<CatalogRead>& read) {
  using Services = std::map<std::string, std::vector<std::string>>;
  read->add([read](Gather::Done done) {
    read->client.catalog_services(read->options,
                                  taking<Services>(read, std::move(done), [read](const Services& services) {
                                    for (const auto& [name, tags] : services) add_service_read(read, name);
                                  }));
  });
}

void add_entry_read(const std::shared_ptr<CatalogRead>& read) {
  read->add([read](Gather::Done done) {
    read->client.config_list_all(
        read->options,
        taking<std::vector<ConfigEntry>>(read, std::move(done), [read](const std::vector<ConfigEntry>& entries) {
          for (const ConfigEntry& entry : entries) read->catalog.entries.insert_or_assign(entry_key(entry), entry);
        }));
  });
}

}  // namespace

void read_desired(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                  ConsulClient::Callback<Answer<DesiredRead>> done) {
  client.kv_recurse(
      fmt::format("{}/", prefix), options,
      [prefix = std::string(prefix), done = std::move(done)](absl::StatusOr<Answer<std::vector<KvPair>>> answer) {
        if (!answer.ok()) return done(answer.status());
        std::erase_if(answer->value, [&](const KvPair& pair) { return is_rollout_key(pair.key, prefix); });
        absl::StatusOr<DesiredRead> desired = desired_from_kv(answer->value, prefix);
        if (!desired.ok()) return done(desired.status());
        done(Answer<DesiredRead>{*std::move(desired), answer->index, answer->known_leader, answer->last_contact});
      });
}

void read_catalog(ConsulClient& client, std::vector<std::string> services, const ReadOptions& options,
                  ConsulClient::Callback<CatalogState> done) {
  const auto gather = std::make_shared<Gather>();
  const auto read = std::make_shared<CatalogRead>(CatalogRead{client, options});
  read->gather = gather;
  read->options.wait_index = 0;  // one read of many cannot wait for the others
  read->catalog.datacenter = options.datacenter;
  add_node_reads(read);
  if (services.empty()) add_list_of_services(read);
  for (const std::string& name : services) add_service_read(read, name);
  add_entry_read(read);
  gather->run([read, done = std::move(done)](absl::Status status) {
    if (!status.ok()) return done(status);
    add_node_checks(read->catalog, read->checks);
    done(std::move(read->catalog));
  });
}

}  // namespace convergence
