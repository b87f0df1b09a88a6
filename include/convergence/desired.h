#ifndef CONVERGENCE_DESIRED_H_
#define CONVERGENCE_DESIRED_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/config_entry.h"
#include "convergence/json.h"
#include "convergence/package.h"
#include "convergence/time.h"

namespace convergence {

// What is wanted. In Consul KV below a prefix P ("convergence" unless the host says otherwise):
//   P/desired/<role>/<service>/<slice>   one DesiredService
//   P/config/<kind>/<name>               one config entry, Consul's JSON
// docs/documents.md shows both. Reading them together gives a DesiredState.

// Two slices let two versions of a service stand side by side on one node (environment-manager.md 1.1).
enum class Slice { kNone, kBlue, kGreen };
std::string_view to_string(Slice slice);

// Where a service should run: on every node whose Meta has role = `role` and all of `node_meta`, whose name is in
// `nodes` unless that is empty, and which `filter` selects: an expression as /v1/catalog/nodes takes it
// (docs/filters.md).
struct Placement {
  std::string role{};
  std::map<std::string, std::string> node_meta{};
  std::vector<std::string> nodes{};
  std::string filter{};
  friend bool operator==(const Placement&, const Placement&) = default;
};

// What a service asks of a node before anything is stopped there. 0: nothing.
struct Demands {
  std::uint64_t disk = 0;    // bytes free below the agent's folder
  std::uint64_t memory = 0;  // bytes
  friend bool operator==(const Demands&, const Demands&) = default;
};

// One version of a service with all that it takes to run it.
struct Release {
  std::string version{};     // opaque; becomes Meta.version of the instances
  std::string deployment{};  // an id that changes whenever it is to be deployed (again); empty: the version says it all
  Package package{};         // without a source nothing is installed: the service is only registered
  std::int32_t port = 0;
  std::vector<std::string> tags{};
  std::map<std::string, std::string> meta{};
  std::vector<CheckDefinition> checks{};  // beside those in the package
  Hooks hooks{};                          // for an event that has some here, in place of the package's
  std::map<std::string, std::string> environment{};
  std::string run_as{};                   // user of hooks and checks; empty: the agent's own
  std::vector<std::string> depends_on{};  // names of services of the same node that have to pass before
  Demands demands{};
  Duration deadline{0};  // of one node's deployment; 0: the agent's own
  friend bool operator==(const Release&, const Release&) = default;
};

// What becomes of an instance whose service is not wanted any more.
enum class OnRemoval { kKeep, kUninstall };
std::string_view to_string(OnRemoval on_removal);

// How a release spreads over its nodes.
struct Strategy {
  std::int32_t max_unavailable = 1;                    // instances down at once, over all nodes
  std::int32_t min_healthy = 0;                        // passing instances that always stay
  std::int32_t first_wave = 1;                         // nodes that get it first; 0: no wave of its own
  Duration bake{0};                                    // how long the first wave has to pass before the others follow
  Duration health_deadline = std::chrono::minutes(5);  // from installed to passing
  bool auto_revert = true;                             // to the last good release, once a node has failed
  OnRemoval on_removal = OnRemoval::kKeep;
  std::string canary{};  // name of a canary policy that moves the traffic
  friend bool operator==(const Strategy&, const Strategy&) = default;
};

enum class DesiredAction { kInstall, kIgnore, kUninstall };
std::string_view to_string(DesiredAction action);

// How far a release has come, moved on by compare-and-set by whichever agent sees it first.
enum class FleetPhase {
  kFirstWave,  // the nodes of the first wave change
  kBake,       // they have, and are watched for as long as it bakes
  kRest,       // the others follow
  kDone,       // all pass: the release is the last good one
  kReverted,   // a node failed: the last good one goes everywhere
};
std::string_view to_string(FleetPhase phase);

struct FleetProgress {
  std::uint64_t generation = 0;  // of the release it speaks of; another one: nothing is known yet
  FleetPhase phase = FleetPhase::kFirstWave;
  Time since{};                           // when the phase began, by the clock of whoever wrote it
  std::vector<std::string> first_wave{};  // names of nodes, in order
  std::string why{};                      // of kReverted: the node and its failure
  std::int32_t nodes = 0;                 // that the fleet had then; 0: not known
  friend bool operator==(const FleetProgress&, const FleetProgress&) = default;
};

struct DesiredService {
  std::string name{};
  Slice slice = Slice::kNone;
  std::string id{};               // of its instances where service_id() would not make it; the same on every node
  std::string registered_name{};  // of their service in the catalog; empty: `name`
  Placement placement{};
  DesiredAction action = DesiredAction::kInstall;
  std::uint64_t generation = 0;  // goes up with every change of the release
  Release release{};             // in the document its members stand beside the name
  std::optional<Release> last_good{};
  Strategy strategy{};
  FleetProgress progress{};
  std::uint64_t modify_index = 0;  // of the KV key it was read from; not part of the document
  Json::Object unknown{};
  friend bool operator==(const DesiredService&, const DesiredService&) = default;
};

struct DesiredState {
  std::vector<DesiredService> services{};  // by (role, name, slice), each at most once
  std::vector<ConfigEntry> entries{};      // by entry_key, each at most once
  friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

// The service id of its instances: `id`, or "<name>", or "<name>-<slice>" (environment-manager.md section 1, without
// the environment).
std::string service_id(const DesiredService& service);
// The name under which the catalog has them: `registered_name`, or `name`.
const std::string& service_name(const DesiredService& service);

// INVALID_ARGUMENT kind "validate" naming the service and field that cannot be: empty or too long names, a slash in a
// name, ports out of range, a check with two kinds, one service twice, two services with one id on a role.
absl::Status validate(const DesiredState& desired);

// Sorted, duplicates refused: the form that validate() and converge() expect.
absl::StatusOr<DesiredState> normalise(DesiredState desired);

}  // namespace convergence

#endif  // CONVERGENCE_DESIRED_H_
