// Each rule with a case that it finds, and one right beside it that it must not.
#include "convergence/lint.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

EntryMap read(const std::vector<std::string>& texts) {
  EntryMap out;
  for (const std::string& text : texts) {
    auto entry = parse<ConfigEntry>(text, "entry");
    REQUIRE_OK(entry);
    auto normal = normalise_entry(*std::move(entry), Dialect::kCurrent);
    REQUIRE_OK(normal);
    const EntryId key = entry_key(*normal);
    out.emplace(key, *std::move(normal));
  }
  return out;
}

// api: v1 twice, one of them failing; v2 once, failing.
CatalogState live() {
  CatalogState out;
  out.datacenter = "dc1";
  ServiceState service{.name = "api"};
  const auto add = [&](std::string node, std::string version, CheckStatus status) {
    out.nodes[node] = NodeState{.node = {.name = node, .datacenter = "dc1"}};
    InstanceState instance;
    instance.instance = {.node = node, .id = "api", .service = "api", .meta = {{"version", std::move(version)}}};
    instance.checks = {{.node = node, .id = "c", .status = status, .service_id = "api"}};
    service.instances.push_back(std::move(instance));
  };
  add("n1", "1", CheckStatus::kPassing);
  add("n2", "1", CheckStatus::kCritical);
  add("n3", "2", CheckStatus::kCritical);
  out.services["api"] = std::move(service);
  return out;
}

std::string router(const std::string& routes) {
  return R"({"Kind": "service-router", "Name": "api", "Routes": [)" + routes + "]}";
}
std::string splitter(const std::string& splits) {
  return R"({"Kind": "service-splitter", "Name": "api", "Splits": [)" + splits + "]}";
}
std::string resolver(const std::string& members) {
  return R"({"Kind": "service-resolver", "Name": "api", )" + members + "}";
}
const char* const kTwoSubsets =
    R"("Subsets": {"v1": {"Filter": "Service.Meta.version == 1"}, "v2": {"Filter": "Service.Meta.version == 2"}})";
const char* const kRetries = R"("Destination": {"NumRetries": 3, "RetryOnStatusCodes": [503]})";

struct Case {
  const char* name;
  std::vector<std::string> entries;
  std::vector<Finding> findings;  // whole
};

Finding found(std::string rule, Severity severity, EntryId entry, std::string pointer, std::string why,
              std::string remedy) {
  return {std::move(rule), severity, std::move(entry), std::move(pointer), std::move(why), std::move(remedy)};
}

void check(const std::vector<Case>& cases, const CatalogState* catalog) {
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const std::vector<Finding> findings = lint(read(c.entries), catalog);
      CHECK(describe(findings) == describe(c.findings));
      CHECK(findings == c.findings);
    }
  }
}

