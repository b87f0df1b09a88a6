// What later Consuls know and refuse, from documents as people send them (discovery-chain.md (a)).
#include <doctest/doctest.h>

#include <string>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

absl::StatusOr<ConfigEntry> read(const std::string& text, Dialect dialect) {
  auto entry = parse<ConfigEntry>(text, "entry");
  if (!entry.ok()) return entry.status();
  return normalise_entry(*std::move(entry), dialect);
}

std::string router(const std::string& route) {
  return R"({"Kind": "service-router", "Name": "web", "Routes": [)" + route + "]}";
}
std::string splitter(const std::string& splits) {
  return R"({"Kind": "service-splitter", "Name": "web", "Splits": [)" + splits + "]}";
}
std::string resolver(const std::string& members) {
  return R"({"Kind": "service-resolver", "Name": "web", "Subsets": {"v1": {}}, )" + members + "}";
}
std::string defaults(const std::string& members) {
  return R"({"Kind": "service-defaults", "Name": "web", )" + members + "}";
}
std::string proxy(const std::string& members) {
  return R"({"Kind": "proxy-defaults", "Name": "global", )" + members + "}";
}
std::string hashing(const std::string& policy) {
  return resolver(R"("LoadBalancer": {"Policy": "maglev", "HashPolicies": [)" + policy + "]}");
}
std::string failover(const std::string& section) { return resolver(R"("Failover": {"v1": )" + section + "}"); }

struct Refusal {
  const char* name;
  std::string entry;
  std::string text;  // whole; empty: taken
};

