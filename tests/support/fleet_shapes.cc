#include "tests/support/fleet_shapes.h"

#include <fmt/format.h>

#include "convergence/codec.h"

namespace convergence::test {
namespace {

std::string address_of(std::uint64_t node) {
  return fmt::format("10.{}.{}.{}", node >> 16 & 255, node >> 8 & 255, node & 255);
}

std::string uuid_of(std::uint64_t node) {
  const std::string hex = fmt::format("{:016x}{:016x}", mix(node * 2 + 1), mix(node * 2 + 2));
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

const char* status_of(std::uint64_t node, std::uint64_t service) {
  const std::uint64_t percent = mix(node * 7919 + service * 104729) % 100;
  return percent < 96 ? "passing" : percent < 98 ? "warning" : "critical";
}

std::uint64_t index_of(std::uint64_t node, std::uint64_t service) { return 1000 + mix(node * 31 + service) % 900000; }

std::string node_json(std::uint64_t node) {
  const std::string address = address_of(node);
  return fmt::format(
      R"({{"ID":"{}","Node":"{}","Address":"{}","Datacenter":"dc1","TaggedAddresses":{{"lan":"{}","lan_ipv4":"{}",)"
      R"("wan":"{}","wan_ipv4":"{}"}},"Meta":{{"consul-network-segment":"","rack":"r{:02}"}},"CreateIndex":{},)"
      R"("ModifyIndex":{}}})",
      uuid_of(node), node_name(node), address, address, address, address, address, node % 40, 100 + node, 103 + node);
}

// One in four has escapes.
std::string output_of(std::uint64_t node, std::uint64_t service) {
  const std::string begin =
      fmt::format("HTTP GET http://{}:{}/health: 200 OK Output: ", address_of(node), 8000 + service);
  if (mix(node ^ service) % 4 != 0) return begin + "ok";
  return begin + fmt::format(R"({{\"status\":\"ok\",\"up\":{}}}\n)", mix(node + service) % 100000);
}

template <typename ItemOf>
std::string joined(char open, std::uint64_t count, ItemOf item_of, char close) {
  std::string text(1, open);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) text += ',';
    text += item_of(i);
  }
  return text + close;
}

}  // namespace

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::string node_name(std::uint64_t node) { return fmt::format("node-{:05}", node); }
std::string service_name(std::uint64_t service) { return fmt::format("svc-{:03}", service); }
std::string version_of(std::uint64_t node, std::uint64_t service) {
  return fmt::format("1.{}.{}", service % 10, mix(node * 1000003 + service) % 8);
}

std::string health_row_json(std::uint64_t node, std::uint64_t service, const std::string& version) {
  const std::string name = service_name(service);
  const std::string node_text = node_name(node);
  const std::string id = name + "-" + node_text;
  const std::string running = version.empty() ? version_of(node, service) : version;
  const std::uint64_t index = index_of(node, service);
  std::string row = fmt::format(
      R"({{"Node":{},"Service":{{"ID":"{}","Service":"{}","Tags":["prod","v{}"],"Address":"{}","Meta":)"
      R"({{"deployment":"d-{:06}","version":"{}"}},"Port":{},"Weights":{{"Passing":1,"Warning":1}},)"
      R"("EnableTagOverride":false,"Proxy":{{"MeshGateway":{{}},"Expose":{{}}}},"Connect":{{}},"CreateIndex":{},)"
      R"("ModifyIndex":{}}},)",
      node_json(node), id, name, running, address_of(node), mix(node * 5 + service) % 1000000, running, 8000 + service,
      index, index);
  row += fmt::format(
      R"("Checks":[{{"Node":"{}","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Notes":"",)"
      R"("Output":"Agent alive and reachable","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"",)"
      R"("Definition":{{}},"CreateIndex":{},"ModifyIndex":{}}},)",
      node_text, 100 + node, 100 + node);
  row += fmt::format(
      R"({{"Node":"{}","CheckID":"service:{}","Name":"Service '{}' check","Status":"{}","Notes":"","Output":"{}",)"
      R"("ServiceID":"{}","ServiceName":"{}","ServiceTags":["prod","v{}"],"Type":"http","Definition":{{}},)"
      R"("CreateIndex":{},"ModifyIndex":{}}}]}})",
      node_text, id, name, status_of(node, service), output_of(node, service), id, name, running, index + 1, index + 7);
  return row;
}

std::string kv_json(std::uint64_t node, std::uint64_t service) {
  const std::string name = service_name(service);
  const std::string version = version_of(node, service);
  const std::string value = fmt::format(
      R"({{"service":"{}","node":"{}","version":"{}","image":"registry.example/{}:{}","replicas":1,"tags":["prod"]}})",
      name, node_name(node), version, name, version);
  const std::uint64_t index = index_of(node, service);
  return fmt::format(
      R"({{"LockIndex":0,"Key":"desired/{}/{}","Flags":0,"Value":"{}","CreateIndex":{},"ModifyIndex":{}}})",
      node_name(node), name, base64_encode(value), index, index);
}

std::string agent_service_json(std::uint64_t node, std::uint64_t service) {
  const std::string name = service_name(service);
  const std::string id = name + "-" + node_name(node);
  const std::string version = version_of(node, service);
  const std::string address = address_of(node);
  return fmt::format(
      R"("{}":{{"ID":"{}","Service":"{}","Tags":["prod","v{}"],"Meta":{{"deployment":"d-{:06}","version":"{}"}},)"
      R"("Port":{},"Address":"{}","TaggedAddresses":{{"lan_ipv4":{{"Address":"{}","Port":{}}},"wan_ipv4":)"
      R"({{"Address":"{}","Port":{}}}}},"Weights":{{"Passing":1,"Warning":1}},"EnableTagOverride":false}})",
      id, id, name, version, mix(node * 5 + service) % 1000000, version, 8000 + service, address, address,
      8000 + service, address, 8000 + service);
}

std::string list_of(const std::vector<std::string>& rows) { return fmt::format("[{}]", fmt::join(rows, ",")); }

std::string health_json(std::uint64_t nodes, std::uint64_t service) {
  return joined(
      '[', nodes, [&](std::uint64_t node) { return health_row_json(node, service); }, ']');
}

std::string kv_recurse_json(std::uint64_t nodes, std::uint64_t services) {
  return joined(
      '[', nodes * services, [&](std::uint64_t i) { return kv_json(i / services, i % services); }, ']');
}

std::string agent_services_json(std::uint64_t services) {
  return joined(
      '{', services, [&](std::uint64_t service) { return agent_service_json(0, service); }, '}');
}

}  // namespace convergence::test
