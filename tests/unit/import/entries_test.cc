// Entries from YAML and from consul-k8s resources, with the report of every field.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "convergence/codec.h"
#include "convergence/import.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

std::string report(const Imported& imported) {
  std::string out;
  for (const ImportRow& row : imported.report) {
    out += fmt::format("{} {} {}{}{}\n", row.line, row.field, to_string(row.outcome), row.why.empty() ? "" : ": ",
                       row.why);
  }
  return out;
}

TEST_CASE("a resource of consul-k8s, field by field") {
  const auto imported = import_entries(R"(# routes of shop
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceRouter
metadata:
  name: shop
  namespace: prod
spec:
  routes:
    - match:
        http:
          pathPrefix: '/admin'
          methods: [get, PUT]
      destination:
        service: admin
        numRetries: 3
        retryOnStatusCodes: [500, 503]
        requestTimeout: 1m30s
        colour: blue
status:
  conditions: []
)",
                                       "shop.yaml");
  REQUIRE_OK(imported);
  REQUIRE(imported->entries.size() == 1);
  CHECK(
      to_text(to_json(imported->entries[0])) ==
      R"({"Kind":"service-router","Name":"shop","Routes":[{"Match":{"HTTP":{"PathPrefix":"/admin","Methods":["get","PUT"]}},)"
      R"("Destination":{"RequestTimeout":"1m30s","Service":"admin","NumRetries":3,"RetryOnStatusCodes":[500,503],)"
      R"("colour":"blue"}}],"CreateIndex":0,"ModifyIndex":0})");
  CHECK(report(*imported) ==
        "2 apiVersion translated: a resource of consul-k8s\n"
        "3 kind translated: ServiceRouter is Consul's service-router\n"
        "5 metadata.name translated: the name of the entry\n"
        "11 spec.routes[0].match.http.pathPrefix imported\n"
        "12 spec.routes[0].match.http.methods imported\n"
        "14 spec.routes[0].destination.service imported\n"
        "15 spec.routes[0].destination.numRetries imported\n"
        "16 spec.routes[0].destination.retryOnStatusCodes imported\n"
        "17 spec.routes[0].destination.requestTimeout imported\n"
        "18 spec.routes[0].destination.colour unsupported: no field of Consul's is known by this name; kept as it is\n"
        "6 metadata.namespace ignored: of the cluster's own keeping\n"
        "20 status.conditions ignored: of the cluster's own keeping\n");
}

TEST_CASE("several documents, kinds that are kept whole, entries as they are") {
  const auto imported = import_entries(R"(---
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceIntentions
metadata: {name: api-intentions}
spec:
  destination: {name: api}
  sources:
    - {name: web, permissions: [{action: allow, http: {pathExact: /x}}]}
---
apiVersion: consul.hashicorp.com/v1alpha1
kind: ProxyDefaults
metadata: {name: global}
spec: {config: {protocol: http}}
---
Kind: service-splitter
Name: web
Splits: [{Weight: 99.5}, {Weight: 0.5, Service: "2"}]
)",
                                       "all.yaml", "auto");
  REQUIRE_OK(imported);
  std::string entries;
  for (const ConfigEntry& entry : imported->entries) entries += to_text(to_json(entry)) + "\n";
  CHECK(entries ==
        R"({"Kind":"service-intentions","Name":"api","Sources":[{"Name":"web","Permissions":[{"Action":"allow",)"
        R"("HTTP":{"PathExact":"/x"}}]}],"CreateIndex":0,"ModifyIndex":0})"
        "\n"
        R"({"Kind":"proxy-defaults","Name":"global","Config":{"protocol":"http"},"MeshGateway":{},"Expose":{},)"
        R"("CreateIndex":0,"ModifyIndex":0})"
        "\n"
        R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":99.5},{"Weight":0.5,"Service":"2"}],)"
        R"("CreateIndex":0,"ModifyIndex":0})"
        "\n");
}

TEST_CASE("auto tells the languages apart") {
  const char* const same[] = {
      R"({"Kind": "service-defaults", "Name": "web", "Protocol": "http"})",
      R"([{"Kind": "service-defaults", "Name": "web", "Protocol": "http"}])",
      "# a: comment\nKind = \"service-defaults\"\nName = \"web\"\nProtocol = \"http\"\n",
      "# a = comment\nKind: service-defaults\nName: web\nProtocol: http\n",
      "---\nkind: service-defaults\nname: web\nprotocol: http\n",
  };
  for (const char* text : same) {
    CAPTURE(text);
    const auto imported = import_entries(text, "x");
    REQUIRE_OK(imported);
    REQUIRE(imported->entries.size() == 1);
    CHECK(imported->entries[0] == *parse<ConfigEntry>(same[0], "y"));
    CHECK(imported->report.size() == 3);
  }
}

TEST_CASE("what cannot be imported is told with its place") {
  struct Case {
    const char* name;
    std::string text;
    const char* format;
    ErrorKind kind;
    const char* message;
  };
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'i'; ++c) {
    bomb += fmt::format("{}: &{} [", c, c);
    for (int i = 0; i < 10; ++i) bomb += fmt::format("{}*{}", i == 0 ? "" : ", ", static_cast<char>(c - 1));
    bomb += "]\n";
  }
  const Case cases[] = {
      {"no YAML", "a: [1\nb: 2", "yaml", ErrorKind::kDecode, "x: line 2, column 2: "},
      {"no value", ",", "yaml", ErrorKind::kDecode, "x: line 1, column 1: no value can begin here"},
      {"no value behind a document", "Kind: a\n---\n]", "yaml", ErrorKind::kDecode, "x: line 3, column 1: "},
      {"a key twice", "Kind: a\nKind: b", "yaml", ErrorKind::kDecode,
       "x: line 2, column 1: the key \"Kind\" is there twice"},
      {"an alias of nothing", "a: *b", "yaml", ErrorKind::kDecode, "x: line 1, column "},
      {"aliases that multiply", bomb, "yaml", ErrorKind::kDecode, "too many values; do aliases multiply?"},
      {"too deep", std::string(5000, '['), "yaml", ErrorKind::kDecode, "x: nests deeper than 64 levels"},
      {"deep", std::string(100, '[') + std::string(100, ']'), "yaml", ErrorKind::kDecode, "deeper than 64 levels"},
      {"another's resource", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", "auto", ErrorKind::kDecode,
       "x: line 1: apps/v1 Deployment is none of consul-k8s's config entries"},
      {"a resource without a name", "apiVersion: consul.hashicorp.com/v1alpha1\nkind: Mesh\nmetadata: {}", "auto",
       ErrorKind::kDecode, "x: line 1: metadata.name is missing"},
      {"a type that does not fit",
       "apiVersion: consul.hashicorp.com/v1alpha1\nkind: ServiceSplitter\nmetadata: {name: a}\nspec: {splits: 7}",
       "auto", ErrorKind::kDecode, "x: /splits"},
      {"no entry", "[1]", "json", ErrorKind::kDecode, "must be an object"},
      {"an unknown format", "", "toml", ErrorKind::kUsage, "\"toml\" is no format: auto, json, hcl, yaml"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(import_entries(c.text, "x", c.format), c.kind, c.message); }
  }
}

}  // namespace
}  // namespace convergence
