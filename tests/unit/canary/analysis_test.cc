#include "convergence/analysis.h"

#include <cmath>
#include <limits>

#include "convergence/codec.h"
#include "doctest/doctest.h"
#include "fmt/format.h"

namespace convergence {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

Interval errors(double n_c, double x_c, double n_p, double x_p) { return {{n_c, x_c}, {n_p, x_p}}; }

AnalysisOptions fixed() {
  AnalysisOptions options;
  options.phi = 1;
  options.margin = 0.01;
  return options;
}

Comparison compared(const std::vector<Interval>& intervals, const AnalysisOptions& options) {
  absl::StatusOr<Comparison> comparison = compare(intervals, options);
  REQUIRE(comparison.ok());
  return *comparison;
}

std::vector<Interval> repeated(const Interval& interval, int times) {
  return std::vector<Interval>(static_cast<std::size_t>(times), interval);
}

// ---- verdicts, and the sentences of statistics.md 6.1 ---------------------------------------------------------------

TEST_CASE("verdicts and their sentences") {
  struct Case {
    const char* name;
    std::vector<Interval> intervals;
    AnalysisVerdict verdict;
    AnalysisReason reason;
    const char* why;
  };
  const Case cases[] = {
      {"a canary that fails five times as often", repeated(errors(310 / 7.0, 12 / 7.0, 2790 / 7.0, 21 / 7.0), 7),
       AnalysisVerdict::kRollback, AnalysisReason::kWorse,
       "ROLLBACK after 1m10s at 10%: canary fails 3.9% (12/310), primary 0.8% (21/2790), 5.1x; at least 0.30 pp worse; "
       "evidence 411, 100 needed (false alarm below 1 in 100)"},
      {"one that may be worse", repeated(errors(400, 6, 3600, 20), 1), AnalysisVerdict::kContinue,
       AnalysisReason::kUndecided,
       "CONTINUE after 10s at 10%: the canary may still be 3.6 pp worse (6/400 against 20/3600), 1.0 pp is to be "
       "excluded; evidence against it 1.8, 100 would roll it back"},
      {"one that is suspicious", repeated(errors(100, 6, 900, 12), 2), AnalysisVerdict::kHold,
       AnalysisReason::kSuspicious,
       "HOLD after 20s at 10%: suspicious, canary fails 6.0% (12/200), primary 1.3% (24/1800), 4.5x; at least 0.27 pp "
       "worse; evidence 73 of 100; the weight is not raised"},
      {"one that is fine", repeated(errors(1000, 1, 1000, 1), 10), AnalysisVerdict::kPromote, AnalysisReason::kFine,
       "PROMOTE after 1m40s at 10%: canary fails 0.1% (10/10000), primary 0.1% (10/10000); a rise of 1.0 pp or more is "
       "excluded (95%)"},
      {"no request reaches it", repeated(errors(0, 0, 1000, 3), 4), AnalysisVerdict::kInconclusive,
       AnalysisReason::kNoTraffic, "INCONCLUSIVE after 40s at 10%: nothing was counted in the canary"},
      {"nothing to compare with", repeated(errors(1000, 3, 0, 0), 4), AnalysisVerdict::kInconclusive,
       AnalysisReason::kNoTraffic, "INCONCLUSIVE after 40s at 10%: nothing was counted in the primary"},
      {"no interval at all",
       {},
       AnalysisVerdict::kInconclusive,
       AnalysisReason::kNoTraffic,
       "INCONCLUSIVE: nothing was counted in the canary"},
      {"three that are no evidence", repeated(errors(10, 11, 100, 0), 3), AnalysisVerdict::kHold,
       AnalysisReason::kNoUsableData,
       "HOLD at 10%: no usable data for 3 intervals (canary: 11 failures of 10 requests)"},
  };
  for (Case row : cases) {
    CAPTURE(row.name);
    for (Interval& interval : row.intervals) interval.weight = 10;
    const Judgement judgement = compared(row.intervals, fixed()).judgement;
    CHECK(judgement.verdict == row.verdict);
    CHECK(judgement.reason == row.reason);
    CHECK(judgement.why == row.why);
  }
}

TEST_CASE("latency is named with its boundary") {
  AnalysisOptions options = fixed();
  options.bounds = {50, 100, 250};
  Interval interval{{1500, 2, {500, 880, 1400}}, {28500, 40, {11000, 18500, 27000}}};
  const Judgement judgement = compared(repeated(interval, 3), options).judgement;
  CHECK(judgement.verdict == AnalysisVerdict::kRollback);
  CHECK(judgement.cause == 100);
  CHECK(judgement.why ==
        "ROLLBACK after 30s: latency: 41.3% of canary requests over 100 ms (1860/4500), primary 35.1% (30000/85500); "
        "evidence 553, 100 needed (false alarm below 1 in 100)");
}

// ---- statistics.md 8.1, row by row --------------------------------------------------------------------------------

TEST_CASE("an interval that is no evidence changes nothing, and says why (8.1, C-rows of bad input)") {
  AnalysisOptions options = fixed();
  options.bounds = {100, 500};
  const ArmCount good{100, 1, {50, 90}};
  struct Case {
    ArmCount canary;
    const char* why;
  };
  const Case cases[] = {
      {{kNan, 0, {0, 0}}, "canary: nan requests"},
      {{kInfinite, 0, {0, 0}}, "canary: inf requests"},
      {{-1, 0, {0, 0}}, "canary: -1 requests"},
      {{100, kNan, {50, 90}}, "canary: nan failures"},
      {{100, -2, {50, 90}}, "canary: -2 failures"},
      {{100, 101, {50, 90}}, "canary: 101 failures of 100 requests"},
      {{100, 1, {90, 50}}, "canary: bucket 1 is 50 after 90; buckets never fall"},
      {{100, 1, {50}}, "canary: 1 buckets for 2 bounds"},
      {{100, 1, {50, kNan}}, "canary: bucket 1 is nan"},
      {{100, 1, {50, 120}}, "canary: 120 in the buckets of 100 requests"},
      {{100, 1, {50, 90, 99}}, "canary: the bucket without a bound has 99 of 100 requests"},
  };
  absl::StatusOr<AnalysisState> before = add_interval(options, {}, {good, good});
  REQUIRE(before.ok());
  for (const Case& row : cases) {
    CAPTURE(row.why);
    absl::StatusOr<AnalysisState> after = add_interval(options, *before, {row.canary, good});
    REQUIRE(after.ok());
    AnalysisState expected = *before;
    expected.refused = 1;
    expected.refused_in_row = 1;
    expected.refusal = row.why;
    CHECK(*after == expected);
    // The same of the other arm and of one instance is told as theirs.
    CHECK_FALSE(check_interval(options, {good, row.canary}).ok());
    CHECK_FALSE(check_interval(options, {good, good, {}, {good, row.canary}}).ok());
  }
  CHECK(check_interval(options, {{100, 1, {50, 90, 100}}, good}).ok());
}

TEST_CASE("an interval without a request in one arm leaves the evidence against the canary as it is") {
  const AnalysisOptions options = fixed();
  const std::vector<Interval> counted = repeated(errors(100, 2, 900, 9), 3);
  for (const Interval& empty : {errors(0, 0, 900, 9), errors(0, 0, 0, 0)}) {
    std::vector<Interval> longer = counted;
    longer.push_back(empty);
    const Comparison with = compared(longer, options);
    const Comparison without = compared(counted, options);
    CHECK(with.judgement.log_w == doctest::Approx(without.judgement.log_w).epsilon(1e-12));
    CHECK(with.judgement.upper == without.judgement.upper);
    CHECK(with.log_e.back() == std::vector<double>(8, 0));
    CHECK(with.intervals == 4);  // time goes on
  }
}

TEST_CASE("no failure anywhere: no evidence against it, and more that it is fine") {
  const Comparison comparison = compared(repeated(errors(100, 0, 900, 0), 2), fixed());
  CHECK(comparison.log_e.back() == std::vector<double>(8, 0));
  CHECK(comparison.judgement.log_w == doctest::Approx(0).epsilon(1e-12));
  // 200 requests and a rise by 1 pp: the boldest bet, a = 0.02, has 200 * 0.98 * 0.01, the others less.
  double sum = 0;
  for (double a : {0.02, 0.15, 0.35, 0.55, 0.7, 0.82, 0.91, 0.96}) sum += std::exp(200 * (1 - a) * 0.01);
  CHECK(comparison.judgement.log_f == doctest::Approx(std::log(sum / 8)).epsilon(1e-12));
}

TEST_CASE("all failed in both arms: that says nothing of the canary") {
  const Comparison comparison = compared({errors(100, 100, 900, 900)}, fixed());
  for (double log_e : comparison.log_e.front()) {
    CHECK(log_e == doctest::Approx(0).epsilon(1e-9));
  }
}

TEST_CASE("the primary's instances in any order give the same") {
  AnalysisOptions options = fixed();
  options.phi.reset();
  Interval interval = errors(100, 3, 900, 12);
  interval.primary_instances = {{300, 9}, {300, 1}, {300, 2}};
  const Comparison one = compared(repeated(interval, 5), options);
  std::swap(interval.primary_instances[0], interval.primary_instances[2]);
  const Comparison other = compared(repeated(interval, 5), options);
  CHECK(one.judgement == other.judgement);
  // 7.1: five times (9-4)^2 + (1-4)^2 + (2-4)^2 over 12 * (1 - 12/900) * 3 * (1/3)(2/3), with the prior of 20.
  CHECK(one.judgement.phi ==
        doctest::Approx((5 * 38 + 20) / (5 * 12 * (1 - 12 / 900.0) * (2 / 3.0) + 20)).epsilon(1e-12));
}

TEST_CASE("the dispersion is forgotten after its window, and the one before") {
  AnalysisOptions options = fixed();
  options.phi.reset();
  options.phi_window = std::chrono::seconds(50);  // five intervals
  Interval uneven = errors(100, 3, 900, 12);
  uneven.primary_instances = {{450, 12}, {450, 0}};
  Interval even = errors(100, 3, 900, 12);
  even.primary_instances = {{450, 6}, {450, 6}};
  std::vector<Interval> intervals = repeated(uneven, 5);
  CHECK(compared(intervals, options).judgement.phi > 5);
  for (int i = 0; i < 5; ++i) intervals.push_back(even);
  CHECK(compared(intervals, options).judgement.phi > 1);
  intervals.push_back(even);
  CHECK(compared(intervals, options).judgement.phi == 1);
}

TEST_CASE("where instances are not known apart the dispersion is 2, or what the source needs at least") {
  AnalysisOptions options = fixed();
  options.phi.reset();
  CHECK(compared({errors(100, 3, 900, 12)}, options).judgement.phi == 2);
  options.least_phi = 3;
  CHECK(compared({errors(100, 3, 900, 12)}, options).judgement.phi == 3);
}

TEST_CASE("no single interval decides (7.2)") {
  const Comparison one = compared({errors(5000, 2500, 5000, 5)}, fixed());
  CHECK(one.judgement.verdict == AnalysisVerdict::kHold);
  CHECK(one.judgement.log_w <= std::log(20.0));
  const Comparison two = compared(repeated(errors(5000, 2500, 5000, 5), 2), fixed());
  CHECK(two.judgement.verdict == AnalysisVerdict::kRollback);
  CHECK(two.rolls_back == 1);
}

TEST_CASE("a rollback stays one, whatever comes after") {
  std::vector<Interval> intervals = repeated(errors(500, 250, 500, 1), 2);
  for (int i = 0; i < 200; ++i) intervals.push_back(errors(500, 0, 500, 20));
  const Comparison comparison = compared(intervals, fixed());
  CHECK(comparison.judgement.verdict == AnalysisVerdict::kRollback);
  CHECK(comparison.rolls_back == 1);
  CHECK(comparison.judgement.p_value <= 0.01);
}

TEST_CASE("against a limit alone the canary is held, never rolled back (2.2)") {
  AnalysisOptions options = fixed();
  options.rho0 = 0;
  options.delta0 = 0.01;
  const Comparison comparison = compared(repeated(errors(500, 250, 500, 250), 5), options);
  CHECK(comparison.judgement.verdict == AnalysisVerdict::kHold);
}

TEST_CASE("cold caches are another null: twice the failures of the primary and one percent more are borne") {
  AnalysisOptions options = fixed();
  const std::vector<Interval> cold = repeated(errors(500, 10, 9500, 95), 3);  // 2 % against 1 %
  options.warm_up.intervals = 3;
  CHECK(compared(cold, options).judgement.log_w < 0.1);
  options.warm_up.intervals = 0;
  CHECK(compared(cold, options).judgement.log_w > 1);
}

TEST_CASE("Simpson: a split that is changed while both arms have an incident is no evidence") {
  std::vector<Interval> intervals = repeated(errors(500, 1, 9500, 19), 24);
  for (int i = 0; i < 60; ++i) intervals.push_back(errors(5000, 250, 5000, 250));
  const Judgement judgement = compared(intervals, fixed()).judgement;
  CHECK(judgement.verdict != AnalysisVerdict::kRollback);
  CHECK(judgement.log_w < std::log(2.0));
}

// ---- margins (5.1) ------------------------------------------------------------------------------------------------

TEST_CASE("margins by the traffic, as 5.1 has them") {
  const AnalysisOptions options;
  const auto margin = [&](double rate) { return plan_analysis(options, {600 * rate, 0.6 * rate}, rate).margin; };
  CHECK(margin(1) == doctest::Approx(0.033).epsilon(0.02));
  CHECK(margin(50) == doctest::Approx(0.0017).epsilon(0.02));
  CHECK(margin(1000) == doctest::Approx(0.001).epsilon(0.02));
  CHECK(plan_analysis(options, {}, 0).margin == 0.1);
  AnalysisOptions set = options;
  set.margin = 0.02;
  CHECK(plan_analysis(set, {600, 1}, 1).margin == 0.02);
}

TEST_CASE("boundaries that tell nothing are left out when they may be chosen") {
  AnalysisOptions options;
  options.bounds = {1, 25, 100, 500, 5000};
  const ArmCount primary{100000, 10, {0, 5000, 60000, 99900, 100000}};
  const auto bounds = [&] {
    std::vector<std::int64_t> judged;
    for (const Boundary& boundary : plan_analysis(options, primary, 100).boundaries) judged.push_back(boundary.bound);
    return judged;
  };
  CHECK(bounds() == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  options.choose_bounds = true;
  CHECK(bounds() == std::vector<std::int64_t>{1, 2, 3});
  // Slower than 25 ms are 95 %: held against a canary, but not against its promotion.
  CHECK_FALSE(plan_analysis(options, primary, 100).boundaries[0].promotes);
  CHECK(plan_analysis(options, primary, 100).boundaries[1].promotes);
  // Of a few requests a bound that none was over is not known to tell nothing.
  CHECK(plan_analysis(options, {100, 0, {0, 5, 60, 100, 100}}, 100).boundaries.size() == 4);
}

// ---- state --------------------------------------------------------------------------------------------------------

TEST_CASE("saved and restored after each interval, the evidence is the same") {
  AnalysisOptions options;
  options.bounds = {100, 500};
  AnalysisState one;
  AnalysisState other;
  for (int i = 0; i < 30; ++i) {
    Interval interval{{100, double(i % 3), {60, 95}}, {900, 4, {560, 870}}};
    interval.primary_instances = {{450, 3, {280, 430}}, {450, 1, {280, 440}}};
    if (i % 7 == 5) interval.canary.failures = kNan;
    one = *add_interval(options, one, interval);
    absl::StatusOr<AnalysisState> restored = from_json<AnalysisState>(to_json(other), "state");
    REQUIRE(restored.ok());
    other = *add_interval(options, *restored, interval);
    REQUIRE(one == other);
  }
  CHECK(judge(options, one) == judge(options, other));
}

TEST_CASE("a state that is not of its plan and its options is refused, wherever it was cut or spoilt") {
  AnalysisOptions options;
  options.bounds = {100, 500};
  const Interval interval{{100, 1, {60, 95}}, {900, 4, {560, 870}}};
  const AnalysisState good = *add_interval(options, {}, interval);
  void (*const spoilt[])(AnalysisState&) = {
      [](AnalysisState& s) { s.errors.worse.pop_back(); },
      [](AnalysisState& s) { s.errors.fine.push_back(0); },
      [](AnalysisState& s) { s.latency.pop_back(); },
      [](AnalysisState& s) { s.latency[1].worse.clear(); },
      [](AnalysisState& s) { s.latency[0].fine.pop_back(); },
      [](AnalysisState& s) { s.upper_a.resize(1000); },
      [](AnalysisState& s) { s.upper_g.clear(); },
      [](AnalysisState& s) { s.lower_a.pop_back(); },
      [](AnalysisState& s) { s.lower_g.resize(9); },
      [](AnalysisState& s) { s.plan->boundaries[0].bound = 2; },
      [](AnalysisState& s) { s.plan->boundaries[1].bound = -1; },
  };
  for (const auto spoil : spoilt) {
    AnalysisState state = good;
    spoil(state);
    CHECK(add_interval(options, state, interval).status().message() ==
          "analysis state: its evidence is not that of its plan and of the bounds");
  }
  CHECK(add_interval(options, good, interval).ok());
}

TEST_CASE("what options may not be is told with its field") {
  struct Case {
    const char* field;
    void (*spoil)(AnalysisOptions&);
  };
  const Case cases[] = {
      {"alpha", [](AnalysisOptions& o) { o.alpha = 0; }},
      {"beta", [](AnalysisOptions& o) { o.beta = 1; }},
      {"alpha", [](AnalysisOptions& o) { o.alpha = kNan; }},
      {"rho0", [](AnalysisOptions& o) { o.rho0 = -1; }},
      {"delta0", [](AnalysisOptions& o) { o.delta0 = 2; }},
      {"margin", [](AnalysisOptions& o) { o.margin = 0; }},
      {"phi", [](AnalysisOptions& o) { o.phi = 0.5; }},
      {"least_phi", [](AnalysisOptions& o) { o.least_phi = kInfinite; }},
      {"bounds",
       [](AnalysisOptions& o) {
         o.bounds = {100, 50};
       }},
      {"bounds", [](AnalysisOptions& o) { o.bounds = {kNan}; }},
      {"interval", [](AnalysisOptions& o) { o.interval = Duration(0); }},
      {"error_share", [](AnalysisOptions& o) { o.error_share = 1; }},
      {"warm_up.intervals", [](AnalysisOptions& o) { o.warm_up.intervals = -1; }},
  };
  for (const Case& row : cases) {
    AnalysisOptions options;
    row.spoil(options);
    const absl::Status status = validate(options);
    CAPTURE(row.field);
    CHECK(status.message().find(fmt::format("analysis: {}: ", row.field)) == 0);
    CHECK(compare({}, options).status() == status);
  }
}

}  // namespace
}  // namespace convergence