TEST_CASE("routers") {
  const EntryId api{"service-router", "api"};
  const std::string last = std::string(R"({"Match": {"HTTP": {"PathPrefix": "/"}}, )") + kRetries + "}";
  const std::string admin = std::string(R"({"Match": {"HTTP": {"PathPrefix": "/admin"}}, )") + kRetries + "}";
  const auto shadowed = [&](const std::string& why) {
    return std::vector<Finding>{
        found("shadowed-route", Severity::kWarning, api, "/Routes/1", why, "put it before that route, or take it out")};
  };
  const auto pair = [&](const std::string& first, const std::string& second) {
    return std::vector<std::string>{
        router(R"({"Match": {"HTTP": )" + first + R"(}}, {"Match": {"HTTP": )" + second + "}}")};
  };
  const std::string second_is_never = "route 1 is never taken: route 0 takes everything that it would";
  check(
      {
          {"what no route takes is not retried",
           {router(admin)},
           {found("catch-all-without-retries", Severity::kWarning, api, "/Routes",
                  "a request that none of the 1 routes takes goes to a route that Consul adds, which does not retry",
                  "end with a route of PathPrefix \"/\" to api that has the retries")}},
          {"the last route does not retry",
           {router(admin + ", {}")},
           {found("catch-all-without-retries", Severity::kWarning, api, "/Routes/1",
                  "route 1 takes every request that the routes before it leave, and retries none of them, though other "
                  "routes retry",
                  "give it NumRetries and what to retry on")}},
          {"the last route retries", {router(admin + ", " + last)}, {}},
          {"nobody retries", {router(R"({"Match": {"HTTP": {"PathPrefix": "/admin"}}})")}, {}},
          {"how often is not said",
           {router(R"({"Destination": {"RetryOnConnectFailure": true}})")},
           {found("retries-by-default", Severity::kNote, api, "/Routes/0/Destination",
                  "route 0 says what to retry on and not how often: the proxy retries once", "write NumRetries")}},
          {"on what is not said",
           {router(R"({"Destination": {"NumRetries": 2}})")},
           {found("retries-on-nothing", Severity::kWarning, api, "/Routes/0/Destination/NumRetries",
                  "route 0 has NumRetries 2 and names nothing to retry on: the proxy never retries",
                  "add RetryOnStatusCodes, RetryOnConnectFailure or RetryOn")}},
          {"retries over a split",
           {router(last), splitter(R"({"Weight": 90, "ServiceSubset": "v1"}, {"Weight": 10, "ServiceSubset": "v2"})")},
           {found("retries-stay", Severity::kNote, api, "/Routes/0/Destination",
                  "route 0 retries, and api is split over 2 legs: a retry stays in the leg of the first try, so that a "
                  "bad leg is tried up to 4 times and a user of it is not helped",
                  "count on retries against single bad instances only; take weight from a bad subset")}},
          {"retries over a split with one live leg",
           {router(last), splitter(R"({"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"})")},
           {}},
          {"a route past the split",
           {router(R"({"Destination": {"ServiceSubset": "v2"}})"), splitter(R"({"Weight": 100})")},
           {found("split-bypassed", Severity::kNote, api, "/Routes/0/Destination/ServiceSubset",
                  "route 0 goes to subset v2 of api: the splitter of api has no part in it",
                  "leave ServiceSubset out where the split is to apply")}},
          {"a route to a subset without a split", {router(R"({"Destination": {"ServiceSubset": "v2"}})")}, {}},
          {"after a route for all", pair("{}", R"({"PathExact": "/a"})"), shadowed(second_is_never)},
          {"after a wider prefix", pair(R"({"PathPrefix": "/a"})", R"({"PathPrefix": "/a/b"})"),
           shadowed(second_is_never)},
          {"after a narrower prefix", pair(R"({"PathPrefix": "/a/b"})", R"({"PathPrefix": "/a"})"), {}},
          {"an exact path below a prefix", pair(R"({"PathPrefix": "/a"})", R"({"PathExact": "/a/b"})"),
           shadowed(second_is_never)},
          {"a prefix after an exact path", pair(R"({"PathExact": "/a"})", R"({"PathPrefix": "/a"})"), {}},
          {"the same expression", pair(R"({"PathRegex": "/v.*"})", R"({"PathRegex": "/v.*"})"),
           shadowed(second_is_never)},
          {"an expression below a prefix, which only a reader sees",
           pair(R"({"PathPrefix": "/v"})", R"({"PathRegex": "/v.*"})"),
           {}},
          {"in any letter case", pair(R"({"PathPrefix": "/A", "CaseInsensitive": true})", R"({"PathPrefix": "/a"})"),
           shadowed(second_is_never)},
          {"with letter case after any",
           pair(R"({"PathPrefix": "/a"})", R"({"PathPrefix": "/a", "CaseInsensitive": true})"),
           {}},
          {"fewer conditions first", pair(R"({"PathPrefix": "/a"})", R"({"PathPrefix": "/a", "Methods": ["GET"]})"),
           shadowed(second_is_never)},
          {"more conditions first", pair(R"({"PathPrefix": "/a", "Methods": ["GET"]})", R"({"PathPrefix": "/a"})"), {}},
          {"methods within methods", pair(R"({"Methods": ["GET", "PUT"]})", R"({"Methods": ["PUT"]})"),
           shadowed(second_is_never)},
          {"methods beside methods", pair(R"({"Methods": ["GET"]})", R"({"Methods": ["GET", "PUT"]})"), {}},
          {"a header that has to be there",
           pair(R"({"Header": [{"Name": "X-A", "Present": true}]})", R"({"Header": [{"Name": "x-a", "Exact": "1"}]})"),
           shadowed(second_is_never)},
          {"a header that must not be so",
           pair(R"({"Header": [{"Name": "x-a", "Present": true}]})",
                R"({"Header": [{"Name": "x-a", "Exact": "1", "Invert": true}]})"),
           {}},
          {"a header's beginning",
           pair(R"({"Header": [{"Name": "x-a", "Prefix": "b"}]})", R"({"Header": [{"Name": "x-a", "Prefix": "bc"}]})"),
           shadowed(second_is_never)},
          {"another header",
           pair(R"({"Header": [{"Name": "x-a", "Exact": "1"}]})", R"({"Header": [{"Name": "x-b", "Exact": "1"}]})"),
           {}},
          {"a parameter that has to be there",
           pair(R"({"QueryParam": [{"Name": "q", "Present": true}]})",
                R"({"QueryParam": [{"Name": "q", "Exact": "1"}]})"),
           shadowed(second_is_never)},
          {"a parameter's value",
           pair(R"({"QueryParam": [{"Name": "q", "Exact": "1"}]})",
                R"({"QueryParam": [{"Name": "q", "Present": true}]})"),
           {}},
      },
      nullptr);
}

