#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lib/base/go_text.h"
#include "lib/memory/agent_definition.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"
#include "lib/memory/health_filter.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

Json member_row(const State& state) {
  const std::string& datacenter = state.entries.cluster().datacenter;
  return Json::Object{{"Name", state.node_name},
                      {"Addr", "127.0.0.1"},
                      {"Port", 8301},
                      {"Tags", Json::Object{{"bootstrap", "1"},
                                            {"build", "1.8.7:"},
                                            {"dc", datacenter},
                                            {"id", kOwnNodeId},
                                            {"port", "8300"},
                                            {"role", "consul"}}},
                      {"Status", 1},
                      {"ProtocolMin", 1},
                      {"ProtocolMax", 5},
                      {"ProtocolCur", 2},
                      {"DelegateMin", 2},
                      {"DelegateMax", 5},
                      {"DelegateCur", 4}};
}

const MemoryAgentCheck* find_agent_check(const State& state, const std::string& id) {
  const auto found = state.agent_checks.find(id);
  return found == state.agent_checks.end() ? nullptr : &found->second;
}

// What is registered goes to the catalog at once and again, as the agent does it: the catalog sees that it is the same.
void sync_service(Store& store, const MemoryService& service, const std::vector<std::string>& checks) {
  store.begin();
  ensure_service(store, service);
  for (const std::string& id : checks) ensure_check(store, store.state().agent_checks.at(id).check);
}

void sync_check(Store& store, const MemoryCheck& check) {
  store.begin();
  ensure_check(store, check);
}

void set_expiry(Store& store, const std::string& id, MemoryAgentCheck& check) {
  store.clear_timer({check.expires_at, MemoryTimer::Kind::kCheck, id, 0});
  check.expires_at = check.ttl > Duration(0) ? store.now() + check.ttl : kNever;
  store.set_timer({check.expires_at, MemoryTimer::Kind::kCheck, id, 0});
}

void remove_agent_check(Store& store, const std::string& id) {
  const MemoryAgentCheck* check = find_agent_check(store.state(), id);
  if (check == nullptr) return;
  store.clear_timer({check->expires_at, MemoryTimer::Kind::kCheck, id, 0});
  store.erase(&State::agent_checks, id);
}

// From the agent and from the catalog.
void drop_check(Store& store, const std::string& id) {
  const std::string node = store.state().agent_checks.at(id).check.node;
  remove_agent_check(store, id);
  store.begin();
  delete_check(store, node, id);
}

// A check that is told again keeps its state, so that a restart of its owner does not make it flap.
void keep_agent_check(Store& store, MemoryAgentCheck check) {
  const std::string id = check.check.id;
  if (const MemoryAgentCheck* before = find_agent_check(store.state(), id)) {
    check.check.status = before->check.status;
    check.check.output = before->check.output;
    check.expires_at = before->expires_at;
  }
  set_expiry(store, id, check);
  store.put(&State::agent_checks, id, std::move(check));
}

std::vector<std::string> agent_checks_of(const State& state, const std::string& service) {
  std::vector<std::string> out;
  for (const auto& [id, one] : state.agent_checks) {
    if (one.check.service_id == service) out.push_back(id);
  }
  return out;
}

// The new state of a TTL check. An output that changes alone stays with the agent, as the server defers it by minutes.
HttpResponse set_check(Store& store, const std::string& id, const std::string& status, const std::string& output) {
  const MemoryAgentCheck* found = find_agent_check(store.state(), id);
  if (found == nullptr || found->ttl == Duration(0)) {
    return server_error(fmt::format("CheckID \"{}\" does not have associated TTL", id));
  }
  MemoryAgentCheck check = *found;
  const bool moved = check.check.status != status;
  check.check.status = status;
  check.check.output = output;
  set_expiry(store, id, check);
  if (moved) sync_check(store, check.check);
  store.put(&State::agent_checks, id, std::move(check));
  return empty_answer(200);
}

