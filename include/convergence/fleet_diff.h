#ifndef CONVERGENCE_FLEET_DIFF_H_
#define CONVERGENCE_FLEET_DIFF_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/fleet_view.h"
#include "convergence/plan.h"

namespace convergence {

// What differs between what is wanted and what is there, for fleets of a million instances: which to register, which
// run another version, which are not wanted. converge() (plan.h) says the same of these, and more: it also knows ports,
// tags, labels and checks, and finds an order that is safe.

// The instances that are wanted, by column. Names are numbered by the table of the view that they are compared with.
// Each instance stands here once.
struct WantedFleet {
  std::vector<NameId> nodes{};
  std::vector<ServiceIdRef> ids{};
  std::vector<NameId> versions{};
  std::vector<NameId> deployments{};        // 0: any will do
  std::vector<std::uint32_t> services{};    // index of the DesiredService
  std::vector<std::uint8_t> from_agents{};  // not 0: the agent of its node sees to it (Reason::kAgent)

  std::size_t size() const { return nodes.size(); }
  friend bool operator==(const WantedFleet&, const WantedFleet&) = default;
};

struct WantedRow {
  std::string_view node{};
  std::string_view service_id{};
  std::string_view version{};
  std::string_view deployment{};
  std::uint32_t service = 0;
  bool from_agent = false;
};
void add_wanted(WantedFleet& wanted, NameTable& names, const WantedRow& row);

// An instance for each node that each service is placed on: by service, then by node. New names are put into `names`. A
// placement's filter that cannot be read is an error that names the service.
absl::StatusOr<WantedFleet> wanted_fleet(const DesiredState& desired,
                                         const std::map<std::string, Shared<NodeState>>& nodes, NameTable& names);

// An instance that is not as wanted.
struct FleetChange {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::uint32_t wanted = kNone;    // row of the wanted fleet
  std::uint32_t observed = kNone;  // row of the view
  // kMissing; kVersion; kDefinition, for the deployment alone; instead of these kAgent for what an agent sees to, and
  // kForeign for what is there and another owner's; kNotWanted or, unless pruning was asked for, kNotPruned. What is
  // not wanted and not ours is no difference.
  Reason reason = Reason::kMissing;
  friend bool operator==(const FleetChange&, const FleetChange&) = default;
};

struct FleetDiff {
  std::vector<FleetChange> changes{};  // by wanted row; then those not wanted, by row of the view
  std::uint64_t same = 0;              // wanted instances that are there as wanted
  friend bool operator==(const FleetDiff&, const FleetDiff&) = default;
};

// Of several rows of one instance the last one counts. Quickest when both sides come in the same order, whichever.
FleetDiff diff_fleet(const WantedFleet& wanted, const FleetView& view, const PlanOptions& options = {});

// Where each wanted instance stands, to find it in the time that a look at memory takes.
class WantedIndex {
 public:
  explicit WantedIndex(const WantedFleet& wanted);

  std::uint32_t find(const InstanceRef& instance) const;  // its row, or FleetChange::kNone
  void prefetch(const InstanceRef& instance) const;       // so that find() need not wait, a little later

 private:
  struct Slot {
    InstanceRef instance{};
    std::uint32_t row = FleetChange::kNone;
  };

  std::size_t slot_of(const InstanceRef& instance) const;

  std::vector<Slot> slots_;  // a power of two, at most half of them taken
};

// The same of what a watch reports alone: of these rows of the view, and of instances that it does not have any more.
// `same` counts among these.
FleetDiff diff_rows(const WantedFleet& wanted, const WantedIndex& index, const FleetView& view,
                    std::span<const std::uint32_t> rows, std::span<const InstanceRef> gone,
                    const PlanOptions& options = {});

}  // namespace convergence

#endif  // CONVERGENCE_FLEET_DIFF_H_
