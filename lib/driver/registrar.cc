#include "lib/driver/registrar.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/driver/gather.h"

namespace convergence {
namespace {

constexpr std::string_view kMaintenance = "_service_maintenance:";

Registrar::Local joined(const std::map<std::string, ServiceInstance>& services,
                        const std::vector<HealthCheck>& checks) {
  Registrar::Local local;
  for (const auto& [id, instance] : services) local[id].instance = instance;
  for (const HealthCheck& check : checks) {
    if (auto found = local.find(check.service_id); found != local.end()) found->second.checks.push_back(check);
  }
  for (auto& [id, state] : local) std::ranges::sort(state.checks, {}, &HealthCheck::id);
  return local;
}

bool names(const std::vector<CheckDefinition>& checks, const std::string& id) {
  return std::ranges::find(checks, id, &CheckDefinition::id) != checks.end();
}

// ---- the Consul agent beside us ----------------------------------------------------------------------------------

class AgentRegistrar final : public Registrar {
 public:
  explicit AgentRegistrar(ConsulClient& client) : client_(client) {}

  void read(ConsulClient::Callback<Local> done) override {
    ConsulClient& client = client_;
    client_.agent_services({}, [&client, done](absl::StatusOr<std::map<std::string, ServiceInstance>> services) {
      if (!services.ok()) return done(services.status());
      client.agent_checks({}, [services = *std::move(services),
                               done](const absl::StatusOr<std::map<std::string, HealthCheck>>& checks) {
        if (!checks.ok()) return done(checks.status());
        std::vector<HealthCheck> list;
        for (const auto& [id, check] : *checks) list.push_back(check);
        done(joined(services, list));
      });
    });
  }

  // The server lets a check that is told again keep its status. What passed for the old version says nothing of the new
  // one, so its checks are taken away first, behind the maintenance.
  void put(const ServiceInstance& instance, const std::vector<CheckDefinition>& checks, bool fresh,
           ConsulClient::Done done) override {
    if (!fresh) return client_.agent_service_register(instance, checks, std::move(done));
    ConsulClient& client = client_;
    client_.agent_checks({}, [&client, instance, checks,
                              done = std::move(done)](const absl::StatusOr<std::map<std::string, HealthCheck>>& there) {
      if (!there.ok()) return done(there.status());
      auto gather = std::make_shared<Gather>();
      for (const auto& [id, check] : *there) {
        const bool maintenance = id.starts_with(kMaintenance);
        if (maintenance || (check.service_id != instance.id && !names(checks, id))) continue;
        gather->add([&client, gone = id](Gather::Done next) { client.agent_check_deregister(gone, std::move(next)); });
      }
      gather->run([&client, instance, checks, done, gather](const absl::Status& status) {
        if (!status.ok()) return done(status);
        client.agent_service_register(instance, checks, done, ConsulClient::OtherChecks::kKeep);
      });
    });
  }

  void remove(const std::string& service_id, ConsulClient::Done done) override {
    client_.agent_service_deregister(service_id, std::move(done));
  }

  void quiet(const std::string& service_id, bool on, const std::string& why, ConsulClient::Done done) override {
    client_.agent_service_maintenance(service_id, on, on ? why : "",
                                      [done = std::move(done)](const absl::Status& status) {
                                        done(error_kind(status) == ErrorKind::kNotFound ? absl::OkStatus() : status);
                                      });
  }

 private:
  ConsulClient& client_;
};

// ---- the catalog -------------------------------------------------------------------------------------------------

class CatalogRegistrar final : public Registrar {
 public:
  CatalogRegistrar(ConsulClient& client, Node node) : client_(client), node_(std::move(node)) {}

