#include <doctest/doctest.h>

#include <string>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// In the order and with the omissions of a 1.8.7 (discovery-chain.md (c)).
constexpr char kChain[] =
    R"({"ServiceName":"shop","Namespace":"default","Datacenter":"dc1","CustomizationHash":"a0a6df57","Protocol":"http",)"
    R"("StartNode":"router:shop.default","Nodes":{"resolver:till.default.dc1":{"Type":"resolver","Name":"till.default.dc1",)"
    R"("Resolver":{"ConnectTimeout":"5s","Default":true,"Target":"till.default.dc1"}},"resolver:v1.shop.default.dc1":)"
    R"({"Type":"resolver","Name":"v1.shop.default.dc1","Resolver":{"ConnectTimeout":"15s","Target":"v1.shop.default.dc1",)"
    R"("Failover":{"Targets":["v1.shop.default.dc2"]}}},"router:shop.default":{"Type":"router","Name":"shop.default",)"
    R"("Routes":[{"Definition":{"Match":{"HTTP":{"PathPrefix":"/till/","Methods":["GET"]}},"Destination":{"RequestTimeout":)"
    R"("1m30s","Service":"till","Namespace":"default","PrefixRewrite":"/","NumRetries":2}},"NextNode":"splitter:till.default"},)"
    R"({"Definition":{},"NextNode":"splitter:shop.default"}]},"splitter:shop.default":{"Type":"splitter","Name":"shop.default",)"
    R"("Splits":[{"Weight":97.5,"NextNode":"resolver:v1.shop.default.dc1"},{"Weight":2.5,"NextNode":"resolver:till.default.dc1"},)"
    R"({"NextNode":"resolver:till.default.dc1"}]},"splitter:till.default":{"Type":"splitter","Name":"till.default",)"
    R"("Splits":[{"Weight":100,"NextNode":"resolver:till.default.dc1"}]}},"Targets":{"till.default.dc1":{"ID":"till.default.dc1","Service":"till",)"
    R"("Namespace":"default","Datacenter":"dc1","MeshGateway":{},"Subset":{},"External":true,"SNI":"sni","Name":"name"},)"
    R"("v1.shop.default.dc1":{"ID":"v1.shop.default.dc1","Service":"shop","ServiceSubset":"v1","Namespace":"default",)"
    R"("Datacenter":"dc1","MeshGateway":{"Mode":"local"},"Subset":{"Filter":"Service.Meta.version == v1","OnlyPassing":true},)"
    R"("SNI":"n","Name":"n"},"v1.shop.default.dc2":{"ID":"v1.shop.default.dc2","Service":"shop","ServiceSubset":"v1",)"
    R"("Namespace":"default","Datacenter":"dc2","MeshGateway":{},"Subset":{},"SNI":"n2","Name":"n2"}}})";

TEST_CASE("a chain is written as it was read") {
  const absl::StatusOr<DiscoveryChain> chain = parse<DiscoveryChain>(kChain, "chain");
  REQUIRE_OK(chain);
  CHECK(to_text(to_json(*chain)) == kChain);
  std::vector<std::string> keys;
  for (NodeNumber node = 0; node < chain->nodes.size(); ++node) keys.push_back(node_key(*chain, node));
  CHECK(keys == std::vector<std::string>{"resolver:till.default.dc1", "resolver:v1.shop.default.dc1",
                                         "router:shop.default", "splitter:shop.default", "splitter:till.default"});
  CHECK(chain->start_node == 2);
  CHECK(std::get<SplitterNode>(chain->nodes[3].body).splits == std::vector<ChainSplit>{{9750, 1}, {250, 0}, {0, 0}});
  CHECK(std::get<ResolverNode>(chain->nodes[1].body) == ResolverNode{std::chrono::seconds(15), false, 1, {2}});
  CHECK(find_node(*chain, "splitter:shop.default") == &chain->nodes[3]);
  CHECK(find_node(*chain, "splitter:shop") == nullptr);
  CHECK(find_node(*chain, "shop.default") == nullptr);
  CHECK(find_target(*chain, "v1.shop.default.dc2") == &chain->targets[2]);
  CHECK(find_target(*chain, "v1.shop.default.dc3") == nullptr);
}

