#include <doctest/doctest.h>

#include <string>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// What was sent to a Consul 1.8.7 and what it answered to GET, its indexes taken as 0. Rules that are not the codec's
// (methods in upper case, a lower-case protocol, the namespace "default") are met by the input already.
TEST_CASE("an entry is read as Consul reads it and written as Consul answers it") {
  struct Case {
    const char* name;
    const char* sent;
    const char* answered;
  };
  const Case cases[] = {
      {"proxy-defaults with all there is",
       R"({"Kind":"proxy-defaults","Name":"global","Meta":{"a":"b"},"Config":{"protocol":"http","n":1.50,"z":{"b":1,"a":2}},
           "MeshGateway":{"Mode":"local"},
           "Expose":{"Checks":true,"Paths":[{"ListenerPort":1,"Path":"/x","LocalPathPort":2,"Protocol":"http"}]}})",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{"n":1.5,"protocol":"http","z":{"a":2,"b":1}},)"
       R"("MeshGateway":{"Mode":"local"},"Expose":{"Checks":true,"Paths":[{"ListenerPort":1,"Path":"/x",)"
       R"("LocalPathPort":2,"Protocol":"http","ParsedFromCheck":false}]},"Meta":{"a":"b"},"CreateIndex":0,"ModifyIndex":0})"},
      {"proxy-defaults with nothing", R"({"Kind":"proxy-defaults","Name":"global"})",
       R"({"Kind":"proxy-defaults","Name":"global","Config":null,"MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0})"},
      {"an empty Config is not an absent one", R"({"Kind":"proxy-defaults","Name":"global","Config":{}})",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{},"MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0})"},
      {"Config: lists of one, as often as the server would take them for their item",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{"a":[[2]],"b":[{"c":[[3]]}],"d":[{"e":{"f":[4]}}],"g":[[{"h":[5]}]],
           "i":[],"j":[1,2],"k":[{"l":[{"m":[6]},7]}],"p":[[1,2]],"q":[[[8]]],"r":[[]],"s":[{}],"t":{"u":[1]},"x":[{"y":[1]},2]}})",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{"a":2,"b":{"c":[3]},"d":{"e":{"f":4}},"g":{"h":5},"i":[],)"
       R"("j":[1,2],"k":{"l":[{"m":6},7]},"p":[1,2],"q":8,"r":[],"s":{},"t":{"u":[1]},"x":[{"y":[1]},2]},)"
       R"("MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0})"},
      {"Config: numbers are doubles",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{"a":123456789012345678,"b":1e3,"c":1e21,"d":1e-7,"e":0.000001,"f":-0.0}})",
       R"({"Kind":"proxy-defaults","Name":"global","Config":{"a":123456789012345680,"b":1000,"c":1e+21,"d":1e-7,)"
       R"("e":0.000001,"f":-0},"MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0})"},
      {"service-defaults with all there is",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http","MeshGateway":{"Mode":"remote"},"ExternalSNI":"sni",
           "Expose":{"Checks":true,"Paths":[{"ListenerPort":1,"Path":"/x"},{"Path":"/y","ParsedFromCheck":true}]},
           "Meta":{"k":"v","a":"w"}})",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http","MeshGateway":{"Mode":"remote"},"Expose":{"Checks":true,)"
       R"("Paths":[{"ListenerPort":1,"Path":"/x","ParsedFromCheck":false},{"Path":"/y","ParsedFromCheck":true}]},)"
       R"("ExternalSNI":"sni","Meta":{"a":"w","k":"v"},"CreateIndex":0,"ModifyIndex":0})"},
      {"service-defaults with nothing", R"({"Kind":"service-defaults","Name":"api"})",
       R"({"Kind":"service-defaults","Name":"api","Protocol":"","MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0})"},
      {"Expose, weakly typed",
       R"({"Kind":"service-defaults","Name":"api","Expose":{"Checks":"true","Paths":{"listener_port":"80","path":"/"}}})",
       R"({"Kind":"service-defaults","Name":"api","Protocol":"","MeshGateway":{},"Expose":{"Checks":true,)"
       R"("Paths":[{"ListenerPort":80,"Path":"/","ParsedFromCheck":false}]},"CreateIndex":0,"ModifyIndex":0})"},
      {"a router with nothing", R"({"Kind":"service-router","Name":"api"})",
       R"({"Kind":"service-router","Name":"api","Routes":null,"CreateIndex":0,"ModifyIndex":0})"},
      {"a router with all there is",
       R"({"Kind":"service-router","Name":"api","Routes":[{},{"Match":{}},{"Match":{"HTTP":{}},"Destination":{}},
           {"Match":{"HTTP":{"PathPrefix":"/x","Header":[{"Name":"h","Present":true,"Invert":true},{"Name":"i","Exact":"e"},
             {"Name":"j","Prefix":"p"},{"Name":"k","Suffix":"s"},{"Name":"l","Regex":"r"}],
             "QueryParam":[{"Name":"q","Present":true},{"Name":"r","Exact":"x"},{"Name":"s","Regex":"y"}],"Methods":["GET","PUT"]}},
            "Destination":{"Service":"api","Namespace":"default","PrefixRewrite":"/","RequestTimeout":"1500ms","NumRetries":3,
             "RetryOnConnectFailure":true,"RetryOnStatusCodes":[500,503]}},
           {"Match":{"HTTP":{"PathExact":"/e","Methods":[],"Header":[]}},"Destination":{"RetryOnStatusCodes":[]}},
           {"Match":{"HTTP":{"PathRegex":"/r","Methods":["GET"]}},"Destination":{"ServiceSubset":"v","RequestTimeout":"-3s"}}]})",
       R"({"Kind":"service-router","Name":"api","Routes":[{},{"Match":{}},{"Match":{"HTTP":{}},"Destination":{}},)"
       R"({"Match":{"HTTP":{"PathPrefix":"/x","Header":[{"Name":"h","Present":true,"Invert":true},{"Name":"i","Exact":"e"},)"
       R"({"Name":"j","Prefix":"p"},{"Name":"k","Suffix":"s"},{"Name":"l","Regex":"r"}],"QueryParam":[{"Name":"q",)"
       R"("Present":true},{"Name":"r","Exact":"x"},{"Name":"s","Regex":"y"}],"Methods":["GET","PUT"]}},"Destination":)"
       R"({"RequestTimeout":"1.5s","Service":"api","Namespace":"default","PrefixRewrite":"/","NumRetries":3,)"
       R"("RetryOnConnectFailure":true,"RetryOnStatusCodes":[500,503]}},{"Match":{"HTTP":{"PathExact":"/e"}},"Destination":{}},)"
       R"({"Match":{"HTTP":{"PathRegex":"/r","Methods":["GET"]}},"Destination":{"RequestTimeout":"-3s","ServiceSubset":"v"}}],)"
       R"("CreateIndex":0,"ModifyIndex":0})"},
      {"a router in snake case, any case and weak types",
       R"({"kind":"service-router","NAME":"api","routes":{"match":{"http":{"path_prefix":"/x","methods":"GET",
           "header":{"name":"h","present":1}}},"destination":{"num_retries":"0x10","request_timeout":"3s",
           "retry_on_status_codes":503,"retryonconnectfailure":"t"}}})",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Match":{"HTTP":{"PathPrefix":"/x","Header":[{"Name":"h",)"
       R"("Present":true}],"Methods":["GET"]}},"Destination":{"RequestTimeout":"3s","NumRetries":16,)"
       R"("RetryOnConnectFailure":true,"RetryOnStatusCodes":[503]}}],"CreateIndex":0,"ModifyIndex":0})"},
      {"numbers: nanoseconds, -1, fractions cut off, too wide for 32 bits",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Destination":{"RequestTimeout":1500000000,"NumRetries":-1}},
           {"Destination":{"RequestTimeout":1.9,"NumRetries":2.9,"RetryOnConnectFailure":0.5}},{"Destination":{"NumRetries":4294967297}}]})",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Destination":{"RequestTimeout":"1.5s","NumRetries":4294967295}},)"
       R"({"Destination":{"RequestTimeout":"1ns","NumRetries":2,"RetryOnConnectFailure":true}},{"Destination":{"NumRetries":1}}],)"
       R"("CreateIndex":0,"ModifyIndex":0})"},
      {"booleans and numbers as text, text as a boolean",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Destination":{"NumRetries":true,"Service":12,"ServiceSubset":true,
           "RequestTimeout":true,"RetryOnConnectFailure":""}}]})",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Destination":{"RequestTimeout":"1ns","Service":"12",)"
       R"("ServiceSubset":"1","NumRetries":1}}],"CreateIndex":0,"ModifyIndex":0})"},
      {"lists of one where a value is wanted, nulls",
       R"({"Kind":"service-router","Name":["api"],"Routes":[{"Destination":[{"Service":["web"]}]},null,{"Match":null,
           "Destination":{"RetryOnStatusCodes":"500"}},{"Match":{"HTTP":{"Methods":["GET",null,5]}}}]})",
       R"({"Kind":"service-router","Name":"api","Routes":[{"Destination":{"Service":"web"}},{},{"Destination":)"
       R"({"RetryOnStatusCodes":[500]}},{"Match":{"HTTP":{"Methods":["GET","","5"]}}}],"CreateIndex":0,"ModifyIndex":0})"},
      {"an object for no routes", R"({"Kind":"service-router","Name":"api","Routes":{}})",
       R"({"Kind":"service-router","Name":"api","Routes":[],"CreateIndex":0,"ModifyIndex":0})"},
      {"an empty list of routes is not an absent one", R"({"Kind":"service-router","Name":"api","Routes":[]})",
       R"({"Kind":"service-router","Name":"api","Routes":[],"CreateIndex":0,"ModifyIndex":0})"},
      {"Meta from a list of objects", R"({"Kind":"service-router","Name":"api","Meta":[{"a":1},{"b":true,"c":null}]})",
       R"({"Kind":"service-router","Name":"api","Routes":null,"Meta":{"a":"1","b":"1","c":""},"CreateIndex":0,"ModifyIndex":0})"},
      {"weights",
       R"({"Kind":"service-splitter","Name":"api","Splits":[{"Weight":33.333,"ServiceSubset":"v1"},{"Weight":"66.67"},
           {"Weight":0,"Service":"web","Namespace":"n"},{"Weight":-50.5},{"Weight":1e2},{"Weight":true},{"Weight":0.005},{"Weight":2.5}]})",
       R"({"Kind":"service-splitter","Name":"api","Splits":[{"Weight":33.33,"ServiceSubset":"v1"},{"Weight":66.67},)"
       R"({"Weight":0,"Service":"web","Namespace":"n"},{"Weight":-50.5},{"Weight":100},{"Weight":1},{"Weight":0.01},)"
       R"({"Weight":2.5}],"CreateIndex":0,"ModifyIndex":0})"},
      {"a resolver with subsets and failover",
       R"({"Kind":"service-resolver","Name":"api","Meta":{"managed-by":"x"},"ConnectTimeout":"15s","DefaultSubset":"v1",
           "Subsets":{"v2":{"Filter":"Service.Meta.version == v2","OnlyPassing":true},"v1":{}},
           "Failover":{"*":{"Service":"web","Datacenters":["dc2","dc3"]},"v1":{"ServiceSubset":"v2","Namespace":"ns"}}})",
       R"({"ConnectTimeout":"15s","Kind":"service-resolver","Name":"api","DefaultSubset":"v1","Subsets":{"v1":{},"v2":)"
       R"({"Filter":"Service.Meta.version == v2","OnlyPassing":true}},"Failover":{"*":{"Service":"web","Datacenters":)"
       R"(["dc2","dc3"]},"v1":{"ServiceSubset":"v2","Namespace":"ns"}},"Meta":{"managed-by":"x"},"CreateIndex":0,"ModifyIndex":0})"},
      {"a resolver with a redirect",
       R"({"Kind":"service-resolver","Name":"r","Redirect":{"Service":"a","ServiceSubset":"v","Namespace":"n","Datacenter":"d"}})",
       R"({"Kind":"service-resolver","Name":"r","Redirect":{"Service":"a","ServiceSubset":"v","Namespace":"n","Datacenter":"d"},)"
       R"("CreateIndex":0,"ModifyIndex":0})"},
      {"a resolver with empty things",
       R"({"Kind":"service-resolver","Name":"r","Subsets":{},"Failover":{},"Redirect":null,"Meta":{},"ConnectTimeout":"-0s"})",
       R"({"Kind":"service-resolver","Name":"r","CreateIndex":0,"ModifyIndex":0})"},
      {"a resolver with lists of one",
       R"({"Kind":"service-resolver","Name":"r","Subsets":[{"v1":[{"filter":"a"}],"v2":null}],"connect_timeout":["1s"],
           "Failover":{"*":{"Datacenters":"dc2"}}})",
       R"({"ConnectTimeout":"1s","Kind":"service-resolver","Name":"r","Subsets":{"v1":{"Filter":"a"},"v2":{}},)"
       R"("Failover":{"*":{"Datacenters":["dc2"]}},"CreateIndex":0,"ModifyIndex":0})"},
      {"an unknown kind is kept whole",
       R"({"Kind":"terminating-gateway","Name":"tg","Meta":{"a":"b"},"Services":[{"Name":"foo","CAFile":"/x"}],"New":null})",
       R"({"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"foo","CAFile":"/x"}],"New":null,"Meta":{"a":"b"},)"
       R"("CreateIndex":0,"ModifyIndex":0})"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(c.sent, "sent");
      REQUIRE_OK(entry);
      CHECK(to_text(to_json(*entry)) == std::string(c.answered));
      const absl::StatusOr<ConfigEntry> again = parse<ConfigEntry>(c.answered, "answered");
      REQUIRE_OK(again);
      CHECK(*again == *entry);
    }
  }
}

