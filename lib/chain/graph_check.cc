#include "lib/chain/graph_check.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <variant>

#include "lib/base/status_macros.h"
#include "lib/chain/compile.h"

namespace convergence {
namespace {

bool forms_chains(std::string_view kind) {
  return kind == kServiceRouter || kind == kServiceSplitter || kind == kServiceResolver;
}

// Names as spelled: a reference in other letters is no reference to the server (discovery-chain.md (e) 10).
std::set<std::string_view> touched_chains(const EntryMap& stored, const ProposedEntry& proposed) {
  std::set<std::string_view> names;
  const bool all = proposed.id.kind == kProxyDefaults;
  if (!all) names.insert(proposed.id.name);
  for (const auto& [key, entry] : stored) {
    if (!forms_chains(key.kind)) continue;
    bool touched = all;
    each_related_service(*entry, [&](std::string_view name) { touched |= name == proposed.id.name; });
    if (touched) names.insert(entry->name);
  }
  return names;
}

// Calls `visit` with the error of each failing chain until it returns false.
template <typename Visit>
void visit_failures(const EntryMap& stored, const ProposedEntry& proposed, Visit visit) {
  if (!forms_chains(proposed.id.kind) && proposed.id.kind != kProxyDefaults && proposed.id.kind != kServiceDefaults) {
    return;  // no other kind changes a chain
  }
  EntryLookup lookup(stored, &proposed);
  ChainRequest request;
  request.cluster.datacenter = "dc1";  // the server's too, wherever it runs (discovery-chain.md (b2))
  for (std::string_view name : touched_chains(stored, proposed)) {
    request.service = name;
    const auto chain = compile_chain(lookup, request);
    if (!chain.ok() && !visit(chain.status())) return;
  }
}

}  // namespace

std::vector<absl::Status> failing_chains(const EntryMap& stored, const ProposedEntry& proposed) {
  std::vector<absl::Status> errors;
  visit_failures(stored, proposed, [&](const absl::Status& error) {
    errors.push_back(error);
    return true;
  });
  return errors;
}

absl::Status check_write(const EntryMap& stored, const ProposedEntry& proposed) {
  absl::Status first;
  visit_failures(stored, proposed, [&](const absl::Status& error) {
    first = error;
    return false;
  });
  return first;
}

absl::Status check_entry_graph(const EntryMap& after, const EntryId& changed, const ClusterIdentity&) {
  const auto stored = after.find(entry_key(changed.kind, changed.name));
  ProposedEntry proposed{changed, nullptr};
  if (stored != after.end()) proposed.next = &stored->second;
  return check_write(after, proposed);
}

}  // namespace convergence
