// Blue and green: when the other slice may have the traffic, the one write that moves it, and what a load balancer is
// told. Each refusal is a named case, told by kinds and sentence.

#include "convergence/slices.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/deployment.h"
#include "convergence/error.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

const Asked kAnnAsks{"ann", "2.0 is out", Time{std::chrono::seconds(3000)}};

// In Consul: blue is live, by a switch from nowhere.
const char* const kBlueIsLive =
    R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"blue","ConnectTimeout":"3s",
        "Meta":{"convergence-slice":"blue","note":"mine"},
        "Subsets":{"blue":{"Filter":"Service.Meta.slice == blue"},"green":{"Filter":"Service.Meta.slice == green"}}})";

DesiredService slice_of_shop(Slice slice, const std::string& version) {
  DesiredService out = test::service("shop", version, "web", slice);
  out.generation = 2;
  out.progress = {2, FleetPhase::kDone, Time{std::chrono::seconds(1000)}, {"n1"}, ""};
  return out;
}

// A service "shop" on three nodes, blue with 1.0 and green with 2.0 on each, all passing.
struct Shop {
  std::vector<DesiredService> services{slice_of_shop(Slice::kBlue, "1.0"), slice_of_shop(Slice::kGreen, "2.0")};
  CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "web"}, {"n3", "web"}});
  SwitchRequest request{"shop", Slice::kGreen, false, false, kAnnAsks};
  PlanOptions options{};

  Shop() {
    entries({kBlueIsLive});
    for (const char* node : {"n1", "n2", "n3"}) {
      for (const DesiredService& service : services) add(node, service, CheckStatus::kPassing);
    }
  }

  void entries(const std::vector<std::string>& texts) {
    std::vector<ConfigEntry> list;
    for (const std::string& text : texts) list.push_back(test::entry(text));
    catalog.entries = test::entry_map(list);
  }
  void add(const std::string& node, const DesiredService& service, CheckStatus status) {
    InstanceState state;
    state.instance = wanted_instance(service, service.release, deployment_key(service), "convergence");
    state.instance.node = node;
    HealthCheck& check = state.checks.emplace_back();
    check.node = node;
    check.id = "page";
    check.status = status;
    check.service_id = state.instance.id;
    ServiceState all = catalog.services.contains("shop") ? *catalog.services["shop"] : ServiceState{"shop", {}};
    all.instances.push_back(std::move(state));
    std::ranges::sort(all.instances, {}, [](const InstanceState& one) {
      return InstanceId{one.instance.node, one.instance.id};
    });
    catalog.services["shop"] = std::move(all);
  }
  // Each instance of a slice; on all nodes, or one.
  void each(const std::string& id, const std::string& node, const std::function<void(InstanceState&)>& change) {
    ServiceState all = *catalog.services["shop"];
    for (InstanceState& one : all.instances) {
      if (one.instance.id == id && (node.empty() || one.instance.node == node)) change(one);
    }
    catalog.services["shop"] = std::move(all);
  }
  void ill(const std::string& id, const std::string& node = "", CheckStatus status = CheckStatus::kCritical) {
    each(id, node, [status](InstanceState& one) { one.checks[0].status = status; });
  }
  void remove(const std::string& id, const std::string& node = "") {
    ServiceState all = *catalog.services["shop"];
    std::erase_if(all.instances, [&](const InstanceState& one) {
      return one.instance.id == id && (node.empty() || one.instance.node == node);
    });
    catalog.services["shop"] = std::move(all);
  }
  void node_check(const std::string& node, const std::string& id) {
    NodeState state = *catalog.nodes[node];
    state.checks.push_back({.node = node, .id = id, .status = CheckStatus::kCritical});
    catalog.nodes[node] = std::move(state);
  }
  DesiredService& blue() { return services[0]; }
  DesiredService& green() { return services[1]; }

  SwitchPlan plan() const {
    auto planned = plan_switch(request, services, catalog, options);
    REQUIRE_OK(planned);
    return *std::move(planned);
  }
};

std::string kinds_of(const std::vector<SwitchProblem>& problems) {
  std::string text;
  for (const SwitchProblem& problem : problems) {
    text += (text.empty() ? "" : " ") + std::string(to_string(problem.kind));
    if (!problem.node.empty()) text += "@" + problem.node;
  }
  return text;
}

