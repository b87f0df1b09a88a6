#include "convergence/fleet_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "lib/driver/gather.h"
#include "lib/driver/locks.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

TxnOperation kv_write(std::string_view verb, const KvPair& pair, std::uint64_t index) {
  return {Json().set(
      "KV", Json().set("Verb", verb).set("Key", pair.key).set("Value", base64_encode(pair.value)).set("Index", index))};
}

// What a change that was refused ran into, by the operation that failed.
absl::Status lost(const DesiredService& service, const std::vector<std::string>& locks, std::size_t operation) {
  if (operation < locks.size()) return held_by_lock(service.name, locks[operation]);
  return make_error(ErrorKind::kConflict,
                    fmt::format("{}: its document has changed meanwhile; look again", service.name));
}

}  // namespace

std::string lock_key(std::string_view prefix, std::string_view scope) {
  return fmt::format("{}/locks/{}", prefix, scope);
}

std::vector<std::string> locks_of_role(std::string_view role) { return {"all", fmt::format("roles/{}", role)}; }

std::vector<TxnOperation> no_locks(const std::vector<std::string>& scopes, std::string_view prefix) {
  std::vector<TxnOperation> out;
  for (const std::string& scope : scopes) {
    out.push_back({Json().set("KV", Json().set("Verb", "check-not-exists").set("Key", lock_key(prefix, scope)))});
  }
  return out;
}

absl::Status held_by_lock(std::string_view what, std::string_view scope) {
  return make_error(ErrorKind::kRefused,
                    fmt::format("{}: deployments are locked ({}); see converge lock", what, scope));
}

std::map<std::string, NodeReport> reports_of(const FleetsSeen& seen, const DesiredService& service) {
  const std::string id = service_id(service);
  const std::string key = deployment_key(service);
  for (const PastDeployment& one : seen.deployments) {
    if (one.role != service.placement.role || one.service_id != id || one.deployment != key) continue;
    std::map<std::string, NodeReport> by_node;
    for (const auto& [name, report] : one.reports) by_node[report.node.empty() ? name : report.node] = report;
    return by_node;
  }
  return {};
}

void read_fleets(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                 ConsulClient::Callback<FleetsSeen> done) {
  auto seen = std::make_shared<FleetsSeen>();
  auto gather = std::make_shared<Gather>();
  const std::string below(prefix);
  gather->add([&client, seen, below, options](Gather::Done next) {
    read_desired(client, below, options,
                 [seen, next = std::move(next)](const absl::StatusOr<Answer<DesiredRead>>& read) {
                   if (!read.ok()) return next(read.status());
                   seen->services = read->value.desired.services;
                   seen->broken.insert(seen->broken.end(), read->value.broken.begin(), read->value.broken.end());
                   next(absl::OkStatus());
                 });
  });
  gather->add([&client, seen, options](Gather::Done next) {
    read_catalog(client, {}, options, [seen, next = std::move(next)](absl::StatusOr<CatalogState> catalog) {
      if (!catalog.ok()) return next(catalog.status());
      seen->catalog = *std::move(catalog);
      next(absl::OkStatus());
    });
  });
  gather->add([&client, seen, below, options](Gather::Done next) {
    client.kv_recurse(below + "/deployments/", options, [seen, below, next = std::move(next)](const auto& pairs) {
      if (!pairs.ok()) return next(pairs.status());
      seen->deployments = deployments_from_kv(pairs->value, below, seen->broken);
      next(absl::OkStatus());
    });
  });
  gather->add([&client, seen, below, options](Gather::Done next) {
    client.kv_recurse(below + "/locks/", options, [seen, below, next = std::move(next)](const auto& pairs) {
      if (!pairs.ok()) return next(pairs.status());
      seen->locks = locks_from_kv(pairs->value, below);
      next(absl::OkStatus());
    });
  });
  gather->run([seen, gather, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) return done(status);
    done(std::move(*seen));
  });
}

void write_change(ConsulClient& client, std::string_view prefix, const DesiredChange& change, ConsulClient::Done done) {
  std::vector<std::string> locks;
  if (change.record) locks = locks_of_role(change.service.placement.role);
  std::vector<TxnOperation> operations = no_locks(locks, prefix);
  DesiredState one;
  one.services = {change.service};
  const std::vector<KvPair> pairs = desired_to_kv(one, prefix);
  operations.push_back(kv_write("cas", pairs.front(), change.service.modify_index));
  if (change.record) {
    KvPair record;
    record.key = deployment_folder(prefix, change.service) + "record";
    record.value = to_text(to_json(*change.record));
    operations.push_back(kv_write("set", record, 0));
  }
  client.txn(operations, {},
             [service = change.service, locks, done = std::move(done)](const absl::StatusOr<TxnResult>& result) {
               if (!result.ok()) return done(result.status());
               if (result->failures.empty()) return done(absl::OkStatus());
               done(lost(service, locks, result->failures.front().operation));
             });
}

void add_log_lines(ConsulClient& client, const std::string& record_key, const std::vector<std::string>& lines,
                   ConsulClient::Done done) {
  client.kv_get(record_key, latest(), [&client, lines, done = std::move(done)](const auto& pair) {
    if (!pair.ok()) return done(pair.status());
    if (!pair->value) return done(absl::OkStatus());
    const absl::StatusOr<DeploymentRecord> record = parse<DeploymentRecord>(pair->value->value, pair->value->key);
    if (!record.ok()) return done(record.status());
    ConsulClient::KvPut put;
    put.key = pair->value->key;
    put.value = to_text(to_json(with_lines(*record, lines)));
    put.cas = pair->value->modify_index;
    client.kv_put(put, {}, [key = put.key, done](const absl::StatusOr<bool>& written) {
      if (!written.ok()) return done(written.status());
      done(*written ? absl::OkStatus()
                    : make_error(ErrorKind::kConflict, fmt::format("{}: has changed meanwhile; look again", key)));
    });
  });
}

void put_lock(ConsulClient& client, std::string_view prefix, const DeployLock& lock, ConsulClient::Done done) {
  if (absl::Status status = check_lock_scope(lock.scope); !status.ok()) return done(status);
  ConsulClient::KvPut put;
  put.key = lock_key(prefix, lock.scope);
  put.value = to_text(to_json(lock));
  client.kv_put(put, {}, [done = std::move(done)](const absl::StatusOr<bool>& written) { done(written.status()); });
}

void remove_lock(ConsulClient& client, std::string_view prefix, std::string_view scope,
                 ConsulClient::Callback<bool> done) {
  const std::string key = lock_key(prefix, scope);
  client.kv_get(key, {}, [&client, key, done = std::move(done)](const auto& pair) {
    if (!pair.ok()) return done(pair.status());
    if (!pair->value) return done(false);
    client.kv_delete(key, std::nullopt, {}, [done](const absl::StatusOr<bool>& deleted) { done(deleted); });
  });
}

}  // namespace convergence
