#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "tests/support/status_check.h"
#include "tests/unit/chain/entries.h"

namespace convergence {
namespace {

using namespace std::chrono_literals;
using test::defaults;
using test::entry;
using test::proxy_defaults;
using test::resolver;
using test::route_with;
using test::router;
using test::splitter;

struct Refusal {
  const char* name;
  ConfigEntry entry;
  std::string text;  // whole, as the server's
};

void check_refusals(const std::vector<Refusal>& cases, ErrorKind kind) {
  for (const Refusal& c : cases) {
    SUBCASE(c.name) {
      const absl::Status status = normalise_entry(c.entry, Dialect::k1_8).status();
      CHECK(to_string(error_kind(status)) == to_string(kind));
      CHECK(std::string(status.message()) == c.text);
    }
  }
}

ConfigEntry with_meta(ConfigEntry entry, std::map<std::string, std::string> meta) {
  entry.meta = std::move(meta);
  return entry;
}

ConfigEntry one_route(Route route) { return router("web", {{}, std::move(route)}); }

TEST_CASE("what every kind refuses") {
  std::map<std::string, std::string> many;
  for (int i = 0; i < 65; ++i) many["k" + std::to_string(i)] = "v";
  const std::string long_key(129, 'k');
  const std::string at_limit_key(128, 'k');
  check_refusals(
      {
          {"router without a name", router(""), "Name is required"},
          {"splitter without a name", splitter("", {}), "Name is required"},
          {"resolver without a name", with_meta(resolver(""), many), "Name is required"},
          {"too many meta pairs", with_meta(resolver("web"), many),
           "1 error occurred:\n\t* Meta exceeds maximum element count 64\n\n"},
          {"meta key too long", with_meta(router("web"), {{long_key, "v"}}),
           "1 error occurred:\n\t* Meta key \"" + long_key + "\" exceeds maximum length 128\n\n"},
          {"meta value too long", with_meta(defaults("web", {}), {{"k", std::string(513, 'v')}}),
           "1 error occurred:\n\t* Meta value for key \"k\" exceeds maximum length 512\n\n"},
          {"meta key and value too long", with_meta(proxy_defaults({}), {{long_key, std::string(513, 'v')}}),
           "2 errors occurred:\n\t* Meta key \"" + long_key +
               "\" exceeds maximum length 128\n\t* Meta value for key \"" + long_key +
               "\" exceeds maximum length 512\n\n"},
          {"the splits come before the meta", with_meta(splitter("web", {}), many), "no splits configured"},
          {"the meta comes before the weights", with_meta(splitter("web", {{.weight = 1}}), many),
           "1 error occurred:\n\t* Meta exceeds maximum element count 64\n\n"},
          {"the meta comes before the subsets",
           with_meta(resolver("web", {.default_subset = "v1"}), {{"k", std::string(513, 'v')}}),
           "1 error occurred:\n\t* Meta value for key \"k\" exceeds maximum length 512\n\n"},
          {"the meta comes before the routes",
           with_meta(one_route(route_with({.path_exact = "x"})), {{"k", std::string(513, 'v')}}),
           "1 error occurred:\n\t* Meta value for key \"k\" exceeds maximum length 512\n\n"},
      },
      ErrorKind::kValidate);
  many.erase("k0");
  CHECK_OK(normalise_entry(with_meta(resolver("web"), many), Dialect::k1_8));
  CHECK_OK(normalise_entry(with_meta(resolver("web"), {{at_limit_key, std::string(512, 'v')}}), Dialect::k1_8));
}

TEST_CASE("what a router refuses") {
  check_refusals(
      {
          {"exact path without a slash", one_route(route_with({.path_exact = "a\"b"})),
           "Route[1] PathExact doesn't start with '/': \"a\\\"b\""},
          {"path prefix without a slash", one_route(route_with({.path_prefix = "a"})),
           "Route[1] PathPrefix doesn't start with '/': \"a\""},
          {"the exact path comes before the prefix", one_route(route_with({.path_exact = "a", .path_prefix = "b"})),
           "Route[1] PathExact doesn't start with '/': \"a\""},
          {"exact path and prefix", one_route(route_with({.path_exact = "/a", .path_prefix = "/b"})),
           "Route[1] should only contain at most one of PathExact, PathPrefix, or PathRegex"},
          {"exact path and regex", one_route(route_with({.path_exact = "/a", .path_regex = "b"})),
           "Route[1] should only contain at most one of PathExact, PathPrefix, or PathRegex"},
          {"prefix and regex", one_route(route_with({.path_prefix = "/a", .path_regex = "b"})),
           "Route[1] should only contain at most one of PathExact, PathPrefix, or PathRegex"},
          {"the slash comes before the count", one_route(route_with({.path_exact = "/a", .path_prefix = "b"})),
           "Route[1] PathPrefix doesn't start with '/': \"b\""},
          {"header without a name", one_route(route_with({.header = {{.name = "a", .exact = "b"}, {.exact = "b"}}})),
           "Route[1] Header[1] missing required Name field"},
          {"header without a condition", one_route(route_with({.header = {{.name = "a"}}})),
           "Route[1] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex"},
          {"invert is no condition", one_route(route_with({.header = {{.name = "a", .invert = true}}})),
           "Route[1] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex"},
          {"header with two conditions",
           one_route(route_with({.header = {{.name = "a", .prefix = "b", .suffix = "c"}}})),
           "Route[1] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex"},
          {"header present and by regex",
           one_route(route_with({.header = {{.name = "a", .present = true, .regex = "c"}}})),
           "Route[1] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex"},
          {"query parameter without a name", one_route(route_with({.query_param = {{.exact = "b"}}})),
           "Route[1] QueryParam[0] missing required Name field"},
          {"query parameter without a condition", one_route(route_with({.query_param = {{.name = "a"}}})),
           "Route[1] QueryParam[0] should only contain one of Present, Exact, or Regex"},
          {"query parameter with two conditions",
           one_route(route_with({.query_param = {{.name = "a", .exact = "b", .regex = "c"}}})),
           "Route[1] QueryParam[0] should only contain one of Present, Exact, or Regex"},
          {"a method twice", one_route(route_with({.methods = {"GET", "PUT", "GET"}})),
           "Route[1] Methods contains \"GET\" more than once"},
          {"a method twice in other letters", one_route(route_with({.methods = {"get", "GET"}})),
           "Route[1] Methods contains \"GET\" more than once"},
          {"rewrite without a path", one_route(route_with({}, {.prefix_rewrite = "/"})),
           "Route[1] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix"},
          {"rewrite without a match", one_route({.destination = RouteDestination{.prefix_rewrite = "/"}}),
           "Route[1] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix"},
          {"rewrite of a regex", one_route(route_with({.path_regex = "/a"}, {.prefix_rewrite = "/"})),
           "Route[1] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix"},
          {"paths come before headers", one_route(route_with({.path_exact = "a", .header = {{}}})),
           "Route[1] PathExact doesn't start with '/': \"a\""},
          {"headers come before query parameters", one_route(route_with({.header = {{}}, .query_param = {{}}})),
           "Route[1] Header[0] missing required Name field"},
          {"query parameters come before methods", one_route(route_with({.query_param = {{}}, .methods = {"a", "a"}})),
           "Route[1] QueryParam[0] missing required Name field"},
          {"methods come before the rewrite", one_route(route_with({.methods = {"a", "a"}}, {.prefix_rewrite = "/"})),
           "Route[1] Methods contains \"A\" more than once"},
          {"the first route comes first",
           router("web", {route_with({.query_param = {{}}}), route_with({.path_exact = "a"})}),
           "Route[0] QueryParam[0] missing required Name field"},
      },
      ErrorKind::kValidate);
}

TEST_CASE("what a splitter refuses") {
  check_refusals(
      {
          {"no splits", splitter("web", {}), "no splits configured"},
          {"one destination twice",
           splitter("web", {{.weight = 5000, .service = "api"}, {.weight = 5000, .service = "api"}}),
           "split destination occurs more than once: service=\"api\", subset=\"\", namespace=\"\""},
          {"the own service by name and by silence",
           splitter("web", {{.weight = 5000, .service_subset = "v1"},
                            {.weight = 5000, .service = "web", .service_subset = "v1"}}),
           "split destination occurs more than once: service=\"web\", subset=\"v1\", namespace=\"\""},
          {"one namespace twice",
           splitter("web", {{.weight = 5000, .namespace_name = "team"}, {.weight = 5000, .namespace_name = "team"}}),
           "split destination occurs more than once: service=\"web\", subset=\"\", namespace=\"team\""},
          {"twice comes before the sum", splitter("web", {{.weight = 1}, {.weight = 1}}),
           "split destination occurs more than once: service=\"web\", subset=\"\", namespace=\"\""},
          {"a hundredth too little", splitter("web", {{.weight = 9999}}),
           "the sum of all split weights must be 100, not 99.989998"},
          {"a hundredth too much", splitter("web", {{.weight = 10001}}),
           "the sum of all split weights must be 100, not 100.010002"},
          {"nothing", splitter("web", {{}}), "the sum of all split weights must be 100, not 0.000000"},
          {"less than nothing", splitter("web", {{.weight = -1000}}),
           "the sum of all split weights must be 100, not -10.000000"},
          {"sums beyond 32 bits", splitter("web", {{.weight = 2000000000}, {.weight = 2000000000, .service = "api"}}),
           "the sum of all split weights must be 100, not 40000000.000000"},
      },
      ErrorKind::kValidate);
  CHECK_OK(normalise_entry(splitter("web", {{.weight = 5000, .namespace_name = "default"}, {.weight = 5000}}),
                           Dialect::k1_8));
  CHECK_OK(normalise_entry(splitter("web", {{.weight = -1000}, {.weight = 11000, .service = "Web"}}), Dialect::k1_8));
}

TEST_CASE("what a resolver refuses") {
  const std::string rule =
      " is invalid: must be 63 characters or fewer, begin or end with lower case alphanumeric characters, and contain "
      "lower case alphanumeric characters or '-' in between";
  const std::string long_name(64, 'a');
  const std::map<std::string, ResolverSubset> v1 = {{"v1", {}}};
  check_refusals(
      {
          {"subset without a name", resolver("web", {.subsets = {{"", {}}}}), "Subset defined with empty name"},
          {"subset name too long", resolver("web", {.subsets = {{long_name, {}}}}),
           "Subset \"" + long_name + "\" is invalid: must be non-empty and 63 characters or fewer"},
          {"subset name in upper case", resolver("web", {.subsets = {{"V1", {}}}}), "Subset \"V1\"" + rule},
          {"subset name beginning with a dash", resolver("web", {.subsets = {{"-a", {}}}}), "Subset \"-a\"" + rule},
          {"subset name ending with a dash", resolver("web", {.subsets = {{"a-", {}}}}), "Subset \"a-\"" + rule},
          {"subset name with a dot", resolver("web", {.subsets = {{"a.b", {}}}}), "Subset \"a.b\"" + rule},
          {"subset name beyond ASCII", resolver("web", {.subsets = {{"\u00e4", {}}}}), "Subset \"\u00e4\"" + rule},
          {"unknown default subset", resolver("web", {.default_subset = "v2", .subsets = v1}),
           "DefaultSubset \"v2\" is not a valid subset"},
          {"subsets come before the default subset", resolver("web", {.default_subset = "v2", .subsets = {{"V1", {}}}}),
           "Subset \"V1\"" + rule},
          {"redirect and failover",
           resolver("web", {.redirect = ResolverRedirect{.service = "api"}, .failover = {{"*", {.service = "api"}}}}),
           "Redirect and Failover cannot both be set"},
          {"empty redirect", resolver("web", {.redirect = ResolverRedirect{}}), "Redirect is empty"},
          {"redirect to a subset of nothing", resolver("web", {.redirect = ResolverRedirect{.service_subset = "v1"}}),
           "Redirect.ServiceSubset defined without Redirect.Service"},
          {"redirect to a namespace of nothing",
           resolver("web", {.redirect = ResolverRedirect{.namespace_name = "team", .datacenter = "dc2"}}),
           "Redirect.Namespace defined without Redirect.Service"},
          {"redirect to a subset and a namespace of nothing",
           resolver("web", {.redirect = ResolverRedirect{.service_subset = "v1", .namespace_name = "team"}}),
           "Redirect.ServiceSubset defined without Redirect.Service"},
          {"redirect to an unknown own subset",
           resolver("web", {.subsets = v1, .redirect = ResolverRedirect{.service = "web", .service_subset = "v2"}}),
           "Redirect.ServiceSubset \"v2\" is not a valid subset of \"web\""},
          {"failover of an unknown subset", resolver("web", {.failover = {{"v1", {.service = "api"}}}}),
           "Bad Failover[\"v1\"]: not a valid subset"},
          {"failover of no subset", resolver("web", {.failover = {{"", {.service = "api"}}}}),
           "Bad Failover[\"\"]: not a valid subset"},
          {"failover to nothing", resolver("web", {.failover = {{"*", {}}}}),
           "Bad Failover[\"*\"] one of Service, ServiceSubset, Namespace, or Datacenters is required"},
          {"failover to an unknown own subset", resolver("web", {.failover = {{"*", {.service_subset = "v1"}}}}),
           "Bad Failover[\"*\"].ServiceSubset \"v1\" is not a valid subset of \"\""},
          {"failover to an unknown own subset by name",
           resolver("web", {.failover = {{"*", {.service = "web", .service_subset = "v1"}}}}),
           "Bad Failover[\"*\"].ServiceSubset \"v1\" is not a valid subset of \"web\""},
          {"failover to a datacenter without a name",
           resolver("web", {.failover = {{"*", {.datacenters = {"dc2", ""}}}}}),
           "Bad Failover[\"*\"].Datacenters: found empty datacenter"},
          {"connect timeout below zero", resolver("web", {.connect_timeout = -1s}),
           "Bad ConnectTimeout '-1s', must be >= 0"},
          {"the failover comes before the timeout", resolver("web", {.failover = {{"*", {}}}, .connect_timeout = -1s}),
           "Bad Failover[\"*\"] one of Service, ServiceSubset, Namespace, or Datacenters is required"},
          {"the default subset comes before the redirect",
           resolver("web", {.default_subset = "v1", .redirect = ResolverRedirect{}}),
           "DefaultSubset \"v1\" is not a valid subset"},
      },
      ErrorKind::kValidate);
}

TEST_CASE("what 1.8 takes, although it looks wrong") {
  struct Case {
    const char* name;
    ConfigEntry entry;
  };
  const Case cases[] = {
      {"any protocol", defaults("web", {.protocol = "udp", .mesh_gateway_mode = "sideways"})},
      {"a name for service-defaults is asked for by the graph, not here", defaults("", {})},
      {"a filter that is none", resolver("web", {.subsets = {{"v1", {.filter = "("}}}})},
      {"a regex that is none", one_route(route_with({.path_regex = "("}))},
      {"any word as method", one_route({.match = RouteMatch{.http = HttpMatch{.methods = {"FETCH"}}}})},
      {"a request timeout below zero", one_route(route_with({}, {.request_timeout = -1s}))},
      {"no routes", router("web")},
      {"an empty route", router("web", {{}})},
      {"a redirect to a datacenter alone", resolver("web", {.redirect = ResolverRedirect{.datacenter = "dc2"}})},
      {"a subset of another service", resolver("web", {.failover = {{"*", {.service = "a", .service_subset = "b"}}}})},
      {"a subset of the own service in other letters",
       resolver("web", {.redirect = ResolverRedirect{.service = "Web", .service_subset = "v1"}})},
      {"subset names at their limits",
       resolver("web", {.subsets = {{"a", {}}, {std::string(63, '0'), {}}, {"a--b", {}}}})},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const auto normal = normalise_entry(c.entry, Dialect::k1_8);
      REQUIRE_OK(normal);
      CHECK(*normal == c.entry);
    }
  }
}

TEST_CASE("normal form") {
  struct Case {
    const char* name;
    ConfigEntry given;
    ConfigEntry normal;
  };
  const Case cases[] = {
      {"the protocol in lower case", defaults("Web", {.protocol = "HTTP"}), defaults("Web", {.protocol = "http"})},
      {"proxy-defaults are global", entry(kProxyDefaults, "mine", ProxyDefaults{}), proxy_defaults({})},
      {"methods in upper case, with the namespace of the destination",
       one_route(route_with({.methods = {"get", "Put"}}, {.service = "api"})),
       one_route(route_with({.methods = {"GET", "PUT"}}, {.service = "api", .namespace_name = "default"}))},
      {"a namespace that is there stays", one_route(route_with({.methods = {"get"}}, {.namespace_name = "team"})),
       one_route(route_with({.methods = {"GET"}}, {.namespace_name = "team"}))},
      {"no methods, no namespace", one_route(route_with({.path_exact = "/"}, {.service = "api"})),
       one_route(route_with({.path_exact = "/"}, {.service = "api"}))},
      {"methods without a destination", one_route({.match = RouteMatch{.http = HttpMatch{.methods = {"get"}}}}),
       one_route({.match = RouteMatch{.http = HttpMatch{.methods = {"GET"}}}})},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const auto normal = normalise_entry(c.given, Dialect::k1_8);
      REQUIRE_OK(normal);
      CHECK(*normal == c.normal);
      const auto again = normalise_entry(*normal, Dialect::k1_8);
      REQUIRE_OK(again);
      CHECK(*again == *normal);
    }
  }
}

