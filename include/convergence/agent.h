#ifndef CONVERGENCE_AGENT_H_
#define CONVERGENCE_AGENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/deployment.h"
#include "convergence/desired.h"
#include "convergence/time.h"

namespace convergence {

// What a node's agent does next: a pure state machine. Time comes with the events; what it wants done leaves as
// effects, which a driver carries out in their order. docs/deployment.md draws the table of stages.
//
// What has to outlive the process is AgentMemory. A Remember effect comes before the effects that were decided with it,
// and has to be on the disk before they begin: killed anywhere, the next process takes the memory up and goes on.

// ---- a task ------------------------------------------------------------------------------------------------------

enum class TaskKind {
  kDeploy,      // puts a release in place of what runs, if anything does
  kReregister,  // registers what runs again
  kUninstall,
};
std::string_view to_string(TaskKind kind);

// In the order in which a task passes them; a task leaves out those that do not concern it.
enum class Stage {
  // Nothing is touched.
  kCheckNode,     // disk, memory, port
  kFetch,         // the package, with its size and digest
  kUnpack,        // into a fresh folder
  kCheckPackage,  // every document in it, and that what they name is there
  kPlaceAside,    // its files copied beside where they go
  kAcquire,       // a slot of the fleet's budget
  // What runs goes.
  kQuiet,  // in maintenance: no traffic, and nobody takes it for healthy
  kStop,   // ApplicationStop of what runs
  kBeforeInstall,
  kSwap,
  kAfterInstall,
  kStart,  // ApplicationStart
  kValidateService,
  kRegister,  // the service with its checks
  kAwait,     // until the checks pass
  kLoud,      // out of maintenance, and the slot given back
  // Back, after a failure.
  kBackStop,  // ApplicationStop of what failed
  kBackSwap,
  kBackStart,       // ApplicationStart of what ran
  kBackDeregister,  // nothing ran
  kBackRegister,    // what ran, with its checks
  kBackAwait,
  kBackLoud,
  // Away.
  kDeregister,
  kRemove,  // its files and folders
};
std::string_view to_string(Stage stage);

struct Task {
  TaskKind kind = TaskKind::kDeploy;
  std::string service_id{};
  std::string why{};
  Installed next{};                     // what is to run; of kUninstall: what is to go
  std::optional<Installed> previous{};  // what ran when the task began
  Strategy strategy{};
  bool previous_passed = false;  // when the task began
  Stage stage = Stage::kCheckNode;
  std::int32_t attempt = 1;  // processes that worked on it
  std::uint64_t work = 0;    // under way; 0: none
  Time started{};
  Time deadline{};        // of all stages before kAwait, then of that one
  std::string failure{};  // why it is being put back
  Stage failed_stage = Stage::kCheckNode;
  friend bool operator==(const Task&, const Task&) = default;
};

// How a deployment ended on this node. It is never taken up again by itself.
struct Outcome {
  bool succeeded = false;
  Stage stage = Stage::kCheckNode;  // where it failed
  std::string why{};
  std::int32_t attempts = 1;
  Time at{};
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

struct AgentMemory {
  std::map<std::string, Installed> installed{};                      // by service id
  std::map<std::string, std::map<std::string, Outcome>> outcomes{};  // service id -> deployment
  std::optional<Task> task{};                                        // one service at a time
  std::uint64_t next_work = 1;
  bool paused = false;
  friend bool operator==(const AgentMemory&, const AgentMemory&) = default;
};

// ---- the state ---------------------------------------------------------------------------------------------------

struct AgentConfig {
  std::string node{};
  std::string owner = std::string(kMarkValue);
  Duration deadline = std::chrono::minutes(20);   // of a deployment whose release has none
  Duration await_poll = std::chrono::seconds(1);  // how often checks are looked at while they are awaited
  Duration retry = std::chrono::seconds(10);      // after a slot was refused, or the node could not take a service
  Duration audit = std::chrono::minutes(5);       // how often a node at rest looks at what it has registered; 0: never
  Duration fleet_poll = std::chrono::seconds(5);  // all nodes together look twice in it at a roll-out under way
  std::int32_t max_attempts = 3;                  // processes that may die over one deployment
  std::int32_t keep_outcomes = 10;                // of one service
  std::int32_t keep_folders = 3;                  // of deployments of one service that have ended, for their logs
  friend bool operator==(const AgentConfig&, const AgentConfig&) = default;
};

// A service that has to wait before it is tried again.
struct Parked {
  Time until{};
  std::string why{};
  bool over = false;  // its time has come
  friend bool operator==(const Parked&, const Parked&) = default;
};

// How a roll-out that is under way is watched.
struct FleetLook {
  Time at = kNever;        // the next look of this node
  std::int32_t nodes = 0;  // that the last one has seen; 0: there was none
  Time since{};            // when this node has first seen the document as it is
  friend bool operator==(const FleetLook&, const FleetLook&) = default;
};

struct AgentState {
  AgentConfig config{};
  AgentMemory memory{};
  std::vector<DesiredService> services{};  // whose placement selects this node
  bool desired_known = false;
  std::map<std::string, InstanceState> local{};  // by service id
  std::vector<std::string> damaged{};            // service ids whose files are not as installed
  std::map<std::string, Parked> parked{};        // by service id
  std::string locked{};                          // why nothing new is begun; empty: it may
  Time last_event_at{};
  Time audit_at = kNever;
  std::map<std::string, FleetLook> looks{};  // by service id
  friend bool operator==(const AgentState&, const AgentState&) = default;
};

// ---- events ------------------------------------------------------------------------------------------------------

// The process has come up with the memory in the state.
struct AgentStarted {
  friend bool operator==(const AgentStarted&, const AgentStarted&) = default;
};
// What is wanted of this node now. Documents that cannot be read are no part of it, and change nothing for what they
// speak of: `torn` names their services.
struct DesiredSeen {
  std::vector<DesiredService> services{};
  std::vector<std::string> torn{};
  std::string locked{};
  friend bool operator==(const DesiredSeen&, const DesiredSeen&) = default;
};
// What the local agent has registered, and whose files are not as they were installed.
struct LocalSeen {
  std::map<std::string, InstanceState> local{};
  std::vector<std::string> damaged{};
  friend bool operator==(const LocalSeen&, const LocalSeen&) = default;
};
// How a service stands on all its nodes.
struct FleetSeen {
  std::string service_id{};
  ServiceFleet fleet{};
  friend bool operator==(const FleetSeen&, const FleetSeen&) = default;
};
struct NodeFacts {
  std::uint64_t disk_free = 0;    // bytes
  std::uint64_t memory_free = 0;  // bytes
  std::string port_taken_by{};    // by somebody else than the service itself; empty: it is free
  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};
struct WorkDone {
  std::uint64_t id = 0;
  bool ok = true;
  std::string problem{};
  std::optional<NodeFacts> facts{};  // of kCheckNode
  std::optional<AppSpec> spec{};     // of kCheckPackage
  std::string digest{};              // of kFetch
  Json undo{};                       // of kPlaceAside: what kSwap will displace
  friend bool operator==(const WorkDone&, const WorkDone&) = default;
};
struct Woken {
  friend bool operator==(const Woken&, const Woken&) = default;
};
enum class AgentVerb { kPause, kResume, kRetry };
std::string_view to_string(AgentVerb verb);
struct AgentCommand {
  AgentVerb verb = AgentVerb::kPause;
  std::string service_id{};  // of kRetry; empty: of all
  friend bool operator==(const AgentCommand&, const AgentCommand&) = default;
};

struct AgentEvent {
  Time at{};
  std::variant<AgentStarted, DesiredSeen, LocalSeen, FleetSeen, WorkDone, Woken, AgentCommand> body{};
  friend bool operator==(const AgentEvent&, const AgentEvent&) = default;
};

// ---- effects -----------------------------------------------------------------------------------------------------

// The memory as it has to be on the disk before what follows.
struct Remember {
  AgentMemory memory{};
  friend bool operator==(const Remember&, const Remember&) = default;
};
// One stage of a task, answered by a WorkDone with its id. Carrying one out twice does no harm: what is done already is
// found done.
struct Work {
  std::uint64_t id = 0;
  Stage stage = Stage::kCheckNode;
  std::string service_id{};
  Installed subject{};        // whose package, files, hooks or registration it is
  std::vector<Hook> hooks{};  // of a stage that runs hooks, with their users
  HookEvent event = HookEvent::kApplicationStop;
  ServiceInstance instance{};  // of kRegister and kBackRegister
  std::vector<CheckDefinition> checks{};
  bool fresh = false;   // of a registration: its checks begin as critical, whatever they were
  Strategy strategy{};  // of kAcquire
  std::string why{};    // of kQuiet
  Time deadline = kNever;
  friend bool operator==(const Work&, const Work&) = default;
};
// The work need not go on: its answer comes too late or is not wanted any more. Processes that it started are ended.
struct StopWork {
  std::uint64_t id = 0;
  friend bool operator==(const StopWork&, const StopWork&) = default;
};
// A LocalSeen, please.
struct ReadLocal {
  friend bool operator==(const ReadLocal&, const ReadLocal&) = default;
};
// A FleetSeen, please.
struct ReadFleet {
  std::string service_id{};
  friend bool operator==(const ReadFleet&, const ReadFleet&) = default;
};
// The document, by compare-and-set on its modify_index; a lost race is no error.
struct WriteDesired {
  DesiredService service{};
  friend bool operator==(const WriteDesired&, const WriteDesired&) = default;
};
// How a deployment goes on this node. May be left out for a newer one of the same deployment, but for the last.
struct ReportNode {
  std::string service_id{};
  std::string deployment{};
  std::string version{};
  bool finished = false;
  bool succeeded = false;
  Stage stage = Stage::kCheckNode;
  std::int32_t attempts = 1;
  Time started{};
  Time ended{};
  std::string why{};
  friend bool operator==(const ReportNode&, const ReportNode&) = default;
};
// After a deployment has ended: what stays of all of them on the node. What else lies in the agent's folder, and
// nothing outside it but trees of these deployments that nothing links to, may go; that it goes is of no consequence.
struct Collect {
  std::map<std::string, std::set<std::string>> folders{};  // service id -> deployments whose folders stay
  std::map<std::string, std::string> installed{};          // service id -> deployment whose files are in place
  std::set<std::string> packages{};                        // digests that stay in the cache
  friend bool operator==(const Collect&, const Collect&) = default;
};
// A Woken at that time; replaces the one before.
struct WakeAgent {
  Time at = kNever;
  friend bool operator==(const WakeAgent&, const WakeAgent&) = default;
};

using AgentEffect =
    std::variant<Remember, Work, StopWork, ReadLocal, ReadFleet, WriteDesired, ReportNode, Collect, WakeAgent>;

// ---- the step ----------------------------------------------------------------------------------------------------

struct AgentStep {
  AgentState state{};
  std::vector<AgentEffect> effects{};     // in order
  std::vector<NodeDecision> decisions{};  // when it planned: what it thinks of each service
  friend bool operator==(const AgentStep&, const AgentStep&) = default;
};

// Total: every event is legal at any time. Never two services at once; nothing that runs is touched before its
// successor is fetched, unpacked and found whole; a deployment that ended is not taken up again.
AgentStep agent_step(AgentState state, const AgentEvent& event);

// What stays: what is installed, wanted or known to be good, what a task is about, and the youngest deployments of each
// service (environment-manager.md 2.5, stage 17, kept two by the time of their folders).
Collect what_stays(const AgentMemory& memory, const std::vector<DesiredService>& services, std::int32_t keep_folders);

// The stages of a task in order, with what a failure in each leads to: "nothing", "wait", "back", "on", "again".
struct StageRow {
  Stage stage{};
  std::string_view on_failure{};
};
std::vector<StageRow> stages_of(const Task& task);

}  // namespace convergence

#endif  // CONVERGENCE_AGENT_H_
