#include "lib/canary/world.h"

#include <algorithm>
#include <cmath>

#include "lib/canary/counts.h"
#include "lib/canary/seconds.h"

namespace convergence {
namespace {

// Share of a log-normal latency within a bound.
double log_normal(double bound, double median, double sigma) {
  if (bound <= 0) return 0;
  return 0.5 * std::erfc(-std::log(bound / median) / (sigma * std::sqrt(2.0)));
}

bool during(const std::optional<Incident>& incident, Duration at) {
  return incident && at >= incident->start && at < incident->start + incident->length;
}

}  // namespace

double World::failing(Duration at, bool canary) const {
  double rate = scenario_.error_rate;
  if (scenario_.drift) {
    constexpr double kTwoPi = 6.283185307179586;
    const double phase = kTwoPi * seconds_of(at) / seconds_of(scenario_.drift->period);
    rate += (scenario_.drift->peak - rate) * (1 - std::cos(phase)) / 2;
  }
  if (during(scenario_.incident, at)) rate = scenario_.incident->error_rate;
  if (canary && at >= scenario_.canary.start) rate = rate * scenario_.canary.error_times + scenario_.canary.error_add;
  return std::min(rate, 1.0);
}

double World::slow_share(double bound, Duration at, bool canary) const {
  double times = during(scenario_.incident, at) ? scenario_.incident->latency_times : 1;
  const bool faulty = canary && at >= scenario_.canary.start;
  if (faulty) times *= scenario_.canary.latency_times;
  const double slow = 1 - log_normal(bound, scenario_.median_ms * times, scenario_.sigma);
  if (!faulty || bound >= scenario_.canary.tail_ms) return slow;
  return slow + (1 - slow) * scenario_.canary.tail_share;
}

World::Conditions World::conditions(Duration at, bool canary) const {
  Conditions out;
  out.failing = failing(at, canary);
  for (double bound : scenario_.bounds) out.within.push_back(1 - slow_share(bound, at, canary));
  return out;
}

double World::draw_failures(double chance, std::int64_t requests) {
  if (scenario_.burst <= 1) return static_cast<double>(random_.binomial(requests, chance));
  const double mean = (1 + scenario_.burst) / 2.0;
  std::int64_t failures = 0;
  for (std::int64_t left = random_.poisson(static_cast<double>(requests) * chance / mean); left > 0; --left) {
    failures += random_.up_to(scenario_.burst);
  }
  return static_cast<double>(std::min(failures, requests));
}

void World::count(const Conditions& conditions, std::int64_t requests, bool stalled, ArmCount& out) {
  ArmCount count;
  count.requests = static_cast<double>(requests);
  if (scenario_.counts_attempts) {
    std::int64_t attempts = requests;
    for (std::int32_t i = 0; i <= scenario_.retries && attempts > 0; ++i) {
      const std::int64_t failed = random_.binomial(attempts, conditions.failing);
      count.failures += static_cast<double>(failed);
      if (i > 0) count.requests += static_cast<double>(attempts);
      attempts = failed;
    }
  } else {
    count.failures = draw_failures(std::pow(conditions.failing, 1 + scenario_.retries), requests);
  }
  // A stalled instance's slow requests are over every bound below five seconds.
  const std::int64_t slow = stalled ? random_.binomial(requests, scenario_.stall->slow) : 0;
  std::int64_t left = requests - slow;
  double within_before = 0;
  double bucket = 0;
  for (double within : conditions.within) {
    const double beyond = 1 - within_before;
    const std::int64_t here = beyond > 0 ? random_.binomial(left, std::min(1.0, (within - within_before) / beyond)) : 0;
    left -= here;
    bucket += static_cast<double>(here);
    within_before = within;
    count.buckets.push_back(bucket + (count.requests - static_cast<double>(requests)));
  }
  add_count(count, out);
}

ArmCount World::count_arm(Duration at, std::int64_t requests, bool canary, std::int32_t instances,
                          std::vector<ArmCount>* apart) {
  const Conditions here = conditions(at, canary);
  ArmCount sum;
  for (std::int32_t i = 0; i < instances; ++i) {
    const std::int64_t own = random_.binomial(requests, 1.0 / (instances - i));
    requests -= own;
    const bool stalled = scenario_.stall && random_.uniform() < scenario_.stall->share;
    ArmCount instance;
    count(here, own, stalled, instance);
    add_count(instance, sum);
    if (apart) apart->push_back(std::move(instance));
  }
  return sum;
}

Interval World::measure(Duration at, std::int32_t weight) {
  Interval out;
  const double length = seconds_of(interval_);
  const double share = weight / 10000.0;
  out.weight = weight / 100.0;
  const Duration late = std::min(scenario_.scrape_offset, interval_);
  const auto arrivals = [&](double part, double of) { return random_.poisson(scenario_.rps * length * part * of); };
  out.primary = count_arm(at, arrivals(1, 1 - share), false, scenario_.primary_instances, &out.primary_instances);
  const double part = seconds_of(late) / length;
  out.canary = count_arm(at, arrivals(1 - part, share), true, scenario_.canary_instances, nullptr);
  if (late > Duration(0)) {
    add_count(count_arm(at + interval_, arrivals(part, share), true, scenario_.canary_instances, nullptr), out.canary);
  }
  if (scenario_.extrapolation == 1) return out;
  const auto enlarge = [&](ArmCount& count) {
    count.requests *= scenario_.extrapolation;
    count.failures *= scenario_.extrapolation;
    for (double& bucket : count.buckets) bucket *= scenario_.extrapolation;
  };
  enlarge(out.canary);
  enlarge(out.primary);
  for (ArmCount& instance : out.primary_instances) enlarge(instance);
  return out;
}

double World::extra_harm(Duration at) const {
  const auto harmed = [&](bool canary) {
    const double fails = std::pow(failing(at, canary), 1 + scenario_.retries);
    return fails + (1 - fails) * slow_share(scenario_.slow_ms, at, canary);
  };
  return harmed(true) - harmed(false);
}

}  // namespace convergence