TEST_CASE("splitters") {
  const EntryId api{"service-splitter", "api"};
  const CatalogState catalog = live();
  const std::string with_resolver = resolver(kTwoSubsets);
  check(
      {
          {"a weight that loses a hundredth",
           {splitter(R"({"Weight": 0.53, "Service": "other"}, {"Weight": 99.47, "Service": "api"})")},
           {found("weight-lost", Severity::kNote, api, "/Splits/0/Weight",
                  "of 0.53% for other the proxy is given 0.52%: the server cuts the last hundredth off",
                  "use whole percents, which are all exact"),
            found("weight-to-nobody", Severity::kWarning, api, "/Splits/0/Weight",
                  "0.53% of the requests go to other, where none of 0 instances is healthy: these users get errors",
                  "give it weight 0 until an instance passes, or failover to another subset")}},
          {"weight to a subset that is down",
           {with_resolver, splitter(R"({"Weight": 90, "ServiceSubset": "v1"}, {"Weight": 10, "ServiceSubset": "v2"})")},
           {found("weight-to-nobody", Severity::kWarning, api, "/Splits/1/Weight",
                  "10% of the requests go to v2 of api, where none of 1 instances is healthy: these users get errors",
                  "give it weight 0 until an instance passes, or failover to another subset")}},
          {"no weight to a subset that is down",
           {with_resolver, splitter(R"({"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"})")},
           {}},
          {"weight to another splitter, whose matter it is",
           {R"({"Kind": "service-splitter", "Name": "nobody", "Splits": [{"Weight": 100, "Service": "api"}]})",
            splitter(R"({"Weight": 100, "Service": "nobody"})")},
           {}},
          {"two hashes in one split",
           {resolver(R"("LoadBalancer": {"Policy": "maglev", "HashPolicies": [{"SourceIP": true}]})"),
            R"({"Kind": "service-resolver", "Name": "twin", "Redirect": {"Service": "api"},
                "LoadBalancer": {"Policy": "ring_hash"}})",
            splitter(R"({"Weight": 50, "Service": "api"}, {"Weight": 50, "Service": "twin"})")},
           {found("hash-of-first-leg", Severity::kNote, api, "/Splits/1",
                  "instances of twin are chosen by the hash policies of api: a split has those of its first leg",
                  "give both resolvers the same LoadBalancer")}},
      },
      &catalog);
}

