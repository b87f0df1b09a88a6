#ifndef CONVERGENCE_ENVIRONMENT_DRIVER_H_
#define CONVERGENCE_ENVIRONMENT_DRIVER_H_

#include <map>
#include <string>
#include <string_view>

#include "convergence/consul_client.h"
#include "convergence/environment_fleet.h"
#include "convergence/fleet_driver.h"

namespace convergence {

// Reads and writes of those who look after an environment of Environment Manager. They decide nothing: see
// environment_fleet.h.

enum class DeploymentScope {
  kWanted,  // those that records point to: a bounded read, however long the history is (W-S27)
  kAll,
};

struct EnvironmentSeen {
  std::map<std::string, KvPair> kv{};  // all below environments/<environment>/, and of deployments/ what was asked for
  FleetsSeen fleets{};
};
// What is wanted of all roles, what is there and what agents have told; the locks are those below `prefix`. The reads
// are not one snapshot.
void read_environment(ConsulClient& client, std::string_view environment, std::string_view prefix,
                      DeploymentScope scope, const ReadOptions& options, ConsulClient::Callback<EnvironmentSeen> done);

enum class HeldByLocks { kNo, kYes };
// One transaction: all or nothing. Kind "conflict" where somebody was faster: read and decide again; "refused" where
// deployments of the role are locked and it is held by that.
void write_environment(ConsulClient& client, const EnvironmentWrite& write, const EnvironmentRole& role,
                       std::string_view prefix, HeldByLocks locks, ConsulClient::Done done);

// Looks whether the deployment has ended on the nodes of its role that are not lost; then K4 says so, by
// compare-and-set: of many who see it one writes it (W-S12, W-S28). Gives K4 as it stands then; empty where there is
// none, since then nobody keeps it.
void settle_overall_status(ConsulClient& client, const EnvironmentRole& role, const std::string& deployment,
                           ConsulClient::Callback<std::string> done);

}  // namespace convergence

#endif  // CONVERGENCE_ENVIRONMENT_DRIVER_H_
