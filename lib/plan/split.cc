#include <fmt/format.h>

#include <string>
#include <utility>

#include "convergence/error.h"
#include "convergence/plan.h"
#include "lib/base/status_macros.h"
#include "lib/plan/steps.h"

namespace convergence {
namespace {

constexpr std::int64_t kWhole = 10000;  // hundredths of a percent

absl::Status refused(const SplitChange& change, std::string_view problem) {
  Json detail;
  detail.set("service", change.service);
  return make_error(ErrorKind::kValidate, fmt::format("split of {}: {}", change.service, problem), std::move(detail));
}

const ConfigEntry* find(const EntryMap& entries, std::string_view kind, std::string_view name) {
  const auto found = entries.find(entry_key(kind, name));
  return found == entries.end() ? nullptr : &*found->second;
}

bool is_own(const Split& split, const ConfigEntry& entry) {
  return split.service.empty() || split.service == entry.name;
}

// The splitter with the new weights.
absl::StatusOr<ConfigEntry> changed(const SplitChange& change, const EntryMap& actual) {
  ConfigEntry entry;
  entry.kind = kServiceSplitter;
  entry.name = change.service;
  entry.body = ServiceSplitter();
  if (const ConfigEntry* there = find(actual, kServiceSplitter, change.service)) entry = *there;
  auto& splits = std::get<ServiceSplitter>(entry.body).splits;
  for (const auto& [subset, weight] : change.weights) {
    Split* leg = nullptr;
    for (Split& split : splits) {
      if (is_own(split, entry) && split.service_subset == subset) leg = &split;
    }
    if (leg == nullptr) {
      leg = &splits.emplace_back();
      leg->service_subset = subset;
    }
    leg->weight = weight;
  }
  std::int64_t total = 0;
  for (const Split& split : splits) total += split.weight;
  if (total == kWhole) return entry;
  return refused(change, fmt::format("the weights are {}% together, not 100%", static_cast<double>(total) / 100.0));
}

absl::Status check_subsets(const SplitChange& change, const EntryMap& actual, const CatalogState* catalog) {
  const ConfigEntry* entry = find(actual, kServiceResolver, change.service);
  const auto* resolver = entry == nullptr ? nullptr : std::get_if<ServiceResolver>(&entry->body);
  if (resolver == nullptr) return refused(change, "it has no resolver, so there are no subsets to split over");
  for (const auto& [name, weight] : change.weights) {
    const auto subset = resolver->subsets.find(name);
    if (subset == resolver->subsets.end()) {
      return refused(change, fmt::format("its resolver has no subset {}", name));
    }
    if (weight < 0 || weight > kWhole) {
      return refused(change, fmt::format("{}% for {} is outside 0..100", weight / 100.0, name));
    }
    if (catalog == nullptr || weight == 0 || change.force) continue;
    ChainTarget target;
    target.service = change.service;
    target.datacenter = catalog->datacenter;
    target.subset = subset->second;
    const TargetHealth health = target_health(target, *catalog);
    if (health.healthy > 0) continue;
    return refused(change, fmt::format("{}% would go to {}, where none of {} instances is healthy; force it if that is "
                                       "meant",
                                       weight / 100.0, name, health.total));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Plan> plan_split(const SplitChange& change, const EntryMap& actual, const CatalogState* catalog,
                                const PlanOptions& options) {
  CVG_RETURN_IF_ERROR(check_subsets(change, actual, catalog));
  CVG_ASSIGN_OR_RETURN(ConfigEntry wanted, changed(change, actual));
  const ConfigEntry* there = find(actual, kServiceSplitter, change.service);
  if (there != nullptr && there->meta.contains(std::string(plan::kExternalSource)) && !options.take_foreign) {
    return refused(change, fmt::format("{} {}, which would write it back; change it there, or take it over",
                                       plan::label(entry_id(*there)), plan::owner_text(there->meta)));
  }
  PlanOptions by_hand = options;
  by_hand.take_foreign = true;  // an operator's word
  by_hand.prune = false;
  CVG_ASSIGN_OR_RETURN(Plan plan, plan_config({wanted}, actual, by_hand));
  std::erase_if(plan.held, [](const Held& held) { return held.reason == Reason::kNotPruned; });
  if (!plan.held.empty()) return make_error(ErrorKind::kGraph, plan.held.front().why);
  for (Step& step : plan.steps) {
    if (auto* body = std::get_if<ConfigEntry>(&step.body)) body->meta = wanted.meta;  // not ours for being moved once
  }
  return plan;
}

}  // namespace convergence
