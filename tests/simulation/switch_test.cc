// Switches between slices on the embedded Consul: decided by several at once, on what each of them has read.

#include <string>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "convergence/slices.h"
#include "tests/simulation/world.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::World;

// Both slices of "shop" on one node, wanted and passing; blue is live.
struct TwoSlices {
  World world{};
  std::vector<DesiredService> services{};

  TwoSlices() {
    world.add_node("n1", "web");
    for (const Slice slice : {Slice::kBlue, Slice::kGreen}) {
      DesiredService service;
      service.name = "shop";
      service.slice = slice;
      service.placement.role = "web";
      service.release.version = slice == Slice::kBlue ? "1.0" : "2.0";
      services.push_back(service);
      is(slice, "passing");
    }
    CHECK_OK(apply(decide(Slice::kBlue, "setup")));
  }

  void is(Slice slice, const std::string& status) {
    const std::string name(to_string(slice));
    const std::string id = "shop-" + name;
    const Json meta = Json().set("slice", name).set("version", slice == Slice::kBlue ? "1.0" : "2.0");
    const Json registration =
        Json()
            .set("Node", "n1")
            .set("Address", "10.0.0.1")
            .set("SkipNodeUpdate", true)
            .set("Service", Json().set("ID", id).set("Service", "shop").set("Port", 80).set("Meta", meta))
            .set("Check",
                 Json().set("Node", "n1").set("CheckID", id + ":up").set("ServiceID", id).set("Status", status));
    CHECK_OK(await_done(world.executor, [&](auto done) { world.client.catalog_register(registration, {}, done); }));
  }

  SwitchPlan decide(Slice to, const std::string& who, bool back = false) {
    SwitchRequest request{"shop", to, back, false, {who, "", world.executor.now()}};
    auto plan = plan_switch(request, services, world.catalog());
    REQUIRE_OK(plan);
    return *std::move(plan);
  }

  absl::Status apply(const SwitchPlan& plan) {
    if (absl::Status refused = refusal_of(plan); !refused.ok()) return refused;
    const absl::StatusOr<ApplyReport> report =
        world.wait<ApplyReport>([&](auto done) { apply_plan(world.client, plan.plan, {}, done); });
    if (!report.ok()) return report.status();
    return report->steps.empty() ? absl::OkStatus() : report->steps.front().status;
  }

  // "green by ann", as it stands in Consul.
  std::string live() {
    const LiveSlice now = live_slice("shop", world.catalog().entries);
    return std::string(to_string(now.slice)) + " by " + now.by;
  }
};

TEST_CASE("W-S4: of two who switch at once one wins, and the other is told so") {
  TwoSlices shop;
  const SwitchPlan ann = shop.decide(Slice::kGreen, "ann");
  const SwitchPlan bob = shop.decide(Slice::kGreen, "bob");
  CHECK_OK(shop.apply(bob));
  CHECK(error_kind(shop.apply(ann)) == ErrorKind::kConflict);
  CHECK(shop.live() == "green by bob");
  // Who looks again finds it done.
  CHECK(shop.decide(Slice::kGreen, "ann").plan.steps.empty());

  // There and back at once: never a mixture.
  const SwitchPlan back = shop.decide(Slice::kNone, "ann", /*back=*/true);
  CHECK_OK(shop.apply(back));
  CHECK(error_kind(shop.apply(ann)) == ErrorKind::kConflict);  // decided long ago
  CHECK(shop.live() == "blue by ann");
}

TEST_CASE("W-S5: while an instance is sick nothing is switched, and once it passes it is, by the same call") {
  TwoSlices shop;
  shop.is(Slice::kGreen, "critical");
  const SwitchPlan refused = shop.decide(Slice::kGreen, "ann");
  CHECK(error_kind(shop.apply(refused)) == ErrorKind::kRefused);
  CHECK(shop.live() == "blue by setup");
  shop.is(Slice::kGreen, "passing");
  CHECK_OK(shop.apply(shop.decide(Slice::kGreen, "ann")));
  CHECK(shop.live() == "green by ann");
  // The side that is left being sick is what the way back is for.
  shop.is(Slice::kGreen, "critical");
  CHECK_OK(shop.apply(shop.decide(Slice::kNone, "ann", /*back=*/true)));
  CHECK(shop.live() == "blue by ann");
}

}  // namespace
}  // namespace convergence
