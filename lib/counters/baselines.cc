#include <algorithm>
#include <utility>

#include "convergence/counters.h"

namespace convergence {

CounterBaselines baselines_of(std::vector<InstanceCounters> readings) {
  std::sort(readings.begin(), readings.end(), [](const InstanceCounters& a, const InstanceCounters& b) {
    return std::pair(std::string_view(a.instance), a.at) < std::pair(std::string_view(b.instance), b.at);
  });
  CounterBaselines out;
  if (readings.empty()) return out;
  const std::size_t buckets = readings.front().buckets.size();
  out.width = static_cast<std::uint32_t>(2 + buckets);
  std::size_t letters = 0;
  for (const InstanceCounters& reading : readings) letters += reading.instance.size();
  out.names.reserve(letters);
  out.name_ends.reserve(readings.size());
  out.at.reserve(readings.size());
  out.counts.reserve(readings.size() * out.width);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const InstanceCounters& reading = readings[i];
    const bool repeated = i + 1 < readings.size() && readings[i + 1].instance == reading.instance;
    if (repeated || reading.buckets.size() != buckets) continue;
    out.names += reading.instance;
    out.name_ends.push_back(static_cast<std::uint32_t>(out.names.size()));
    out.at.push_back(reading.at);
    out.counts.push_back(reading.requests);
    out.counts.push_back(reading.failures);
    out.counts.insert(out.counts.end(), reading.buckets.begin(), reading.buckets.end());
  }
  return out;
}

std::size_t size_of(const CounterBaselines& baselines) { return baselines.name_ends.size(); }

std::string_view name_of(const CounterBaselines& baselines, std::size_t index) {
  const std::size_t begin = index == 0 ? 0 : baselines.name_ends[index - 1];
  return std::string_view(baselines.names).substr(begin, baselines.name_ends[index] - begin);
}

InstanceCounters reading_of(const CounterBaselines& baselines, std::size_t index) {
  InstanceCounters out;
  out.instance = std::string(name_of(baselines, index));
  out.at = baselines.at[index];
  const double* counts = baselines.counts.data() + index * baselines.width;
  out.requests = counts[0];
  out.failures = counts[1];
  out.buckets.assign(counts + 2, counts + baselines.width);
  return out;
}

std::size_t bytes_of(const CounterBaselines& baselines) {
  return baselines.names.capacity() + baselines.name_ends.capacity() * sizeof(std::uint32_t) +
         baselines.at.capacity() * sizeof(Time) + baselines.counts.capacity() * sizeof(double);
}

}  // namespace convergence