std::vector<Refusal> with_unknown_members() {
  const Json::Object zed = {{"Zed", Json(1)}};
  Route route = route_with({.header = {{.name = "a", .exact = "b", .unknown = {{"Namespace", "n"}}}},
                            .query_param = {{.name = "a", .exact = "b", .unknown = zed}},
                            .unknown = {{"PathContains", "/"}}},
                           {.unknown = zed});
  route.match->unknown = {{"TCP", true}};
  route.unknown = zed;
  Json expose;
  expose.set("Checks", true);
  expose.set("paths", Json::Array{Json(Json::Object{{"listener_port", 1}, {"X", 1}})});
  expose.set("Y", 1);
  return {
      {"one member", router("web", {route_with({.unknown = {{"PathContains", "/"}}})}),
       "1 error occurred:\n\t* invalid config key \"Routes[0].Match.HTTP.PathContains\"\n\n"},
      {"everywhere in a router", one_route(route),
       "7 errors occurred:\n"
       "\t* invalid config key \"Routes[1].Match.HTTP.Header[0].Namespace\", namespaces are a consul enterprise "
       "feature\n"
       "\t* invalid config key \"Routes[1].Match.HTTP.QueryParam[0].Zed\"\n"
       "\t* invalid config key \"Routes[1].Match.HTTP.PathContains\"\n"
       "\t* invalid config key \"Routes[1].Match.TCP\"\n"
       "\t* invalid config key \"Routes[1].Destination.Zed\"\n"
       "\t* invalid config key \"Routes[1].Zed\"\n"
       "\t* invalid config key \"Top\"\n\n"},
      {"in a splitter", entry(kServiceSplitter, "web", ServiceSplitter{.splits = {{.weight = 1, .unknown = zed}}}),
       "1 error occurred:\n\t* invalid config key \"Splits[0].Zed\"\n\n"},
      {"in a resolver",
       resolver("", {.subsets = {{"v1", {.unknown = zed}}},
                     .redirect = ResolverRedirect{.unknown = zed},
                     .failover = {{"*", {.unknown = zed}}},
                     .unknown = {{"RequestTimeout", "1s"}}}),
       "4 errors occurred:\n"
       "\t* invalid config key \"Subsets[v1].Zed\"\n"
       "\t* invalid config key \"Redirect.Zed\"\n"
       "\t* invalid config key \"Failover[*].Zed\"\n"
       "\t* invalid config key \"RequestTimeout\"\n\n"},
      {"in service-defaults", defaults("web", {.expose = expose, .unknown = {{"Namespace", "n"}, {"Mode", "direct"}}}),
       "4 errors occurred:\n"
       "\t* invalid config key \"Expose.Paths[0].X\"\n"
       "\t* invalid config key \"Expose.Y\"\n"
       "\t* invalid config key \"Namespace\", namespaces are a consul enterprise feature\n"
       "\t* invalid config key \"Mode\"\n\n"},
      {"in proxy-defaults", proxy_defaults({.unknown = {{"my_namespace", "n"}}}),
       "1 error occurred:\n"
       "\t* invalid config key \"my_namespace\", namespaces are a consul enterprise feature\n\n"},
      {"a kind of its own", entry("mesh", "mesh", OpaqueEntry{}), "invalid config entry kind: mesh"},
      {"no kind", entry("", "web", OpaqueEntry{}), "invalid config entry kind: "},
  };
}