TEST_CASE("the chain of a later server, with what it says more") {
  const absl::StatusOr<DiscoveryChain> chain = parse<DiscoveryChain>(
      R"({"ServiceName":"s","Namespace":"default","Partition":"default","Datacenter":"dc1","Protocol":"tcp","Default":true,
          "ServiceMeta":{"a":"b"},"EnvoyExtensions":[],"AutoVirtualIPs":null,"StartNode":"resolver:s","Nodes":{"resolver:s":
          {"Type":"resolver","Name":"s","LoadBalancer":{"Policy":"maglev"},"Resolver":{"ConnectTimeout":"5s","RequestTimeout":
          1000,"Default":true,"Target":"s","Failover":null}},"splitter:s":{"Type":"splitter","Name":"s","Splits":[{"Definition":
          {"Weight":100},"Weight":100,"NextNode":"resolver:s"}]}},"Targets":{"s":{"ID":"s","Service":"s","Partition":"default",
          "MeshGateway":{"Mode":"local"},"ConnectTimeout":"5s","TransparentProxy":{},"Subset":{"New":1},"Peer":"p"}}})",
      "chain");
  REQUIRE_OK(chain);
  DiscoveryChain want;
  want.service_name = "s";
  want.namespace_name = "default";
  want.datacenter = "dc1";
  want.protocol = "tcp";
  want.start_node = 0;
  want.dialect = Dialect::kCurrent;
  want.partition = "default";
  want.is_default = true;
  want.service_meta = {{"a", "b"}};
  ResolverNode resolver{std::chrono::seconds(5), true, 0, {}, std::chrono::microseconds(1)};
  resolver.load_balancer = LoadBalancer{.policy = "maglev"};
  want.nodes = {{"", resolver}, {"s", SplitterNode{{{10000, 0, Shared<Split>(Split{.weight = 10000})}}}}};
  ChainTarget& target = want.targets.emplace_back();
  target.id = "s";
  target.service = "s";
  target.mesh_gateway_mode = "local";
  target.subset = ResolverSubset{.unknown = {{"New", 1}}};
  target.partition = "default";
  target.peer = "p";
  target.connect_timeout = std::chrono::seconds(5);
  CHECK(*chain == want);
}

TEST_CASE("what is no chain is refused with its place") {
  struct Case {
    const char* name;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"the whole answer", R"({"Chain":{}})", "chain: (offset 0): needs a member \"ServiceName\""},
      {"a node of no kind", R"({"ServiceName":"s","StartNode":"x","Nodes":{"x":{"Type":"mixer","Name":"n"}}})",
       "chain: /Nodes/x/Type (offset 56): \"mixer\" is none of router, splitter, resolver"},
      {"a start node that is not there", R"({"ServiceName":"s","StartNode":"x","Nodes":{}})",
       "chain: /StartNode (offset 0): leads to \"x\", which the chain does not have"},
      {"a target that is not there",
       R"({"ServiceName":"s","StartNode":"resolver:s","Nodes":{"resolver:s":{"Type":"resolver","Name":"s",)"
       R"("Resolver":{"Target":"s"}}}})",
       "chain: /Nodes/resolver:s (offset 66): leads to \"s\", which the chain does not have"},
      {"a node under another name than its own",
       R"({"ServiceName":"s","StartNode":"splitter:s","Nodes":{"splitter:s":{"Type":"splitter","Name":"t"}}})",
       "chain: /Nodes/splitter:s (offset 66): \"splitter:t\" stands here under another name than its own"},
      {"a target under another name than its own",
       R"({"ServiceName":"s","StartNode":"splitter:s","Nodes":{"splitter:s":{"Type":"splitter","Name":"s"}},)"
       R"("Targets":{"t":{"ID":"s","Service":"s"}}})",
       "chain: /Targets/t (offset 113): \"s\" stands here under another name than its own"},
      {"a resolver node without its part",
       R"({"ServiceName":"s","StartNode":"x","Nodes":{"x":{"Type":"resolver","Name":"n"}}})",
       "chain: /Nodes/x (offset 48): needs a member \"Resolver\""},
      {"a weight with three decimals",
       R"({"ServiceName":"s","StartNode":"x","Nodes":{"x":{"Type":"splitter","Name":"n","Splits":[{"Weight":1.005,"NextNode":""}]}}})",
       "chain: /Nodes/x/Splits/0/Weight (offset 98): percent has at most two decimals, is 1.005"},
      {"a timeout that is none",
       R"({"ServiceName":"s","StartNode":"x","Nodes":{"x":{"Type":"resolver","Name":"n","Resolver":{"ConnectTimeout":"5","Target":""}}}})",
       "chain: /Nodes/x/Resolver/ConnectTimeout (offset 107): \"5\" is no duration: a unit is missing; write it like "
       "1m30s or 250ms"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::Status status = parse<DiscoveryChain>(c.text, "chain").status();
      CHECK(std::string(status.message()) == std::string(c.message));
      CHECK(error_kind(status) == ErrorKind::kDecode);
    }
  }
}

