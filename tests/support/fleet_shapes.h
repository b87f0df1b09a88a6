#ifndef CONVERGENCE_TESTS_SUPPORT_FLEET_SHAPES_H_
#define CONVERGENCE_TESTS_SUPPORT_FLEET_SHAPES_H_

#include <cstdint>
#include <string>
#include <vector>

// A made-up fleet, in the very bytes that a Consul 1.8.7 answers with: each number of a node and of a service gives the
// same instance on every machine.
namespace convergence::test {

std::uint64_t mix(std::uint64_t x);
std::string node_name(std::uint64_t node);
std::string service_name(std::uint64_t service);
std::string version_of(std::uint64_t node, std::uint64_t service);

// `version` empty: the one that node and service have.
std::string health_row_json(std::uint64_t node, std::uint64_t service, const std::string& version = {});
std::string kv_json(std::uint64_t node, std::uint64_t service);
std::string agent_service_json(std::uint64_t node, std::uint64_t service);  // with its key

std::string list_of(const std::vector<std::string>& rows);
std::string health_json(std::uint64_t nodes, std::uint64_t service);
std::string kv_recurse_json(std::uint64_t nodes, std::uint64_t services);
std::string agent_services_json(std::uint64_t services);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_FLEET_SHAPES_H_
