#include "lib/canary/verdict.h"

#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

Measurement counted(std::int64_t requests, std::int64_t errors) {
  Measurement measurement;
  measurement.candidate = {requests, errors};
  return measurement;
}

TEST_CASE("a measurement is judged by its numbers and says so") {
  Measurement none;
  none.kind = EvidenceKind::kNone;
  Measurement broken;
  broken.kind = EvidenceKind::kBrokenSource;
  broken.problem = "503 from the metrics server";
  struct Case {
    const char* name;
    Measurement measurement;
    double needed;
    Verdict want;
  };
  const Case cases[] = {
      {"all good", counted(400, 0), 0.99, {VerdictKind::kGood, "0 of 400 failed (100.00 %), needs 99.00 %"}},
      {"bad", counted(400, 12), 0.99, {VerdictKind::kBad, "12 of 400 failed (97.00 %), needs 99.00 %"}},
      {"exactly the threshold",
       counted(400, 4),
       0.99,
       {VerdictKind::kGood, "4 of 400 failed (99.00 %), needs 99.00 %"}},
      {"one more", counted(400, 5), 0.99, {VerdictKind::kBad, "5 of 400 failed (98.75 %), needs 99.00 %"}},
      {"so near that two digits do not show it",
       counted(1000000, 10001),
       0.99,
       {VerdictKind::kBad, "10001 of 1000000 failed (98.9999 %), needs 99.0000 %"}},
      {"the fewest", counted(50, 50), 0.99, {VerdictKind::kBad, "50 of 50 failed (0.00 %), needs 99.00 %"}},
      {"one too few, all failed",
       counted(49, 49),
       0.99,
       {VerdictKind::kTooFew, "49 requests of the candidate, needs 50"}},
      {"nothing", counted(0, 0), 0.99, {VerdictKind::kTooFew, "0 requests of the candidate, needs 50"}},
      {"no failure allowed", counted(1000, 1), 1.0, {VerdictKind::kBad, "1 of 1000 failed (99.90 %), needs 100.00 %"}},
      {"all may fail", counted(1000, 1000), 0.0, {VerdictKind::kGood, "1000 of 1000 failed (0.00 %), needs 0.00 %"}},
      {"no data", none, 0.99, {VerdictKind::kTooFew, "no data: needs 50 requests of the candidate"}},
      {"broken source", broken, 0.99, {VerdictKind::kBroken, "no measurement: 503 from the metrics server"}},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CanaryPolicy policy = test::small_policy();
      policy.min_success_rate = c.needed;
      const Verdict got = judge(policy, c.measurement);
      CHECK(got.why == c.want.why);
      CHECK(got == c.want);
    }
  }
}

// The threshold is a decimal; at exact equality the candidate passes, for every count, with no slack either way.
TEST_CASE("the edge is exact at every count") {
  CanaryPolicy policy = test::small_policy();
  policy.min_requests = 1;
  for (std::int64_t percent = 1; percent < 100; ++percent) {
    policy.min_success_rate = static_cast<double>(percent) / 100.0;
    for (std::int64_t hundreds = 1; hundreds <= 40; ++hundreds) {
      const std::int64_t requests = hundreds * 100;
      const std::int64_t allowed = hundreds * (100 - percent);
      CAPTURE(percent);
      CAPTURE(requests);
      CHECK(judge(policy, counted(requests, allowed)).kind == VerdictKind::kGood);
      CHECK(judge(policy, counted(requests, allowed + 1)).kind == VerdictKind::kBad);
    }
  }
}

TEST_CASE("weights and times as people read them") {
  CHECK(percent(0) == "0.00 %");
  CHECK(percent(7) == "0.07 %");
  CHECK(percent(1234) == "12.34 %");
  CHECK(percent(10000) == "100.00 %");
  CHECK(seconds(std::chrono::minutes(10)) == "600 s");
  CHECK(seconds(std::chrono::milliseconds(500)) == "0.5 s");
}

}  // namespace
}  // namespace convergence
