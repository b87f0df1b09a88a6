#include "convergence/environment_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "lib/driver/gather.h"
#include "lib/driver/kv_trees.h"
#include "lib/driver/locks.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

void add_by_key(const std::vector<KvPair>& pairs, KvByKey& kv) {
  for (const KvPair& pair : pairs) kv[pair.key] = pair;
}

// One read of an environment, which keeps itself while an answer is to come.
struct EnvironmentRun {
  ConsulClient& client;
  std::string environment{};
  std::string prefix{};
  DeploymentScope scope = DeploymentScope::kWanted;
  ReadOptions options{};
  std::shared_ptr<KvByKey> kv = std::make_shared<KvByKey>();
  EnvironmentSeen seen{};
};

void recurse(const std::shared_ptr<EnvironmentRun>& run, const std::string& folder, ConsulClient::Done done) {
  run->client.kv_recurse(folder, run->options, [run, done = std::move(done)](const auto& pairs) {
    if (!pairs.ok()) return done(pairs.status());
    add_by_key(pairs->value, *run->kv);
    done(absl::OkStatus());
  });
}

// What is wanted first: it says which deployments are.
void read_keys(const std::shared_ptr<EnvironmentRun>& run, ConsulClient::Done done) {
  recurse(run, fmt::format("environments/{}/", run->environment),
          [run, done = std::move(done)](const absl::Status& status) {
            if (!status.ok()) return done(status);
            absl::StatusOr<EnvironmentServices> read = environment_services(*run->kv, run->environment);
            if (!read.ok()) return done(read.status());
            run->seen.fleets.services = std::move(read->services);
            run->seen.fleets.broken = std::move(read->unread);
            if (run->scope == DeploymentScope::kAll) return recurse(run, "deployments/", done);
            std::vector<std::string> folders;
            for (const std::string& id : environment_deployment_ids(run->seen.fleets.services)) {
              folders.push_back(fmt::format("deployments/{}/", id));
            }
            read_trees(run->client, folders, run->kv, done);
          });
}

struct Settling {
  ConsulClient& client;
  EnvironmentRole role{};
  std::string deployment{};
  std::uint64_t index = 0;  // of K4
  std::vector<Node> nodes{};
  std::set<std::string> lost{};
};

std::vector<std::string> living(const Settling& settling) {
  std::vector<std::string> out;
  for (const Node& node : settling.nodes) {
    if (!settling.lost.contains(node.name)) out.push_back(node.name);
  }
  return out;
}

void read_nodes(const std::shared_ptr<Settling>& settling, ConsulClient::Done done) {
  auto gather = std::make_shared<Gather>();
  ReadOptions of_role = latest();
  of_role.filter = fmt::format("Meta.role == \"{}\" and Meta.environment == \"{}\"", settling->role.role,
                               settling->role.environment);
  gather->add([settling, of_role](Gather::Done next) {
    settling->client.catalog_nodes(of_role, [settling, next = std::move(next)](const auto& nodes) {
      if (nodes.ok()) settling->nodes = nodes->value;
      next(nodes.status());
    });
  });
  gather->add([settling](Gather::Done next) {
    settling->client.health_state("critical", latest(), [settling, next = std::move(next)](const auto& checks) {
      if (!checks.ok()) return next(checks.status());
      for (const HealthCheck& check : checks->value) {
        if (check.service_id.empty() && check.id != kStandbyCheck) settling->lost.insert(check.node);
      }
      next(absl::OkStatus());
    });
  });
  gather->run([gather, done = std::move(done)](const absl::Status& status) { done(status); });
}

void write_end(const std::shared_ptr<Settling>& settling, OverallStatus end,
               const ConsulClient::Callback<std::string>& done) {
  if (end == OverallStatus::kInProgress) return done(std::string(to_string(end)));
  ConsulClient::KvPut put;
  put.key = overall_status_key(settling->deployment);
  put.value = to_string(end);
  put.cas = settling->index;
  settling->client.kv_put(put, {}, [settling, put, done](const absl::StatusOr<bool>& written) {
    if (!written.ok()) return done(written.status());
    if (*written) return done(put.value);
    settling->client.kv_get(put.key, latest(), [settling, done](const auto& pair) {
      if (!pair.ok()) return done(pair.status());
      done(pair->value ? pair->value->value : std::string());
    });
  });
}

