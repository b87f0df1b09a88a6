#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/string_bridge.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"

namespace convergence::memory {
namespace {

constexpr std::string_view kKinds[] = {"service-defaults", "proxy-defaults",  "service-router",     "service-splitter",
                                       "service-resolver", "ingress-gateway", "terminating-gateway"};

bool is_kind(std::string_view kind) {
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

std::string unknown_kind(std::string_view kind) { return fmt::format("invalid config entry kind: {}", kind); }

HttpResponse not_decoded(std::string_view text) {
  return bad_request(fmt::format("Bad request: Request decoding failed: {}", text));
}

// "service-defaults/web" -> kind, name; the name may hold slashes itself.
std::pair<std::string, std::string> kind_and_name(const std::string& rest) {
  const std::size_t slash = rest.find('/');
  return {rest.substr(0, slash), slash == std::string::npos ? "" : rest.substr(slash + 1)};
}

HttpResponse refused(const absl::Status& status) {
  std::string text(to_std(status.message()));
  if (error_kind(status) == ErrorKind::kDecode) return not_decoded(text);
  return server_error(std::move(text));
}

absl::StatusOr<Json> parse_entry(std::string_view body) {
  absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return json;
  const auto refuse_text = [](std::string_view text) { return absl::InvalidArgumentError(to_absl(text)); };
  if (!json->is_object()) return refuse_text("'' expected a map, got 'slice'");
  const Json* kind = json->find("Kind");
  if (kind == nullptr) kind = json->find("kind");
  if (kind == nullptr) return refuse_text("Payload does not contain a kind/Kind key at the top level");
  if (!kind->is_string()) return refuse_text("Kind value in payload is not a string");
  if (!is_kind(*kind->as_string())) return refuse_text(unknown_kind(*kind->as_string()));
  return json;
}

std::uint64_t modify_index(const ConfigEntries& entries, const ConfigEntry& entry) {
  const ConfigEntry* existing = entries.get(entry.kind, entry.name);
  return existing == nullptr ? 0 : existing->modify_index;
}

HttpResponse one_entry(const State& state, const Call& call, const std::string& kind, const std::string& name) {
  const ConfigEntry* entry = state.entries.get(kind, name);
  if (entry != nullptr) return json_answer(call, to_json(*entry));
  return text_answer(404, fmt::format("Config entry not found for \"{}\" / \"{}\"", kind, name));
}

HttpResponse many_entries(const State& state, const Call& call, const std::string& kind) {
  Json::Array rows;
  for (const auto& [id, entry] : state.entries.map()) {
    if (kind.empty() || id.kind == kind) rows.push_back(to_json(*entry));
  }
  return json_answer(call, std::move(rows));
}

std::string decode_overrides(std::string_view body, ChainOverrides& out) {
  const absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return std::string(json.status().message());
  GoDecoder decoder(false, true);
  const auto gateway = [&](const Json& item) {
    decoder.object(item, "MeshGatewayConfig", "structs.MeshGatewayConfig",
                   {{"Mode", decoder.text(out.mesh_gateway_mode)}});
  };
  const auto timeout = [&](const Json& item) {
    GoDecoder own(false);
    own.duration(out.connect_timeout)(item);
    if (own.error().empty()) return;
    decoder.fail(fmt::format("1 error(s) decoding:\n\n* error decoding 'OverrideConnectTimeout': {}", own.error()));
  };
  decoder.object(*json, "DiscoveryChainReadRequest", "structs.DiscoveryChainReadRequest",
                 {{"OverrideProtocol", decoder.text(out.protocol)},
                  {"OverrideConnectTimeout", timeout},
                  {"OverrideMeshGateway", gateway}});
  return decoder.error();
}

}  // namespace

Read read_config(const State& state, const Call& call) {
  const auto [kind, name] = kind_and_name(call.rest);
  if (!kind.empty() && !is_kind(kind)) return refuse(server_error(unknown_kind(kind)));
  Read read;
  read.index = table_index(state, kConfigTable);
  read.names = {std::string(kConfigTable)};
  const bool one = call.rest.find('/') != std::string::npos;
  read.answer = [&state, &call, one] {
    const auto parts = kind_and_name(call.rest);
    return one ? one_entry(state, call, parts.first, parts.second) : many_entries(state, call, parts.first);
  };
  return read;
}

HttpResponse put_config(Store& store, const Call& call) {
  const absl::StatusOr<Json> json = parse_entry(call.body);
  if (!json.ok()) return not_decoded(to_std(json.status().message()));
  absl::StatusOr<ConfigEntry> entry = from_json<ConfigEntry>(*json, "body");
  if (!entry.ok()) return refused(entry.status());
  std::uint64_t cas = 0;
  if (auto answer = read_number(call, "cas", cas)) return *answer;
  entry = normalise_entry(*std::move(entry), store.state().entries.cluster().dialect);
  if (!entry.ok()) return refused(entry.status());
  store.begin();
  if (call.query.has("cas") && modify_index(store.state().entries, *entry) != cas) return json_answer(call, false);
  if (const absl::Status put = store.entries().put(*std::move(entry), store.index()); !put.ok()) return refused(put);
  store.touch(kConfigTable);
  return json_answer(call, true);
}

// 1.8.7 knows no ?cas here and deletes all the same.
HttpResponse delete_config(Store& store, const Call& call) {
  const auto [kind, name] = kind_and_name(call.rest);
  if (name.empty()) return text_answer(404, "Must provide both a kind and name to delete");
  if (!is_kind(kind)) return bad_request(unknown_kind(kind));
  store.begin();
  const bool present = store.state().entries.get(kind, name) != nullptr;
  if (const absl::Status removed = store.entries().remove(kind, name); !removed.ok()) return refused(removed);
  if (present) store.touch(kConfigTable);
  return json_answer(call, Json::Object{});
}

Read read_chain(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Bad request: Missing chain name"));
  ChainRequest request;
  request.service = call.rest;
  request.evaluate_in_datacenter = call.query.get("compile-dc");
  request.cluster = state.entries.cluster();
  if (call.method == "POST") {
    if (std::string mistake = decode_overrides(call.body, request.overrides); !mistake.empty()) {
      return refuse(not_decoded(mistake));
    }
    const std::string& mode = request.overrides.mesh_gateway_mode;
    if (!mode.empty() && mode != "none" && mode != "local" && mode != "remote") {
      return refuse(bad_request("Invalid OverrideMeshGateway.Mode parameter"));
    }
  }
  Read read;
  read.index = table_index(state, kConfigTable);
  read.names = {std::string(kConfigTable)};
  read.answer = [&state, &call, request] {
    const absl::StatusOr<DiscoveryChain> chain = compile_chain(state.entries.map(), request);
    if (!chain.ok()) return server_error(std::string(to_std(chain.status().message())));
    return json_answer(call, Json::Object{{"Chain", to_json(*chain)}});
  };
  return read;
}

}  // namespace convergence::memory
