#ifndef CONVERGENCE_TESTS_SIMULATION_DEPLOY_WORLD_H_
#define CONVERGENCE_TESTS_SIMULATION_DEPLOY_WORLD_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "convergence/agent_driver.h"
#include "tests/simulation/world.h"

namespace convergence::test {

// A node of a made-up fleet: its disk and processes as values. They outlive the agent, which may be killed and begun
// again.
class MadeUpNode final : public NodeHands {
 public:
  MadeUpNode(Executor& executor, std::string name) : executor_(executor), name_(std::move(name)) {}

  void carry_out(const Work& work, Done done) override;
  void stop(std::uint64_t work) override {
    if (dead) return;
    stopped_.insert(work);
    if (on_stop) on_stop();
  }
  absl::Status remember(const AgentMemory& memory) override {
    if (!dead) memory_ = memory;
    return absl::OkStatus();
  }
  std::vector<std::string> damaged(const AgentMemory& memory) override;
  std::string package_folder(const std::string&, const Installed&) override { return "/made-up"; }
  std::vector<std::string> log_tail(const std::string&, const std::string&) override { return {}; }
  void ship_log(const EndedLog& log, Shipped done) override {
    if (!on_ship) return done(std::string());
    if (!dead) on_ship(log, std::move(done));
  }
  void log_told(const EndedLog& log) override { told.push_back(log); }

  const std::string& name() const { return name_; }
  const AgentMemory& memory() const { return memory_; }
  std::string running(const std::string& service_id) const;

  // What ran stops, as with the machine.
  void power_off() { running_.clear(); }
  // What is installed starts with the machine.
  void power_on() {
    for (const auto& [id, installed] : memory_.installed) {
      if (files_.contains(id)) running_[id] = files_.at(id);
    }
  }

  std::map<std::pair<Stage, std::string>, std::string> broken{};  // {stage, deployment} -> how it fails
  bool dead = false;                                              // the agent's process is: nothing begins or is kept
  // Told of each work that begins, and again when it has been done.
  std::function<void(const Work&, bool done)> on_work{};
  std::function<void()> on_stop{};
  std::function<void(const EndedLog&, Shipped)> on_ship{};  // none: logs stay where they are
  std::vector<EndedLog> told{};                             // whose place stands in the report

 private:
  Executor& executor_;
  const std::string name_;
  AgentMemory memory_{};
  std::map<std::string, std::string> running_;  // service id -> deployment
  std::map<std::string, std::string> files_;
  std::set<std::uint64_t> stopped_;
};

// Agents of many nodes on one embedded Consul and simulated time. The world runs the checks: one of an instance passes
// while the process of its deployment runs.
class DeployWorld : public World {
 public:
  DeployWorld();
  ~DeployWorld();

  MadeUpNode& add(const std::string& name);  // a node of role "web", with its agent
  void kill(const std::string& name);        // the agent alone; what runs goes on
  void revive(const std::string& name);
  void want(DesiredService service);  // with the index of what stands there
  std::optional<DesiredService> wanted();
  MadeUpNode& node(const std::string& name) { return *nodes_.at(name); }

  // What each agent was told, as documents, and the memory that it began with.
  struct Journal {
    AgentConfig config{};
    AgentMemory memory{};
    std::vector<std::string> events{};
    std::vector<AgentStep> steps{};
  };
  std::map<std::string, Journal> journals{};

  Decide spoil{};               // what agents ask that are added or revived after it was set
  std::set<std::string> ill{};  // deployments that never pass
  // What must hold of service "web" after each look, and did not: the first time.
  std::int32_t max_down = -1;  // instances not passing at once; -1: not looked at
  std::string breach{};
  std::int32_t most_down = 0;

  // "n1 1.0, n2 2.0": which deployment runs where.
  std::string running() const;
  bool all_run(const std::string& deployment) const;

 private:
  void run_checks();

  std::map<std::string, std::unique_ptr<MadeUpNode>> nodes_;
  std::map<std::string, std::unique_ptr<AgentDriver>> agents_;
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SIMULATION_DEPLOY_WORLD_H_
