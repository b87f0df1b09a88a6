#ifndef CONVERGENCE_COLLECT_H_
#define CONVERGENCE_COLLECT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence {

// What deployments that have ended leave in Consul's KV, and which of it may go: values from values. collect_ended() of
// fleet_driver.h reads and deletes. Only keys that were read go, each by its own index: never a prefix, so "Web" takes
// nothing of "Web-blue" or "WebAdmin" (environment-manager.md W-S6, W-S15, W-S16).

// A key as it was read; 0: it was not there.
struct SeenKey {
  std::string key{};
  std::uint64_t modify_index = 0;
  friend bool operator==(const SeenKey&, const SeenKey&) = default;
};

// ---- what is there -----------------------------------------------------------------------------------------------

// The keys of one deployment: its reports, then the record that says what it was.
struct StoredDeployment {
  std::string role{};        // ours
  std::string service{};     // ours: the service id; of Environment Manager's: its name, empty where nothing tells it
  std::string version{};     // Environment Manager's
  std::string deployment{};  // its id
  std::optional<Time> last_sign{};  // the latest time that a report or record tells; none: nobody knows how old it is
  bool under_way = false;           // a report has no end
  std::vector<SeenKey> keys{};
  friend bool operator==(const StoredDeployment&, const StoredDeployment&) = default;
};

// Below <prefix>/: what is wanted, and what was told.
struct DeploymentHistory {
  std::vector<DesiredService> services{};
  std::set<std::string> unread_roles{};  // with a document that cannot be read: all of them stays
  std::vector<StoredDeployment> deployments{};
  std::string prefix{};
  friend bool operator==(const DeploymentHistory&, const DeploymentHistory&) = default;
};
// Of the keys below <prefix>/desired/ and <prefix>/deployments/; keys of other forms are not ours to collect.
absl::StatusOr<DeploymentHistory> deployment_history(const std::vector<KvPair>& pairs, std::string_view prefix);

// A key K1 of any role of the environment.
struct EnvironmentPointer {
  SeenKey at{};
  std::string role{};
  std::string service{};  // empty where the key does not tell it
  bool readable = true;
  std::string version{};
  std::string deployment{};
  friend bool operator==(const EnvironmentPointer&, const EnvironmentPointer&) = default;
};

// K2 and K3 of one version, those that are there.
struct EnvironmentVersion {
  std::string service{};
  std::string version{};
  std::vector<SeenKey> keys{};
  friend bool operator==(const EnvironmentVersion&, const EnvironmentVersion&) = default;
};

struct EnvironmentHistory {
  std::string environment{};
  std::vector<EnvironmentPointer> pointers{};
  std::vector<EnvironmentVersion> versions{};
  std::vector<StoredDeployment> deployments{};  // whose K5 names the environment
  std::vector<std::string> nobodys{};           // ids of deployments without a K5 that can be read
  friend bool operator==(const EnvironmentHistory&, const EnvironmentHistory&) = default;
};
// Of the keys below environments/<environment>/ and deployments/. An id that is a UUID of version 1, as Environment
// Manager makes them, tells when it was made. INVALID_ARGUMENT for a name that is no piece of a key.
absl::StatusOr<EnvironmentHistory> environment_history(const std::vector<KvPair>& pairs, std::string_view environment);

// ---- what goes ---------------------------------------------------------------------------------------------------

struct CollectRules {
  Duration retention = std::chrono::hours(24 * 30);  // since the last sign of a deployment
  // A report without an end whose node has said nothing for so long is that of a node which is gone.
  Duration silence = std::chrono::hours(24 * 7);
  friend bool operator==(const CollectRules&, const CollectRules&) = default;
};

enum class CollectKind {
  kDeployment,  // reports and record of a deployment
  kService,     // the document of a service that was to be uninstalled, and is, everywhere
  kVersion,     // K2 and K3 of a version
};
std::string_view to_string(CollectKind kind);

struct CollectUnit {
  CollectKind kind = CollectKind::kDeployment;
  std::string name{};
  Time last_sign{};
  std::vector<SeenKey> keys{};  // in the order in which they go
  // Not empty: all of it is one transaction, in which these have to be as they were read.
  std::vector<SeenKey> unchanged{};
  friend bool operator==(const CollectUnit&, const CollectUnit&) = default;
};
struct CollectKept {
  CollectKind kind = CollectKind::kDeployment;
  std::string name{};
  std::string why{};
  friend bool operator==(const CollectKept&, const CollectKept&) = default;
};
struct CollectPlan {
  std::vector<CollectUnit> goes{};  // versions before the deployments that tell how old they are
  std::vector<CollectKept> stays{};
  friend bool operator==(const CollectPlan&, const CollectPlan&) = default;
};
Json to_json(const CollectPlan& plan);

// Stays: what is wanted or known to be good, what an instance in the catalog carries, what is under way, what is
// younger than the retention, and what nobody knows the age of.
CollectPlan plan_collect(const DeploymentHistory& history, const CatalogState& catalog, Time now,
                         const CollectRules& rules);
// K1 stays in any case. K2 and K3 go when no K1 of any role points to them, and every deployment of them goes.
CollectPlan plan_collect(const EnvironmentHistory& history, const CatalogState& catalog, Time now,
                         const CollectRules& rules);

// One transaction. Small units share one; those that are larger than one go in several, in order.
inline constexpr std::size_t kCollectBatch = 64;  // operations
struct CollectBatch {
  std::vector<Json> operations{};    // {"KV": {...}}: "delete-cas", after what has to be unchanged
  std::vector<std::size_t> units{};  // of each operation, by its place in `goes`
  friend bool operator==(const CollectBatch&, const CollectBatch&) = default;
};
std::vector<CollectBatch> collect_batches(const CollectPlan& plan);

}  // namespace convergence

#endif  // CONVERGENCE_COLLECT_H_
