#include <algorithm>
#include <cmath>
#include <utility>

#include "convergence/counters.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

absl::Status cannot_be(std::string_view instance, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}", instance, problem));
}

bool is_count(double value) { return std::isfinite(value) && value >= 0; }

// A reading that a counting process cannot have.
absl::Status check_reading(const InstanceCounters& reading, std::size_t buckets) {
  if (!is_count(reading.requests)) {
    return cannot_be(reading.instance, fmt::format("{} requests are no count", reading.requests));
  }
  if (!is_count(reading.failures)) {
    return cannot_be(reading.instance, fmt::format("{} failures are no count", reading.failures));
  }
  if (reading.buckets.size() != buckets) {
    return cannot_be(reading.instance, fmt::format("{} buckets where {} are wanted", reading.buckets.size(), buckets));
  }
  double before = 0;
  for (std::size_t j = 0; j < buckets; ++j) {
    const double bucket = reading.buckets[j];
    if (!is_count(bucket)) return cannot_be(reading.instance, fmt::format("bucket {} is {}", j, bucket));
    if (bucket < before) {
      return cannot_be(reading.instance,
                       fmt::format("bucket {} is {} after {}; with the bound the count rises", j, bucket, before));
    }
    before = bucket;
  }
  return absl::OkStatus();
}

// The counters of the instance do not rise and fall apart: one that fell says that the process is another.
bool began_anew(const InstanceCounters& before, const InstanceCounters& now) {
  if (now.requests < before.requests || now.failures < before.failures) return true;
  for (std::size_t j = 0; j < now.buckets.size(); ++j) {
    if (now.buckets[j] < before.buckets[j]) return true;
  }
  return false;
}

// What was counted from one reading to the next.
absl::Status add_step(const InstanceCounters& before, const InstanceCounters& now, InstanceCount& out) {
  if (now.at < before.at) {
    return cannot_be(now.instance,
                     fmt::format("its clock ran backwards by {} ms",
                                 std::chrono::duration_cast<std::chrono::milliseconds>(before.at - now.at).count()));
  }
  const bool anew = began_anew(before, now);
  if (anew && ++out.resets > 1) return cannot_be(now.instance, "its counters fell twice");
  const auto since = [&](double earlier, double later) { return anew ? later : later - earlier; };
  out.count.requests += since(before.requests, now.requests);
  out.count.failures += since(before.failures, now.failures);
  out.count.buckets.resize(now.buckets.size());
  for (std::size_t j = 0; j < now.buckets.size(); ++j) {
    out.count.buckets[j] += since(before.buckets[j], now.buckets[j]);
  }
  return absl::OkStatus();
}

absl::Status check_count(const InstanceCount& counted) {
  if (counted.count.failures > counted.count.requests) {
    return cannot_be(counted.instance,
                     fmt::format("{} failures of {} requests", counted.count.failures, counted.count.requests));
  }
  double before = 0;
  for (std::size_t j = 0; j < counted.count.buckets.size(); ++j) {
    const double bucket = counted.count.buckets[j];
    if (bucket < before) {
      return cannot_be(counted.instance, fmt::format("bucket {} rose by {}, the one before by {}", j, bucket, before));
    }
    before = bucket;
  }
  return absl::OkStatus();
}

void scale(ArmCount& count, double factor) {
  count.requests *= factor;
  count.failures *= factor;
  for (double& bucket : count.buckets) bucket *= factor;
}

// What an instance has counted since it began anew is at most what it did in the window, if it began in it. Two
// processes that answer at one address by turns look as if they began anew at each turn, with all they ever counted.
void cap_resets(ArmCounted& out, double times) {
  double busiest = 0;
  for (const InstanceCount& one : out.instances) {
    if (one.resets == 0) busiest = std::max(busiest, one.count.requests);
  }
  for (InstanceCount& one : out.instances) {
    if (one.resets == 0) continue;
    out.reset.push_back(one.instance);
    const double most = busiest * times;
    if (busiest <= 0 || one.count.requests <= most) continue;
    out.capped.push_back(one.instance);
    scale(one.count, most / one.count.requests);
  }
}

void add_up(ArmCounted& out) {
  out.from = out.instances.front().from;
  out.to = out.instances.front().to;
  for (const InstanceCount& one : out.instances) {
    out.total.requests += one.count.requests;
    out.total.failures += one.count.failures;
    out.total.buckets.resize(one.count.buckets.size());
    for (std::size_t j = 0; j < one.count.buckets.size(); ++j) out.total.buckets[j] += one.count.buckets[j];
    out.from = std::min(out.from, one.from);
    out.to = std::max(out.to, one.to);
  }
}

