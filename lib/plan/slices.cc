#include "convergence/slices.h"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>
#include <variant>

#include "lib/plan/slices.h"

namespace convergence {
namespace plan {
namespace {

std::string_view meta_of(const ConfigEntry& entry, std::string_view key) {
  const auto found = entry.meta.find(std::string(key));
  return found == entry.meta.end() ? std::string_view() : std::string_view(found->second);
}

// Nanoseconds; what is no number tells nothing.
Time time_from(std::string_view text) {
  std::int64_t nanoseconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), nanoseconds);
  return Time{Duration{nanoseconds}};
}

}  // namespace

Slice slice_named(std::string_view name) {
  for (const Slice slice : kBothSlices) {
    if (name == to_string(slice)) return slice;
  }
  return Slice::kNone;
}

const ConfigEntry* resolver_of(std::string_view service, const EntryMap& entries) {
  const auto found = entries.find(entry_key(kServiceResolver, service));
  if (found == entries.end() || !std::holds_alternative<ServiceResolver>(found->second->body)) return nullptr;
  return &*found->second;
}

}  // namespace plan

LiveSlice live_slice(std::string_view service, const EntryMap& entries) {
  LiveSlice live;
  live.service = service;
  const ConfigEntry* entry = plan::resolver_of(service, entries);
  if (entry == nullptr) return live;
  const auto& resolver = std::get<ServiceResolver>(entry->body);
  live.entry_index = entry->modify_index;
  live.slice = plan::slice_named(resolver.default_subset);
  if (resolver.redirect) {
    live.slice = Slice::kNone;
    live.in_the_way = fmt::format("service-resolver/{} redirects to another service", entry->name);
  } else if (live.slice == Slice::kNone && !resolver.default_subset.empty()) {
    live.in_the_way = fmt::format("the default subset of service-resolver/{} is {}, which is no slice", entry->name,
                                  resolver.default_subset);
  }
  if (plan::meta_of(*entry, kMetaLiveSlice) != resolver.default_subset || live.slice == Slice::kNone) return live;
  live.before = plan::slice_named(plan::meta_of(*entry, kMetaSliceBefore));
  live.by = plan::meta_of(*entry, kMetaSwitchedBy);
  live.at = plan::time_from(plan::meta_of(*entry, kMetaSwitchedAt));
  return live;
}

SliceTraffic slice_traffic(const LiveSlice& live, Slice slice) {
  if (slice == Slice::kNone) return SliceTraffic::kNoSlice;
  if (!live.in_the_way.empty()) return SliceTraffic::kUnknown;
  if (live.slice == Slice::kNone) return SliceTraffic::kShared;
  return live.slice == slice ? SliceTraffic::kLive : SliceTraffic::kIdle;
}

std::vector<ConfigEntry> keep_live_slices(std::vector<ConfigEntry> desired, const EntryMap& actual) {
  for (ConfigEntry& entry : desired) {
    auto* wanted = std::get_if<ServiceResolver>(&entry.body);
    const ConfigEntry* there = wanted ? plan::resolver_of(entry.name, actual) : nullptr;
    if (!there || wanted->redirect || !there->meta.contains(std::string(kMetaLiveSlice))) continue;
    const auto& switched = std::get<ServiceResolver>(there->body);
    if (plan::slice_named(switched.default_subset) == Slice::kNone) continue;
    wanted->default_subset = switched.default_subset;
    // Both: the other one is the way back.
    for (const Slice slice : plan::kBothSlices) {
      const auto subset = switched.subsets.find(std::string(to_string(slice)));
      if (subset != switched.subsets.end()) wanted->subsets.insert(*subset);
    }
  }
  return desired;
}

}  // namespace convergence