TEST_CASE("the parts of an entry land in their fields") {
  const absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(
      R"({"Kind":"service-splitter","Name":"Api","Meta":{"managed-by":"convergence"},"CreateIndex":"5",
          "ModifyIndex":9007199254740993,"Splits":[{"Weight":33.33,"Service":"a","ServiceSubset":"b","Namespace":"c"},{"Weight":66.67}]})",
      "doc");
  REQUIRE_OK(entry);
  ServiceSplitter splitter;
  splitter.splits.push_back({.weight = 3333, .service = "a", .service_subset = "b", .namespace_name = "c"});
  splitter.splits.push_back({.weight = 6667});
  const ConfigEntry want = {.kind = "service-splitter",
                            .name = "Api",
                            .meta = {{"managed-by", "convergence"}},
                            .body = splitter,
                            .create_index = 5,
                            .modify_index = 9007199254740993};
  CHECK(*entry == want);
}

// Paths as the 1.8 dialect names them are made from these by the chain layer.
TEST_CASE("unknown members stay where they were found and are written back there") {
  const absl::StatusOr<ConfigEntry> router = parse<ConfigEntry>(
      R"({"Kind":"service-router","Name":"api","Routes":[{"Match":{"HTTP":{"path_contains":"x","Header":[{"Name":"h","Deep":[1]}]},
          "Grpc":1},"Destination":{"Foo_Bar":2},"R":3}],"X":{"y":1},"my_namespace":2,"Namespace":"n","kind":"again"})",
      "doc");
  REQUIRE_OK(router);
  const auto names = [](const Json::Object& unknown) {
    std::string out;
    for (const Json::Member& member : unknown) out += member.name + "=" + to_text(member.value) + " ";
    return out;
  };
  const ServiceRouter& body = std::get<ServiceRouter>(router->body);
  CHECK(names(body.unknown) == R"(X={"y":1} my_namespace=2 Namespace="n" kind="again" )");
  CHECK(names(body.routes[0].unknown) == "R=3 ");
  CHECK(names(body.routes[0].match->unknown) == "Grpc=1 ");
  CHECK(names(body.routes[0].match->http->unknown) == "path_contains=\"x\" ");
  CHECK(names(body.routes[0].match->http->header[0].unknown) == "Deep=[1] ");
  CHECK(names(body.routes[0].destination->unknown) == "Foo_Bar=2 ");
  CHECK(to_text(to_json(*router)) ==
        R"({"Kind":"service-router","Name":"api","Routes":[{"Match":{"HTTP":{"Header":[{"Name":"h","Deep":[1]}],)"
        R"("path_contains":"x"},"Grpc":1},"Destination":{"Foo_Bar":2},"R":3}],"X":{"y":1},"my_namespace":2,)"
        R"("Namespace":"n","kind":"again","CreateIndex":0,"ModifyIndex":0})");

  const absl::StatusOr<ConfigEntry> defaults = parse<ConfigEntry>(
      R"({"Kind":"service-defaults","Name":"api","MeshGateway":{"Mode":"local","Foo":1},
          "Expose":{"Bar":1,"Paths":[{"Path":"/"},{"Baz":2}]}})",
      "doc");
  REQUIRE_OK(defaults);
  CHECK(names(std::get<ServiceDefaults>(defaults->body).unknown) ==
        "MeshGateway.Foo=1 Expose.Paths[1].Baz=2 Expose.Bar=1 ");
  CHECK(
      to_text(to_json(*defaults)) ==
      R"({"Kind":"service-defaults","Name":"api","Protocol":"","MeshGateway":{"Mode":"local","Foo":1},"Expose":{"Paths":)"
      R"([{"Path":"/","ParsedFromCheck":false},{"ParsedFromCheck":false,"Baz":2}],"Bar":1},"CreateIndex":0,"ModifyIndex":0})");
}