TEST_CASE("what the current dialect refuses, and next to it what it takes") {
  const std::string again = R"("ServiceSubset": "v1")";
  const Refusal cases[] = {
      {"defaults without a name", R"({"Kind": "service-defaults", "Name": ""})", "Name is required"},
      {"defaults for all", R"({"Kind": "service-defaults", "Name": "*"})",
       "service-defaults name must be the name of a service, and not a wildcard"},
      {"an unknown protocol", defaults(R"("Protocol": "Spdy")"), "invalid value for protocol: spdy"},
      {"a protocol in capitals", defaults(R"("Protocol": "HTTP2")"), ""},
      {"an unknown balance", defaults(R"("BalanceInboundConnections": "even")"),
       "invalid value for balance_inbound_connections: even"},
      {"upstreams of a destination", defaults(R"("UpstreamConfig": {}, "Destination": {"Port": 1})"),
       "UpstreamConfig and Destination are mutually exclusive for service defaults"},
      {"proxy-defaults of another name", R"({"Kind": "proxy-defaults", "Name": "mine"})",
       R"(invalid name ("mine"), only "global" is supported)"},
      {"proxy-defaults without a name", R"({"Kind": "proxy-defaults"})", ""},
      {"a failover policy for all", proxy(R"("FailoverPolicy": {"Mode": "sequential"})"),
       "Setting failover policies requires Consul Enterprise"},
      {"locality for all", proxy(R"("PrioritizeByLocality": {"Mode": "failover"})"),
       "Prioritize-by-locality requires Consul Enterprise "},
      {"a method that is none", router(R"({"Match": {"HTTP": {"Methods": ["get", "grab"]}}})"),
       R"(Route[0] Methods contains an invalid method "GRAB")"},
      {"a method twice", router(R"({"Match": {"HTTP": {"Methods": ["get", "GET"]}}})"),
       R"(Route[0] Methods contains "GET" more than once)"},
      {"an unknown retry condition", router(R"({}, {"Destination": {"RetryOn": ["reset", "bad luck"]}})"),
       R"(Route[1] contains an invalid retry condition: "bad luck")"},
      {"every retry condition",
       router(R"({"Destination": {"RetryOn": ["5xx", "gateway-error", "reset", "connect-failure", "envoy-ratelimited",
                 "retriable-4xx", "refused-stream", "cancelled", "deadline-exceeded", "internal", "resource-exhausted",
                 "unavailable"]}})"),
       ""},
      {"legs alike", splitter("{\"Weight\": 50, " + again + "}, {\"Weight\": 50, " + again + "}"),
       R"(split destination occurs more than once: service="web", subset="v1", namespace="", partition="")"},
      {"legs alike but for their partition",
       splitter(R"({"Weight": 50, "Partition": "a"}, {"Weight": 50, "Partition": "b"})"), ""},
      {"legs alike with headers",
       splitter("{\"Weight\": 50, " + again + R"(, "RequestHeaders": {}}, {"Weight": 50, )" + again +
                R"(, "RequestHeaders": {}})"),
       ""},
      {"a redirect to another partition", resolver(R"("Redirect": {"Service": "a", "Partition": "p"})"),
       "Redirect: Setting Partition requires Consul Enterprise"},
      {"a redirect to another namespace", resolver(R"("Redirect": {"Service": "a", "Namespace": "n"})"),
       "Redirect: Setting Namespace requires Consul Enterprise"},
      {"a redirect to a sameness group", resolver(R"("Redirect": {"Service": "a", "SamenessGroup": "g"})"),
       "Redirect: Setting SamenessGroup requires Consul Enterprise"},
      {"a redirect to a subset of a peer",
       resolver(R"("Redirect": {"Service": "a", "Peer": "p", "ServiceSubset": "v1"})"),
       "Redirect.Peer cannot be set with Redirect.ServiceSubset"},
      {"a redirect to a datacenter of a peer",
       resolver(R"("Redirect": {"Service": "a", "Peer": "p", "Datacenter": "dc2"})"),
       "Redirect.Peer cannot be set with Redirect.Datacenter"},
      {"a redirect to a peer's nothing", resolver(R"("Redirect": {"Peer": "p"})"),
       "Redirect.Peer defined without Redirect.Service"},
      {"a redirect to a peer", resolver(R"("Redirect": {"Service": "a", "Peer": "p"})"), ""},
      {"failover of no subset", resolver(R"("Failover": {"v2": {"Service": "a"}})"),
       R"(Bad Failover["v2"]: not a valid subset subset)"},
      {"failover to nothing", failover("{}"),
       R"(Bad Failover["v1"]: one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required)"},
      {"failover to a namespace", failover(R"({"Namespace": "n"})"),
       R"(Bad Failover["v1"]: Setting Namespace requires Consul Enterprise)"},
      {"failover to a sameness group", failover(R"({"SamenessGroup": "g"})"),
       R"(Bad Failover["v1"]: Setting SamenessGroup requires Consul Enterprise)"},
      {"failover with a policy", failover(R"({"Service": "a", "Policy": {"Mode": "sequential"}})"),
       R"(Bad Failover["v1"]: Setting failover policies requires Consul Enterprise)"},
      {"failover to an own subset that is missing", failover(R"({"ServiceSubset": "v9"})"),
       R"(Bad Failover["v1"]: ServiceSubset "v9" is not a valid subset of "")"},
      {"targets and datacenters", failover(R"({"Targets": [{"Peer": "p"}], "Datacenters": ["dc2"]})"),
       R"(Bad Failover["v1"]: Targets cannot be set with Datacenters)"},
      {"targets and a subset", failover(R"({"Targets": [{"Peer": "p"}], "ServiceSubset": "v1"})"),
       R"(Bad Failover["v1"]: Targets cannot be set with ServiceSubset)"},
      {"targets and a service", failover(R"({"Targets": [{"Peer": "p"}], "Service": "a"})"),
       R"(Bad Failover["v1"]: Targets cannot be set with Service)"},
      {"a target in a partition", failover(R"({"Targets": [{}, {"Partition": "p"}]})"),
       R"(Bad Failover["v1"].Targets[1]: Setting Partition requires Consul Enterprise)"},
      {"a target's subset of a peer", failover(R"({"Targets": [{"Peer": "p", "ServiceSubset": "v1"}]})"),
       R"(Bad Failover["v1"].Targets[0]: Peer cannot be set with ServiceSubset)"},
      {"a target's datacenter of a peer", failover(R"({"Targets": [{"Peer": "p", "Datacenter": "dc2"}]})"),
       R"(Bad Failover["v1"].Targets[0]: Peer cannot be set with Datacenter)"},
      {"a target's own subset that is missing", failover(R"({"Targets": [{"ServiceSubset": "v9"}]})"),
       R"(Bad Failover["v1"].Targets[0]: ServiceSubset "v9" is not a valid subset of "web")"},
      {"an empty datacenter", failover(R"({"Datacenters": ["dc2", ""]})"),
       R"(Bad Failover["v1"].Datacenters: found empty datacenter)"},
      {"targets of all sorts",
       failover(R"({"Targets": [{"ServiceSubset": "v1"}, {"Service": "a", "Datacenter": "dc2"}, {"Peer": "p"}]})"), ""},
      {"a request timeout below zero", resolver(R"("RequestTimeout": "-1s")"),
       "Bad RequestTimeout '-1s', must be >= 0"},
      {"an unknown policy", resolver(R"("LoadBalancer": {"Policy": "best"})"),
       R"(Bad LoadBalancer policy: "best" is not supported)"},
      {"a ring without ring_hash", resolver(R"("LoadBalancer": {"Policy": "maglev", "RingHashConfig": {}})"),
       "Bad LoadBalancer configuration. RingHashConfig specified for incompatible load balancing policy \"maglev\""},
      {"choices without least_request", resolver(R"("LoadBalancer": {"LeastRequestConfig": {"ChoiceCount": 2}})"),
       "Bad LoadBalancer configuration. LeastRequestConfig specified for incompatible load balancing policy \"\""},
      {"hashing without a hash",
       resolver(R"("LoadBalancer": {"Policy": "random", "HashPolicies": [{"SourceIP": true}]})"),
       R"(Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: "random")"},
      {"an unknown field", hashing(R"({"Field": "body", "FieldValue": "x"})"),
       R"(Bad LoadBalancer HashPolicy[0]: "body" is not a supported field)"},
      {"two things in one hash", hashing(R"({"SourceIP": true}, {"SourceIP": true, "Field": "header"})"),
       R"(Bad LoadBalancer HashPolicy[1]: A single hash policy cannot hash both a source address and a "header")"},
      {"a value beside the address", hashing(R"({"SourceIP": true, "FieldValue": "x"})"),
       "Bad LoadBalancer HashPolicy[0]: A FieldValue cannot be specified when hashing SourceIP"},
      {"a field without a value", hashing(R"({"Field": "header"})"),
       R"(Bad LoadBalancer HashPolicy[0]: Field "header" was specified without a FieldValue)"},
      {"a value without a field", hashing(R"({"FieldValue": "x"})"),
       "Bad LoadBalancer HashPolicy[0]: FieldValue requires a Field to apply to"},
      {"a cookie of a header", hashing(R"({"Field": "header", "FieldValue": "x", "CookieConfig": {}})"),
       R"(Bad LoadBalancer HashPolicy[0]: cookie_config provided for "header")"},
      {"a session that ends",
       hashing(R"({"Field": "cookie", "FieldValue": "x", "CookieConfig": {"Session": true, "TTL": "1s"}})"),
       "Bad LoadBalancer HashPolicy[0]: a session cookie cannot have an associated TTL"},
      {"a ring", resolver(R"("LoadBalancer": {"Policy": "ring_hash", "RingHashConfig": {"MinimumRingSize": 8},
                             "HashPolicies": [{"Field": "cookie", "FieldValue": "x", "CookieConfig": {"TTL": "1s"}}]})"),
       ""},
      {"locality", resolver(R"("PrioritizeByLocality": {"Mode": "failover"})"),
       "Prioritize-by-locality requires Consul Enterprise "},
  };
  for (const Refusal& c : cases) {
    SUBCASE(c.name) {
      const auto entry = read(c.entry, Dialect::kCurrent);
      CHECK(std::string(entry.status().message()) == c.text);
      CHECK(to_string(error_kind(entry.status())) == (c.text.empty() ? "" : "validate"));
    }
  }
}

