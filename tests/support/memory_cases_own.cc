#include "tests/support/memory_cases.h"

namespace convergence::test {

std::vector<ExchangeCase> memory_own_cases() {
  return {
      {"what is not there says so by name",
       {
           {"GET /v1/nonsense", "501 the embedded Consul does not implement GET /v1/nonsense"},
           {"GET /v1/event/list", "501 the embedded Consul does not implement GET /v1/event/list"},
           {"PUT /v1/acl/bootstrap", "501 the embedded Consul does not implement PUT /v1/acl/bootstrap"},
           {"GET /", "501 the embedded Consul does not implement GET /"},
       }},
      // The server closes the connection here: its rows have no Proxy to look into.
      {"a filter on what a service of the agent does not have",
       {
           {R"(PUT /v1/agent/service/register {"Name":"api"})", "200"},
           {"GET /v1/agent/services?filter=Proxy.MeshGateway.Mode==local", "200 {}"},
       }},
      {"the server of itself",
       {
           {"GET /v1/status/leader", R"(200 "127.0.0.1:8300")"},
           {"GET /v1/status/peers", R"(200 ["127.0.0.1:8300"])"},
           {"GET /v1/agent/self",
            R"(200 {"Config":{"Datacenter":"dc1","NodeName":"memory","NodeID":"c0de0000-0000-4000-8000-000000000000","Revision":"","Server":true,"Version":"1.8.7"},"Member":{"Name":"memory","Addr":"127.0.0.1","Port":8301,"Tags":{"bootstrap":"1","build":"1.8.7:","dc":"dc1","id":"c0de0000-0000-4000-8000-000000000000","port":"8300","role":"consul"},"Status":1,"ProtocolMin":1,"ProtocolMax":5,"ProtocolCur":2,"DelegateMin":2,"DelegateMax":5,"DelegateCur":4},"Meta":{"consul-network-segment":""}})"},
           {"GET /v1/agent/members",
            R"(200 [{"Name":"memory","Addr":"127.0.0.1","Port":8301,"Tags":{"bootstrap":"1","build":"1.8.7:","dc":"dc1","id":"c0de0000-0000-4000-8000-000000000000","port":"8300","role":"consul"},"Status":1,"ProtocolMin":1,"ProtocolMax":5,"ProtocolCur":2,"DelegateMin":2,"DelegateMax":5,"DelegateCur":4}])"},
       }},
  };
}

}  // namespace convergence::test
