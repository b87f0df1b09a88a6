#include <doctest/doctest.h>

#include "tests/unit/counters/readings.h"

namespace convergence {
namespace {

using test::arm;
using test::at_second;
using test::counted_from_to;

constexpr Duration kTolerance = std::chrono::seconds(2);

ArmCounted good(std::int64_t from, std::int64_t to, std::vector<ArmCount> instances) {
  ArmCounted out;
  out.kind = CountClass::kGood;
  out.from = at_second(from);
  out.to = at_second(to);
  for (const ArmCount& one : instances) {
    out.instances.push_back(counted_from_to("i", from, to, one));
    out.total.requests += one.requests;
    out.total.failures += one.failures;
    out.total.buckets.resize(one.buckets.size());
    for (std::size_t j = 0; j < one.buckets.size(); ++j) out.total.buckets[j] += one.buckets[j];
  }
  return out;
}

ArmCounted not_good(CountClass kind, std::string why) {
  ArmCounted out;
  out.kind = kind;
  out.why = std::move(why);
  return out;
}

TEST_CASE("both arms good: their counts, and the stable one's instances") {
  const Measurement got = measurement_of(good(0, 10, {arm(100, 1, {60, 100}), arm(300, 2, {270, 300})}),
                                         good(1, 9, {arm(40, 4, {30, 40})}), kTolerance);
  Measurement want;
  want.stable = {400, 3};
  want.candidate = {40, 4};
  want.stable_buckets = {330, 400};
  want.candidate_buckets = {30, 40};
  want.stable_instances = {arm(100, 1, {60, 100}), arm(300, 2, {270, 300})};
  CHECK(got == want);
  want.stable_instances.clear();
  CHECK(measurement_of(good(0, 10, {arm(100, 1, {60, 100}), arm(300, 2, {270, 300})}),
                       good(1, 9, {arm(40, 4, {30, 40})}), kTolerance, false) == want);
}

TEST_CASE("a histogram that lags behind the requests keeps its shares") {
  const Measurement got =
      measurement_of(good(0, 10, {arm(100, 0, {40, 80})}), good(0, 10, {arm(10, 0, {9, 20})}), kTolerance);
  CHECK(got.stable_buckets == std::vector<double>{50, 100});
  CHECK(got.candidate_buckets == std::vector<double>{4.5, 10});
}

TEST_CASE("no evidence is told with the arm and the reason; what is broken before what is missing") {
  const ArmCounted fine = good(0, 10, {arm(100, 1)});
  const ArmCounted none = not_good(CountClass::kNone, "nobody counts it");
  const ArmCounted stale = not_good(CountClass::kStale, "a: what was read last is too old");
  const ArmCounted broken = not_good(CountClass::kBroken, "a: nan requests are no count");
  struct Case {
    ArmCounted stable;
    ArmCounted candidate;
    EvidenceKind kind;
    const char* problem;
  };
  const Case cases[] = {
      {fine, none, EvidenceKind::kNone, "candidate: nobody counts it"},
      {none, fine, EvidenceKind::kNone, "stable: nobody counts it"},
      {fine, stale, EvidenceKind::kBrokenSource, "candidate: a: what was read last is too old"},
      {none, broken, EvidenceKind::kBrokenSource, "candidate: a: nan requests are no count"},
      {broken, stale, EvidenceKind::kBrokenSource, "stable: a: nan requests are no count"},
      {fine, good(3, 10, {arm(9, 0)}), EvidenceKind::kNone,
       "the arms were counted over times that lie 3000 ms apart, at most 2000 ms may be"},
      {good(0, 10, {arm(9, 0, {0, 0})}), good(0, 10, {arm(9, 0, {1, 9})}), EvidenceKind::kBrokenSource,
       "stable: 9 requests, and none in the histogram of their durations"},
  };
  for (const Case& c : cases) {
    const Measurement got = measurement_of(c.stable, c.candidate, kTolerance);
    Measurement want;
    want.kind = c.kind;
    want.problem = c.problem;
    CHECK(got == want);
  }
}

}  // namespace
}  // namespace convergence