// As Go's strconv.ParseBool.
std::optional<bool> parse_go_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

}  // namespace

void expire_agent_check(Store& store, const std::string& id) {
  const MemoryAgentCheck* found = find_agent_check(store.state(), id);
  if (found == nullptr) return;
  MemoryAgentCheck check = *found;
  check.expires_at = kNever;
  const bool moved = check.check.status != "critical";
  check.check.status = "critical";
  check.check.output = check.check.output.empty()
                           ? "TTL expired"
                           : fmt::format("TTL expired (last output before timeout follows): {}", check.check.output);
  if (moved) sync_check(store, check.check);
  store.put(&State::agent_checks, id, std::move(check));
}

HttpResponse agent_self(Store& store, const Call& call) {
  const State& state = store.state();
  return json_answer(call, Json::Object{{"Config", Json::Object{{"Datacenter", state.entries.cluster().datacenter},
                                                                {"NodeName", state.node_name},
                                                                {"NodeID", kOwnNodeId},
                                                                {"Revision", ""},
                                                                {"Server", true},
                                                                {"Version", "1.8.7"}}},
                                        {"Member", member_row(state)},
                                        {"Meta", Json::Object{{"consul-network-segment", ""}}}});
}

HttpResponse agent_members(Store& store, const Call& call) {
  return json_answer(call, Json::Array{member_row(store.state())});
}

HttpResponse agent_services(Store& store, const Call& call) {
  Filter filter;
  if (auto refusal = read_filter(call, RowKind::kService, filter)) return *refusal;
  Json::Object out;
  for (const auto& [id, service] : store.state().agent_services) {
    Json row = agent_service_row(service);
    if (wanted(filter, row)) out.push_back({id, std::move(row)});
  }
  return json_answer(call, std::move(out));
}

HttpResponse agent_checks(Store& store, const Call& call) {
  const absl::StatusOr<Filter> filter = Filter::parse(call.query.get("filter"), RowKind::kCheck);
  if (!filter.ok()) return server_error(std::string(filter.status().message()));
  // Here the server looks at selectors check by check, and complains of them without the usual words before.
  const absl::Status status = filter->check();
  if (!status.ok() && !store.state().agent_checks.empty()) {
    constexpr std::string_view kUsual = "Failed to create boolean expression evaluator: ";
    return server_error(std::string(status.message()).substr(kUsual.size()));
  }
  Json::Object out;
  for (const auto& [id, check] : store.state().agent_checks) {
    Json row = agent_check_row(check.check);
    if (wanted(*filter, row)) out.push_back({id, std::move(row)});
  }
  return json_answer(call, std::move(out));
}

HttpResponse agent_register_service(Store& store, const Call& call) {
  AgentServiceDefinition given;
  if (auto refusal = read_agent_service(call.body, store.state().node_name, given)) return *refusal;
  const std::string id = given.service.id;
  const std::vector<std::string> before = agent_checks_of(store.state(), id);
  std::vector<std::string> checks;
  for (MemoryAgentCheck& check : given.checks) {
    checks.push_back(check.check.id);
    keep_agent_check(store, std::move(check));
  }
  store.put(&State::agent_services, id, given.service);
  sync_service(store, given.service, checks);
  if (!call.query.has("replace-existing-checks")) return empty_answer(200);
  for (const std::string& check : before) {
    if (std::find(checks.begin(), checks.end(), check) == checks.end()) drop_check(store, check);
  }
  return empty_answer(200);
}

HttpResponse agent_deregister_service(Store& store, const Call& call) {
  if (call.rest.empty()) return server_error("ServiceID missing");
  const auto found = store.state().agent_services.find(call.rest);
  if (found == store.state().agent_services.end()) return empty_answer(200);
  const std::string node = found->second.node;
  for (const std::string& check : agent_checks_of(store.state(), call.rest)) remove_agent_check(store, check);
  store.erase(&State::agent_services, call.rest);
  store.begin();
  delete_service(store, node, call.rest);
  return empty_answer(200);
}