// The resolver that the one step writes.
ConfigEntry written(const SwitchPlan& plan) {
  REQUIRE(plan.plan.steps.size() == 1);
  REQUIRE(std::holds_alternative<ConfigEntry>(plan.plan.steps[0].body));
  return std::get<ConfigEntry>(plan.plan.steps[0].body);
}

TEST_CASE("W-S4: all pass, and one write by compare-and-set moves all traffic") {
  const Shop shop;
  const SwitchPlan plan = shop.plan();
  CHECK(plan.problems.empty());
  CHECK_OK(refusal_of(plan));
  CHECK(written(plan) == test::entry(
                             R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"green","ConnectTimeout":"3s",
        "Meta":{"convergence-slice":"green","convergence-slice-before":"blue","note":"mine",
                "convergence-slice-by":"ann: 2.0 is out","convergence-slice-at":"3000000000000"},
        "Subsets":{"blue":{"Filter":"Service.Meta.slice == blue"},
                   "green":{"Filter":"Service.Meta.slice == green"}}})"));
  const Step& step = plan.plan.steps[0];
  CHECK(step.id == "put-entry:service-resolver/shop");
  CHECK(step.cas_index == 10);
  CHECK(step.why == "shop: blue -> green, 3 of 3 instances pass with 2.0, asked for by ann: 2.0 is out");

  const CatalogState after = test::after_plan(shop.catalog, plan.plan);
  const LiveSlice live = live_slice("shop", after.entries);
  CHECK(live.slice == Slice::kGreen);
  CHECK(live.before == Slice::kBlue);
  CHECK(live.by == "ann: 2.0 is out");
  CHECK(live.at == kAnnAsks.at);
}

TEST_CASE("a service that was never switched gets a resolver with both slices") {
  Shop shop;
  shop.catalog.entries.clear();
  shop.request.to = Slice::kBlue;
  const SwitchPlan plan = shop.plan();
  CHECK(plan.plan.steps.at(0).cas_index == 0);
  CHECK(plan.plan.steps.at(0).why ==
        "shop: both -> blue, 3 of 3 instances pass with 1.0, asked for by ann: 2.0 is out");
  CHECK(written(plan) == test::entry(R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"blue",
        "Meta":{"convergence-slice":"blue","convergence-slice-by":"ann: 2.0 is out",
                "convergence-slice-at":"3000000000000"},
        "Subsets":{"blue":{"Filter":"Service.Meta.slice == blue"},
                   "green":{"Filter":"Service.Meta.slice == green"}}})"));
  // Nothing was before, so there is no way back.
  CHECK(live_slice("shop", test::after_plan(shop.catalog, plan.plan).entries).before == Slice::kNone);
}

struct Refusal {
  const char* name;
  std::function<void(Shop&)> change;
  const char* kinds;
  const char* text;  // behind "shop: "
};

void check_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& one : refusals) {
    CAPTURE(one.name);
    Shop shop;
    one.change(shop);
    const SwitchPlan plan = shop.plan();
    CHECK(kinds_of(plan.problems) == one.kinds);
    CHECK(plan.plan.steps.empty());  // all or nothing
    const absl::Status refused = refusal_of(plan);
    CHECK(error_kind(refused) == ErrorKind::kRefused);
    CHECK(std::string(refused.message()) == std::string("shop: ") + one.text);
  }
}

