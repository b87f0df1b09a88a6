#ifndef CONVERGENCE_AGENT_DRIVER_H_
#define CONVERGENCE_AGENT_DRIVER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/agent.h"
#include "convergence/consul_client.h"
#include "convergence/driver.h"
#include "convergence/executor.h"

namespace convergence {

// The agent of one node, as a loop that a host may run: it reads what is wanted and what is there, asks agent_step()
// and carries out what that wants done - with Consul by itself, on the node by the hands it is given.

// The log of a deployment that has ended on this node, at that time.
struct EndedLog {
  std::string group{};  // the environment, or the role where there is none
  std::string instance{};
  std::string service_id{};
  std::string deployment{};
  Time ended{};
  friend bool operator==(const EndedLog&, const EndedLog&) = default;
};

// What touches the node itself: its disk and its processes. convergence::node has one for Linux (node.h); tests have
// others. All is called, and answers, on the driver's executor.
class NodeHands {
 public:
  using Done = std::function<void(WorkDone)>;

  virtual ~NodeHands() = default;
  // One stage of those that concern the node (not kAcquire, kQuiet, kLoud, kRegister, kDeregister and their like of the
  // way back). `done` runs once, unless the work was stopped. Found done already, it answers at once.
  virtual void carry_out(const Work& work, Done done) = 0;
  virtual void stop(std::uint64_t work) = 0;
  // The service is registered with Consul (kRegister, kBackRegister), or is not any more (kDeregister,
  // kBackDeregister): what tells others on the node of it, done when it returns. An error is the stage's.
  virtual absl::Status announce(const Work&) { return absl::OkStatus(); }
  // On the disk when it returns. An error ends the driver: nothing may be done that is not remembered.
  virtual absl::Status remember(const AgentMemory& memory) = 0;
  // Service ids whose files are not as they were installed.
  virtual std::vector<std::string> damaged(const AgentMemory& memory) = 0;
  // Has what is not named there go from the disk, some time; whoever keeps everything does nothing.
  virtual void collect(const Collect&) {}
  using Shipped = std::function<void(absl::StatusOr<std::string>)>;
  // Has the log lie where people keep them, and says where: never an address that lets its reader in (W-A28). Empty:
  // nowhere, or it is known. `done` runs once; after an error it is asked for again. Asked for again for the same end,
  // also by a later process, it says the same and ships nothing, until log_told().
  virtual void ship_log(const EndedLog&, Shipped done) { done(std::string()); }
  virtual void log_told(const EndedLog&) {}
  // Where relative programs of checks are found: the unpacked archive.
  virtual std::string package_folder(const std::string& service_id, const Installed& installed) = 0;
  // The last lines of what the deployment's stages said.
  virtual std::vector<std::string> log_tail(const std::string& service_id, const std::string& deployment) = 0;
};

struct AgentOptions {
  AgentConfig config{};  // its node is filled in from the local agent when it is empty
  std::string role{};
  std::string prefix = std::string(kDefaultPrefix);
  // An environment of Environment Manager: what is wanted is read from its keys, and reports stand where it looks for
  // them. Empty: our own documents below the prefix.
  std::string environment{};
  std::string instance{};  // names the node in reports; empty: its name
  // Registers in the catalog for a node that has no Consul agent of its own; its checks are then somebody else's to
  // run. The node's Meta and address come from here; otherwise the local agent tells them.
  std::optional<Node> catalog_node{};
  Duration spread{0};  // a change is taken up after a part of this that depends on the node's name
  Duration session_ttl = std::chrono::seconds(30);
  // How long the slot of an agent that died stays taken after its session has ended: as long as an agent that is only
  // cut off may take to notice.
  Duration lock_delay = std::chrono::seconds(15);
  Duration report_pause = std::chrono::seconds(1);  // between two reports of one deployment
  std::function<void(const AgentEvent&)> on_event;  // before each step: the journal of a replay
  std::function<void(const AgentStep&)> on_step;    // after each step
  // For tests: called before and after each effect with its name; may end the process.
  std::function<void(std::string_view point)> probe;
};

class AgentDriver {
 public:
  // `memory`: as the last process remembered it. All that is given outlives the driver.
  AgentDriver(ConsulClient& client, NodeHands& hands, AgentMemory memory, AgentOptions options);
  // Ends without touching what runs; the session is given back.
  ~AgentDriver();
  AgentDriver(const AgentDriver&) = delete;
  AgentDriver& operator=(const AgentDriver&) = delete;

  // Runs until stop() or until the memory cannot be kept, and tells why. Consul that cannot be reached is waited for.
  void run(ConsulClient::Done ended);
  void stop();
  void command(const AgentCommand& command);
  const AgentState& state() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_AGENT_DRIVER_H_
