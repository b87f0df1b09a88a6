#include <map>
#include <utility>

#include "fmt/format.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"
#include "lib/memory/health_filter.h"
#include "lib/memory/registration.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

struct Registration {
  MemoryNode node;
  bool skip_node_update = false;
  std::optional<MemoryService> service;
  std::vector<MemoryCheck> checks;
};

std::string decode_registration(std::string_view body, Registration& out) {
  const absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return std::string(json.status().message());
  GoDecoder decoder(true);
  const auto service = [&](const Json& item) { decode_service(decoder, item, out.service.emplace()); };
  const auto check = [&](const Json& item) { decode_check(decoder, item, out.checks.emplace_back()); };
  decoder.object(*json, "RegisterRequest", "structs.RegisterRequest",
                 {{"Datacenter", decoder.text(out.node.datacenter)},
                  {"ID", decoder.text(out.node.id)},
                  {"Node", decoder.text(out.node.name)},
                  {"Address", decoder.text(out.node.address)},
                  {"TaggedAddresses", decoder.labels(out.node.tagged_addresses)},
                  {"NodeMeta", decoder.labels(out.node.meta)},
                  {"Service", service},
                  {"Check", check},
                  {"Checks", decoder.each(check, "structs.HealthChecks")},
                  {"SkipNodeUpdate", decoder.flag(out.skip_node_update)},
                  {"Token", decoder.ignored()}});
  return decoder.error();
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::string_view("0123456789abcdefABCDEF").find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// What is refused before the write gets an index.
std::string prepare(const State& state, Registration& given) {
  const std::string& datacenter = state.entries.cluster().datacenter;
  if (given.node.datacenter.empty()) given.node.datacenter = datacenter;
  if (given.node.datacenter != datacenter) return "No path to datacenter";
  if (given.node.name.empty()) return "Must provide node";
  if (given.node.address.empty() && !given.skip_node_update) return "Must provide address if SkipNodeUpdate is not set";
  if (!given.node.id.empty() && !is_uuid(given.node.id)) {
    return given.node.id.size() == 36 ? "Bad node ID: invalid UUID" : "Bad node ID: uuid string is wrong length";
  }
  if (given.service) {
    if (std::string mistake = prepare_service(*given.service); !mistake.empty()) return mistake;
    given.service->node = given.node.name;
  }
  for (MemoryCheck& check : given.checks) {
    prepare_check(check);
    set_check_type(check);
    if (check.node.empty()) check.node = given.node.name;
  }
  return "";
}

std::string store_registration(Store& store, const Registration& given) {
  const MemoryNode* existing = find_node(store.state(), given.node.name);
  if (existing == nullptr || !given.skip_node_update) {
    if (std::string mistake = ensure_node(store, given.node); !mistake.empty()) {
      return fmt::format("failed inserting node: {}", mistake);
    }
  }
  if (given.service) {
    if (std::string mistake = ensure_service(store, *given.service); !mistake.empty()) {
      return fmt::format("failed inserting service: {}", mistake);
    }
  }
  for (const MemoryCheck& check : given.checks) {
    if (lower(check.node) != lower(given.node.name)) {
      return fmt::format("check node \"{}\" does not match node \"{}\"", check.node, given.node.name);
    }
    if (std::string mistake = ensure_check(store, check); !mistake.empty()) {
      return fmt::format("failed inserting check: {} on node \"{}\"", mistake, check.node);
    }
  }
  return "";
}

struct Labels {
  std::vector<std::pair<std::string, std::string>> wanted;
  bool match(const MemoryNode& node) const { return match_labels(node.meta, wanted); }
};

Json services_of(const State& state, const Labels& labels) {
  // Tags in the order in which the instances have them, each once; names sorted as Go writes a map.
  std::map<std::string, std::vector<std::string>> by_name;
  for (const auto& [instance, service] : state.services) {
    if (!labels.match(state.nodes.at(instance.first))) continue;
    std::vector<std::string>& tags = by_name[service.service];
    for (const std::string& tag : service.tags) {
      if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
    }
  }
  Json::Object out;
  for (const auto& [name, tags] : by_name) out.push_back({name, text_array(tags)});
  return out;
}

Json::Array services_of_node(const State& state, const std::string& node, const Filter& filter) {
  Json::Array out;
  for (auto it = state.services.lower_bound({node, ""}); it != state.services.end() && it->first.first == node; ++it) {
    Json row = service_row(it->second);
    if (wanted(filter, row)) out.push_back(std::move(row));
  }
  return out;
}

// `shape` makes of a node's services what the answer has for them.
Read read_node(const State& state, const Call& call, Json (*shape)(Json::Array services)) {
  if (call.rest.empty()) return refuse(bad_request("Missing node name"));
  Filter filter;
  if (auto refusal = read_filter(call, RowKind::kService, filter)) return refuse(*refusal);
  const MemoryNode* node = find_node(state, call.rest);
  if (node == nullptr) node = find_node_by_id(state, call.rest);
  Read read;
  read.names = {std::string(kNodeTable), std::string(kServiceTable)};
  if (node == nullptr) {  // index 1 whatever happens elsewhere
    read.answer = [&call] { return json_answer(call, Json()); };
    return read;
  }
  read.index = max_index(state, {kNodeTable, kServiceTable});
  read.answer = [&state, &call, node, shape, filter] {
    return json_answer(call, Json::Object{{"Node", node_row(*node)},
                                          {"Services", shape(services_of_node(state, lower(node->name), filter))}});
  };
  return read;
}

}  // namespace