HttpResponse agent_service_maintenance(Store& store, const Call& call) {
  if (call.rest.empty()) return bad_request("Missing service ID");
  const std::string enable = call.query.get("enable");
  if (enable.empty()) return bad_request("Missing value for enable");
  const std::optional<bool> on = parse_go_bool(enable);
  if (!on) return bad_request(fmt::format("Invalid value for enable: {}", go_quote(enable)));
  const auto service = store.state().agent_services.find(call.rest);
  if (service == store.state().agent_services.end()) {
    return text_answer(404, fmt::format("No service registered with ID {}", go_quote(call.rest)));
  }
  const std::string id = "_service_maintenance:" + call.rest;
  if (*on == (find_agent_check(store.state(), id) != nullptr)) return empty_answer(200);
  if (!*on) {
    drop_check(store, id);
    return empty_answer(200);
  }
  MemoryAgentCheck check;
  check.check.node = service->second.node;
  check.check.id = id;
  check.check.name = "Service Maintenance Mode";
  check.check.status = "critical";
  check.check.notes = call.query.get("reason");
  if (check.check.notes.empty()) {
    check.check.notes =
        "Maintenance mode is enabled for this service, but no reason was provided. This is a default message.";
  }
  check.check.service_id = call.rest;
  check.check.service_name = service->second.service;
  check.check.service_tags = service->second.tags;
  check.check.type = "maintenance";
  check.check.definition = Json(Json::Object());
  keep_agent_check(store, std::move(check));
  sync_check(store, MemoryCheck(store.state().agent_checks.at(id).check));
  return empty_answer(200);
}

HttpResponse agent_register_check(Store& store, const Call& call) {
  MemoryAgentCheck check;
  if (auto refusal = read_agent_check(call.body, store.state().node_name, check)) return *refusal;
  if (!check.check.service_id.empty()) {
    const auto service = store.state().agent_services.find(check.check.service_id);
    if (service == store.state().agent_services.end()) {
      return server_error(fmt::format("ServiceID \"{}\" does not exist", check.check.service_id));
    }
    check.check.service_name = service->second.service;
    check.check.service_tags = service->second.tags;
  }
  const std::string id = check.check.id;
  keep_agent_check(store, std::move(check));
  sync_check(store, MemoryCheck(store.state().agent_checks.at(id).check));
  return empty_answer(200);
}

HttpResponse agent_deregister_check(Store& store, const Call& call) {
  if (call.rest.empty()) return server_error("CheckID missing");
  if (find_agent_check(store.state(), call.rest) != nullptr) drop_check(store, call.rest);
  return empty_answer(200);
}

HttpResponse agent_pass_check(Store& store, const Call& call) {
  return set_check(store, call.rest, "passing", call.query.get("note"));
}

HttpResponse agent_warn_check(Store& store, const Call& call) {
  return set_check(store, call.rest, "warning", call.query.get("note"));
}

HttpResponse agent_fail_check(Store& store, const Call& call) {
  return set_check(store, call.rest, "critical", call.query.get("note"));
}

HttpResponse agent_update_check(Store& store, const Call& call) {
  const absl::StatusOr<Json> json = parse_body(call.body);
  if (!json.ok()) return bad_request(fmt::format("Request decode failed: {}", std::string(json.status().message())));
  GoDecoder decoder(true);
  std::string status;
  std::string output;
  decoder.object(*json, "checkUpdate", "agent.checkUpdate",
                 {{"Status", decoder.text(status)}, {"Output", decoder.text(output)}});
  if (!decoder.error().empty()) return bad_request(fmt::format("Request decode failed: {}", decoder.error()));
  if (!is_check_status(status)) return bad_request(fmt::format("Invalid check status: '{}'", status));
  return set_check(store, call.rest, status, output);
}

}  // namespace convergence::memory
