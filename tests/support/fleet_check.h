#ifndef CONVERGENCE_TESTS_SUPPORT_FLEET_CHECK_H_
#define CONVERGENCE_TESTS_SUPPORT_FLEET_CHECK_H_

#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/fleet_view.h"
#include "convergence/kv_view.h"
#include "lib/codec/fleet_read.h"
#include "lib/codec/kv_read.h"

namespace convergence::test {

// What is read and what the strict reader reads: nothing when they are the same, else the difference. `existing` stands
// in the view before, and has to be there after an error, alone.
template <typename Read, typename Strictly>
std::string difference_from_strict(const FleetView& existing, Read read, Strictly strictly) {
  FleetView ours = existing;
  FleetView strict = existing;
  const absl::Status status = read(ours);
  const absl::Status wanted = strictly(strict);
  if (status != wanted) return "says " + status.ToString() + " where the strict reader says " + wanted.ToString();
  if (!(ours == strict)) return "other rows";
  if (!(ours.names == strict.names)) return "other names";
  if (!wanted.ok() && !(ours == existing && ours.names == existing.names)) return "an error left something";
  return "";
}

inline std::string health_difference(std::string_view answer, const FleetView& existing = {}) {
  return difference_from_strict(
      existing, [&](FleetView& view) { return read_health(answer, "answer", view); },
      [&](FleetView& view) { return codec::read_health_strictly(answer, "answer", view); });
}

inline std::string agent_services_difference(std::string_view answer, const FleetView& existing = {}) {
  return difference_from_strict(
      existing, [&](FleetView& view) { return read_agent_services(answer, "answer", "n1", view); },
      [&](FleetView& view) { return codec::read_agent_services_strictly(answer, "answer", "n1", view); });
}

inline std::string kv_difference(const std::string& answer) {
  const absl::StatusOr<KvView> ours = read_kv(answer, "answer");
  const absl::StatusOr<KvView> strict = codec::read_kv_strictly(answer, "answer");
  if (ours.status() != strict.status()) {
    return "says " + ours.status().ToString() + " where the strict reader says " + strict.status().ToString();
  }
  return !ours.ok() || *ours == *strict ? "" : "other keys";
}

// `next` read after `first`, with the first one's bytes kept: as if it were read alone.
inline std::string next_health_difference(std::string first, const std::string& next) {
  HealthReads reads;
  const absl::StatusOr<HealthChanges> begun = read_next_health(first, "answer", first.size(), reads);
  const FleetView before = reads.view;
  std::string answer = next;
  const absl::StatusOr<HealthChanges> changes = read_next_health(answer, "answer", next.size(), reads);
  FleetView whole;
  const absl::Status wanted = read_health(next, "answer", whole);
  if (changes.status() != wanted) {
    return "says " + changes.status().ToString() + " where read alone it is " + wanted.ToString();
  }
  if (!wanted.ok()) return reads.view == before ? "" : "an error changed the rows";
  if (!(reads.view == whole)) return "other rows";
  HealthReads alone;
  answer = next;
  if (!read_next_health(answer, "answer", next.size(), alone).ok()) return "cannot be read alone";
  return alone.begins == reads.begins && alone.answer == reads.answer ? "" : "other places of the rows";
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_FLEET_CHECK_H_
