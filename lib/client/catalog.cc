#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

absl::StatusOr<std::map<std::string, std::vector<std::string>>> read_service_tags(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(const Json::Object* members, read_object(answer));
  std::map<std::string, std::vector<std::string>> out;
  for (const Json::Member& member : *members) {
    CVG_ASSIGN_OR_RETURN(out[member.name], read_strings(member.value));
  }
  return out;
}

// null for a node that is not there.
absl::StatusOr<std::vector<ServiceInstance>> read_node_services(const Json& answer) {
  if (answer.is_null()) return std::vector<ServiceInstance>();
  CVG_ASSIGN_OR_RETURN(const Json* services, read_member(answer, "Services"));
  return read_values<ServiceInstance>(*services);
}

absl::StatusOr<HealthRow> read_row(const Json& item) {
  CVG_ASSIGN_OR_RETURN(const Json* node, read_member(item, "Node"));
  CVG_ASSIGN_OR_RETURN(const Json* service, read_member(item, "Service"));
  CVG_ASSIGN_OR_RETURN(const Json* checks, read_member(item, "Checks"));
  HealthRow row;
  CVG_ASSIGN_OR_RETURN(row.node, read_value<Node>(*node));
  CVG_ASSIGN_OR_RETURN(row.instance, read_value<ServiceInstance>(*service));
  CVG_ASSIGN_OR_RETURN(row.checks, read_values<HealthCheck>(*checks));
  row.instance.node = row.node.name;
  return row;
}

absl::StatusOr<std::vector<HealthRow>> read_rows(const Json& answer) { return read_each<HealthRow>(answer, read_row); }

}  // namespace

void ConsulClient::catalog_nodes(const ReadOptions& options, Callback<Answer<std::vector<Node>>> done) {
  start_read<std::vector<Node>>(*impl_, Target("/v1/catalog/nodes").options(options), options, read_values<Node>,
                                std::move(done));
}

void ConsulClient::catalog_services(const ReadOptions& options,
                                    Callback<Answer<std::map<std::string, std::vector<std::string>>>> done) {
  start_read<std::map<std::string, std::vector<std::string>>>(*impl_, Target("/v1/catalog/services").options(options),
                                                              options, read_service_tags, std::move(done));
}

void ConsulClient::catalog_node_services(std::string_view node, const ReadOptions& options,
                                         Callback<Answer<std::vector<ServiceInstance>>> done) {
  start_read<std::vector<ServiceInstance>>(*impl_, Target("/v1/catalog/node-services").name(node).options(options),
                                           options, read_node_services, std::move(done));
}

void ConsulClient::catalog_register(const Json& registration, const WriteOptions& options, Done done) {
  const Target target = Target("/v1/catalog/register").options(options);
  start(*impl_, write_call("PUT", target, to_text(registration), options), std::move(done));
}

void ConsulClient::catalog_deregister(const Json& deregistration, const WriteOptions& options, Done done) {
  const Target target = Target("/v1/catalog/deregister").options(options);
  start(*impl_, write_call("PUT", target, to_text(deregistration), options), std::move(done));
}

void ConsulClient::health_service(std::string_view service, const ReadOptions& options,
                                  Callback<Answer<std::vector<HealthRow>>> done) {
  start_read<std::vector<HealthRow>>(*impl_, Target("/v1/health/service").name(service).options(options), options,
                                     read_rows, std::move(done));
}

void ConsulClient::health_node(std::string_view node, const ReadOptions& options,
                               Callback<Answer<std::vector<HealthCheck>>> done) {
  start_read<std::vector<HealthCheck>>(*impl_, Target("/v1/health/node").name(node).options(options), options,
                                       read_values<HealthCheck>, std::move(done));
}

void ConsulClient::health_state(std::string_view state, const ReadOptions& options,
                                Callback<Answer<std::vector<HealthCheck>>> done) {
  start_read<std::vector<HealthCheck>>(*impl_, Target("/v1/health/state").name(state).options(options), options,
                                       read_values<HealthCheck>, std::move(done));
}

}  // namespace convergence
