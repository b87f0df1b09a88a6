#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

template <typename T>
absl::StatusOr<std::map<std::string, T>> read_map(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(const Json::Object* members, read_object(answer));
  std::map<std::string, T> out;
  for (const Json::Member& member : *members) {
    CVG_ASSIGN_OR_RETURN(out[member.name], read_value<T>(member.value));
  }
  return out;
}

absl::StatusOr<Json> as_it_is(const Json& answer) { return answer; }

void set_text(Json& json, const char* name, const std::string& value) {
  if (!value.empty()) json.set(name, value);
}

void set_duration(Json& json, const char* name, Duration value) {
  if (value != Duration(0)) json.set(name, duration_to_text(value));
}

// `id_name`: "CheckID" within a service, "ID" for a check of its own.
Json check_json(const CheckDefinition& check, std::string_view service_id, const char* id_name) {
  Json json;
  std::string id = check.id;
  if (id.empty()) id = service_id.empty() ? check.name : std::string(service_id) + ":" + check.name;
  json.set(id_name, std::move(id));
  json.set("Name", check.name);
  set_text(json, "HTTP", check.http);
  set_text(json, "Method", check.method);
  if (check.tls_skip_verify) json.set("TLSSkipVerify", true);
  set_text(json, "TCP", check.tcp);
  set_text(json, "GRPC", check.grpc);
  if (check.grpc_use_tls) json.set("GRPCUseTLS", true);
  if (!check.args.empty()) json.set("Args", Json(Json::Array(check.args.begin(), check.args.end())));
  set_duration(json, "TTL", check.ttl);
  set_duration(json, "Interval", check.interval);
  set_duration(json, "Timeout", check.timeout);
  set_duration(json, "DeregisterCriticalServiceAfter", check.deregister_critical_service_after);
  for (const Json::Member& member : check.unknown) json.set(member.name, member.value);
  return json;
}

// The agent's own shape: "Name" where the catalog says "Service", no indexes.
Json service_json(const ServiceInstance& instance, const std::vector<CheckDefinition>& checks) {
  Json json = to_json(instance);
  Json::Object& members = *json.as_object();
  std::erase_if(members, [](const Json::Member& member) {
    return member.name == "CreateIndex" || member.name == "ModifyIndex" || member.name == "Service";
  });
  json.set("Name", instance.service);
  Json::Array list;
  for (const CheckDefinition& check : checks) list.push_back(check_json(check, instance.id, "CheckID"));
  json.set("Checks", std::move(list));
  return json;
}

Call agent_call(std::string_view method, const Target& target, const Json& body) {
  return write_call(method, target, body.is_null() ? "" : to_text(body), WriteOptions());
}

}  // namespace

void ConsulClient::agent_self(Callback<Json> done) {
  start<Json>(*impl_, read_call(Target("/v1/agent/self"), ReadOptions()), as_it_is, std::move(done));
}

void ConsulClient::agent_services(const ReadOptions& options, Callback<std::map<std::string, ServiceInstance>> done) {
  start<std::map<std::string, ServiceInstance>>(*impl_,
                                                read_call(Target("/v1/agent/services").options(options), options),
                                                read_map<ServiceInstance>, std::move(done));
}

void ConsulClient::agent_checks(const ReadOptions& options, Callback<std::map<std::string, HealthCheck>> done) {
  start<std::map<std::string, HealthCheck>>(*impl_, read_call(Target("/v1/agent/checks").options(options), options),
                                            read_map<HealthCheck>, std::move(done));
}

void ConsulClient::agent_service_register(const ServiceInstance& instance, const std::vector<CheckDefinition>& checks,
                                          Done done, OtherChecks others) {
  Target target("/v1/agent/service/register");
  // Registering again gives what a first registration gives: checks that are not named any more go.
  if (others == OtherChecks::kRemove) target.query("replace-existing-checks", "true");
  start(*impl_, agent_call("PUT", target, service_json(instance, checks)), std::move(done));
}

void ConsulClient::agent_service_maintenance(std::string_view id, bool enable, std::string_view reason, Done done) {
  Target target("/v1/agent/service/maintenance");
  target.name(id).query("enable", enable ? "true" : "false");
  if (!reason.empty()) target.query("reason", reason);
  start(*impl_, agent_call("PUT", target, Json()), std::move(done));
}

void ConsulClient::agent_service_deregister(std::string_view id, Done done) {
  start(*impl_, agent_call("PUT", Target("/v1/agent/service/deregister").name(id), Json()), std::move(done));
}

void ConsulClient::agent_check_register(const CheckDefinition& check, std::string_view service_id, Done done) {
  Json body = check_json(check, service_id, "ID");
  set_text(body, "ServiceID", std::string(service_id));
  start(*impl_, agent_call("PUT", Target("/v1/agent/check/register"), body), std::move(done));
}

void ConsulClient::agent_check_deregister(std::string_view id, Done done) {
  start(*impl_, agent_call("PUT", Target("/v1/agent/check/deregister").name(id), Json()), std::move(done));
}

void ConsulClient::agent_check_update(std::string_view id, CheckStatus status, std::string_view output, Done done) {
  Json body;
  body.set("Status", to_string(status));
  body.set("Output", output);
  start(*impl_, agent_call("PUT", Target("/v1/agent/check/update").name(id), body), std::move(done));
}

}  // namespace convergence
