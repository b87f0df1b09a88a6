#ifndef CONVERGENCE_LIB_DRIVER_ENDED_DEPLOYMENTS_H_
#define CONVERGENCE_LIB_DRIVER_ENDED_DEPLOYMENTS_H_

#include <memory>
#include <string>

#include "convergence/agent_driver.h"
#include "convergence/consul_client.h"
#include "lib/driver/agent_reads.h"

namespace convergence {

// What is left to do about deployments that have ended on the node, behind everything else: their logs are shipped, and
// reports in KV say where these lie; of Environment Manager's the overall status is kept up. It changes nothing of how
// they ended on the node, and is tried again until it is done. Runs on
// the client's executor; its end drops what is left, for the next process to take up.
class EndedDeployments {
 public:
  EndedDeployments(ConsulClient& client, NodeHands& hands, DesiredSource source, std::string instance);
  ~EndedDeployments();

  // Of a process before: how they ended is in its memory, and whether it could tell is not known.
  void take_up(const AgentMemory& memory);
  // One whose last report stands in KV.
  void ended(const std::string& service_id, const std::string& deployment, const Outcome& outcome);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_ENDED_DEPLOYMENTS_H_
