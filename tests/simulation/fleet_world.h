#ifndef CONVERGENCE_TESTS_SIMULATION_FLEET_WORLD_H_
#define CONVERGENCE_TESTS_SIMULATION_FLEET_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/agent_driver.h"
#include "tests/simulation/deploy_world.h"
#include "tests/simulation/world.h"

namespace convergence::test {

// A large fleet of real agents on one embedded Consul and simulated time, and all that may happen to it. What must hold
// is looked at after every event of a node, for that node alone: an event costs the same whatever the fleet's size.
class FleetWorld : public World {
 public:
  explicit FleetWorld(std::uint64_t seed) : random(seed) {}
  ~FleetWorld();

  // ---- the stage
  void add(const std::string& name);
  void want(DesiredService service);  // with the index and the progress of what stands there
  std::optional<DesiredService> wanted(const std::string& service) const;

  // ---- faults
  // The agent dies right before one of its next effects, as by SIGKILL, and is begun again later.
  void kill_at(const std::string& name, int effects, Duration again_after);
  // The machine is gone: its agent, what ran, its node in the catalog critical. And back.
  void lose(const std::string& name);
  void find(const std::string& name);
  bool away = false;            // Consul cannot be reached
  std::set<std::string> ill{};  // deployments that never pass
  MadeUpNode& node(const std::string& name) { return *machines_.at(name).node; }

  // ---- looking on
  std::vector<std::string> names() const;
  bool all_run(const std::string& service, const std::string& deployment) const;
  std::int64_t running(const std::string& service, const std::string& deployment) const;
  std::vector<std::string> breaches{};  // what must never be, and was
  std::int64_t events = 0;
  std::int64_t most_down = 0;               // of one service, by agents, at once
  std::map<std::string, Time> passed_at{};  // service -> when the last of its instances first passed

  std::mt19937_64 random;

 private:
  struct Machine {
    std::unique_ptr<MadeUpNode> node;
    std::unique_ptr<AgentDriver> agent;
    std::shared_ptr<bool> cut;  // nothing of this process reaches Consul any more
    std::optional<int> effects_left{};
    Duration again_after{0};
    bool lost = false;
    Time lost_at{};
    std::string busy{};  // the service whose work is under way
    bool late = false;   // it came when another release was good already
    bool checks_due = false;
  };
  struct Instance {
    bool registered = false;
    bool passed = false;  // ever
    bool passes = false;
    bool quiet = false;
    std::string running = "nothing";
  };

  void start(const std::string& name);
  void die(const std::string& name);
  void probe(const std::string& name);
  void look(const std::string& name);
  void look(const std::string& name, const std::string& service);
  void run_checks(const std::string& name);
  void check_soon(const std::string& name, Duration after);
  void count(const std::string& name);
  void note_work(const std::string& name, const Work& work, bool done);
  void breach(const std::string& what);

  std::map<std::string, Machine> machines_;
  std::map<std::pair<std::string, std::string>, Instance> instances_;  // node, service
  std::map<std::string, std::set<std::string>> down_;                  // service -> nodes whose instance passed once
  std::map<std::string, std::set<std::string>> proven_;                // service -> deployments that were last good
  std::map<std::string, std::map<std::string, std::int64_t>> run_;     // service -> deployment -> nodes
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SIMULATION_FLEET_WORLD_H_