TEST_CASE("a subset's filter is looked at in the current dialect alone") {
  const std::string entry =
      R"({"Kind": "service-resolver", "Name": "web", "Subsets": {"v2": {"Filter": "Service.Meta.version =="}}})";
  CHECK_OK(read(entry, Dialect::k1_8));
  CHECK_ERROR(read(entry, Dialect::kCurrent), ErrorKind::kValidate,
              R"(Filter for subset "v2" is not a valid expression: )");
}

TEST_CASE("a protocol of null, which ends a server of 1.8, is refused in both dialects") {
  for (Dialect dialect : {Dialect::k1_8, Dialect::kCurrent}) {
    CHECK_ERROR(read(proxy(R"("Config": {"Protocol": null})"), dialect), ErrorKind::kValidate,
                "proxy-defaults: Config.protocol is null, which ends a Consul 1.8 for good; leave it out");
  }
}

struct Newer {
  const char* name;  // as 1.8 names it in its refusal
  std::string (*entry)(const std::string&);
  const char* set;     // with a value
  const char* silent;  // with one that says nothing
};

std::string destination(const std::string& member) { return router(R"({"Destination": {)" + member + "}}"); }
std::string http(const std::string& member) { return router(R"({"Match": {"HTTP": {)" + member + "}}}"); }
std::string leg(const std::string& member) { return splitter(R"({"Weight": 100, )" + member + "}"); }
std::string redirect(const std::string& member) { return resolver(R"("Redirect": {"Service": "a", )" + member + "}"); }
std::string section(const std::string& member) { return failover(R"({"Service": "a", )" + member + "}"); }

