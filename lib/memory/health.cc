#include <algorithm>
#include <utility>

#include "convergence/filter.h"
#include "fmt/format.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"
#include "lib/memory/health_filter.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

bool has_tag(const MemoryService& service, const std::string& tag) {
  return std::any_of(service.tags.begin(), service.tags.end(),
                     [&](const std::string& one) { return lower(one) == lower(tag); });
}

void checks_of(const State& state, const Instance& of, std::vector<const MemoryCheck*>& into) {
  const auto found = state.checks_of.find(of);
  if (found == state.checks_of.end()) return;
  for (const std::string& id : found->second) into.push_back(&state.checks.at({of.first, id}));
}

struct HealthQuery {
  bool passing = false;
  Filter filter;
};

// ?passing and ?filter, or the server's refusal.
std::optional<HttpResponse> read_health_query(const Call& call, HealthQuery& out) {
  if (call.query.has("passing")) {
    const std::string value = call.query.get("passing");
    const auto is_one_of = [&](std::initializer_list<std::string_view> texts) {
      return std::find(texts.begin(), texts.end(), value) != texts.end();
    };
    out.passing = is_one_of({"", "1", "t", "T", "true", "TRUE", "True"});
    if (!out.passing && !is_one_of({"0", "f", "F", "false", "FALSE", "False"})) {
      return bad_request("Invalid value for ?passing");
    }
  }
  return read_filter(call, RowKind::kHealth, out.filter);
}

HttpResponse answer_health(const State& state, const Call& call, const HealthQuery& query) {
  Json::Array rows;
  each_instance(state, call, [&](const MemoryNode& node, const MemoryService& service) {
    std::vector<const MemoryCheck*> checks;
    checks_of(state, {lower(node.name), ""}, checks);
    checks_of(state, {lower(node.name), lower(service.id)}, checks);
    if (query.passing && std::any_of(checks.begin(), checks.end(),
                                     [](const MemoryCheck* check) { return check->status != "passing"; })) {
      return;
    }
    Json::Array check_rows;
    for (const MemoryCheck* check : checks) check_rows.push_back(check_row(*check));
    Json row =
        Json::Object{{"Node", node_row(node)}, {"Service", service_row(service)}, {"Checks", std::move(check_rows)}};
    if (wanted(query.filter, row)) rows.push_back(std::move(row));
  });
  return json_answer(call, std::move(rows));
}

// `each` calls its argument with every check in question, in the order of nodes and ids.
template <typename Each>
Read read_checks(const State& state, const Call& call, const Each& each) {
  Filter filter;
  if (auto refusal = read_filter(call, RowKind::kCheck, filter)) return refuse(*refusal);
  Read read;
  read.index = table_index(state, kCheckTable);
  read.names = {std::string(kCheckTable)};
  read.answer = [&state, &call, each, filter] {
    const auto labels = wanted_labels(call);
    Json::Array rows;
    each([&](const MemoryCheck& check) {
      if (!match_labels(state.nodes.at(lower(check.node)).meta, labels)) return;
      Json row = check_row(check);
      if (wanted(filter, row)) rows.push_back(std::move(row));
    });
    return json_answer(call, std::move(rows));
  };
  return read;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> wanted_labels(const Call& call) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& text : call.query.all("node-meta")) {
    const std::size_t colon = text.find(':');
    out.emplace_back(text.substr(0, colon), colon == std::string::npos ? "" : text.substr(colon + 1));
  }
  return out;
}

bool match_labels(const MemoryLabels& labels, const std::vector<std::pair<std::string, std::string>>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& one) {
    if (!labels) return false;
    const auto found = labels->find(one.first);
    return found != labels->end() && found->second == one.second;
  });
}

void each_instance(const State& state, const Call& call,
                   const std::function<void(const MemoryNode&, const MemoryService&)>& one) {
  const auto found = state.instances.find(lower(call.rest));
  if (found == state.instances.end()) return;
  const std::vector<std::string> tags = call.query.all("tag");
  const auto wanted = wanted_labels(call);
  for (const Instance& instance : found->second) {
    const MemoryNode& node = state.nodes.at(instance.first);
    const MemoryService& service = state.services.at(instance);
    const bool tagged = std::all_of(tags.begin(), tags.end(), [&](const auto& tag) { return has_tag(service, tag); });
    if (tagged && match_labels(node.meta, wanted)) one(node, service);
  }
}

Read watch_service(const State& state, const std::string& service, bool checks) {
  Read read;
  read.names = {service_table(service)};
  const bool exists = state.instances.count(lower(service)) > 0;
  const std::uint64_t extinction = table_index(state, kExtinction);
  if (!exists && extinction > 0) {
    read.names.emplace_back(kExtinction);
    read.index = extinction;
  } else if (const std::uint64_t own = table_index(state, service_table(service)); own > 0) {
    read.index = own;
  } else {
    for (const std::string_view table : {kNodeTable, kServiceTable, kCheckTable, kExtinction}) {
      read.names.emplace_back(table);
    }
    read.index = max_index(state, {kNodeTable, kServiceTable});
    if (checks) read.index = std::max(read.index, table_index(state, kCheckTable));
  }
  return read;
}

std::optional<HttpResponse> read_filter(const Call& call, RowKind kind, Filter& out) {
  const absl::StatusOr<Filter> filter = Filter::parse(call.query.get("filter"), kind);
  const absl::Status status = filter.ok() ? filter->check() : filter.status();
  if (!status.ok()) return server_error(std::string(status.message()));
  out = *filter;
  return std::nullopt;
}

bool wanted(const Filter& filter, const Json& row) { return filter.matches(row).value_or(false); }

Read read_health_service(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing service name"));
  HealthQuery query;
  if (auto refusal = read_health_query(call, query)) return refuse(*refusal);
  Read read = watch_service(state, call.rest, true);
  read.answer = [&state, &call, query] { return answer_health(state, call, query); };
  return read;
}

Read read_health_node(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing node name"));
  return read_checks(state, call, [&state, node = lower(call.rest)](const auto& one) {
    for (auto it = state.checks.lower_bound({node, ""}); it != state.checks.end() && it->first.first == node; ++it) {
      one(it->second);
    }
  });
}

Read read_health_checks(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing service name"));
  Read read = read_checks(state, call, [&state, name = lower(call.rest)](const auto& one) {
    for (const auto& [key, check] : state.checks) {
      if (lower(check.service_name) == name) one(check);
    }
  });
  if (!call.query.has("node-meta") || read.refusal) return read;
  // With ?node-meta the server goes by the service, and takes it for one that exists.
  const std::uint64_t own = table_index(state, service_table(call.rest));
  read.index = own > 0 ? own : max_index(state, {kNodeTable, kServiceTable, kCheckTable});
  read.names = {service_table(call.rest), std::string(kNodeTable), std::string(kServiceTable),
                std::string(kCheckTable)};
  return read;
}

Read read_health_state(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing check state"));
  return read_checks(state, call, [&state, status = call.rest](const auto& one) {
    if (status == "any") {
      for (const auto& [key, check] : state.checks) one(check);
    } else if (const auto found = state.checks_in.find(status); found != state.checks_in.end()) {
      for (const auto& key : found->second) one(state.checks.at(key));
    }
  });
}

}  // namespace convergence::memory