TEST_CASE("of two spellings of one key the exact one counts, else the first, and the other is unknown") {
  struct Case {
    const char* name;
    const char* http;
    const char* path_exact;
    const char* unknown;
  };
  const Case cases[] = {
      {"exact first", R"({"PathExact":"/a","pathexact":"/b"})", "/a", "pathexact"},
      {"exact second", R"({"path_exact":"/b","PathExact":"/a"})", "/a", "path_exact"},
      {"neither exact", R"({"path_exact":"/a","PATHEXACT":"/b"})", "/a", "PATHEXACT"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const std::string text =
          std::string(R"({"Kind":"service-router","Name":"api","Routes":[{"Match":{"HTTP":)") + c.http + "}}]}";
      const absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(text, "doc");
      REQUIRE_OK(entry);
      const HttpMatch& match = *std::get<ServiceRouter>(entry->body).routes[0].match->http;
      CHECK(match.path_exact == c.path_exact);
      REQUIRE(match.unknown.size() == 1);
      CHECK(match.unknown[0].name == c.unknown);
    }
  }
}

TEST_CASE("an entry that cannot be read is refused with its place") {
  struct Case {
    const char* name;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"no kind", R"({"Name":"x","KIND":"service-router"})",
       "doc: (offset 0): Payload does not contain a kind/Kind key at the top level"},
      {"a kind that is no text", R"({"Kind":5})", "doc: /Kind (offset 8): Kind value in payload is not a string"},
      {"an empty kind", R"({"kind":""})", "doc: /kind (offset 8): invalid config entry kind: "},
      {"a list", "[]", "doc: (offset 0): must be an object, is a list"},
      {"text for a list of objects", R"({"Kind":"service-router","Routes":"x"})",
       "doc: /Routes (offset 34): must be an object, is text"},
      {"two where one is wanted", R"({"Kind":"service-router","Routes":[{"Destination":{"Service":["a","b"]}}]})",
       "doc: /Routes/0/Destination/Service (offset 61): must be text, is a list"},
      {"an object for text", R"({"Kind":"service-router","routes":[{"destination":{"service":{}}}]})",
       "doc: /routes/0/destination/service (offset 61): must be text, is an object"},
      {"an empty list for an object", R"({"Kind":"service-router","Routes":[{"Destination":[]}]})",
       "doc: /Routes/0/Destination (offset 50): must be an object, is a list"},
      {"a bare number as a duration's text", R"({"Kind":"service-resolver","ConnectTimeout":"5"})",
       "doc: /ConnectTimeout (offset 44): \"5\" is no duration: a unit is missing; write it like 1m30s or 250ms"},
      {"an empty duration", R"({"Kind":"service-resolver","ConnectTimeout":""})",
       "doc: /ConnectTimeout (offset 44): \"\" is no duration: a number is missing; write it like 1m30s or 250ms"},
      {"a duration out of range", R"({"Kind":"service-resolver","ConnectTimeout":1e30})",
       "doc: /ConnectTimeout (offset 44): number out of range"},
      {"no number in the text", R"({"Kind":"service-router","Routes":[{"Destination":{"NumRetries":"2.5"}}]})",
       "doc: /Routes/0/Destination/NumRetries (offset 64): must be a whole number, is \"2.5\""},
      {"too wide a number in the text",
       R"({"Kind":"service-router","Routes":[{"Destination":{"NumRetries":"4294967296"}}]})",
       "doc: /Routes/0/Destination/NumRetries (offset 64): must be a whole number, is \"4294967296\""},
      {"a negative number in the text", R"({"Kind":"service-router","Routes":[{"Destination":{"NumRetries":"-1"}}]})",
       "doc: /Routes/0/Destination/NumRetries (offset 64): must be a whole number, is \"-1\""},
      {"a word that is no boolean",
       R"({"Kind":"service-router","Routes":[{"Destination":{"RetryOnConnectFailure":"yes"}}]})",
       "doc: /Routes/0/Destination/RetryOnConnectFailure (offset 75): must be true or false, is \"yes\""},
      {"a weight that is none", R"({"Kind":"service-splitter","Splits":[{"Weight":"x"}]})",
       "doc: /Splits/0/Weight (offset 47): must be a number, is \"x\""},
      {"an infinite weight", R"({"Kind":"service-splitter","Splits":[{"Weight":"inf"}]})",
       "doc: /Splits/0/Weight (offset 47): must be a number, is \"inf\""},
      {"a weight out of range", R"({"Kind":"service-splitter","Splits":[{"Weight":1e30}]})",
       "doc: /Splits/0/Weight (offset 47): number out of range"},
      {"Config that is no object", R"({"Kind":"proxy-defaults","Config":"x"})",
       "doc: /Config (offset 34): must be an object, is text"},
      {"Meta that is no object", R"({"Kind":"service-router","Meta":"x"})",
       "doc: /Meta (offset 32): must be an object, is text"},
      {"a subset that is no object", R"({"Kind":"service-resolver","Subsets":{"a/b":1}})",
       "doc: /Subsets/a~1b (offset 44): must be an object, is a number"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::Status status = parse<ConfigEntry>(c.text, "doc").status();
      CHECK(std::string(status.message()) == std::string(c.message));
      CHECK(error_kind(status) == ErrorKind::kDecode);
    }
  }
}

TEST_CASE("the server's own words for a bad kind are in the detail") {
  CHECK(
      to_text(error_detail(parse<ConfigEntry>(R"({"Kind":5})", "doc").status())) ==
      R"({"document":"doc","pointer":"/Kind","offset":8,"kind":"decode","text":"Kind value in payload is not a string"})");
}

}  // namespace
}  // namespace convergence