TEST_CASE(
    "members of later Consuls: refused by 1.8 whatever they say, forgotten by the current dialect where they say "
    "nothing") {
  const Newer members[] = {
      {"Mode", proxy, R"("Mode": "direct")", R"("Mode": "")"},
      {"TransparentProxy", proxy, R"("TransparentProxy": {"DialedDirectly": true})", R"("TransparentProxy": null)"},
      {"MutualTLSMode", proxy, R"("MutualTLSMode": "strict")", R"("MutualTLSMode": "")"},
      {"AccessLogs", proxy, R"("AccessLogs": {"Enabled": true})", R"("AccessLogs": null)"},
      {"EnvoyExtensions", proxy, R"("EnvoyExtensions": [{"Name": "x"}])", R"("EnvoyExtensions": [])"},
      {"FailoverPolicy", proxy, R"("FailoverPolicy": {})", R"("FailoverPolicy": null)"},
      {"PrioritizeByLocality", proxy, R"("PrioritizeByLocality": {})", R"("PrioritizeByLocality": null)"},
      {"Mode", defaults, R"("mode": "direct")", R"("Mode": "")"},
      {"TransparentProxy", defaults, R"("TransparentProxy": {"OutboundListenerPort": 1})",
       R"("TransparentProxy": null)"},
      {"MutualTLSMode", defaults, R"("MutualTLSMode": "strict")", R"("MutualTLSMode": "")"},
      {"UpstreamConfig", defaults, R"("UpstreamConfig": {"Defaults": {}})", R"("UpstreamConfig": null)"},
      {"Destination", defaults, R"("Destination": {"Port": 80})", R"("Destination": null)"},
      {"MaxInboundConnections", defaults, R"("MaxInboundConnections": 7)", R"("MaxInboundConnections": 0)"},
      {"LocalConnectTimeoutMs", defaults, R"("LocalConnectTimeoutMs": 7)", R"("LocalConnectTimeoutMs": "0")"},
      {"LocalRequestTimeoutMs", defaults, R"("LocalRequestTimeoutMs": 7)", R"("LocalRequestTimeoutMs": 0)"},
      {"BalanceInboundConnections", defaults, R"("BalanceInboundConnections": "exact_balance")",
       R"("BalanceInboundConnections": "")"},
      {"RateLimits", defaults, R"("RateLimits": {})", R"("RateLimits": null)"},
      {"EnvoyExtensions", defaults, R"("EnvoyExtensions": [{"Name": "x"}])", R"("EnvoyExtensions": [])"},
      {"MaxRequestHeadersKB", defaults, R"("MaxRequestHeadersKB": 96)", R"("MaxRequestHeadersKB": 0)"},
      {"Routes[0].Match.HTTP.CaseInsensitive", http, R"("CaseInsensitive": true)", R"("CaseInsensitive": false)"},
      {"Routes[0].Destination.Partition", destination, R"("Partition": "p")", R"("Partition": "")"},
      {"Routes[0].Destination.IdleTimeout", destination, R"("IdleTimeout": "1s")", R"("IdleTimeout": "0s")"},
      {"Routes[0].Destination.RetryOn", destination, R"("RetryOn": ["reset"])", R"("RetryOn": [])"},
      {"Routes[0].Destination.RequestHeaders", destination, R"("RequestHeaders": {"Add": {"a": "b"}})",
       R"("RequestHeaders": null)"},
      {"Routes[0].Destination.ResponseHeaders", destination, R"("ResponseHeaders": {"Remove": ["a"]})",
       R"("ResponseHeaders": null)"},
      {"Splits[0].Partition", leg, R"("Partition": "p")", R"("Partition": "")"},
      {"Splits[0].RequestHeaders", leg, R"("RequestHeaders": {"Set": {"a": "b"}})", R"("RequestHeaders": null)"},
      {"Splits[0].ResponseHeaders", leg, R"("ResponseHeaders": {})", R"("ResponseHeaders": null)"},
      {"Redirect.Peer", redirect, R"("Peer": "p")", R"("Peer": "")"},
      {"Failover[v1].Targets", failover, R"({"Targets": [{"Peer": "p"}]})", R"({"Service": "a", "Targets": []})"},
      {"Failover[v1].Policy", section, R"("Policy": {})", R"("Policy": null)"},
      {"RequestTimeout", resolver, R"("RequestTimeout": "1s")", R"("RequestTimeout": 0)"},
      {"LoadBalancer", resolver, R"("LoadBalancer": {"Policy": "maglev"})", R"("LoadBalancer": null)"},
      {"PrioritizeByLocality", resolver, R"("PrioritizeByLocality": {})", R"("PrioritizeByLocality": null)"},
  };
  for (const Newer& member : members) {
    SUBCASE((std::string(member.name) + " " + member.set).c_str()) {
      for (const char* given : {member.set, member.silent}) {
        CAPTURE(given);
        const absl::Status refused = read(member.entry(given), Dialect::k1_8).status();
        CHECK(std::string(refused.message()) ==
              "1 error occurred:\n\t* invalid config key \"" + std::string(member.name) + "\"\n\n");
      }
      const auto set = read(member.entry(member.set), Dialect::kCurrent);
      REQUIRE_OK(set);
      const auto silent = read(member.entry(member.silent), Dialect::kCurrent);
      REQUIRE_OK(silent);
      CHECK_FALSE(*set == *silent);
      // What is written reads back as the same, and says nothing of what says nothing.
      CHECK(from_json<ConfigEntry>(to_json(*set), "written").value() == *set);
      CHECK_OK(read(to_text(to_json(*silent)), Dialect::k1_8));
    }
  }
}

