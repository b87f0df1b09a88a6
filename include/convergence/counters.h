#ifndef CONVERGENCE_COUNTERS_H_
#define CONVERGENCE_COUNTERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/analysis.h"
#include "convergence/canary.h"
#include "convergence/time.h"

namespace convergence {

// From raw counters, as proxies and programs have them, to what both arms of a rollout did in one window: a function of
// values. A counter only ever rises; when it fell its process began anew. What cannot be trusted is never turned into
// numbers: it is named, and is no evidence (docs/metrics.md).

// ---- what is read ----------------------------------------------------------------------------------------------

// All that one instance has counted of one arm up to one moment. An instance is who counts: a proxy of a caller, or a
// process of the service.
struct InstanceCounters {
  std::string instance{};
  Time at{};  // by the clock of who read it
  double requests = 0;
  double failures = 0;            // of the requests
  std::vector<double> buckets{};  // answers not slower than each bound, rising; one more entry: all answers
  friend bool operator==(const InstanceCounters&, const InstanceCounters&) = default;
};

// Readings of many instances that wait for the next, in a few long lists: 128 bytes an instance at most with eight
// bounds and names of up to 28 bytes.
struct CounterBaselines {
  std::string names{};                     // back to back, by name
  std::vector<std::uint32_t> name_ends{};  // in `names`
  std::vector<Time> at{};
  std::vector<double> counts{};  // requests, failures, buckets: `width` for each instance
  std::uint32_t width = 2;
  friend bool operator==(const CounterBaselines&, const CounterBaselines&) = default;
};

// Of two readings of one instance the later one stays. Readings must have equally many buckets; one that has not is
// left out, so that its instance is new at the next reading.
CounterBaselines baselines_of(std::vector<InstanceCounters> readings);
std::size_t size_of(const CounterBaselines& baselines);
std::string_view name_of(const CounterBaselines& baselines, std::size_t index);
InstanceCounters reading_of(const CounterBaselines& baselines, std::size_t index);
std::size_t bytes_of(const CounterBaselines& baselines);  // on the heap

// ---- what was counted between two readings ---------------------------------------------------------------------

enum class CountClass {
  kGood,
  kNone,    // nobody has read anything twice
  kStale,   // what was read last is too old
  kBroken,  // numbers that cannot be
};
std::string_view to_string(CountClass kind);

struct CountOptions {
  std::size_t buckets = 0;  // of each reading: 0, or one more than the bounds
  Time to{};                // the window's end
  Duration stale_after{0};  // a reading older than this at the window's end; 0: none is
  double reset_cap = 4;  // times what the busiest instance without a reset counted; more is not believed after a reset
};

struct InstanceCount {
  std::string instance{};
  ArmCount count{};
  Time from{};
  Time to{};
  std::int32_t resets = 0;
  friend bool operator==(const InstanceCount&, const InstanceCount&) = default;
};

struct ArmCounted {
  CountClass kind = CountClass::kNone;
  std::string why{};                       // of every kind but good
  std::vector<InstanceCount> instances{};  // that were counted, by name
  ArmCount total{};
  Time from{};                          // the earliest of the instances'
  Time to{};                            // the latest
  std::vector<std::string> appeared{};  // read for the first time: nothing counted yet
  std::vector<std::string> vanished{};  // not read again: what they did since is lost
  std::vector<std::string> reset{};     // began anew: what they counted since
  std::vector<std::string> capped{};    // of these, more than is believed
  std::vector<std::string> stale{};     // not counted
  friend bool operator==(const ArmCounted&, const ArmCounted&) = default;
};

// Baselines and the next reading. An instance that is new has no baseline: nothing of it is counted.
ArmCounted difference(const CounterBaselines& before, const std::vector<InstanceCounters>& now,
                      const CountOptions& options);

// The same over many readings of each instance, in any order: its first is its baseline, so that a reset in between is
// seen, and one who falls twice is no evidence.
ArmCounted increase(const std::vector<InstanceCounters>& readings, const CountOptions& options);

// ---- both arms -------------------------------------------------------------------------------------------------

// What the driver is told. Both arms have to be counted over the same time, but for `tolerance` at each end; answers
// and requests are counted at different moments, so that the buckets are scaled to the requests. Without
// `with_instances` the stable arm's instances are not told apart.
Measurement measurement_of(const ArmCounted& stable, const ArmCounted& candidate, Duration tolerance,
                           bool with_instances = true);

}  // namespace convergence

#endif  // CONVERGENCE_COUNTERS_H_
