#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "convergence/chain.h"
#include "tests/support/status_check.h"
#include "tests/unit/chain/entries.h"

namespace convergence {
namespace {

using namespace std::chrono_literals;
using test::defaults;
using test::entry_map;
using test::http;
using test::resolver;
using test::route_with;
using test::router;
using test::splitter;

DiscoveryChain compiled(const std::vector<ConfigEntry>& entries) {
  const auto chain = compile_chain(entry_map(entries), {.service = "shop"});
  REQUIRE_OK(chain);
  return *chain;
}

DiscoveryChain routed(const HttpMatch& match, const RouteDestination& destination = {}) {
  return compiled({http("shop"), router("shop", {route_with(match, destination)})});
}

void check_matches(const HttpMatch& match, const HttpRequestShape& request, bool expected) {
  const auto result = route(routed(match), request);
  REQUIRE_OK(result);
  CAPTURE(result->why[0]);
  CHECK(result->route == (expected ? 0 : 1));
}

TEST_CASE("paths") {
  struct Case {
    const char* name;
    HttpMatch match;
    std::string path;
    bool matches;
  };
  const Case cases[] = {
      {"exact: the same", {.path_exact = "/a"}, "/a", true},
      {"exact: longer", {.path_exact = "/a"}, "/ab", false},
      {"exact: other letters", {.path_exact = "/a"}, "/A", false},
      {"prefix: the same", {.path_prefix = "/a"}, "/a", true},
      {"prefix: within a segment", {.path_prefix = "/a"}, "/abc", true},
      {"prefix: shorter", {.path_prefix = "/a/"}, "/a", false},
      {"regex: whole", {.path_regex = "/v[0-9]+/.*"}, "/v12/x", true},
      {"regex: a part is not enough", {.path_regex = "/v[0-9]+"}, "/v12/x", false},
      {"no path: all", {}, "/x", true},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { check_matches(c.match, {.path = c.path}, c.matches); }
  }
}

TEST_CASE("headers") {
  struct Case {
    const char* name;
    HeaderMatch match;
    std::map<std::string, std::string> headers;
    bool matches;
  };
  const Case cases[] = {
      {"present", {.name = "X-A", .present = true}, {{"x-a", ""}}, true},
      {"not present", {.name = "x-a", .present = true}, {{"x-b", ""}}, false},
      {"absence asked for and found", {.name = "x-a", .present = true, .invert = true}, {}, true},
      {"absence asked for and not found", {.name = "x-a", .present = true, .invert = true}, {{"x-a", "1"}}, false},
      {"exact", {.name = "x-a", .exact = "1"}, {{"x-a", "1"}}, true},
      {"not exact", {.name = "x-a", .exact = "1"}, {{"x-a", "12"}}, false},
      {"exact, inverted", {.name = "x-a", .exact = "1", .invert = true}, {{"x-a", "2"}}, true},
      {"inverted, but missing", {.name = "x-a", .exact = "1", .invert = true}, {}, false},
      {"prefix", {.name = "x-a", .prefix = "ab"}, {{"x-a", "abc"}}, true},
      {"not the prefix", {.name = "x-a", .prefix = "ab"}, {{"x-a", "cab"}}, false},
      {"suffix", {.name = "x-a", .suffix = "bc"}, {{"x-a", "abc"}}, true},
      {"not the suffix", {.name = "x-a", .suffix = "bc"}, {{"x-a", "bcd"}}, false},
      {"regex", {.name = "x-a", .regex = "a+"}, {{"x-a", "aaa"}}, true},
      {"regex of a part", {.name = "x-a", .regex = "a+"}, {{"x-a", "aaab"}}, false},
      {"regex, inverted", {.name = "x-a", .regex = "a+", .invert = true}, {{"x-a", "b"}}, true},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { check_matches({.header = {c.match}}, {.headers = c.headers}, c.matches); }
  }
}

TEST_CASE("query parameters and methods") {
  struct Case {
    const char* name;
    HttpMatch match;
    HttpRequestShape request;
    bool matches;
  };
  const Case cases[] = {
      {"present", {.query_param = {{.name = "q", .present = true}}}, {.query = {{"q", ""}}}, true},
      {"names keep their letters", {.query_param = {{.name = "Q", .present = true}}}, {.query = {{"q", ""}}}, false},
      {"exact", {.query_param = {{.name = "q", .exact = "1"}}}, {.query = {{"q", "1"}}}, true},
      {"not exact", {.query_param = {{.name = "q", .exact = "1"}}}, {.query = {{"q", "2"}}}, false},
      {"missing", {.query_param = {{.name = "q", .regex = ".*"}}}, {}, false},
      {"regex", {.query_param = {{.name = "q", .regex = "[0-9]"}}}, {.query = {{"q", "7"}}}, true},
      {"regex of a part", {.query_param = {{.name = "q", .regex = "[0-9]"}}}, {.query = {{"q", "77"}}}, false},
      {"one of the methods", {.methods = {"GET", "PUT"}}, {.method = "PUT"}, true},
      {"another method", {.methods = {"GET", "PUT"}}, {.method = "POST"}, false},
      {"a method in other letters", {.methods = {"GET"}}, {.method = "get"}, false},
      {"all conditions",
       {.path_prefix = "/a", .header = {{.name = "h", .present = true}}, .query_param = {{.name = "q", .exact = "1"}}},
       {.path = "/a", .headers = {{"h", ""}}, .query = {{"q", "1"}}},
       true},
      {"one condition of several fails",
       {.path_prefix = "/a", .header = {{.name = "h", .present = true}}, .query_param = {{.name = "q", .exact = "1"}}},
       {.path = "/a", .headers = {{"h", ""}}},
       false},
      {"the second header fails",
       {.header = {{.name = "h", .present = true}, {.name = "i", .present = true}}},
       {.headers = {{"h", ""}}},
       false},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { check_matches(c.match, c.request, c.matches); }
  }
}

TEST_CASE("the first route that matches is taken") {
  Route no_match;
  no_match.destination.emplace().service = "cart";
  const DiscoveryChain chain =
      compiled({http("shop"), http("till"), http("cart"),
                router("shop", {route_with({.path_prefix = "/a"}, {.service = "till"}),
                                route_with({.path_prefix = "/a/b"}, {.service = "cart"}), no_match})});
  for (const auto& [path, index] : std::map<std::string, int>{{"/a/b", 0}, {"/b", 2}}) {
    const auto result = route(chain, {.path = path});
    REQUIRE_OK(result);
    CHECK(result->route == index);
  }
}

TEST_CASE("rewrites") {
  struct Case {
    const char* name;
    HttpMatch match;
    std::string rewrite;
    std::string path;
    std::string after;
  };
  const Case cases[] = {
      {"a prefix", {.path_prefix = "/till/"}, "/", "/till/x", "/x"},
      {"a prefix that is all", {.path_prefix = "/till"}, "/", "/till", "/"},
      {"a prefix within a segment", {.path_prefix = "/a"}, "/b/", "/ac", "/b/c"},
      {"an exact path", {.path_exact = "/a"}, "/b/c", "/a", "/b/c"},
      {"no rewrite", {.path_prefix = "/a"}, "", "/a/b", "/a/b"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const auto result = route(routed(c.match, {.prefix_rewrite = c.rewrite}), {.path = c.path});
      REQUIRE_OK(result);
      CHECK(result->path == c.after);
    }
  }
}

TEST_CASE("retries as the proxy does them") {
  struct Case {
    const char* name;
    RouteDestination destination;
    RetryPolicy retry;
  };
  const Case cases[] = {
      {"none", {.service = "shop"}, {}},
      {"a number alone", {.num_retries = 3}, {.num_retries = 3}},
      {"conditions without a number are tried once more",
       {.retry_on_status_codes = {503}},
       {.num_retries = 1, .on_status_codes = {503}}},
      {"a connection refused, without a number",
       {.retry_on_connect_failure = true},
       {.num_retries = 1, .on_connect_failure = true}},
      {"all of them",
       {.num_retries = 4, .retry_on_connect_failure = true, .retry_on_status_codes = {500, 503}},
       {.num_retries = 4, .on_connect_failure = true, .on_status_codes = {500, 503}}},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const auto result = route(routed({}, c.destination), {});
      REQUIRE_OK(result);
      CHECK(result->retry == c.retry);
      CHECK(result->destination == c.destination);
    }
  }
}

// A canary: router, splitter with a leg that gets nothing, resolver with failover.
DiscoveryChain canary() {
  ServiceResolver subsets;
  subsets.subsets = {{"v1", {.filter = "Service.Meta.version == v1"}}, {"v2", {}}, {"v3", {}}};
  subsets.failover = {{"v1", {.service_subset = "v2"}}, {"v2", {.datacenters = {"dc2", "dc3"}}}};
  subsets.connect_timeout = 7s;
  return compiled({http("shop"), http("till"), resolver("shop", subsets),
                   splitter("shop", {{.weight = 9005, .service_subset = "v1"},
                                     {.weight = 995, .service_subset = "v2"},
                                     {.weight = 0, .service_subset = "v3"}}),
                   router("shop", {route_with({.path_exact = "/till", .methods = {"PUT"}}, {.service = "till"}),
                                   route_with({.path_prefix = "/v1/"}, {.service_subset = "v1",
                                                                        .prefix_rewrite = "/",
                                                                        .request_timeout = 1500ms,
                                                                        .num_retries = 3,
                                                                        .retry_on_status_codes = {500, 503}})})});
}

TEST_CASE("a request through router, splitter and resolver") {
  const auto result = route(canary(), {.path = "/till"});
  REQUIRE_OK(result);
  RouteResult expected;
  expected.route = 2;
  expected.destination = RouteDestination{.service = "shop", .namespace_name = "default"};
  expected.path = "/till";
  expected.legs = {
      {9005, 9005, "v1.shop.default.dc1", {"v2.shop.default.dc1"}, 7s},
      {995, 995, "v2.shop.default.dc1", {"v2.shop.default.dc2", "v2.shop.default.dc3"}, 7s},
      {0, 0, "v3.shop.default.dc1", {}, 7s},
  };
  expected.why = {
      "router shop.default: route 0 does not match: not method PUT",
      "router shop.default: route 1 does not match: not path prefix \"/v1/\"",
      "router shop.default: route 2 matches: path prefix \"/\"; to splitter:shop.default",
      "splitter shop.default: 90.05% to resolver:v1.shop.default.dc1",
      "resolver v1.shop.default.dc1: to target v1.shop.default.dc1, without instances there to v2.shop.default.dc1",
      "splitter shop.default: 9.95% to resolver:v2.shop.default.dc1",
      "resolver v2.shop.default.dc1: to target v2.shop.default.dc1, without instances there to v2.shop.default.dc2, "
      "then v2.shop.default.dc3",
      "splitter shop.default: 0% to resolver:v3.shop.default.dc1",
      "resolver v3.shop.default.dc1: to target v3.shop.default.dc1",
  };
  CHECK(*result == expected);
  CHECK(result->why == expected.why);
}

TEST_CASE("a request past the splitter") {
  const auto result = route(canary(), {.path = "/v1/list"});
  REQUIRE_OK(result);
  CHECK(result->legs == std::vector<RouteLeg>{{10000, 10000, "v1.shop.default.dc1", {"v2.shop.default.dc1"}, 7s}});
  CHECK(result->path == "/list");
  CHECK(result->why ==
        std::vector<std::string>{
            "router shop.default: route 0 does not match: not path \"/till\"",
            "router shop.default: route 1 matches: path prefix \"/v1/\"; to resolver:v1.shop.default.dc1",
            "rewrite: path \"/v1/list\" becomes \"/list\"",
            "timeout: 1.5s",
            "retries: up to 3, on status 500 503",
            "resolver v1.shop.default.dc1: to target v1.shop.default.dc1, without instances there to "
            "v2.shop.default.dc1",
        });
}

TEST_CASE("a service without entries") {
  const auto result = route(compiled({}), {.path = "anything"});
  REQUIRE_OK(result);
  RouteResult expected;
  expected.path = "anything";
  expected.legs = {{10000, 10000, "shop.default.dc1", {}, 5s}};
  expected.why = {"resolver shop.default.dc1: to target shop.default.dc1"};
  CHECK(*result == expected);
}

// What Go makes of float32(weight) * 100 when it cuts to a whole number, in exact arithmetic: the product of the
// nearest float to weight/100 with 100, itself rounded to the nearest float.
std::int32_t cut_exactly(std::int32_t hundredths) {
  const double nearest = static_cast<double>(static_cast<float>(hundredths / 100.0));
  return static_cast<std::int32_t>(static_cast<float>(nearest * 100.0));
}

TEST_CASE("the weights that the proxy is given, all of them") {
  int lost = 0;
  int pairs_short = 0;
  for (std::int32_t weight = 0; weight <= 10000; ++weight) {
    CAPTURE(weight);
    CHECK(proxy_weight(weight) == cut_exactly(weight));
    CHECK((proxy_weight(weight) == weight || proxy_weight(weight) == weight - 1));
    lost += proxy_weight(weight) != weight;
    pairs_short += proxy_weight(weight) + proxy_weight(10000 - weight) != 10000;
    if (weight % 100 == 0) CHECK(proxy_weight(weight) == weight);  // whole percents are exact
  }
  CHECK(lost == 569);  // progressive-delivery.md 3.5
  CHECK(pairs_short == 1120);
}

TEST_CASE("a weight that loses a hundredth on its way to the proxy says so") {
  const auto result = route(compiled({defaults("shop", {.protocol = "http"}),
                                      splitter("shop", {{.weight = 53, .service = "a"}, {.weight = 9947}}),
                                      defaults("a", {.protocol = "http"})}),
                            {});
  REQUIRE_OK(result);
  CHECK(result->legs[0].weight == 53);
  CHECK(result->legs[0].proxy_weight == 52);
  CHECK(result->why == std::vector<std::string>{
                           "splitter shop.default: 0.53% to resolver:a.default.dc1",
                           "  the proxy is given 0.52%: a hundredth is lost where the weight is cut off",
                           "resolver a.default.dc1: to target a.default.dc1",
                           "splitter shop.default: 99.47% to resolver:shop.default.dc1",
                           "resolver shop.default.dc1: to target shop.default.dc1",
                           "splitter shop.default: the weights that the proxy is given total 99.99%, not 100%",
                       });
}

TEST_CASE("letter case is set aside for paths and their beginnings, not for expressions") {
  struct Case {
    const char* name;
    HttpMatch match;
    const char* path;
    bool holds;
  };
  const Case cases[] = {
      {"prefix", {.path_prefix = "/Api", .case_insensitive = true}, "/aPI/x", true},
      {"prefix with case", {.path_prefix = "/Api"}, "/aPI/x", false},
      {"exact", {.path_exact = "/Api", .case_insensitive = true}, "/api", true},
      {"exact and more", {.path_exact = "/Api", .case_insensitive = true}, "/api/", false},
      {"regex", {.path_regex = "/Api", .case_insensitive = true}, "/api", false},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      Route given;
      given.match.emplace().http = c.match;
      given.destination = RouteDestination{.prefix_rewrite = "", .request_timeout = 1s};
      const auto result =
          route(compiled({defaults("shop", {.protocol = "http"}), router("shop", {given})}), {.path = c.path});
      REQUIRE_OK(result);
      CHECK(result->route == (c.holds ? 0 : 1));
    }
  }
}

