#include <limits>

#include "tests/support/status_check.h"
#include "tests/unit/canary/describe.h"

namespace convergence {
namespace {

using test::small_policy;

TEST_CASE("policies that can work are taken") {
  CHECK_OK(validate(small_policy()));
  CanaryPolicy all = small_policy();
  all.steps = {1, 9999, 10000};
  all.settle = Duration(0);
  all.min_success_rate = 0.0;
  CHECK_OK(validate(all));
  all.min_success_rate = 1.0;
  CHECK_OK(validate(all));
}

TEST_CASE("each field that cannot be is named") {
  struct Case {
    const char* name;
    void (*spoil)(CanaryPolicy&);
    const char* message;
  };
  const Case cases[] = {
      {"no service", [](CanaryPolicy& p) { p.service.clear(); }, "service: is empty"},
      {"no stable subset", [](CanaryPolicy& p) { p.stable_subset.clear(); }, "stable_subset: is empty"},
      {"no candidate", [](CanaryPolicy& p) { p.candidate_subset.clear(); }, "candidate_subset: is empty"},
      {"long name", [](CanaryPolicy& p) { p.service = std::string(257, 'a'); }, "service: is longer than 256 bytes"},
      {"one subset twice", [](CanaryPolicy& p) { p.candidate_subset = "v1"; },
       "candidate_subset: is the stable subset, v1"},
      {"no steps", [](CanaryPolicy& p) { p.steps.clear(); }, "steps: is empty"},
      {"weight 0",
       [](CanaryPolicy& p) {
         p.steps = {0, 5};
       },
       "steps: weight 0 is 0; it must be in 1..10000"},
      {"over all",
       [](CanaryPolicy& p) {
         p.steps = {500, 10001};
       },
       "steps: weight 1 is 10001"},
      {"falling",
       [](CanaryPolicy& p) {
         p.steps = {500, 400};
       },
       "steps: weight 1 is 400 after 500; weights must rise"},
      {"equal",
       [](CanaryPolicy& p) {
         p.steps = {500, 500};
       },
       "weights must rise"},
      {"1001 steps", [](CanaryPolicy& p) { p.steps.assign(1001, 1); }, "steps: has more than 1000"},
      {"interval 0", [](CanaryPolicy& p) { p.interval = Duration(0); }, "interval: is 0 ns; it must be more than 0 ns"},
      {"interval of centuries", [](CanaryPolicy& p) { p.interval = Duration::max(); },
       "interval: is longer than ten years"},
      {"settle before", [](CanaryPolicy& p) { p.settle = Duration(-1); }, "settle: is -1 ns"},
      {"no interval", [](CanaryPolicy& p) { p.intervals_per_step = 0; }, "intervals_per_step: must be at least 1"},
      {"intervals without end", [](CanaryPolicy& p) { p.intervals_per_step = 1 << 30; }, "intervals_per_step: so many"},
      {"evidence of nothing", [](CanaryPolicy& p) { p.min_requests = 0; }, "min_requests: must be at least 1"},
      {"rate below 0", [](CanaryPolicy& p) { p.min_success_rate = -0.01; }, "min_success_rate: must be in 0..1"},
      {"rate in percent", [](CanaryPolicy& p) { p.min_success_rate = 99; }, "min_success_rate: must be in 0..1"},
      {"rate that is no number", [](CanaryPolicy& p) { p.min_success_rate = std::numeric_limits<double>::quiet_NaN(); },
       "min_success_rate: must be in 0..1"},
      {"no failure allowed", [](CanaryPolicy& p) { p.max_failures = 0; }, "max_failures: must be at least 1"},
      {"deadline before the first evidence", [](CanaryPolicy& p) { p.no_evidence_deadline = p.settle + p.interval; },
       "no_evidence_deadline: is 12000000000 ns"},
      {"deadline before a step can pass", [](CanaryPolicy& p) { p.step_deadline = std::chrono::seconds(22); },
       "step_deadline: is 22000000000 ns; it must be more than 22000000000 ns"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CanaryPolicy policy = small_policy();
      c.spoil(policy);
      CHECK_ERROR(validate(policy), ErrorKind::kValidate, c.message);
    }
  }
}

}  // namespace
}  // namespace convergence
