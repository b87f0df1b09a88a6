#ifndef CONVERGENCE_DEPLOYMENT_H_
#define CONVERGENCE_DEPLOYMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/package.h"

namespace convergence {

// Which release a node should run, and when: the decisions of a fleet and of one of its nodes. docs/deployment.md
// tells the whole story.

// ---- deployments -------------------------------------------------------------------------------------------------

// What names one roll-out of a release: its deployment id, or the version (with the generation, from 1 on) made fit to
// be a folder's name. Two releases with one key are the same to a node.
std::string deployment_key(const Release& release, std::uint64_t generation);
std::string deployment_key(const DesiredService& service);

// Meta of instances, beside those of the release and the mark; and, of nodes, the role that a placement asks for.
inline constexpr std::string_view kMetaVersion = "version";
inline constexpr std::string_view kMetaDeployment = "deployment";
inline constexpr std::string_view kMetaRole = "role";
inline constexpr std::string_view kMetaSlice = "slice";

// ---- a fleet -----------------------------------------------------------------------------------------------------

// The checks of a node that take it out of traffic on purpose: ours (standby.h) and that of Consul's own maintenance of
// a node. What runs there is deployed to as elsewhere.
inline constexpr std::string_view kStandbyCheck = "convergence-standby";
inline constexpr std::string_view kNodeMaintenanceCheck = "_node_maintenance";
bool takes_out_of_traffic(std::string_view node_check_id);

// The document's progress speaks of the release that is wanted now, not of an earlier one.
bool knows_release(const DesiredService& service);
// A release with phases that has neither been found good nor taken back.
bool is_under_way(const DesiredService& service);

// One node of a service's placement, as the catalog and the reports of its agent show it.
struct FleetNode {
  std::string name{};
  bool lost = false;                            // a check of the node itself is critical, those on purpose apart
  std::string deployment{};                     // that its instance carries; empty: there is no instance
  CheckStatus status = CheckStatus::kCritical;  // of the instance
  std::string failed{};                         // why the wanted deployment failed here; empty: it did not
  bool out_of_traffic = false;                  // on purpose; neither `lost` nor `status` knows of it
  friend bool operator==(const FleetNode&, const FleetNode&) = default;
};

struct ServiceFleet {
  std::vector<FleetNode> nodes{};  // by name
  Duration watched{0};             // for how long whoever asks has seen the release in the phase that it is in
  friend bool operator==(const ServiceFleet&, const ServiceFleet&) = default;
};

// The nodes that the placement selects. `failed`: node name -> why, of the wanted deployment, from the nodes' reports.
// INVALID_ARGUMENT for a filter that nodes cannot be asked.
absl::StatusOr<ServiceFleet> fleet_of(const DesiredService& service, const CatalogState& catalog,
                                      const std::map<std::string, std::string>& failed);

// The document as it has to be now, or nothing when it is right as it is: the first wave chosen, a phase passed on, the
// last good release learned, a failure taken back. Any agent may write the answer, by compare-and-set on the index of
// the document that it was decided on; a lost race is no error.
// A fleet where nothing passes and no release is known to be good has nothing to lose: it is installed everywhere at
// once. Lost nodes are waited for by nobody; a fleet without others stays as it is. Those out of traffic go first only
// where there are no others, since they show little. It bakes by `fleet.watched`, since `progress.since` is by another
// node's clock (W-S11).
std::optional<DesiredService> advance(const DesiredService& service, const ServiceFleet& fleet, Time now);

// How many nodes may take their running instance down at once: max_unavailable, less what min_healthy keeps. Those that
// are down already count: `down_elsewhere` are instances not passing on nodes without a slot.
std::int32_t slots_of(const Strategy& strategy, const ServiceFleet& fleet);

// What one node should run of a service now.
struct NodeTarget {
  std::optional<Release> release{};  // none: what runs stays, whatever it is
  std::string deployment{};          // its key
  std::string why{};                 // "first wave", "n3 waits for the first wave: n1, n2"
  friend bool operator==(const NodeTarget&, const NodeTarget&) = default;
};
// `running`: the deployment that the node has installed; empty: none. A node that has nothing gets the last good
// release while another is on its way; without a generation (documents of others) the wanted release goes everywhere.
NodeTarget target_on(const DesiredService& service, std::string_view node, std::string_view running);

// ---- a node ------------------------------------------------------------------------------------------------------

// What an agent has put on its node and knows from its own journal.
struct Installed {
  std::string name{};
  std::string registered_name{};  // as DesiredService has it
  Slice slice = Slice::kNone;
  std::string role{};
  std::string deployment{};  // also the name of its folder
  Release release{};
  OnRemoval on_removal = OnRemoval::kKeep;
  AppSpec spec{};  // of the package; empty when there is none
  Json undo{};     // what stood where its files are now, for those who carry out effects
  friend bool operator==(const Installed&, const Installed&) = default;
};

enum class NodeAction {
  kInstall,     // nothing of it is there
  kUpgrade,     // another version
  kRedeploy,    // the same version under another deployment
  kRepair,      // its files are not as they were installed
  kReregister,  // it runs, but its registration or checks are missing or differ
  kUninstall,
  kIgnore,   // asked to be left as it is
  kWait,     // something has to happen first
  kNothing,  // as wanted
};
std::string_view to_string(NodeAction action);

struct NodeDecision {
  std::string service_id{};
  NodeAction action = NodeAction::kNothing;
  std::string why{};
  std::optional<std::size_t> service{};  // index into the services given; none: not wanted any more
  NodeTarget target{};                   // with a release for all that installs or registers
  friend bool operator==(const NodeDecision&, const NodeDecision&) = default;
};

// The node as its agent sees it.
struct NodeView {
  std::string node{};
  std::string owner = std::string(kMarkValue);   // whose instances are ours (PlanOptions::owner)
  std::map<std::string, Installed> installed{};  // by service id
  std::map<std::string, InstanceState> local{};  // by service id: what the local agent has registered
  std::set<std::string> damaged{};               // service ids whose files are not as installed
  std::map<std::string, std::map<std::string, std::string>> failed{};  // service id -> deployment -> why it failed here
};

// One decision a service, in the order in which they should be taken up: those that others depend on first, then by
// name and slice; what is not wanted any more last. Only services whose placement selects this node belong in
// `services`. Services that wait for each other in a circle all wait, and say so.
std::vector<NodeDecision> plan_node(const std::vector<DesiredService>& services, const NodeView& view);

// Those of the services whose placement selects the node. INVALID_ARGUMENT naming the service for a filter that nodes
// cannot be asked.
absl::StatusOr<std::vector<DesiredService>> services_on(const std::vector<DesiredService>& services, const Node& node);

// The instance as it is registered, without its node (an empty deployment is left out), and the checks of the release,
// then those of the package, with the release's port in place of "${PORT}".
ServiceInstance wanted_instance(const DesiredService& service, const Release& release, const std::string& deployment,
                                const std::string& owner);
std::vector<CheckDefinition> wanted_checks(const std::string& service_id, const Release& release, const AppSpec& spec);

}  // namespace convergence

#endif  // CONVERGENCE_DEPLOYMENT_H_
