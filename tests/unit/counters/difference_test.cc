#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "fmt/format.h"
#include "tests/unit/counters/readings.h"

namespace convergence {
namespace {

using test::arm;
using test::at_second;
using test::counted_from_to;
using test::reading;
using Names = std::vector<std::string>;
using Readings = std::vector<InstanceCounters>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

CountOptions options(std::size_t buckets = 0) {
  CountOptions out;
  out.buckets = buckets;
  out.to = at_second(10);
  out.stale_after = std::chrono::seconds(5);
  return out;
}

TEST_CASE("two readings: what was counted between them, for each instance and in all") {
  const ArmCounted got =
      difference(baselines_of({reading("b", 0, 100, 1, {50, 100}), reading("a", 1, 10, 0, {5, 10})}),
                 {reading("a", 10, 30, 2, {20, 30}), reading("b", 10, 160, 4, {100, 160})}, options(2));
  CHECK(got.kind == CountClass::kGood);
  CHECK(got.instances == std::vector<InstanceCount>{counted_from_to("a", 1, 10, arm(20, 2, {15, 20})),
                                                    counted_from_to("b", 0, 10, arm(60, 3, {50, 60}))});
  CHECK(got.total == arm(80, 5, {65, 80}));
  CHECK(got.from == at_second(0));
  CHECK(got.to == at_second(10));
  CHECK(got.why.empty());
}

TEST_CASE("a reset counts what was counted since, and is named") {
  const ArmCounted got = difference(baselines_of({reading("a", 0, 1000, 50), reading("b", 0, 1000, 5)}),
                                    {reading("a", 10, 40, 1), reading("b", 10, 1100, 6)}, options());
  CHECK(got.kind == CountClass::kGood);
  CHECK(got.instances == std::vector<InstanceCount>{counted_from_to("a", 0, 10, arm(40, 1), 1),
                                                    counted_from_to("b", 0, 10, arm(100, 1))});
  CHECK(got.total == arm(140, 2));
  CHECK(got.reset == Names{"a"});
  CHECK(got.capped.empty());
  // Failures alone that fell say the same: the process is another, and its requests are all new.
  const ArmCounted failures = difference(baselines_of({reading("a", 0, 10, 5)}), {reading("a", 10, 50, 0)}, options());
  CHECK(failures.total == arm(50, 0));
  CHECK(failures.reset == Names{"a"});
}

TEST_CASE("after a reset more than four times the busiest other is not believed") {
  const CounterBaselines before = baselines_of({reading("a", 0, 9000, 90, {9000}), reading("b", 0, 1000, 5, {1000})});
  const ArmCounted got =
      difference(before, {reading("a", 10, 8000, 80, {8000}), reading("b", 10, 1100, 6, {1100})}, options(1));
  CHECK(got.kind == CountClass::kGood);
  CHECK(got.capped == Names{"a"});
  CHECK(got.total == arm(500, 5, {500}));
  // Alone there is nothing to hold it against.
  const ArmCounted alone =
      difference(baselines_of({reading("a", 0, 9000, 90)}), {reading("a", 10, 8000, 80)}, options());
  CHECK(alone.total == arm(8000, 80));
  CHECK(alone.reset == Names{"a"});
  CHECK(alone.capped.empty());
}

TEST_CASE("who is new has no baseline, who is gone takes its tail with it") {
  const ArmCounted got = difference(baselines_of({reading("a", 0, 10, 0), reading("gone", 0, 500, 5)}),
                                    {reading("a", 10, 30, 0), reading("new", 10, 700, 70)}, options());
  CHECK(got.kind == CountClass::kGood);
  CHECK(got.total == arm(20, 0));
  CHECK(got.appeared == Names{"new"});
  CHECK(got.vanished == Names{"gone"});
}

TEST_CASE("no evidence has a class and a reason") {
  struct Case {
    const char* name;
    Readings before;
    Readings now;
    CountClass kind;
    const char* why;
  };
  const Case cases[] = {
      {"nobody", {}, {}, CountClass::kNone, "nobody counts it"},
      {"a first reading",
       {},
       {reading("a", 10, 5, 0)},
       CountClass::kNone,
       "a: read once, so that nothing is counted yet"},
      {"all gone",
       {reading("a", 0, 5, 0), reading("b", 0, 5, 0)},
       {},
       CountClass::kNone,
       "a and 1 more: not read again"},
      {"the same reading again",
       {reading("a", 10, 5, 0)},
       {reading("a", 10, 5, 0)},
       CountClass::kStale,
       "a: what was read last is too old"},
      {"too old",
       {reading("a", 0, 5, 0)},
       {reading("a", 4, 9, 0)},
       CountClass::kStale,
       "a: what was read last is too old"},
      {"clock",
       {reading("a", 13, 5, 0)},
       {reading("a", 10, 9, 0)},
       CountClass::kBroken,
       "a: its clock ran backwards by 3000 ms"},
      {"NaN",
       {reading("a", 0, 5, 0)},
       {reading("a", 10, kNaN, 0)},
       CountClass::kBroken,
       "a: nan requests are no count"},
      {"infinite",
       {reading("a", 0, 5, 0)},
       {reading("a", 10, 9, kInf)},
       CountClass::kBroken,
       "a: inf failures are no count"},
      {"negative",
       {reading("a", 0, -5, 0)},
       {reading("a", 10, 9, 0)},
       CountClass::kBroken,
       "a: -5 requests are no count"},
      {"more failures",
       {reading("a", 0, 5, 0)},
       {reading("a", 10, 9, 5)},
       CountClass::kBroken,
       "a: 5 failures of 4 requests"},
      {"buckets of another kind",
       {reading("a", 0, 5, 0)},
       {reading("a", 10, 9, 0, {1, 9})},
       CountClass::kBroken,
       "a: 2 buckets where 0 are wanted"},
      {"one of many",
       {reading("a", 0, 5, 0), reading("b", 0, 5, 0)},
       {reading("a", 10, 9, 0), reading("b", 10, kNaN, 0)},
       CountClass::kBroken,
       "b: nan requests are no count"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const ArmCounted got = difference(baselines_of(c.before), c.now, options());
    CHECK(to_string(got.kind) == to_string(c.kind));
    CHECK(got.why == c.why);
    CHECK(got.instances.empty());
    CHECK(got.total == ArmCount{});
  }
}

TEST_CASE("buckets that fall with their bound are refused, as read and as counted") {
  const ArmCounted read =
      difference(baselines_of({reading("a", 0, 5, 0, {4, 5})}), {reading("a", 10, 9, 0, {9, 8})}, options(2));
  CHECK(read.kind == CountClass::kBroken);
  CHECK(read.why == "a: bucket 1 is 8 after 9; with the bound the count rises");
  const ArmCounted counted =
      difference(baselines_of({reading("a", 0, 10, 0, {2, 10})}), {reading("a", 10, 14, 0, {8, 14})}, options(2));
  CHECK(counted.kind == CountClass::kBroken);
  CHECK(counted.why == "a: bucket 1 rose by 4, the one before by 6");
}

TEST_CASE("many readings of a window: a reset in between is seen, two are no evidence") {
  const ArmCounted got = increase({reading("a", 8, 30, 1), reading("a", 2, 100, 2), reading("a", 6, 10, 0),
                                   reading("a", 4, 120, 3), reading("late", 8, 50, 0)},
                                  options());
  CHECK(got.kind == CountClass::kGood);
  CHECK(got.instances == std::vector<InstanceCount>{counted_from_to("a", 2, 8, arm(20 + 10 + 20, 1 + 0 + 1), 1)});
  CHECK(got.appeared == Names{"late"});
  const ArmCounted twice = increase(
      {reading("a", 2, 100, 0), reading("a", 4, 90, 0), reading("a", 6, 110, 0), reading("a", 8, 100, 0)}, options());
  CHECK(twice.kind == CountClass::kBroken);
  CHECK(twice.why == "a: its counters fell twice");
  const ArmCounted old = increase({reading("a", 0, 1, 0), reading("a", 4, 2, 0)}, options());
  CHECK(old.kind == CountClass::kStale);
}

TEST_CASE("the order of instances and of readings changes nothing") {
  Readings before = {reading("a", 0, 10, 0), reading("b", 0, 400, 3), reading("c", 0, 70, 7), reading("d", 0, 5, 0)};
  Readings now = {reading("a", 10, 20, 1), reading("b", 10, 30, 3), reading("c", 10, 90, 7), reading("e", 10, 1, 1)};
  Readings all = before;
  all.insert(all.end(), now.begin(), now.end());
  const ArmCounted want = difference(baselines_of(before), now, options());
  const auto less = [](const InstanceCounters& x, const InstanceCounters& y) { return x.instance < y.instance; };
  do {
    CHECK(difference(baselines_of(before), now, options()) == want);
    std::rotate(before.begin(), before.begin() + 1, before.end());
  } while (std::next_permutation(now.begin(), now.end(), less));
  const ArmCounted folded = increase(all, options());
  CHECK(folded.total == want.total);
  CHECK(folded.instances == want.instances);
}

TEST_CASE("baselines: what was put in comes out, the later of two readings stays, and 128 bytes are enough") {
  const CounterBaselines twice = baselines_of({reading("b", 1, 2, 0), reading("a", 5, 9, 1), reading("a", 3, 7, 0)});
  REQUIRE(size_of(twice) == 2);
  CHECK(reading_of(twice, 0) == reading("a", 5, 9, 1));
  CHECK(reading_of(twice, 1) == reading("b", 1, 2, 0));
  CHECK(size_of(baselines_of({})) == 0);
  CHECK(difference(baselines_of({reading("a", 0, 1, 0)}), {}, options()).kind == CountClass::kNone);

  constexpr std::size_t kMany = 10000;
  Readings many;
  for (std::size_t i = 0; i < kMany; ++i) {
    many.push_back(reading(fmt::format("proxy-{:05}.zone-a.test:9102", i), 0, 1000, 1, {1, 2, 3, 4, 5, 6, 7, 8, 1000}));
  }
  const CounterBaselines kept = baselines_of(many);
  REQUIRE(size_of(kept) == kMany);
  CHECK(reading_of(kept, 4711) == many[4711]);
  CHECK(bytes_of(kept) <= kMany * 128);
}

}  // namespace
}  // namespace convergence