Node node_named(std::string name) { return {.name = std::move(name), .address = "10.0.0.1", .datacenter = "dc1"}; }

// Two of v1, one of them failing; v2 with a warning; of v3 none.
CatalogState live() {
  CatalogState out;
  out.datacenter = "dc1";
  ServiceState service{.name = "shop"};
  const auto add = [&](std::string node, std::string version, CheckStatus status) {
    out.nodes[node] = NodeState{.node = node_named(node)};
    InstanceState instance;
    instance.instance = {.node = node, .id = "shop", .service = "shop", .meta = {{"version", std::move(version)}}};
    instance.checks = {{.node = node, .id = "c", .status = status, .service_id = "shop", .service_name = "shop"}};
    service.instances.push_back(std::move(instance));
  };
  add("n1", "v1", CheckStatus::kPassing);
  add("n2", "v1", CheckStatus::kCritical);
  add("n3", "v2", CheckStatus::kWarning);
  out.services["shop"] = std::move(service);
  return out;
}

TEST_CASE("with a catalog: who serves each leg, and why") {
  const std::map<std::string, ResolverSubset> subsets = {
      {"v1", {.filter = "Service.Meta.version == v1"}},
      {"v2", {.filter = "Service.Meta.version == v2", .only_passing = true}},
      {"v3", {.filter = "Service.Meta.version == v3"}}};
  const DiscoveryChain chain =
      compiled({defaults("shop", {.protocol = "http"}),
                resolver("shop", {.subsets = subsets, .failover = {{"v2", {.service_subset = "v1"}}}}),
                splitter("shop", {{.weight = 5000, .service_subset = "v1"},
                                  {.weight = 3000, .service_subset = "v2"},
                                  {.weight = 2000, .service_subset = "v3"}})});
  const CatalogState catalog = live();
  const auto result = route(chain, {}, &catalog);
  REQUIRE_OK(result);
  const auto expect = [&](std::size_t leg, std::string serving, TargetHealth health) {
    CHECK(result->legs[leg].serving == serving);
    CHECK(result->legs[leg].health == health);
  };
  expect(0, "v1.shop.default.dc1", {true, 1, 2});
  expect(1, "v1.shop.default.dc1", {true, 0, 1});  // a warning is not passing
  expect(2, "", {true, 0, 0});
  CHECK(result->why == std::vector<std::string>{
                           "splitter shop.default: 50% to resolver:v1.shop.default.dc1",
                           "resolver v1.shop.default.dc1: to target v1.shop.default.dc1",
                           "  target v1.shop.default.dc1: 1 of 2 instances healthy",
                           "splitter shop.default: 30% to resolver:v2.shop.default.dc1",
                           "resolver v2.shop.default.dc1: to target v2.shop.default.dc1, without instances there to "
                           "v1.shop.default.dc1",
                           "  target v2.shop.default.dc1: 0 of 1 instances healthy",
                           "  target v1.shop.default.dc1: 1 of 2 instances healthy",
                           "splitter shop.default: 20% to resolver:v3.shop.default.dc1",
                           "resolver v3.shop.default.dc1: to target v3.shop.default.dc1",
                           "  target v3.shop.default.dc1: 0 of 0 instances healthy",
                           "  nobody serves this leg: the proxy answers 503",
                       });
  CHECK(chain_health(chain, catalog) == std::map<std::string, TargetHealth>{{"v1.shop.default.dc1", {true, 1, 2}},
                                                                            {"v2.shop.default.dc1", {true, 0, 1}},
                                                                            {"v3.shop.default.dc1", {true, 0, 0}}});
}

