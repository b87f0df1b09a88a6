#include "lib/memory/endpoint.h"

namespace convergence::memory {
namespace {

constexpr const char* kServer = "127.0.0.1:8300";

}  // namespace

HttpResponse status_leader(Store&, const Call& call) { return json_answer(call, kServer); }

HttpResponse status_peers(Store&, const Call& call) { return json_answer(call, Json::Array{kServer}); }

void start_server(Store& store) {
  store.begin();
  const State& state = store.state();
  const std::map<std::string, std::string> addresses = {
      {"lan", "127.0.0.1"}, {"lan_ipv4", "127.0.0.1"}, {"wan", "127.0.0.1"}, {"wan_ipv4", "127.0.0.1"}};
  MemoryNode node;
  node.name = state.node_name;
  node.address = "127.0.0.1";
  node.datacenter = state.entries.cluster().datacenter;
  ensure_node(store, node);
  MemoryService service;
  service.node = node.name;
  service.id = "consul";
  service.service = "consul";
  service.port = 8300;
  service.meta = std::map<std::string, std::string>{{"non_voter", "false"},         {"raft_version", "3"},
                                                    {"serf_protocol_current", "2"}, {"serf_protocol_max", "5"},
                                                    {"serf_protocol_min", "1"},     {"version", "1.8.7"}};
  service.proxy = Json::Object{{"MeshGateway", Json::Object{}}, {"Expose", Json::Object{}}};
  service.connect = Json::Object{};
  ensure_service(store, service);
  MemoryCheck check;
  check.node = node.name;
  check.id = "serfHealth";
  check.name = "Serf Health Status";
  check.status = "passing";
  check.output = "Agent alive and reachable";
  check.definition = Json::Object{};
  ensure_check(store, check);
  // The leader has registered the member; now its agent adds what only it knows.
  store.begin();
  node.id = kOwnNodeId;
  node.tagged_addresses = addresses;
  node.meta = std::map<std::string, std::string>{{"consul-network-segment", ""}};
  ensure_node(store, node);
}

}  // namespace convergence::memory