TEST_CASE("members and kinds that 1.8 does not know") {
  std::vector<Refusal> cases = with_unknown_members();
  std::get<ServiceRouter>(cases[1].entry.body).unknown = {{"Top", 1}};
  check_refusals(cases, ErrorKind::kDecode);
}

TEST_CASE("the current dialect takes members and kinds that 1.8 does not know") {
  const ConfigEntry given = resolver("web", {.unknown = {{"RequestTimeout", "1s"}}});
  const auto normal = normalise_entry(given, Dialect::kCurrent);
  REQUIRE_OK(normal);
  CHECK(*normal == given);
  CHECK_OK(normalise_entry(entry("mesh", "mesh", OpaqueEntry{}), Dialect::kCurrent));
  CHECK_ERROR(normalise_entry(entry("", "web", OpaqueEntry{}), Dialect::kCurrent), ErrorKind::kDecode,
              "invalid config entry kind: ");
  CHECK_ERROR(normalise_entry(resolver(""), Dialect::kCurrent), ErrorKind::kValidate, "Name is required");
}

TEST_CASE("gateways are kept as they are") {
  const ConfigEntry given = entry("ingress-gateway", "in", OpaqueEntry{.members = {{"Listeners", Json::Array{}}}});
  const auto normal = normalise_entry(given, Dialect::k1_8);
  REQUIRE_OK(normal);
  CHECK(*normal == given);
  CHECK_OK(normalise_entry(entry("terminating-gateway", "out", OpaqueEntry{}), Dialect::k1_8));
}

TEST_CASE("a body of another kind is the caller's mistake") {
  CHECK_ERROR(normalise_entry(entry(kServiceRouter, "web", ServiceResolver{}), Dialect::k1_8), ErrorKind::kUsage,
              "config entry \"web\": its body is not one of kind \"service-router\"");
  CHECK_ERROR(normalise_entry(entry(kServiceRouter, "web", OpaqueEntry{}), Dialect::k1_8), ErrorKind::kUsage,
              "not one of kind \"service-router\"");
}

}  // namespace
}  // namespace convergence