TEST_CASE("targets that the catalog says nothing of are taken to be served") {
  const CatalogState catalog = live();
  const auto elsewhere =
      route(compiled({resolver("shop", {.redirect = ResolverRedirect{.datacenter = "dc2"}})}), {}, &catalog);
  REQUIRE_OK(elsewhere);
  CHECK(elsewhere->legs[0].serving == "shop.default.dc2");
  CHECK(elsewhere->legs[0].health == TargetHealth{});
  const auto external = route(compiled({defaults("shop", {.external_sni = "sni"})}), {}, &catalog);
  REQUIRE_OK(external);
  CHECK(external->legs[0].serving == "shop.default.dc1");
  CHECK(external->why.back() == "  target shop.default.dc1: not of this catalog; taken to be served");
}

TEST_CASE("a prepared chain answers as the chain itself, bad expressions included") {
  Route bad;
  bad.match.emplace().http = HttpMatch{.path_regex = "("};
  Route good;
  good.match.emplace().http = HttpMatch{.path_regex = "/v[0-9]+"};
  const DiscoveryChain chain = compiled({defaults("shop", {.protocol = "http"}), router("shop", {good, bad})});
  const RouteTable table(chain);
  CHECK(table.chain() == chain);
  for (const char* path : {"/v1", "/v", "/"}) {
    CAPTURE(path);
    const auto direct = route(chain, {.path = path});
    const auto prepared = table.route({.path = path});
    CHECK(std::string(prepared.status().message()) == std::string(direct.status().message()));
    if (direct.ok()) CHECK(*prepared == *direct);
  }
  CHECK_OK(table.route({.path = "/v1"}));
  CHECK_ERROR(table.route({.path = "/v"}), ErrorKind::kValidate, "(");
}