TEST_CASE("kinds by dialect") {
  for (const char* kind : {"service-intentions", "mesh", "exported-services", "sameness-group", "jwt-provider",
                           "control-plane-request-limit", "api-gateway", "bound-api-gateway", "http-route", "tcp-route",
                           "inline-certificate", "file-system-certificate"}) {
    CAPTURE(kind);
    const std::string text = R"({"Kind": ")" + std::string(kind) + R"(", "Name": "n", "Sources": [{"Name": "*"}]})";
    CHECK_ERROR(read(text, Dialect::k1_8), ErrorKind::kDecode, "invalid config entry kind: " + std::string(kind));
    const auto kept = read(text, Dialect::kCurrent);
    REQUIRE_OK(kept);
    CHECK(std::get<OpaqueEntry>(kept->body).members == Json::Object{{"Sources", Json::Array{Json().set("Name", "*")}}});
  }
  for (Dialect dialect : {Dialect::k1_8, Dialect::kCurrent}) {
    CHECK_OK(read(R"({"Kind": "ingress-gateway", "Name": "n"})", dialect));
    CHECK_OK(read(R"({"Kind": "terminating-gateway", "Name": "n"})", dialect));
    CHECK_ERROR(read(R"({"Kind": "service-wish", "Name": "n"})", dialect), ErrorKind::kDecode,
                "invalid config entry kind: service-wish");
  }
}

}  // namespace
}  // namespace convergence