std::string and_others(const std::vector<std::string>& names) {
  return names.size() == 1 ? names.front() : fmt::format("{} and {} more", names.front(), names.size() - 1);
}

// A window with numbers that cannot be has none at all (statistics.md 8.1).
ArmCounted broken(ArmCounted out, const absl::Status& problem) {
  out.kind = CountClass::kBroken;
  out.why = std::string(problem.message());
  out.instances.clear();
  return out;
}

ArmCounted finish(ArmCounted out, const CountOptions& options) {
  if (out.instances.empty()) {
    out.kind = out.stale.empty() ? CountClass::kNone : CountClass::kStale;
    if (!out.stale.empty()) {
      out.why = fmt::format("{}: what was read last is too old", and_others(out.stale));
    } else if (!out.appeared.empty()) {
      out.why = fmt::format("{}: read once, so that nothing is counted yet", and_others(out.appeared));
    } else if (!out.vanished.empty()) {
      out.why = fmt::format("{}: not read again", and_others(out.vanished));
    } else {
      out.why = "nobody counts it";
    }
    return out;
  }
  out.kind = CountClass::kGood;
  cap_resets(out, options.reset_cap);
  add_up(out);
  return out;
}

// The readings of one instance, by time.
absl::Status count_instance(const InstanceCounters* first, const InstanceCounters* last, const CountOptions& options,
                            ArmCounted& out) {
  for (const InstanceCounters* reading = first; reading != last; ++reading) {
    CVG_RETURN_IF_ERROR(check_reading(*reading, options.buckets));
  }
  const InstanceCounters& latest = *(last - 1);
  const bool too_old = options.stale_after > Duration(0) && latest.at < options.to - options.stale_after;
  if (too_old || (last - first > 1 && latest.at == first->at)) {
    out.stale.push_back(latest.instance);
    return absl::OkStatus();
  }
  if (last - first < 2) {
    out.appeared.push_back(latest.instance);
    return absl::OkStatus();
  }
  InstanceCount counted;
  counted.instance = latest.instance;
  counted.from = first->at;
  counted.to = latest.at;
  for (const InstanceCounters* now = first + 1; now != last; ++now)
    CVG_RETURN_IF_ERROR(add_step(now[-1], *now, counted));
  CVG_RETURN_IF_ERROR(check_count(counted));
  out.instances.push_back(std::move(counted));
  return absl::OkStatus();
}

}  // namespace

std::string_view to_string(CountClass kind) {
  switch (kind) {
    case CountClass::kGood:
      return "good";
    case CountClass::kNone:
      return "none";
    case CountClass::kStale:
      return "stale";
    case CountClass::kBroken:
      return "broken";
  }
  return "";
}

ArmCounted difference(const CounterBaselines& before, const std::vector<InstanceCounters>& now,
                      const CountOptions& options) {
  const CounterBaselines later = baselines_of(now);
  ArmCounted out;
  std::size_t b = 0;
  for (std::size_t n = 0; n < size_of(later); ++n) {
    for (; b < size_of(before) && name_of(before, b) < name_of(later, n); ++b) {
      out.vanished.emplace_back(name_of(before, b));
    }
    std::vector<InstanceCounters> both;
    if (b < size_of(before) && name_of(before, b) == name_of(later, n)) both.push_back(reading_of(before, b++));
    both.push_back(reading_of(later, n));
    const absl::Status status = count_instance(both.data(), both.data() + both.size(), options, out);
    if (!status.ok()) return broken(std::move(out), status);
  }
  for (; b < size_of(before); ++b) out.vanished.emplace_back(name_of(before, b));
  return finish(std::move(out), options);
}

ArmCounted increase(const std::vector<InstanceCounters>& readings, const CountOptions& options) {
  std::vector<InstanceCounters> sorted = readings;
  std::stable_sort(sorted.begin(), sorted.end(), [](const InstanceCounters& a, const InstanceCounters& b) {
    return std::pair(std::string_view(a.instance), a.at) < std::pair(std::string_view(b.instance), b.at);
  });
  ArmCounted out;
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t last = first + 1;
    while (last < sorted.size() && sorted[last].instance == sorted[first].instance) ++last;
    const absl::Status status = count_instance(sorted.data() + first, sorted.data() + last, options, out);
    if (!status.ok()) return broken(std::move(out), status);
    first = last;
  }
  return finish(std::move(out), options);
}

}  // namespace convergence