TEST_CASE("headers that leg and route change, the route with the last word") {
  EntryMap entries;
  ClusterIdentity cluster;
  cluster.dialect = Dialect::kCurrent;
  Route given;
  given.destination.emplace().request_headers = HeaderModifiers{.add = {{"a", "route"}}, .remove = {"x"}};
  Split leg{.weight = 10000, .service = "b"};
  leg.request_headers = HeaderModifiers{.add = {{"a", "leg"}, {"b", "leg"}}, .remove = {"x", "y"}};
  leg.response_headers = HeaderModifiers{.set = {{"c", "leg"}}};
  for (const ConfigEntry& entry : {defaults("shop", {.protocol = "http"}), defaults("b", {.protocol = "http"}),
                                   router("shop", {given}), splitter("shop", {leg})}) {
    entries.emplace(entry_key(entry), entry);
  }
  const auto chain = compile_chain(entries, {.service = "shop", .cluster = cluster});
  REQUIRE_OK(chain);
  const auto result = route(*chain, {});
  REQUIRE_OK(result);
  CHECK(result->legs[0].request_headers ==
        HeaderModifiers{.add = {{"a", "route"}, {"b", "leg"}}, .remove = {"x", "y"}});
  CHECK(result->legs[0].response_headers == HeaderModifiers{.set = {{"c", "leg"}}});
  CHECK(result->why.end()[-2] == "  request headers: add a: route, add b: leg, remove x, remove y");
  CHECK(result->why.back() == "  response headers: set c: leg");
}

