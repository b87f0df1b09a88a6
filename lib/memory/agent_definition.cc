#include "lib/memory/agent_definition.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "lib/memory/call.h"
#include "lib/memory/go_json.h"
#include "lib/memory/registration.h"

namespace convergence::memory {
namespace {

// A check as callers write it, for a service or alone.
struct CheckDefinition {
  std::string id;
  std::string check_id;
  std::string name;
  std::string status;
  std::string notes;
  std::string service_id;
  std::string http;
  std::string tcp;
  std::string grpc;
  std::string docker;
  std::string alias_node;
  std::string alias_service;
  std::vector<std::string> script;
  Duration interval{0};
  Duration ttl{0};
  Duration other{0};  // of durations that matter to nobody here

  bool polled() const { return !http.empty() || !tcp.empty() || !grpc.empty() || !script.empty() || !docker.empty(); }
  bool alias() const { return !alias_node.empty() || !alias_service.empty(); }
};

std::vector<GoDecoder::Field> check_fields(GoDecoder& decoder, CheckDefinition& check) {
  std::vector<GoDecoder::Field> fields = {{"ID", decoder.text(check.id)},
                                          {"CheckID", decoder.text(check.check_id)},
                                          {"Name", decoder.text(check.name)},
                                          {"Status", decoder.text(check.status)},
                                          {"Notes", decoder.text(check.notes)},
                                          {"HTTP", decoder.text(check.http)},
                                          {"TCP", decoder.text(check.tcp)},
                                          {"GRPC", decoder.text(check.grpc)},
                                          {"DockerContainerID", decoder.text(check.docker)},
                                          {"AliasNode", decoder.text(check.alias_node)},
                                          {"AliasService", decoder.text(check.alias_service)},
                                          {"ScriptArgs", decoder.texts(check.script)},
                                          {"Args", decoder.texts(check.script)},
                                          {"Interval", decoder.duration(check.interval)},
                                          {"TTL", decoder.duration(check.ttl)},
                                          {"Timeout", decoder.duration(check.other)},
                                          {"DeregisterCriticalServiceAfter", decoder.duration(check.other)}};
  for (const char* name : {"Header", "Method", "Body", "Shell", "GRPCUseTLS", "TLSSkipVerify", "OutputMaxSize",
                           "SuccessBeforePassing", "FailuresBeforeCritical", "Token", "Namespace"}) {
    fields.push_back({name, decoder.ignored()});
  }
  return fields;
}

std::string check_mistake(const CheckDefinition& check) {
  if (check.polled() && check.interval <= Duration(0)) return "Interval must be > 0 for Script, HTTP, or TCP checks";
  if (!check.polled() && !check.alias() && check.ttl <= Duration(0)) return "TTL must be > 0 for TTL checks";
  return "";
}

std::string_view check_type(const CheckDefinition& check) {
  if (!check.http.empty()) return "http";
  if (!check.tcp.empty()) return "tcp";
  if (!check.grpc.empty()) return "grpc";
  if (!check.docker.empty()) return "docker";
  if (!check.script.empty()) return "script";
  return check.alias() ? "alias" : "ttl";
}

MemoryAgentCheck agent_check(const CheckDefinition& given, const std::string& node) {
  MemoryAgentCheck out;
  out.check.node = node;
  out.check.id = given.check_id.empty() ? given.id : given.check_id;
  out.check.name = given.name;
  out.check.notes = given.notes;
  out.check.status = given.status.empty() ? "critical" : given.status;
  out.check.type = std::string(check_type(given));
  out.check.definition = Json::Object{};
  if (!given.polled() && !given.alias()) out.ttl = given.ttl;
  return out;
}

std::string meta_mistake(const MemoryLabels& meta) {
  if (!meta) return "";
  if (meta->size() > 64) return "Node metadata cannot contain more than 64 key/value pairs";
  const auto valid = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  for (const auto& [key, value] : *meta) {
    std::string problem;
    if (key.empty()) problem = "Key cannot be blank";
    if (problem.empty() && !std::all_of(key.begin(), key.end(), valid)) problem = "Key contains invalid characters";
    if (problem.empty() && key.size() > 128) problem = "Key is too long (limit: 128 characters)";
    if (problem.empty() && value.size() > 512) problem = "Value is too long (limit: 512 characters)";
    if (!problem.empty()) return fmt::format("Couldn't load metadata pair ('{}', '{}'): {}", key, value, problem);
  }
  return "";
}

bool is_ipv4(const std::string& text) {
  int parts = 0;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('.', at), text.size());
    const std::string part = text.substr(at, end - at);
    const bool digits = !part.empty() && part.size() <= 3 && part.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(part) > 255) return false;
    ++parts;
    at = end + 1;
  }
  return parts == 4;
}

