#ifndef CONVERGENCE_FLEET_DRIVER_H_
#define CONVERGENCE_FLEET_DRIVER_H_

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/consul_client.h"
#include "convergence/operate.h"

namespace convergence {

// Reads and writes of those who look after fleets. They decide nothing: see operate.h.

struct FleetsSeen {
  std::vector<DesiredService> services{};
  CatalogState catalog{};
  std::vector<PastDeployment> deployments{};  // the latest first
  std::vector<DeployLock> locks{};
  std::vector<absl::Status> broken{};  // documents that could not be read
};

// The reports of the release that the service wants now.
std::map<std::string, NodeReport> reports_of(const FleetsSeen& seen, const DesiredService& service);

// What is wanted, what is there and what agents have told, below `prefix`. The reads are not one snapshot.
void read_fleets(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                 ConsulClient::Callback<FleetsSeen> done);

struct DesiredChange {
  DesiredService service{};                  // compared with its modify_index; 0: it must not be there yet
  std::optional<DeploymentRecord> record{};  // of the deployment that begins with it
  friend bool operator==(const DesiredChange&, const DesiredChange&) = default;
};
// One transaction: all or nothing. Kind "conflict" where somebody was faster: read and decide again; of a change with a
// record kind "refused" where deployments of its role are locked.
void write_change(ConsulClient& client, std::string_view prefix, const DesiredChange& change, ConsulClient::Done done);

// A lock that is there is replaced.
void put_lock(ConsulClient& client, std::string_view prefix, const DeployLock& lock, ConsulClient::Done done);
// False where none stood.
void remove_lock(ConsulClient& client, std::string_view prefix, std::string_view scope,
                 ConsulClient::Callback<bool> done);

}  // namespace convergence

#endif  // CONVERGENCE_FLEET_DRIVER_H_
