#ifndef CONVERGENCE_PLAN_H_
#define CONVERGENCE_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"

namespace convergence {

// What to do, in an order that is safe to stop after any step.

enum class Action { kRegisterService, kChangeService, kRemoveService, kPutEntry, kDeleteEntry };
std::string_view to_string(Action action);

// Why a step is there, or why a difference is left as it is. Closed; docs/planner.md explains each.
enum class Reason {
  kMissing,       // wanted, absent
  kVersion,       // another version runs
  kDefinition,    // same version; port, tags, meta or checks differ
  kContent,       // an entry differs in meaning
  kIntermediate,  // a state in between that the server needs to accept what follows
  kNotWanted,     // ours, absent from the desired state, and pruning was asked for
  kForeign,       // differs, but carries no mark of ours or another owner's stamp: left alone
  kNotPruned,     // ours and not wanted, but pruning was not asked for: left alone
  kNoNode,        // a desired service whose placement selects no node
  kAgent,         // a desired service with a package: the agents of its nodes deploy it
  kNoInstance,    // an entry waits: it gives weight to a subset without a passing instance
  kNoSafeOrder,   // entries that cannot be written without breaking a chain in between
};
std::string_view to_string(Reason reason);

// Registration of an instance with its checks, which are written with it in one transaction.
struct ServiceRegistration {
  ServiceInstance instance{};
  std::vector<HealthCheck> checks{};         // status of new ones: critical until somebody proves otherwise
  std::vector<std::string> remove_checks{};  // ids of ours that are not wanted any more
  friend bool operator==(const ServiceRegistration&, const ServiceRegistration&) = default;
};

// The thing a step writes or deletes.
using StepBody = std::variant<std::monostate, ServiceRegistration, ConfigEntry>;

struct Step {
  std::string id{};  // unique in the plan, from its content: "put-entry:service-router/api"
  Action action = Action::kPutEntry;
  InstanceId instance{};  // of service steps
  std::string service{};  // of service steps
  EntryId entry{};        // of entry steps
  Reason reason = Reason::kMissing;
  std::string why{};                 // the sentence, with its numbers
  std::vector<std::string> needs{};  // ids of steps that must be done before
  // ModifyIndex of the read this was decided on; 0: create only. For a step on a thing that an earlier step of the plan
  // writes, the index that step produced; `cas_from` names it.
  std::uint64_t cas_index = 0;
  std::string cas_from{};
  StepBody body{};    // what to write; nothing for deletions
  StepBody before{};  // what was there, for undo; nothing for creations
  friend bool operator==(const Step&, const Step&) = default;
};

// A difference that the plan leaves as it is, and why.
struct Held {
  std::string id{};
  Reason reason = Reason::kForeign;
  std::string why{};
  friend bool operator==(const Held&, const Held&) = default;
};

struct Plan {
  std::uint64_t catalog_index = 0;  // of the catalog it was made from
  std::vector<Step> steps{};        // in order; each prefix is safe
  std::vector<Held> held{};
  friend bool operator==(const Plan&, const Plan&) = default;
};

struct PlanOptions {
  // Whose things are ours: what we write carries Meta managed-by = owner, and nothing else is ever pruned. Two desired
  // states on one Consul have two owners; drivers use the KV prefix.
  std::string owner = std::string(kMarkValue);
  bool prune = false;         // delete what is ours and not wanted
  bool take_foreign = false;  // change entries stamped by another owner too
  ClusterIdentity cluster{};  // datacenter is overridden by the catalog's
  friend bool operator==(const PlanOptions&, const PlanOptions&) = default;
};

// The differences between what is wanted and what is there, ordered: instances before the entries that send traffic to
// them, entries in an order that the server accepts and in which no chain that compiled (or will) ever breaks, removals
// last. A fixpoint: once applied, the next plan is empty. Same input, same bytes.
absl::StatusOr<Plan> converge(const DesiredState& desired, const CatalogState& catalog,
                              const PlanOptions& options = {});

// The part of it that concerns config entries, alone.
absl::StatusOr<Plan> plan_config(const std::vector<ConfigEntry>& desired, const EntryMap& actual,
                                 const PlanOptions& options = {});

// The desired entries as the rollouts want them now: in a splitter with legs to both subsets of a rollout, these two
// have the rollout's weights and not the document's, from its start until the next rollout of the service. So the
// weights have one owner, and converging never takes traffic from where evidence has put it.
std::vector<ConfigEntry> entries_for(std::vector<ConfigEntry> desired, const std::vector<CanaryState>& rollouts);

// The plan that takes everything `plan` did back, once all of it has been applied.
Plan undo(const Plan& plan);
// The same at a later time, of a plan that wrote entries alone: its indexes are those of what is there now. ABORTED
// kind "conflict" naming the entry where something else stands than the plan left.
absl::StatusOr<Plan> undo(const Plan& plan, const EntryMap& actual);

// Live entries as desired documents: without indexes, our mark and other owners' stamps. Planned against where they
// came from they ask for nothing.
std::vector<ConfigEntry> adopt(const EntryMap& actual);

// Moves the weights of a splitter by hand: `weights` (hundredths of a percent) for subsets of the service; legs that
// are not named stay, all together have to be 100%. A subset without a leg gets one, and a service without a splitter
// gets one if it has a resolver. Meta and all else stay as they are: the entry does not become ours. Without steps when
// nothing changes.
struct SplitChange {
  std::string service{};
  std::map<std::string, std::int32_t> weights{};
  bool force = false;  // also onto subsets without a healthy instance
};
// INVALID_ARGUMENT kind "validate" for weights, subsets or stamps in the way (take_foreign sets aside the latter) and
// "graph" with the reason where the write would break a chain. `catalog` may be null: then no instances are looked at.
absl::StatusOr<Plan> plan_split(const SplitChange& change, const EntryMap& actual, const CatalogState* catalog,
                                const PlanOptions& options = {});

// The catalog after one step, as the server would answer. For previews and for tests of every prefix.
absl::StatusOr<CatalogState> after_step(CatalogState catalog, const Step& step);

// One line a step and a held difference, for people; deterministic.
std::string describe(const Plan& plan);

}  // namespace convergence

#endif  // CONVERGENCE_PLAN_H_