HttpResponse register_catalog(Store& store, const Call& call) {
  Registration given;
  if (std::string mistake = decode_registration(call.body, given); !mistake.empty()) {
    return bad_request(fmt::format("Request decode failed: {}", mistake));
  }
  if (std::string mistake = prepare(store.state(), given); !mistake.empty()) return server_error(std::move(mistake));
  store.begin();
  if (std::string mistake = store_registration(store, given); !mistake.empty()) {
    store.rollback();
    return server_error(std::move(mistake));
  }
  return json_answer(call, true);
}

HttpResponse deregister_catalog(Store& store, const Call& call) {
  const absl::StatusOr<Json> json = parse_body(call.body);
  if (!json.ok()) return bad_request(fmt::format("Request decode failed: {}", std::string(json.status().message())));
  GoDecoder decoder(true);
  std::string datacenter, node, service, check;
  decoder.object(*json, "DeregisterRequest", "structs.DeregisterRequest",
                 {{"Datacenter", decoder.text(datacenter)},
                  {"Node", decoder.text(node)},
                  {"ServiceID", decoder.text(service)},
                  {"CheckID", decoder.text(check)},
                  {"Namespace", decoder.ignored()},
                  {"Token", decoder.ignored()}});
  if (!decoder.error().empty()) return bad_request(fmt::format("Request decode failed: {}", decoder.error()));
  if (!datacenter.empty() && datacenter != store.state().entries.cluster().datacenter) {
    return server_error("No path to datacenter");
  }
  if (node.empty()) return server_error("Must provide node");
  store.begin();
  if (!service.empty()) {
    delete_service(store, node, service);
  } else if (!check.empty()) {
    delete_check(store, node, check);
  } else {
    delete_node(store, node);
  }
  return json_answer(call, true);
}

HttpResponse list_datacenters(Store& store, const Call& call) {
  return json_answer(call, Json::Array{store.state().entries.cluster().datacenter});
}

Read list_nodes(const State& state, const Call& call) {
  Filter filter;
  if (auto refusal = read_filter(call, RowKind::kNode, filter)) return refuse(*refusal);
  Read read;
  read.index = table_index(state, kNodeTable);
  read.names = {std::string(kNodeTable)};
  read.answer = [&state, &call, filter] {
    const Labels labels{wanted_labels(call)};
    Json::Array rows;
    for (const auto& [name, node] : state.nodes) {
      if (!labels.match(node)) continue;
      Json row = node_row(node);
      if (wanted(filter, row)) rows.push_back(std::move(row));
    }
    return json_answer(call, std::move(rows));
  };
  return read;
}

Read list_services(const State& state, const Call& call) {
  Read read;  // the server passes over a ?filter here
  read.names = {std::string(kServiceTable)};
  read.index = table_index(state, kServiceTable);
  if (call.query.has("node-meta")) {
    read.names.emplace_back(kNodeTable);
    read.index = max_index(state, {kServiceTable, kNodeTable});
  }
  read.answer = [&state, &call] { return json_answer(call, services_of(state, {wanted_labels(call)})); };
  return read;
}

Read read_catalog_service(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing service name"));
  Filter filter;
  if (auto refusal = read_filter(call, RowKind::kCatalogService, filter)) return refuse(*refusal);
  Read read = watch_service(state, call.rest, false);
  read.answer = [&state, &call, filter] {
    Json::Array rows;
    each_instance(state, call, [&](const MemoryNode& node, const MemoryService& service) {
      Json row = catalog_service_row(node, service);
      if (wanted(filter, row)) rows.push_back(std::move(row));
    });
    return json_answer(call, std::move(rows));
  };
  return read;
}

Read read_catalog_node(const State& state, const Call& call) {
  return read_node(state, call, [](Json::Array services) -> Json {
    std::map<std::string, Json> by_id;
    for (Json& row : services) by_id.emplace(*row.find("ID")->as_string(), std::move(row));
    Json::Object out;
    for (auto& [id, row] : by_id) out.push_back({id, std::move(row)});
    return out;
  });
}

Read read_node_services(const State& state, const Call& call) {
  return read_node(state, call, [](Json::Array services) -> Json { return services; });
}

}  // namespace convergence::memory
