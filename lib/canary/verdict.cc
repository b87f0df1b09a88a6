#include "lib/canary/verdict.h"

#include "fmt/format.h"

namespace convergence {
namespace {

std::string share(double value, int digits) { return fmt::format("{:.{}f} %", value * 100.0, digits); }

// As many digits as it takes to show that the two differ: "98.996 %, needs 99.000 %", never "99.00 %, needs 99.00 %".
std::string compare(double rate, double needed) {
  int digits = 2;
  while (digits < 12 && rate != needed && share(rate, digits) == share(needed, digits)) ++digits;
  return fmt::format("({}), needs {}", share(rate, digits), share(needed, digits));
}

}  // namespace

std::string percent(std::int32_t weight) { return fmt::format("{}.{:02} %", weight / 100, weight % 100); }

std::string seconds(Duration duration) { return fmt::format("{} s", std::chrono::duration<double>(duration).count()); }

Verdict judge(const CanaryPolicy& policy, const Measurement& measurement) {
  const RequestCount& candidate = measurement.candidate;
  switch (measurement.kind) {
    case EvidenceKind::kBrokenSource:
      return {VerdictKind::kBroken, fmt::format("no measurement: {}", measurement.problem)};
    case EvidenceKind::kNone:
      return {VerdictKind::kTooFew, fmt::format("no data: needs {} requests of the candidate", policy.min_requests)};
    case EvidenceKind::kCounted:
      break;
  }
  if (candidate.requests < policy.min_requests) {
    return {VerdictKind::kTooFew,
            fmt::format("{} requests of the candidate, needs {}", candidate.requests, policy.min_requests)};
  }
  // The quotient of two integers, correctly rounded, equals the threshold as it was read from its decimal text exactly
  // when the ratio is that decimal: 396 of 400 passes 0.99.
  const double rate =
      static_cast<double>(candidate.requests - candidate.errors) / static_cast<double>(candidate.requests);
  const bool good = rate >= policy.min_success_rate;
  return {
      good ? VerdictKind::kGood : VerdictKind::kBad,
      fmt::format("{} of {} failed {}", candidate.errors, candidate.requests, compare(rate, policy.min_success_rate))};
}

}  // namespace convergence