TEST_CASE("resolvers and defaults") {
  const EntryId api{"service-resolver", "api"};
  const CatalogState catalog = live();
  check(
      {
          {"subsets that overlap",
           {resolver(R"("Subsets": {"all": {}, "v1": {"Filter": "Service.Meta.version == 1"}})")},
           {found("subsets-overlap", Severity::kWarning, api, "/Subsets/v1/Filter",
                  "2 instances are of all and of v1 too, n1/api among them: what one subset is measured by, the other "
                  "serves",
                  "let the filters exclude each other")}},
          {"subsets that do not", {resolver(kTwoSubsets)}, {}},
          {"an empty subset",
           {resolver(R"("Subsets": {"v3": {"Filter": "Service.Meta.version == 3"}})")},
           {found("subset-empty", Severity::kNote, api, "/Subsets/v3/Filter",
                  "subset v3 selects nobody: no instance matches it",
                  "compare the filter with the instances' Meta, tags and ids")}},
          {"subsets of a service that is not there at all",
           {R"({"Kind": "service-resolver", "Name": "later", "Subsets": {"v1": {}}})"},
           {}},
          {"the default subset is the canary",
           {resolver(std::string(kTwoSubsets) + R"(, "DefaultSubset": "v2")"),
            splitter(R"({"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"})")},
           {found("default-subset-is-canary", Severity::kWarning, api, "/DefaultSubset",
                  "v2 is the default subset and has 0% of the split, v1 has 100%: whoever does not come past the "
                  "splitter gets all of v2",
                  "make v1 the default until the other is proven")}},
          {"the default subset is the proven one",
           {resolver(std::string(kTwoSubsets) + R"(, "DefaultSubset": "v1")"),
            splitter(R"({"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"})")},
           {}},
          {"a redirect over subsets",
           {resolver(std::string(kTwoSubsets) + R"(, "Redirect": {"Service": "other"})")},
           {found("redirect-hides-subsets", Severity::kWarning, api, "/Redirect",
                  "requests to api go on to other: its 2 subsets are never looked at, missing ones are not noticed",
                  "take the subsets or the redirect out")}},
          {"a redirect to another datacenter, which keeps the subset",
           {resolver(std::string(kTwoSubsets) + R"(, "Redirect": {"Datacenter": "dc2"})")},
           {}},
          {"defaults that hide the protocol of all",
           {R"({"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "http"}})",
            R"({"Kind": "service-defaults", "Name": "api"})"},
           {found("hidden-protocol", Severity::kWarning, {"service-defaults", "api"}, "/Protocol",
                  "api names no protocol and so is tcp: what proxy-defaults say (http) does not reach a service that "
                  "has an entry of its own",
                  "write Protocol \"http\"")}},
          {"defaults beside proxy-defaults of tcp",
           {R"({"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "tcp"}})",
            R"({"Kind": "service-defaults", "Name": "api"})"},
           {}},
          {"a name in two spellings",
           {R"({"Kind": "service-defaults", "Name": "Web", "Protocol": "tcp"})",
            resolver(R"("Failover": {"*": {"Service": "web"}})")},
           {found(
               "two-spellings", Severity::kWarning, api, "/Failover/*/Service",
               "web is written Web in service-defaults/Web: the server finds the entry, but does not see that the two "
               "belong together when either is changed",
               "spell a service in one way")}},
      },
      &catalog);
}

TEST_CASE("without a catalog nothing is said of instances") {
  CHECK(lint(read({resolver(R"("Subsets": {"all": {}, "v1": {}, "v3": {"Filter": "Service.Meta.version == 3"}})"),
                   splitter(R"({"Weight": 100, "ServiceSubset": "v3"})")}))
            .empty());
}

}  // namespace
}  // namespace convergence
