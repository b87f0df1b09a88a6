#ifndef CONVERGENCE_ENVIRONMENT_FLEET_H_
#define CONVERGENCE_ENVIRONMENT_FLEET_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/environment_manager.h"
#include "convergence/operate.h"
#include "convergence/report.h"
#include "convergence/time.h"

namespace convergence {

// An environment of Environment Manager as those see it who look after all its roles: what is wanted, how its
// deployments stand and stood, and what people do about them. Values from values; environment_driver.h reads and
// writes. Names K1 to K6 are those of environment_manager.h.

// ---- what is there -----------------------------------------------------------------------------------------------

struct EnvironmentServices {
  std::vector<DesiredService> services{};  // by (role, name, slice)
  std::vector<absl::Status> unread{};      // of records that give no service, by role and key
  friend bool operator==(const EnvironmentServices&, const EnvironmentServices&) = default;
};
// `kv` holds all below environments/<environment>/. Kind "validate" for a name that is no piece of a key.
absl::StatusOr<EnvironmentServices> environment_services(const std::map<std::string, KvPair>& kv,
                                                         std::string_view environment);
// The services' deployments, sorted, each once: whose keys tell how they stand.
std::vector<std::string> environment_deployment_ids(const std::vector<DesiredService>& services);

// The deployments whose K5 names the environment, the latest first; reports are by instance. Without our own record
// there is one that says the version, and when an id that is a UUID of version 1 was made. `kv` as above, and what was
// read of deployments/; reports and records that cannot be read are told in `broken`.
std::vector<PastDeployment> environment_deployments(const std::map<std::string, KvPair>& kv,
                                                    std::string_view environment, std::vector<absl::Status>& broken);

// ---- how a deployment ends ---------------------------------------------------------------------------------------

// How a deployment stands on the nodes of its role that are not lost: it ends when all of them have ended, and of none
// all have (environment-manager.md W-S10). `reports` by node; those of other nodes do not count.
OverallStatus overall_of(const std::vector<std::string>& nodes, const std::map<std::string, NodeReport>& reports);

// ---- what people do ----------------------------------------------------------------------------------------------
// Each gives one transaction, as in environment_manager.h. A deployment that is In Progress and not wanted any more by
// that becomes Cancelled in it, so that each ends once (W-S12, W-S13, W-S28).

// A UUID of version 1, as their ids are; `random` makes it one of its own.
std::string deployment_uuid(Time at, std::uint64_t random);

// The service with another version: what its keys know of that version, else what `there` is, with the version's tag
// and without a package. `kv` as above.
absl::StatusOr<DesiredService> environment_release(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role,
                                                   const DesiredService& there, const std::string& version,
                                                   const std::string& deployment);

struct EnvironmentOrder {
  DesiredService service{};
  EnvironmentRole role{};
  std::int32_t nodes = 0;  // of the role, in the catalog
  Asked asked{};           // kept beside K5, at deployments/<deployment>/record
  std::string before{};    // deployment that is wanted now; empty: none
  friend bool operator==(const EnvironmentOrder&, const EnvironmentOrder&) = default;
};
std::string deployment_record_key(std::string_view deployment);
// export_environment() and the record. `kv` also holds the deployment's own keys and those of the one before. Kind
// "validate" also for a slice in the fleet of the other one ("Web-green").
absl::StatusOr<EnvironmentWrite> deploy_environment(const EnvironmentOrder& order,
                                                    const std::map<std::string, KvPair>& kv);

// What was good before a deployment, and can be had again: version and deployment.
struct GoodDeployment {
  std::string version{};
  std::string deployment{};
  friend bool operator==(const GoodDeployment&, const GoodDeployment&) = default;
};
// The latest of the service that succeeded, but for the one that is wanted; its version's keys are still there.
std::optional<GoodDeployment> last_good_of(const DesiredService& service, const EnvironmentRole& role,
                                           const std::vector<PastDeployment>& deployments,
                                           const std::map<std::string, KvPair>& kv);
// Back to what was good, or switched off where nothing is known to be (as theirs always is; W-S8). Kind "refused" when
// the deployment has ended.
absl::StatusOr<EnvironmentWrite> cancel_environment(const EnvironmentRecord& record,
                                                    const std::optional<GoodDeployment>& back,
                                                    const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv);

enum class Undeploy {
  kUninstall,  // agents take it away: Action Uninstall
  kForget,     // its keys go, by their exact names; what runs is left as it is
};
absl::StatusOr<EnvironmentWrite> undeploy_environment(const EnvironmentRecord& record, Undeploy how,
                                                      const EnvironmentRole& role,
                                                      const std::map<std::string, KvPair>& kv);

// Instances that were deployed to nodes of the environment, by whichever agent, and are wanted by nobody.
absl::StatusOr<std::vector<UnexpectedInstance>> unexpected_in_environment(const std::vector<DesiredService>& services,
                                                                          const CatalogState& catalog,
                                                                          std::string_view environment);

}  // namespace convergence

#endif  // CONVERGENCE_ENVIRONMENT_FLEET_H_