ChainNode& node_of(DiscoveryChain& chain, std::string_view key) {
  const ChainNode* found = find_node(chain, key);
  REQUIRE(found != nullptr);
  return chain.nodes[static_cast<std::size_t>(found - chain.nodes.data())];
}

TEST_CASE("what cannot be routed") {
  CHECK_ERROR(route(routed({}), {.path = "*"}), ErrorKind::kNotFound, "chain \"shop\": no route matches GET \"*\";");
  CHECK_ERROR(route(routed({.path_regex = "("}), {}), ErrorKind::kValidate, "regular expression \"(\": missing )");
  CHECK_ERROR(route(routed({.header = {{.name = "a", .regex = "("}}}), {.headers = {{"a", "b"}}}), ErrorKind::kValidate,
              "regular expression \"(\"");

  struct Case {
    const char* name;
    void (*breaks)(DiscoveryChain&);
    const char* problem;
  };
  const Case cases[] = {
      {"no start node", [](DiscoveryChain& chain) { chain.start_node = 9; }, "node 9 of 6 is missing"},
      {"no node behind the route",
       [](DiscoveryChain& chain) {
         std::get<RouterNode>(node_of(chain, "router:shop.default").body).routes.back().next_node = 6;
       },
       "node 6 of 6 is missing"},
      {"no node behind the leg",
       [](DiscoveryChain& chain) {
         std::get<SplitterNode>(node_of(chain, "splitter:shop.default").body).splits[1].next_node = 7;
       },
       "node 7 of 6 is missing"},
      {"no target",
       [](DiscoveryChain& chain) {
         std::get<ResolverNode>(node_of(chain, "resolver:v1.shop.default.dc1").body).target = 7;
       },
       "target 7 of "},
      {"no failover target",
       [](DiscoveryChain& chain) {
         std::get<ResolverNode>(node_of(chain, "resolver:v2.shop.default.dc1").body).failover_targets.push_back(8);
       },
       "failover target 8 of "},
      {"a splitter below a splitter",
       [](DiscoveryChain& chain) {
         ChainNode& splitter = node_of(chain, "splitter:shop.default");
         std::get<SplitterNode>(splitter.body).splits[0].next_node =
             static_cast<NodeNumber>(&splitter - chain.nodes.data());
       },
       "node \"shop.default\" stands where a resolver has to"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      DiscoveryChain chain = canary();
      c.breaks(chain);
      CHECK_ERROR(route(chain, {}), ErrorKind::kGraph, std::string("chain \"shop\": ") + c.problem);
    }
  }
}

}  // namespace
}  // namespace convergence
