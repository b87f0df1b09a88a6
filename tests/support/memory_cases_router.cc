#include "tests/support/memory_cases.h"

namespace convergence::test {

std::vector<ExchangeCase> memory_router_cases() {
  return {
      {"wrong methods, with the right ones",
       {
           {"POST /v1/kv/a x", "405 method POST not allowed"},
           {"PATCH /v1/kv/a x", "405 method PATCH not allowed"},
           {"HEAD /v1/kv/a", "405"},
           {"OPTIONS /v1/kv/a", "200"},
           {"POST /v1/catalog/register {}", "405 method POST not allowed"},
           {"GET /v1/txn", "405 method GET not allowed"},
           {"PUT /v1/config/service-defaults/web {}", "405 method PUT not allowed"},
           {"POST /v1/config {}", "405 method POST not allowed"},
           {"PUT /v1/discovery-chain/web", "405 method PUT not allowed"},
           {"GET /v1/session/create", "405 method GET not allowed"},
       }},
      {"paths are cleaned by a redirect",
       {
           {"GET /v1/kv//x?a=b", R"(301 <a href="/v1/kv/x?a=b">Moved Permanently</a>.

)"},
           {"DELETE /v1/kv", "301"},
           {"GET /v1/kv", R"(301 <a href="/v1/kv/">Moved Permanently</a>.

)"},
           {"GET /v1/kv/a/../b", R"(301 <a href="/v1/kv/b">Moved Permanently</a>.

)"},
           {"PUT /v1/kv/./b x", "301"},
       }},
      {"waits and indexes that are none",
       {
           {"GET /v1/kv/a?index=abc", "400 Invalid index"},
           {"GET /v1/kv/a?index=-1", "400 Invalid index"},
           {"GET /v1/kv/a?index=1&wait=abc", "400 Invalid wait time"},
           {"GET /v1/catalog/nodes?index=x", "400 Invalid index"},
           {"GET /v1/session/list?index=x", "400 Invalid index"},
           {"GET /v1/agent/checks?index=x", "200 {}"},
       }},
      {"consistency",
       {
           {"GET /v1/kv/a?stale", "404 #1"},
           {"GET /v1/kv/a?consistent", "404 #1"},
           {"GET /v1/kv/a?stale&consistent", "400 Cannot specify ?stale with ?consistent, conflicting semantics."},
           {"GET /v1/session/list?stale&consistent",
            "400 Cannot specify ?stale with ?consistent, conflicting semantics."},
       }},
      {"other datacenters and namespaces",
       {
           {"GET /v1/kv/a?dc=dc1", "404 #1"},
           {"GET /v1/kv/a?dc=dc2", "500 No path to datacenter"},
           {"GET /v1/catalog/nodes?dc=dc9", "500 #1 No path to datacenter"},
           {"GET /v1/session/list?dc=dc9", "500 #1 No path to datacenter"},
           {"GET /v1/config/service-defaults?dc=dc9", "500 No path to datacenter"},
           {"PUT /v1/kv/a?dc=dc9 x", "500 No path to datacenter"},
           {R"(PUT /v1/catalog/register?dc=dc9 {"Node":"n1","Address":"1"})", "200 true"},
           {"GET /v1/agent/services?dc=dc9", "200 {}"},
           {"GET /v1/kv/a?ns=foo",
            R"(400 Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature)"},
       }},
      {"an index of the past is answered at once",
       {
           {"PUT /v1/kv/a x", "200 true"},
           {"GET /v1/kv/a?index=1&wait=10s",
            R"(200 #3 [{"LockIndex":0,"Key":"a","Flags":0,"Value":"eA==","CreateIndex":3,"ModifyIndex":3}])"},
           {"GET /v1/kv/a?index=2&wait=10s",
            R"(200 #3 [{"LockIndex":0,"Key":"a","Flags":0,"Value":"eA==","CreateIndex":3,"ModifyIndex":3}])"},
       }},
  };
}

}  // namespace convergence::test