TEST_CASE("W-S5: a slice with one instance that does not pass as wanted gets no traffic") {
  check_refusals({
      {"one is ill", [](Shop& shop) { shop.ill("shop-green", "n2"); }, "not-passing@n2",
       "blue -> green, 2 of 3 instances pass with 2.0: not switched: n2: shop-green is critical"},
      {"a warning is not passing", [](Shop& shop) { shop.ill("shop-green", "n2", CheckStatus::kWarning); },
       "not-passing@n2", "blue -> green, 2 of 3 instances pass with 2.0: not switched: n2: shop-green is warning"},
      {"a node is lost", [](Shop& shop) { shop.node_check("n3", "serfHealth"); }, "not-passing@n3",
       "blue -> green, 2 of 3 instances pass with 2.0: not switched: n3: the node is critical"},
      {"one is missing", [](Shop& shop) { shop.remove("shop-green", "n1"); }, "missing@n1",
       "blue -> green, 2 of 3 instances pass with 2.0: not switched: n1: shop-green is not there"},
      {"one has another deployment",
       [](Shop& shop) {
         shop.each("shop-green", "n1", [](InstanceState& one) { one.instance.meta["deployment"] = "1.9@1"; });
       },
       "version@n1", "blue -> green, 2 of 3 instances pass with 2.0: not switched: n1: 1.9@1 runs, 2.0@2 is wanted"},
      {"one was registered by nobody's agent, with another version",
       [](Shop& shop) {
         shop.each("shop-green", "n1", [](InstanceState& one) { one.instance.meta = {{"slice", "green"}}; });
       },
       "version@n1",
       "blue -> green, 2 of 3 instances pass with 2.0: not switched: n1: something without a version runs, 2.0@2 is "
       "wanted"},
      {"one lacks what the subset asks for",
       [](Shop& shop) { shop.each("shop-green", "n1", [](InstanceState& one) { one.instance.meta.erase("slice"); }); },
       "not-selected@n1",
       "blue -> green, 2 of 3 instances pass with 2.0: not switched: n1: subset green of service-resolver/shop does "
       "not "
       "select shop-green"},
      {"nobody wants one that would have traffic",
       [](Shop& shop) {
         test::add_node(shop.catalog, "n9", "db");
         shop.add("n9", shop.green(), CheckStatus::kPassing);
       },
       "unexpected@n9",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: n9: shop-green would have traffic too, and no "
       "document of green wants it there"},
      {"another role wants the slice too, and has none",
       [](Shop& shop) {
         test::add_node(shop.catalog, "e1", "edge");
         DesiredService more = shop.green();
         more.placement.role = "edge";
         more.release.version = "2.1";
         shop.services.push_back(more);
       },
       "missing@e1", "blue -> green, 3 of 4 instances pass with 2.0, 2.1: not switched: e1: shop-green is not there"},
  });
}

