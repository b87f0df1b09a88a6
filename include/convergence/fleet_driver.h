#ifndef CONVERGENCE_FLEET_DRIVER_H_
#define CONVERGENCE_FLEET_DRIVER_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/collect.h"
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

// The reports of the release that the service wants now, by node.
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

// Adds to the log of the record at the key, by compare-and-set; nothing where there is none (any more).
void add_log_lines(ConsulClient& client, const std::string& record_key, const std::vector<std::string>& lines,
                   ConsulClient::Done done);

// A lock that is there is replaced.
void put_lock(ConsulClient& client, std::string_view prefix, const DeployLock& lock, ConsulClient::Done done);
// False where none stood.
void remove_lock(ConsulClient& client, std::string_view prefix, std::string_view scope,
                 ConsulClient::Callback<bool> done);

struct CollectOptions {
  CollectRules rules{};
  std::string environment{};  // Environment Manager's keys of it, in place of our own below the prefix
  bool dry_run = false;
};
struct Collected {
  CollectPlan plan{};
  std::size_t keys = 0;                // that went
  std::vector<std::string> changed{};  // names of units that stay, since a key has changed meanwhile
  friend bool operator==(const Collected&, const Collected&) = default;
};
// Reads, plans, and deletes what may go at `now`. What it did before an error stays done; it can end after any of it.
void collect_ended(ConsulClient& client, std::string_view prefix, const CollectOptions& options, Time now,
                   ConsulClient::Callback<Collected> done);

}  // namespace convergence

#endif  // CONVERGENCE_FLEET_DRIVER_H_