TEST_CASE("a route result names legs and targets") {
  RouteResult result;
  result.route = 1;
  result.destination.emplace();
  result.destination->service = "api";
  result.destination->num_retries = 3;
  result.retry = {3, true, {500, 503}};
  result.path = "/x";
  result.legs = {{9500, 9500, "v1.api.default.dc1", {"v1.api.default.dc2", "api.default.dc1"}, std::chrono::seconds(5)},
                 {500, 500, "v2.api.default.dc1", {"api.default.dc1"}, std::chrono::milliseconds(1500)}};
  result.why = {"route 1 matches"};
  CHECK(
      to_text(to_json(result)) ==
      R"({"route":1,"destination":{"Service":"api","NumRetries":3},"retry":{"num_retries":3,"on_connect_failure":true,)"
      R"("on_status_codes":[500,503],"on":[]},"path":"/x","splits":[{"weight":95,"proxy_weight":95,"target":"v1.api.default.dc1","failover_targets":)"
      R"(["v1.api.default.dc2","api.default.dc1"],"connect_timeout":"5s"},{"weight":5,"proxy_weight":5,"target":"v2.api.default.dc1",)"
      R"("failover_targets":["api.default.dc1"],"connect_timeout":"1.5s"}],"targets":["v1.api.default.dc1",)"
      R"("v1.api.default.dc2","api.default.dc1","v2.api.default.dc1"],"why":["route 1 matches"]})");
}

TEST_CASE("a request is read with its headers in lower case") {
  const absl::StatusOr<HttpRequestShape> request = parse<HttpRequestShape>(
      R"({"path":"/v1/x","method":"PUT","headers":{"X-Debug":"1","accept":"*/*"},"query":{"A":"b"}})", "request");
  REQUIRE_OK(request);
  CHECK(request->path == "/v1/x");
  CHECK(request->method == "PUT");
  CHECK(request->headers == std::map<std::string, std::string>{{"accept", "*/*"}, {"x-debug", "1"}});
  CHECK(request->query == std::map<std::string, std::string>{{"A", "b"}});
  const absl::StatusOr<HttpRequestShape> least = parse<HttpRequestShape>("{}", "request");
  REQUIRE_OK(least);
  CHECK(least->path == "/");
  CHECK(least->method == "GET");
  CHECK_ERROR(parse<HttpRequestShape>(R"({"headers":{"A":"1","a":"2"}})", "request"), ErrorKind::kDecode,
              "request: /headers (offset 11): the header \"a\" is there twice");
  CHECK_ERROR(parse<HttpRequestShape>(R"({"header":{}})", "request"), ErrorKind::kDecode,
              "request: /header (offset 10): unknown member");
}

}  // namespace
}  // namespace convergence