void judge_reports(const std::shared_ptr<Settling>& settling, const ConsulClient::Callback<std::string>& done) {
  const std::string folder = node_report_key(settling->deployment, "");
  settling->client.kv_recurse(folder, latest(), [settling, folder, done](const auto& pairs) {
    if (!pairs.ok()) return done(pairs.status());
    std::map<std::string, NodeReport> reports;
    for (const KvPair& pair : pairs->value) {
      absl::StatusOr<NodeReport> report = parse<NodeReport>(pair.value, pair.key);
      if (!report.ok()) continue;
      const std::string name = report->node.empty() ? pair.key.substr(folder.size()) : report->node;
      reports[name] = *std::move(report);
    }
    write_end(settling, overall_of(living(*settling), reports), done);
  });
}

}  // namespace

void read_environment(ConsulClient& client, std::string_view environment, std::string_view prefix,
                      DeploymentScope scope, const ReadOptions& options, ConsulClient::Callback<EnvironmentSeen> done) {
  auto run = std::make_shared<EnvironmentRun>(
      EnvironmentRun{client, std::string(environment), std::string(prefix), scope, options});
  auto gather = std::make_shared<Gather>();
  gather->add([run](Gather::Done next) { read_keys(run, std::move(next)); });
  gather->add([run](Gather::Done next) {
    read_catalog(run->client, {}, run->options, [run, next = std::move(next)](absl::StatusOr<CatalogState> catalog) {
      if (!catalog.ok()) return next(catalog.status());
      run->seen.fleets.catalog = *std::move(catalog);
      next(absl::OkStatus());
    });
  });
  gather->add([run](Gather::Done next) {
    run->client.kv_recurse(run->prefix + "/locks/", run->options, [run, next = std::move(next)](const auto& pairs) {
      if (!pairs.ok()) return next(pairs.status());
      run->seen.fleets.locks = locks_from_kv(pairs->value, run->prefix);
      next(absl::OkStatus());
    });
  });
  gather->run([run, gather, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) return done(status);
    FleetsSeen& fleets = run->seen.fleets;
    fleets.deployments = environment_deployments(*run->kv, run->environment, fleets.broken);
    run->seen.kv = std::move(*run->kv);
    done(std::move(run->seen));
  });
}

void write_environment(ConsulClient& client, const EnvironmentWrite& write, const EnvironmentRole& role,
                       std::string_view prefix, HeldByLocks held, ConsulClient::Done done) {
  if (write.operations.empty()) return done(absl::OkStatus());
  std::vector<std::string> locks;
  if (held == HeldByLocks::kYes) locks = locks_of_role(role.role);
  std::vector<TxnOperation> operations = no_locks(locks, prefix);
  for (const Json& operation : write.operations) operations.push_back({operation});
  client.txn(operations, {}, [role, locks, done = std::move(done)](const absl::StatusOr<TxnResult>& result) {
    if (!result.ok()) return done(result.status());
    if (result->failures.empty()) return done(absl::OkStatus());
    const TxnFailure& failure = result->failures.front();
    const std::string name = fmt::format("{}/{}", role.environment, role.role);
    if (failure.operation < locks.size()) return done(held_by_lock(name, locks[failure.operation]));
    if (failure.what.find("ermission denied") != std::string::npos) {
      return done(make_error(ErrorKind::kDenied, fmt::format("{}: {}; give a token with the rules of converge policy "
                                                             "operator -environment",
                                                             name, failure.what)));
    }
    done(make_error(ErrorKind::kConflict,
                    fmt::format("{}: its keys have changed meanwhile ({}); look again", name, failure.what)));
  });
}

void settle_overall_status(ConsulClient& client, const EnvironmentRole& role, const std::string& deployment,
                           ConsulClient::Callback<std::string> done) {
  auto settling = std::make_shared<Settling>(Settling{client, role, deployment});
  client.kv_get(overall_status_key(deployment), latest(), [settling, done = std::move(done)](const auto& pair) {
    if (!pair.ok()) return done(pair.status());
    if (!pair->value) return done(std::string());
    const std::string& there = pair->value->value;
    if (there != to_string(OverallStatus::kInProgress)) return done(there);
    settling->index = pair->value->modify_index;
    read_nodes(settling, [settling, done](const absl::Status& status) {
      if (!status.ok()) return done(status);
      // Names alone tell of most looks that it is too early: a thousand nodes read no million reports.
      const std::string folder = node_report_key(settling->deployment, "");
      settling->client.kv_keys(folder, latest(), [settling, done](const auto& keys) {
        if (!keys.ok()) return done(keys.status());
        if (keys->value.size() < living(*settling).size()) {
          return done(std::string(to_string(OverallStatus::kInProgress)));
        }
        judge_reports(settling, done);
      });
    });
  });
}

}  // namespace convergence
