#ifndef CONVERGENCE_SLICES_H_
#define CONVERGENCE_SLICES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"
#include "convergence/json.h"
#include "convergence/operate.h"
#include "convergence/plan.h"

namespace convergence {

// Blue and green: which of a service's two slices has its traffic, and when the other one may have it. The default
// subset of the service's resolver says which, and nothing else does, so that one write by compare-and-set moves all
// traffic at once. docs/deployment.md tells the whole story.

// What a switch leaves in the resolver's Meta: where it went, where the traffic was before, who asked for it and when
// (nanoseconds since 1970).
inline constexpr std::string_view kMetaLiveSlice = "convergence-slice";
inline constexpr std::string_view kMetaSliceBefore = "convergence-slice-before";
inline constexpr std::string_view kMetaSwitchedBy = "convergence-slice-by";
inline constexpr std::string_view kMetaSwitchedAt = "convergence-slice-at";

struct LiveSlice {
  std::string service{};       // in the catalog
  Slice slice = Slice::kNone;  // kNone: nobody has switched, and instances of both slices have traffic
  // Where `back` leads; kNone: nowhere, since nothing was switched, the last switch was the way back, or somebody else
  // has moved the default subset meanwhile.
  Slice before = Slice::kNone;
  std::string by{};               // of the last switch: "ann: 2.0 is out"
  Time at{};                      // of the last switch
  std::uint64_t entry_index = 0;  // of the resolver; 0: there is none
  std::string in_the_way{};       // why the traffic follows no slice: a redirect, a default subset that is none
  friend bool operator==(const LiveSlice&, const LiveSlice&) = default;
};
LiveSlice live_slice(std::string_view service, const EntryMap& entries);

// Which traffic one slice has.
enum class SliceTraffic {
  kNoSlice,  // of a service without slices
  kLive,     // all of the service's
  kIdle,     // none: the other slice has it
  kShared,   // nobody has switched: both have some
  kUnknown,  // an entry leads the traffic elsewhere
};
std::string_view to_string(SliceTraffic traffic);
SliceTraffic slice_traffic(const LiveSlice& live, Slice slice);

// Desired resolvers as the switches want them now: where the one in Consul has been switched, the desired one has its
// default subset and, where it does not speak of them, the subsets of the slices: converging takes no traffic from
// where a switch has put it, nor its way back.
std::vector<ConfigEntry> keep_live_slices(std::vector<ConfigEntry> desired, const EntryMap& actual);

// ---- switching ---------------------------------------------------------------------------------------------------

struct SwitchRequest {
  std::string service{};  // as its documents name it, or the catalog
  Slice to = Slice::kNone;
  bool back = false;   // to where the traffic was before, whatever `to` says
  bool force = false;  // whatever the instances are like; for that `asked` has to give a reason
  Asked asked{};
  friend bool operator==(const SwitchRequest&, const SwitchRequest&) = default;
};

// Why traffic may not go to a slice. Closed.
enum class SwitchProblemKind {
  kNotWanted,    // no document wants the slice, or it is to be gone
  kNames,        // its instances have another name in the catalog
  kTakenBack,    // the wanted release was taken back
  kMissing,      // a node has no instance of it
  kVersion,      // a node runs another release
  kNotPassing,   // an instance, or its node, does not pass
  kNotSelected,  // the resolver's subset does not select an instance
  kUnexpected,   // an instance that nobody wants would have traffic
  kTooFew,       // fewer pass than the strategies' min_healthy
  kNobody,       // none passes: 0 of n, or 0 of 0
  kNoWayBack,    // asked for the way back where there is none
  kEntries,      // a config entry is in the way
};
std::string_view to_string(SwitchProblemKind kind);

struct SwitchProblem {
  SwitchProblemKind kind = SwitchProblemKind::kNobody;
  std::string node{};  // empty: of the slice as a whole
  std::string why{};
  friend bool operator==(const SwitchProblem&, const SwitchProblem&) = default;
};

struct SwitchPlan {
  LiveSlice live{};  // as it is now
  Slice to = Slice::kNone;
  std::string version{};                   // that is wanted of it; several, of several roles: "1.0, 1.1"
  std::size_t wanted = 0;                  // instances, one for each node
  std::size_t passing = 0;                 // of these, with the wanted release
  std::vector<SwitchProblem> problems{};   // any of them refuses the switch: then nothing is done at all
  std::vector<SwitchProblem> set_aside{};  // by force, or for the way back
  Plan plan{};                             // one write of the resolver; none where the slice is live already
  friend bool operator==(const SwitchPlan&, const SwitchPlan&) = default;
};

// Whether all traffic of the service may go to the slice now, and the write that moves it. It may when every node on
// which the slice is wanted, of any role, has an instance that passes with the wanted release, and the slice has no
// others: all or nothing. The way back needs one passing instance; what the side is like that is left counts for
// nothing. `services`: every desired document, of which the service's slices count. Of the options, owner and cluster
// count, and take_foreign sets aside the stamp of another owner on the resolver.
// INVALID_ARGUMENT kind "usage" for a request that names no slice or forces without a reason, and as fleet_of().
absl::StatusOr<SwitchPlan> plan_switch(const SwitchRequest& request, const std::vector<DesiredService>& services,
                                       const CatalogState& catalog, const PlanOptions& options = {});

// Kind "refused" naming every problem, or OK.
absl::Status refusal_of(const SwitchPlan& plan);

// "shop: blue -> green, 3 of 3 instances pass with 2.0"
std::string describe(const SwitchPlan& plan);
Json to_json(const SwitchPlan& plan);

// ---- what a load balancer asks -----------------------------------------------------------------------------------

struct UpstreamHost {
  std::string node{};
  std::string service_id{};
  std::string address{};  // the instance's, or its node's
  std::int32_t port = 0;
  Slice slice = Slice::kNone;
  std::string version{};
  CheckStatus status = CheckStatus::kCritical;
  bool up = false;  // has traffic: passes, and what is configured selects it
  friend bool operator==(const UpstreamHost&, const UpstreamHost&) = default;
};

// What is configured - the slice that is to have the traffic - beside what is active: the slices that have it.
struct Upstream {
  std::string service{};
  LiveSlice configured{};
  std::vector<Slice> active{};        // slices with a host that is up, in order
  std::vector<UpstreamHost> hosts{};  // of all slices, by node and service id
  friend bool operator==(const Upstream&, const Upstream&) = default;
};
// NOT_FOUND where the catalog has no such service.
absl::StatusOr<Upstream> upstream_of(std::string_view service, const CatalogState& catalog);
Json to_json(const Upstream& upstream);

}  // namespace convergence

#endif  // CONVERGENCE_SLICES_H_
