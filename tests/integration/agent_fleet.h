#ifndef CONVERGENCE_TESTS_INTEGRATION_AGENT_FLEET_H_
#define CONVERGENCE_TESTS_INTEGRATION_AGENT_FLEET_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/agent.h"
#include "convergence/desired.h"

namespace convergence::test {

// Agents in processes of their own (agent_process.cc) on made-up nodes of the real Consul, all of one role; the service
// that they run has its name. What checks say of an instance is up to this one, as there are no Consul agents.
class AgentFleet {
 public:
  // The nodes' states are kept in `folder`.
  AgentFleet(std::string folder, std::string role, int nodes);
  ~AgentFleet() { end_all(); }
  AgentFleet(const AgentFleet&) = delete;
  AgentFleet& operator=(const AgentFleet&) = delete;

  std::string add_node();  // its name; nothing runs there
  const std::vector<std::string>& nodes() const { return nodes_; }

  // The agent of a node, that ends itself by SIGKILL at that point ("-": never).
  void start(const std::string& node, const std::string& kill = "-");
  void start_all();
  void kill(const std::string& node);
  // Those that were killed are begun again, and left alone then; but for those that are to stay dead.
  void revive(const std::set<std::string>& dead = {});
  void end_all();

  std::string runs(const std::string& node) const;     // the deployment; empty: none
  std::string started(const std::string& node) const;  // all that ever ran there, in order
  bool all_run(const std::string& deployment, const std::set<std::string>& but = {}) const;

  // The next version "N.0" with generation N, by compare-and-set; returns its deployment.
  std::string want(int version, const Strategy& strategy);
  DesiredService wanted() const;
  bool is_in(FleetPhase phase) const;

  // Looks once at all instances, as their Consul agents would: one passes while the process of its deployment runs,
  // unless that is in `ill`. Returns the nodes whose instance does not pass. An instance never goes away.
  std::set<std::string> look();
  // Looks on until `arrived`, and at every look that no more than `budget` nodes are down, those of `free` apart.
  using Arrived = std::function<bool(const std::set<std::string>& down)>;
  void watch(std::int32_t budget, const Arrived& arrived, const std::set<std::string>& dead = {},
             const std::set<std::string>& free = {});

  std::set<std::string> ill{};
  int killed = 0;
  std::set<std::string> reached{};  // the points at which an agent ended itself

 private:
  std::string key() const;
  std::string read(const std::string& node) const;
  std::string state_of(const std::string& node, const char* name) const;

  const std::string folder_;
  const std::string role_;
  std::vector<std::string> nodes_;
  std::map<pid_t, std::pair<std::string, std::string>> running_;  // node, point
  std::uint64_t index_ = 0;
  std::set<std::string> registered_;
};

// Every point of a deployment at which an agent may die: before and after each effect, and before and after each time
// that its memory is written. Those of the way there; of the way back, when what is new does not pass.
std::vector<std::string> points_there();
std::vector<std::string> points_back();

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_INTEGRATION_AGENT_FLEET_H_