  void read(ConsulClient::Callback<Local> done) override {
    ConsulClient& client = client_;
    client_.catalog_node_services(
        node_.name, latest(),
        [&client, node = node_.name, done](absl::StatusOr<Answer<std::vector<ServiceInstance>>> services) {
          if (!services.ok()) return done(services.status());
          client.health_node(node, latest(),
                             [services = std::move(services->value),
                              done](const absl::StatusOr<Answer<std::vector<HealthCheck>>>& checks) {
                               if (!checks.ok()) return done(checks.status());
                               std::map<std::string, ServiceInstance> by_id;
                               for (const ServiceInstance& service : services) by_id[service.id] = service;
                               done(joined(by_id, checks->value));
                             });
        });
  }

  void put(const ServiceInstance& instance, const std::vector<CheckDefinition>& checks, bool fresh,
           ConsulClient::Done done) override {
    read([this, instance, checks, fresh, done = std::move(done)](const absl::StatusOr<Local>& local) {
      if (!local.ok()) return done(local.status());
      auto there = local->find(instance.id);
      static const InstanceState nothing;
      const InstanceState& before = there == local->end() ? nothing : there->second;
      Json::Array rows;
      for (const CheckDefinition& check : checks) rows.push_back(row(check, instance, fresh ? nothing : before));
      Json body = registration();
      body.set("Service", service_json(instance));
      body.set("Checks", Json(std::move(rows)));
      std::vector<std::string> gone;
      for (const HealthCheck& check : before.checks) {
        const bool stays = names(checks, check.id) || (fresh && check.id.starts_with(kMaintenance));
        if (!stays) gone.push_back(check.id);
      }
      client_.catalog_register(body, {}, [this, gone, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        auto gather = std::make_shared<Gather>();
        for (const std::string& id : gone) {
          gather->add([this, id](Gather::Done next) { drop("CheckID", id, std::move(next)); });
        }
        gather->run([done, gather](const absl::Status& ended) { done(ended); });
      });
    });
  }

  void remove(const std::string& service_id, ConsulClient::Done done) override {
    drop("ServiceID", service_id, std::move(done));
  }

  void quiet(const std::string& service_id, bool on, const std::string& why, ConsulClient::Done done) override {
    const std::string id = std::string(kMaintenance) + service_id;
    if (!on) return drop("CheckID", id, std::move(done));
    Json check;
    check.set("Node", node_.name)
        .set("CheckID", id)
        .set("Name", "Service Maintenance Mode")
        .set("Status", "critical")
        .set("Notes", why)
        .set("ServiceID", service_id);
    Json body = registration();
    body.set("Check", std::move(check));
    client_.catalog_register(body, {}, std::move(done));
  }

 private:
  static ReadOptions latest() {
    ReadOptions options;
    options.consistency = Consistency::kConsistent;
    return options;
  }

  Json registration() const {
    Json body;
    body.set("Node", node_.name).set("Address", node_.address).set("SkipNodeUpdate", true);
    return body;
  }

  static Json service_json(const ServiceInstance& instance) {
    Json json = to_json(instance);
    std::erase_if(*json.as_object(), [](const Json::Member& member) {
      return member.name == "CreateIndex" || member.name == "ModifyIndex";
    });
    return json;
  }

  Json row(const CheckDefinition& check, const ServiceInstance& instance, const InstanceState& before) const {
    auto known = std::ranges::find(before.checks, check.id, &HealthCheck::id);
    const CheckStatus status = known == before.checks.end() ? CheckStatus::kCritical : known->status;
    Json json;
    json.set("Node", node_.name)
        .set("CheckID", check.id)
        .set("Name", check.name)
        .set("Status", to_string(status))
        .set("ServiceID", instance.id);
    return json;
  }

  void drop(const char* what, const std::string& id, ConsulClient::Done done) {
    Json body;
    body.set("Node", node_.name).set(what, id);
    client_.catalog_deregister(body, {}, std::move(done));
  }

  ConsulClient& client_;
  const Node node_;
};

}  // namespace

std::unique_ptr<Registrar> agent_registrar(ConsulClient& client) { return std::make_unique<AgentRegistrar>(client); }
std::unique_ptr<Registrar> catalog_registrar(ConsulClient& client, Node node) {
  return std::make_unique<CatalogRegistrar>(client, std::move(node));
}

}  // namespace convergence
