#include <algorithm>
#include <cmath>
#include <utility>

#include "convergence/counters.h"
#include "fmt/format.h"

namespace convergence {
namespace {

// All answers of an arm are in the last bucket. Where the histogram lags behind the counters, or counts no attempt that
// was retried, shares are what may be compared.
void scale_buckets(ArmCount& count) {
  if (count.buckets.empty()) return;
  const double answers = count.buckets.back();
  const double factor = answers > 0 ? count.requests / answers : 0;
  for (double& bucket : count.buckets) bucket = std::min(bucket * factor, count.requests);
  count.buckets.back() = count.requests;
}

RequestCount whole(const ArmCount& count) { return {std::llround(count.requests), std::llround(count.failures)}; }

// Whole requests, since that is what the other counts of a measurement are held against.
ArmCount rounded(const ArmCount& count) {
  ArmCount out = count;
  out.requests = std::round(count.requests);
  out.failures = std::round(count.failures);
  scale_buckets(out);
  return out;
}

bool without_answers(const ArmCount& count) {
  return !count.buckets.empty() && count.buckets.back() <= 0 && count.requests >= 1;
}

Measurement no_evidence(EvidenceKind kind, std::string problem) {
  Measurement out;
  out.kind = kind;
  out.problem = std::move(problem);
  return out;
}

Measurement no_evidence(std::string_view arm, const ArmCounted& counted) {
  return no_evidence(counted.kind == CountClass::kNone ? EvidenceKind::kNone : EvidenceKind::kBrokenSource,
                     fmt::format("{}: {}", arm, counted.why));
}

std::string apart(Duration by) {
  return fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(by).count());
}

Duration distance(Time a, Time b) { return a < b ? b - a : a - b; }

}  // namespace

Measurement measurement_of(const ArmCounted& stable, const ArmCounted& candidate, Duration tolerance,
                           bool with_instances) {
  // What is broken is told before what is missing: it is what somebody has to look at.
  for (const bool only_missing : {false, true}) {
    for (const auto& [arm, counted] :
         {std::pair<std::string_view, const ArmCounted*>{"stable", &stable}, {"candidate", &candidate}}) {
      if (counted->kind == CountClass::kGood || (counted->kind == CountClass::kNone) != only_missing) continue;
      return no_evidence(arm, *counted);
    }
  }
  const Duration apart_by = std::max(distance(stable.from, candidate.from), distance(stable.to, candidate.to));
  if (apart_by > tolerance) {
    return no_evidence(EvidenceKind::kNone, fmt::format("the arms were counted over times that lie {} apart, at most {}"
                                                        " may be",
                                                        apart(apart_by), apart(tolerance)));
  }
  for (const auto& [arm, counted] :
       {std::pair<std::string_view, const ArmCounted*>{"stable", &stable}, {"candidate", &candidate}}) {
    if (without_answers(counted->total)) {
      return no_evidence(
          EvidenceKind::kBrokenSource,
          fmt::format("{}: {} requests, and none in the histogram of their durations", arm, counted->total.requests));
    }
  }
  Measurement out;
  out.stable = whole(stable.total);
  out.candidate = whole(candidate.total);
  out.stable_buckets = rounded(stable.total).buckets;
  out.candidate_buckets = rounded(candidate.total).buckets;
  if (with_instances) {
    for (const InstanceCount& one : stable.instances) out.stable_instances.push_back(rounded(one.count));
  }
  return out;
}

}  // namespace convergence
