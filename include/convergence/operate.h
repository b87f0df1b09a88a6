#ifndef CONVERGENCE_OPERATE_H_
#define CONVERGENCE_OPERATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/deployment.h"
#include "convergence/desired.h"
#include "convergence/report.h"
#include "convergence/time.h"

namespace convergence {

// What people ask of deployments, and how these stand: values from values. fleet_driver.h reads and writes them.

// ---- changes -----------------------------------------------------------------------------------------------------

struct Asked {
  std::string by{};
  std::string reason{};
  Time at{};
  friend bool operator==(const Asked&, const Asked&) = default;
};

// "ann: too slow", "somebody"
std::string describe(const Asked& asked);

// The document with another release wanted: the generation goes up, what is known to be good stays, a roll-out that is
// on its way is superseded. A release that is wanted already gives the document as it is, unless `again`.
DesiredService deploy(const DesiredService& service, const Release& release, bool again = false);
// Takes the roll-out back that is on its way: all nodes go to the last good release or, where none is known, those that
// have not changed keep what they run. Kind "refused" where nothing is on its way.
absl::StatusOr<DesiredService> cancel(const DesiredService& service, const Asked& asked);
// Switched off, agents leave the service as it is, whatever it is.
DesiredService toggle(const DesiredService& service, bool on);

// The key whose text takes a node out of traffic; nothing in it, or no such key, does not.
std::string maintenance_key(std::string_view prefix, std::string_view node);

// ---- locks -------------------------------------------------------------------------------------------------------

// While a lock stands, agents begin no deployment; what is under way goes on. At <prefix>/locks/<scope>.
struct DeployLock {
  std::string scope{};  // "all", "roles/<role>" or "nodes/<node>"; said by the key
  Asked asked{};
  friend bool operator==(const DeployLock&, const DeployLock&) = default;
};
// INVALID_ARGUMENT kind "validate" for another form of scope, or an empty name or one with a slash.
absl::Status check_lock_scope(std::string_view scope);
// What stands below <prefix>/locks/. Whatever the value is, a lock is a lock.
std::vector<DeployLock> locks_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix);
// Why a node begins nothing: "all deployments are locked by ann: release freeze"; empty when it may.
std::string locked_for(const std::vector<DeployLock>& locks, std::string_view role, std::string_view node);

// ---- deployments -------------------------------------------------------------------------------------------------

// Who asked for a deployment: at <prefix>/deployments/<role>/<service id>/<deployment>/record.
struct DeploymentRecord {
  std::string version{};
  std::uint64_t generation = 0;
  Asked asked{};
  std::vector<std::string> log{};  // what was told while it went on, by those who waited for its end
  friend bool operator==(const DeploymentRecord&, const DeploymentRecord&) = default;
};

// The record with more lines, of which the latest are kept: lines that are long are cut, and all have room in a key.
inline constexpr std::size_t kMostLogLines = 500;
DeploymentRecord with_lines(const DeploymentRecord& record, const std::vector<std::string>& lines);

struct PastDeployment {
  std::string role{};
  std::string service_id{};
  std::string deployment{};
  std::optional<DeploymentRecord> record{};
  std::map<std::string, NodeReport> reports{};  // by node: .../nodes/<node>; of Environment Manager's, by instance
  std::string overall{};                        // Environment Manager's K4, in its words; empty: nobody keeps it
  friend bool operator==(const PastDeployment&, const PastDeployment&) = default;
};
// <prefix>/deployments/<role>/<service id>/<deployment>/, with the slash.
std::string deployment_folder(std::string_view prefix, std::string_view role, std::string_view service_id,
                              std::string_view deployment);
std::string deployment_folder(std::string_view prefix, const DesiredService& service);
// When the first node began or somebody asked for it, whichever is known.
Time began(const PastDeployment& deployment);
// What stands below <prefix>/deployments/, the latest first; what cannot be read is left out and told in `broken`.
std::vector<PastDeployment> deployments_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix,
                                                std::vector<absl::Status>& broken);

// ---- how it stands -----------------------------------------------------------------------------------------------

enum class NodeStanding {
  kAsWanted,
  kChanging,    // its agent is at it
  kMissing,     // nothing of it is there
  kBehind,      // another deployment runs
  kIll,         // the right one, which does not pass
  kFailed,      // its agent could not deploy it
  kIgnored,     // switched off
  kUnexpected,  // there, and asked to be gone
  kLost,        // the node itself is critical
};
std::string_view to_string(NodeStanding standing);

struct NodeLine {
  std::string node{};
  NodeStanding standing = NodeStanding::kAsWanted;
  std::string version{};               // that runs
  std::string deployment{};            // that runs
  std::string wanted{};                // deployment that it should run now; empty: what runs stays
  std::string why{};                   // in words
  std::optional<NodeReport> report{};  // of the wanted release
  bool out_of_traffic = false;         // taken out of it on purpose
  friend bool operator==(const NodeLine&, const NodeLine&) = default;
};

struct ServiceStatus {
  std::string service_id{};
  std::string name{};
  std::string role{};
  Slice slice = Slice::kNone;
  std::string version{};     // wanted
  std::string deployment{};  // wanted
  std::string last_good{};   // version
  DesiredAction action = DesiredAction::kInstall;
  std::string phase{};            // of FleetPhase; "new" before the first wave is chosen, "wanted" without phases
  std::string why{};              // of a release that was taken back
  std::vector<NodeLine> nodes{};  // by name
  bool satisfied = true;          // every node that is not lost is as wanted or left alone; of none, all are ("0 of 0")
  friend bool operator==(const ServiceStatus&, const ServiceStatus&) = default;
};

// `reports`: of the wanted deployment. INVALID_ARGUMENT for a placement's filter that nodes cannot be asked.
absl::StatusOr<ServiceStatus> status_of(const DesiredService& service, const CatalogState& catalog,
                                        const std::map<std::string, NodeReport>& reports);

enum class RolloutEnd { kUnderWay, kGood, kTakenBack, kSuperseded };
std::string_view to_string(RolloutEnd end);
// How the deployment ended that a generation stands for. Where no living node is there, it is good: 0 of 0.
RolloutEnd end_of(const DesiredService& service, std::uint64_t generation, const ServiceStatus& status);

// An instance that carries our mark and stands where nothing wants it.
struct UnexpectedInstance {
  std::string node{};
  std::string service{};
  std::string service_id{};
  std::string version{};
  friend bool operator==(const UnexpectedInstance&, const UnexpectedInstance&) = default;
};
absl::StatusOr<std::vector<UnexpectedInstance>> unexpected_instances(const std::vector<DesiredService>& services,
                                                                     const CatalogState& catalog,
                                                                     std::string_view owner);

// ---- rights ------------------------------------------------------------------------------------------------------

// The least that Consul's ACLs have to allow, as rules in HCL.
struct AclScope {
  std::string prefix{};
  std::string environment{};            // Environment Manager's keys too
  std::string role{};                   // empty: every role
  std::string node{};                   // empty: every node
  std::vector<std::string> services{};  // in the catalog; empty: every service
  friend bool operator==(const AclScope&, const AclScope&) = default;
};
std::string agent_rules(const AclScope& scope);
std::string operator_rules(const AclScope& scope);

}  // namespace convergence

#endif  // CONVERGENCE_OPERATE_H_