TEST_CASE("W-S5: 0 of 0 is nobody: a slice that is wanted nowhere gets no traffic") {
  check_refusals({
      {"no document", [](Shop& shop) { shop.services.pop_back(); },
       "not-wanted unexpected@n1 unexpected@n2 unexpected@n3",
       "blue -> green, 0 of 0 instances pass with nothing: not switched: no document wants green of it; n1: shop-green "
       "would "
       "have traffic too, and no document of green wants it there; n2: shop-green would have traffic too, and no "
       "document "
       "of green wants it there; n3: shop-green would have traffic too, and no document of green wants it there"},
      {"no document, no instance",
       [](Shop& shop) {
         shop.services.pop_back();
         shop.remove("shop-green");
       },
       "not-wanted nobody",
       "blue -> green, 0 of 0 instances pass with nothing: not switched: no document wants green of it; nobody would "
       "serve it: 0 of 0 instances pass"},
      {"no node",
       [](Shop& shop) {
         shop.green().placement.role = "none";
         shop.remove("shop-green");
       },
       "nobody",
       "blue -> green, 0 of 0 instances pass with 2.0: not switched: nobody would serve it: 0 of 0 instances pass"},
      {"all are in standby",
       [](Shop& shop) {
         for (const char* node : {"n1", "n2", "n3"}) shop.node_check(node, std::string(kStandbyCheck));
       },
       "nobody",
       "blue -> green, 0 of 0 instances pass with 2.0: not switched: nobody would serve it: 0 of 0 instances pass"},
      {"fewer than min_healthy", [](Shop& shop) { shop.green().strategy.min_healthy = 4; }, "too-few",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: 3 pass, min_healthy asks for 4"},
      {"it is asked to be gone", [](Shop& shop) { shop.green().action = DesiredAction::kUninstall; }, "not-wanted",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: shop-green is asked to be gone"},
      {"its release was taken back",
       [](Shop& shop) {
         shop.green().progress.phase = FleetPhase::kReverted;
         shop.green().progress.why = "n1: broken";
       },
       "taken-back", "blue -> green, 3 of 3 instances pass with 2.0: not switched: 2.0 was taken back (n1: broken)"},
      {"its slices have names of their own", [](Shop& shop) { shop.green().registered_name = "shop-green"; }, "names",
       "blue -> green, 0 of 0 instances pass with nothing: not switched: its slices are several services of the "
       "catalog: "
       "shop, shop-green"},
  });
}

TEST_CASE("a config entry in the way refuses a switch that would move nothing, or somebody else's") {
  const std::string http = R"({"Kind":"service-defaults","Name":"shop","Protocol":"http"})";
  check_refusals({
      {"a redirect",
       [](Shop& shop) {
         shop.entries({R"({"Kind":"service-resolver","Name":"shop","Redirect":{"Service":"other"}})"});
       },
       "entries",
       "elsewhere -> green, 3 of 3 instances pass with 2.0: not switched: service-resolver/shop redirects to another "
       "service"},
      {"a default subset that is no slice",
       [](Shop& shop) {
         shop.entries({R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"v1",
                           "Subsets":{"v1":{"Filter":"Service.Meta.version == 1"}}})"});
       },
       "entries",
       "elsewhere -> green, 3 of 3 instances pass with 2.0: not switched: the default subset of service-resolver/shop "
       "is v1, "
       "which is no slice"},
      {"a splitter over the slices",
       [http](Shop& shop) {
         shop.entries({http, kBlueIsLive,
                       R"({"Kind":"service-splitter","Name":"shop","Splits":[{"Weight":90,"ServiceSubset":"blue"},
                           {"Weight":10,"ServiceSubset":"green"}]})"});
       },
       "entries",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: a router or splitter leads traffic to "
       "blue.shop.default.dc1, whatever the default subset is"},
      {"a router to another service alone",
       [http](Shop& shop) {
         shop.entries({http, kBlueIsLive, R"({"Kind":"service-defaults","Name":"other","Protocol":"http"})",
                       R"({"Kind":"service-splitter","Name":"shop","Splits":[{"Weight":100,"Service":"other"}]})"});
       },
       "entries",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: the chain of shop does not come to its instances"},
      {"another owner's stamp",
       [](Shop& shop) {
         std::string text = kBlueIsLive;
         text.replace(text.find("note"), 4, "external-source");
         shop.entries({text});
       },
       "entries",
       "blue -> green, 3 of 3 instances pass with 2.0: not switched: service-resolver/shop carries "
       "external-source=mine, which "
       "would write it back; change it there, or take it over"},
  });
  // With take_foreign the stamp is no hindrance.
  Shop shop;
  std::string text = kBlueIsLive;
  text.replace(text.find("note"), 4, "external-source");
  shop.entries({text});
  shop.options.take_foreign = true;
  CHECK(shop.plan().plan.steps.size() == 1);
}

TEST_CASE("back in one step, however sick what is left and whatever the other side is like, but to somebody") {
  Shop shop;
  shop.catalog = test::after_plan(shop.catalog, shop.plan().plan);  // green is live
  shop.ill("shop-green");                                           // all of it is sick
  shop.ill("shop-blue", "n1");
  shop.remove("shop-blue", "n2");
  shop.request.to = Slice::kNone;
  shop.request.back = true;
  const SwitchPlan plan = shop.plan();
  CHECK(plan.problems.empty());
  CHECK(kinds_of(plan.set_aside) == "not-passing@n1 missing@n2");
  CHECK(plan.plan.steps.at(0).why ==
        "shop: green -> blue, 1 of 3 instances pass with 1.0, asked for by ann: 2.0 is out");
  const CatalogState after = test::after_plan(shop.catalog, plan.plan);
  const LiveSlice live = live_slice("shop", after.entries);
  CHECK(live.slice == Slice::kBlue);
  CHECK(live.before == Slice::kNone);

  // Refused only where nobody would serve it.
  Shop dead = shop;
  dead.ill("shop-blue");
  CHECK(kinds_of(dead.plan().problems) == "nobody");

  // The way back is no way around the gate: there is one, once.
  shop.catalog = after;
  CHECK(kinds_of(shop.plan().problems) == "no-way-back");
  CHECK(std::string(refusal_of(shop.plan()).message()) ==
        "shop: not switched: no switch is there to take back; say blue or green");
}

TEST_CASE("by force, with a reason, instances count for nothing and entries still do") {
  Shop shop;
  shop.ill("shop-green");
  CHECK(kinds_of(shop.plan().problems) == "not-passing@n1 not-passing@n2 not-passing@n3 nobody");
  shop.request.force = true;
  const SwitchPlan plan = shop.plan();
  CHECK(plan.problems.empty());
  CHECK(kinds_of(plan.set_aside) == "not-passing@n1 not-passing@n2 not-passing@n3 nobody");
  CHECK(plan.plan.steps.size() == 1);
  shop.request.asked.reason = "";
  CHECK(error_kind(plan_switch(shop.request, shop.services, shop.catalog).status()) == ErrorKind::kUsage);
  shop.request = {"shop", Slice::kNone, false, false, kAnnAsks};
  CHECK(error_kind(plan_switch(shop.request, shop.services, shop.catalog).status()) == ErrorKind::kUsage);
}

TEST_CASE("what is live already is written by nobody, and told as it is") {
  Shop shop;
  shop.request.to = Slice::kBlue;
  shop.ill("shop-blue", "n1");
  const SwitchPlan plan = shop.plan();
  CHECK(plan.plan.steps.empty());
  CHECK(plan.problems.empty());
  CHECK(kinds_of(plan.set_aside) == "not-passing@n1");
  CHECK(describe(plan) == "shop: blue is live, 2 of 3 instances pass with 1.0");
}

TEST_CASE("converging takes no traffic from where a switch has put it") {
  Shop shop;
  const std::string document =
      R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"blue","ConnectTimeout":"9s",
          "Subsets":{"blue":{"Filter":"Service.Meta.slice == blue"},"v3":{"Filter":"Service.Meta.version == 3"}}})";
  const ConfigEntry wanted = test::entry(document);
  // Not switched: the document says which. The stamp says that blue was switched to: blue stays, with the way to green.
  EntryMap unswitched = shop.catalog.entries;
  ConfigEntry plain = *unswitched.begin()->second;
  plain.meta.clear();
  unswitched.begin()->second = plain;
  CHECK(keep_live_slices({wanted}, unswitched) == std::vector<ConfigEntry>{wanted});
  const CatalogState after = test::after_plan(shop.catalog, shop.plan().plan);
  CHECK(keep_live_slices({wanted}, after.entries) ==
        std::vector<ConfigEntry>{test::entry(
            R"({"Kind":"service-resolver","Name":"shop","DefaultSubset":"green","ConnectTimeout":"9s",
          "Subsets":{"blue":{"Filter":"Service.Meta.slice == blue"},"v3":{"Filter":"Service.Meta.version == 3"},
                     "green":{"Filter":"Service.Meta.slice == green"}}})")});
  // And what converging then writes keeps the way back.
  PlanOptions options;
  options.take_foreign = true;
  const auto plan = plan_config(keep_live_slices({wanted}, after.entries), after.entries, options);
  REQUIRE_OK(plan);
  const LiveSlice live = live_slice("shop", test::after_plan(after, *plan).entries);
  CHECK(live.slice == Slice::kGreen);
  CHECK(live.before == Slice::kBlue);
}

TEST_CASE("F45: the status of a slice says whether it has the traffic") {
  Shop shop;
  const auto traffic = [&](const DesiredService& service) {
    return slice_traffic(live_slice(service_name(service), shop.catalog.entries), service.slice);
  };
  CHECK(traffic(shop.blue()) == SliceTraffic::kLive);
  CHECK(traffic(shop.green()) == SliceTraffic::kIdle);
  shop.catalog.entries.clear();
  CHECK(traffic(shop.green()) == SliceTraffic::kShared);
  shop.entries({R"({"Kind":"service-resolver","Name":"shop","Redirect":{"Service":"other"}})"});
  CHECK(traffic(shop.green()) == SliceTraffic::kUnknown);
  DesiredService none = shop.green();
  none.slice = Slice::kNone;
  CHECK(traffic(none) == SliceTraffic::kNoSlice);

  // Moved by somebody else's hand, there is no way back: it would lead to where nobody was.
  Shop moved;
  ConfigEntry by_hand = written(moved.plan());
  std::get<ServiceResolver>(by_hand.body).default_subset = "blue";
  CHECK(live_slice("shop", test::entry_map({by_hand})).slice == Slice::kBlue);
  CHECK(live_slice("shop", test::entry_map({by_hand})).before == Slice::kNone);
}

std::string hosts_of(const CatalogState& catalog) {
  const auto upstream = upstream_of("shop", catalog);
  REQUIRE_OK(upstream);
  std::string text = "configured " + std::string(to_string(upstream->configured.slice)) + ", active";
  for (const Slice slice : upstream->active) text += " " + std::string(to_string(slice));
  for (const UpstreamHost& host : upstream->hosts) {
    text += "\n" + host.address + ":" + std::to_string(host.port) + " " + std::string(to_string(host.slice)) + " " +
            host.version + (host.up ? " up" : " down");
  }
  return text;
}

TEST_CASE("F46: a load balancer is told where the traffic goes, as it is configured and as it is") {
  Shop shop;
  for (const char* node : {"n2", "n3"}) {
    shop.remove("shop-blue", node);
    shop.remove("shop-green", node);
  }
  shop.each("shop-green", "", [](InstanceState& one) {
    one.instance.address = "10.0.0.7";
    one.instance.port = 81;
  });
  CHECK(hosts_of(shop.catalog) == "configured blue, active blue\n10.0.0.1:80 blue 1.0 up\n10.0.0.7:81 green 2.0 down");
  shop.ill("shop-blue");
  CHECK(hosts_of(shop.catalog) == "configured blue, active\n10.0.0.1:80 blue 1.0 down\n10.0.0.7:81 green 2.0 down");
  shop.catalog.entries.clear();
  shop.ill("shop-blue", "", CheckStatus::kPassing);
  CHECK(hosts_of(shop.catalog) ==
        "configured none, active blue green\n10.0.0.1:80 blue 1.0 up\n10.0.0.7:81 green 2.0 up");
  // Configured and active differ where a splitter stands before the default subset.
  shop.entries({R"({"Kind":"service-defaults","Name":"shop","Protocol":"http"})", kBlueIsLive,
                R"({"Kind":"service-splitter","Name":"shop","Splits":[{"Weight":100,"ServiceSubset":"green"}]})"});
  CHECK(hosts_of(shop.catalog) == "configured blue, active green\n10.0.0.1:80 blue 1.0 down\n10.0.0.7:81 green 2.0 up");
  CHECK(error_kind(upstream_of("nobody", shop.catalog).status()) == ErrorKind::kNotFound);
}

TEST_CASE("plans of switches and upstreams as documents") {
  Shop shop;
  shop.ill("shop-green", "n2");
  CHECK(to_text(to_json(shop.plan())) ==
        R"({"service":"shop","live":{"slice":"blue","index":10},"to":"green","version":"2.0","wanted":3,"passing":2,)"
        R"("problems":[{"kind":"not-passing","node":"n2","why":"shop-green is critical"}],"set_aside":[],)"
        R"("plan":{"schema":1,"catalog_index":13,"steps":[],"held":[]}})");
  for (const char* node : {"n2", "n3"}) shop.remove("shop-blue", node);
  shop.remove("shop-green");
  const auto upstream = upstream_of("shop", shop.catalog);
  REQUIRE_OK(upstream);
  CHECK(to_text(to_json(*upstream)) ==
        R"({"service":"shop","configured":{"slice":"blue","index":10},"active":["blue"],"hosts":[{"node":"n1",)"
        R"("service_id":"shop-blue","address":"10.0.0.1","port":80,"slice":"blue","version":"1.0",)"
        R"("status":"passing","state":"up"}]})");
}

TEST_CASE("an operator's rules let him write resolvers, of the services named only") {
  CHECK(operator_rules({"p", "", "web", "", {"shop"}}) ==
        "# what is wanted, and who asked for it\n"
        "key_prefix \"p/desired/web/\" { policy = \"write\" }\n"
        "key_prefix \"p/deployments/web/\" { policy = \"write\" }\n"
        "# locks and maintenance\n"
        "key_prefix \"p/locks/\" { policy = \"write\" }\n"
        "key_prefix \"p/nodes/\" { policy = \"write\" }\n"
        "# which slice has the traffic: the resolvers of services\n"
        "service \"shop\" { policy = \"write\" }\n"
        "# how it stands\n"
        "key_prefix \"p/\" { policy = \"read\" }\n"
        "node_prefix \"\" { policy = \"read\" }\n"
        "service_prefix \"\" { policy = \"read\" }\n");
}

}  // namespace
}  // namespace convergence
