#ifndef CONVERGENCE_LIB_DRIVER_AGENT_READS_H_
#define CONVERGENCE_LIB_DRIVER_AGENT_READS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/agent.h"
#include "convergence/consul_client.h"
#include "convergence/report.h"

namespace convergence {

// What an agent reads of Consul and writes to its KV, but for registrations and slots.

// The node of the Consul agent beside us, with its Meta.
void read_own_node(ConsulClient& client, ConsulClient::Callback<Node> done);

struct DesiredSource {
  std::string environment{};  // of Environment Manager; empty: our own documents
  std::string role{};
  std::string prefix{};
  Node node{};  // whose services are asked for
};

// Tells what is wanted of the node whenever it may have changed: one blocking recurse read of the role's own keys,
// whose index is that of the answer which was told. Of Environment Manager's layout the versions' records are read too,
// in transactions; those that are not there yet are asked for again until they are.
class DesiredWatch {
 public:
  virtual ~DesiredWatch() = default;
  virtual void stop() = 0;
};
std::unique_ptr<DesiredWatch> watch_desired_of(ConsulClient& client, DesiredSource source,
                                               std::function<void(DesiredSeen)> on_change);

// How the service stands on all nodes of its placement, with what their agents have reported of its deployment.
void read_fleet(ConsulClient& client, const std::string& prefix, const DesiredService& service,
                ConsulClient::Callback<ServiceFleet> done);

// By compare-and-set on its modify_index. False: another was faster.
void write_desired(ConsulClient& client, const std::string& prefix, const DesiredService& service,
                   ConsulClient::Callback<bool> done);

// A part of `spread` that is the node's own: nodes that hear of one change do not come all at once.
Duration part_of(Duration spread, std::string_view node);

// Tells the text of locked_for() now and at every change; a lock that may not be read locks. Where nothing at all is
// locked, the first lock may be heard of some seconds late while much else is written.
class LockWatch {
 public:
  LockWatch(ConsulClient& client, const DesiredSource& source, std::function<void(std::string)> on_change);

 private:
  struct Folder;
  std::shared_ptr<Folder> folder_;
  std::unique_ptr<Watch> watch_;
};

// As exactly as reports tell times.
Time whole_microseconds(Time time);
// Where a node's report stands: named by its instance where Environment Manager looks, by its node in our own layout.
std::string report_key(const DesiredSource& source, const std::string& instance, const ReportNode& said);
void put_report(ConsulClient& client, const DesiredSource& source, const std::string& instance, const ReportNode& said,
                std::vector<std::string> log_tail, ConsulClient::Done done);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_AGENT_READS_H_