// The agent adds where the service's address is an IP.
void add_tagged_addresses(MemoryService& service) {
  const bool ipv6 = service.address.find(':') != std::string::npos;
  if (!ipv6 && !is_ipv4(service.address)) return;
  const Json place = Json::Object{{"Address", service.address}, {"Port", service.port}};
  for (const char* side : {"lan", "wan"}) {
    const std::string name = fmt::format("{}_{}", side, ipv6 ? "ipv6" : "ipv4");
    if (service.tagged_addresses.find(name) == nullptr) service.tagged_addresses.set(name, place);
  }
  Json::Object* members = service.tagged_addresses.as_object();
  std::sort(members->begin(), members->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

std::optional<HttpResponse> decode_failed(std::string_view text) {
  return bad_request(fmt::format("Request decode failed: {}", text));
}

std::string decode_service_definition(std::string_view body, MemoryService& service,
                                      std::vector<CheckDefinition>& checks) {
  const absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return std::string(json.status().message());
  GoDecoder decoder(true, true);
  const auto check = [&](const Json& item) {
    CheckDefinition one;
    decoder.object(item, "CheckType", "structs.CheckType", check_fields(decoder, one));
    if (item.is_object() && !item.as_object()->empty()) checks.push_back(std::move(one));
  };
  decoder.object(*json, "", "structs.ServiceDefinition",
                 {{"Kind", decoder.text(service.kind)},
                  {"ID", decoder.text(service.id)},
                  {"Name", decoder.text(service.service)},
                  {"Tags", decoder.texts(service.tags)},
                  {"Address", decoder.text(service.address)},
                  {"TaggedAddresses", service_addresses(decoder, service.tagged_addresses)},
                  {"Meta", decoder.labels(service.meta)},
                  {"Port", decoder.number(service.port)},
                  {"Check", check},
                  {"Checks", decoder.each(check, "structs.CheckTypes")},
                  {"Weights", weights(decoder, service.weights)},
                  {"EnableTagOverride", decoder.flag(service.enable_tag_override)},
                  {"Proxy", decoder.raw(service.proxy)},
                  {"Connect", decoder.raw(service.connect)},
                  {"Namespace", decoder.ignored()},
                  {"Token", decoder.ignored()}});
  return decoder.error();
}

std::optional<HttpResponse> check_service(MemoryService& service) {
  if (service.service.empty()) return bad_request("Missing service name");
  if (service.address == "0.0.0.0" || service.address == "::" || service.address == "[::]") {
    return bad_request("Invalid service address");
  }
  if (service.connect.find("SidecarService") != nullptr) {
    return text_answer(501, "the embedded Consul does not register sidecars (Connect.SidecarService)");
  }
  if (service.weights.passing < 1) return bad_request("Invalid Weights: Passing must be greater than 0");
  if (service.weights.warning < 0) return bad_request("Invalid Weights: Warning must be greater or equal than 0");
  if (std::string mistake = meta_mistake(service.meta); !mistake.empty()) {
    return bad_request(fmt::format("Invalid Service Meta: {}", mistake));
  }
  if (std::string mistake = prepare_service(service); !mistake.empty()) {
    return bad_request(fmt::format("Validation failed: {}", mistake));
  }
  add_tagged_addresses(service);
  return std::nullopt;
}

}  // namespace

bool is_check_status(std::string_view text) { return text == "passing" || text == "warning" || text == "critical"; }

std::optional<HttpResponse> read_agent_service(std::string_view body, const std::string& node,
                                               AgentServiceDefinition& out) {
  std::vector<CheckDefinition> checks;
  out.service.node = node;
  if (std::string mistake = decode_service_definition(body, out.service, checks); !mistake.empty()) {
    return decode_failed(mistake);
  }
  if (auto refusal = check_service(out.service)) return refusal;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (std::string mistake = check_mistake(checks[i]); !mistake.empty()) {
      return bad_request(fmt::format("Invalid check: {}", mistake));
    }
    if (!checks[i].status.empty() && !is_check_status(checks[i].status)) {
      return bad_request("Status for checks must 'passing', 'warning', 'critical'");
    }
    MemoryAgentCheck check = agent_check(checks[i], node);
    const std::string number = checks.size() > 1 ? fmt::format(":{}", i + 1) : "";
    if (checks[i].check_id.empty()) check.check.id = fmt::format("service:{}{}", out.service.id, number);
    if (check.check.name.empty()) check.check.name = fmt::format("Service '{}' check", out.service.service);
    check.check.service_id = out.service.id;
    check.check.service_name = out.service.service;
    check.check.service_tags = out.service.tags;
    out.checks.push_back(std::move(check));
  }
  return std::nullopt;
}

std::optional<HttpResponse> read_agent_check(std::string_view body, const std::string& node, MemoryAgentCheck& out) {
  const absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return decode_failed(std::string(json.status().message()));
  GoDecoder decoder(true, true);
  CheckDefinition given;
  std::vector<GoDecoder::Field> fields = check_fields(decoder, given);
  fields.push_back({"ServiceID", decoder.text(given.service_id)});
  decoder.object(*json, "", "structs.CheckDefinition", fields);
  if (!decoder.error().empty()) return decode_failed(decoder.error());
  if (given.name.empty()) return bad_request("Missing check name");
  if (!given.status.empty() && !is_check_status(given.status)) return bad_request("Bad check status");
  if (std::string mistake = check_mistake(given); !mistake.empty()) {
    return bad_request(fmt::format("Invalid check: {}", mistake));
  }
  if (given.id.empty()) given.id = given.check_id;
  given.check_id = given.id.empty() ? given.name : given.id;
  out = agent_check(given, node);
  out.check.service_id = given.service_id;
  return std::nullopt;
}

}  // namespace convergence::memory
