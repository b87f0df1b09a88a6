#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capi/verbs.h"
#include "convergence/codec.h"

namespace convergence::capi {
namespace {

Json shape(const Json& json) { return json; }
Json shape(const std::string& text) { return text; }
Json shape(const KvPair& pair) { return to_json(pair); }
Json shape(const Node& node) { return to_json(node); }
Json shape(const HealthCheck& check) { return to_json(check); }
Json shape(const ConfigEntry& entry) { return to_json(entry); }
Json shape(const DiscoveryChain& chain) { return to_json(chain); }

Json shape(const HealthRow& row) {
  Json::Array checks;
  for (const HealthCheck& check : row.checks) checks.push_back(to_json(check));
  return Json().set("Node", to_json(row.node)).set("Service", to_json(row.instance)).set("Checks", std::move(checks));
}

template <typename T>
Json shape(const std::optional<T>& value) {
  return value ? shape(*value) : Json();
}

template <typename T>
Json shape(const std::vector<T>& values) {
  Json::Array array;
  for (const T& value : values) array.push_back(shape(value));
  return array;
}

template <typename T>
Json shape(const std::map<std::string, T>& values) {
  Json::Object object;
  for (const auto& [name, value] : values) object.push_back({name, shape(value)});
  return object;
}

// Turns the typed answer into the JSON one.
template <typename T>
ConsulClient::Callback<Answer<T>> into(AnswerCallback done) {
  return [done = std::move(done)](absl::StatusOr<Answer<T>> answer) {
    if (!answer.ok()) return done(answer.status());
    done(Answer<Json>{shape(answer->value), answer->index, answer->known_leader, answer->last_contact});
  };
}

constexpr Parameter kKey[] = {{"key", Shape::kText, true}};
constexpr Parameter kReadPrefix[] = {{"prefix", Shape::kText, true}};
constexpr Parameter kService[] = {{"service", Shape::kText, true}};
constexpr Parameter kNode[] = {{"node", Shape::kText, true}};
constexpr Parameter kState[] = {{"state", Shape::kText, true}};
constexpr Parameter kKindName[] = {{"kind", Shape::kText, true}, {"name", Shape::kText, true}};
constexpr Parameter kKind[] = {{"kind", Shape::kText, true}};

const ReadVerb kReadVerbs[] = {
    {"kv_get", kKey,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.kv_get(text_of(a, "key"), o, into<std::optional<KvPair>>(std::move(done)));
     }},
    {"kv_recurse", kReadPrefix,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.kv_recurse(text_of(a, "prefix"), o, into<std::vector<KvPair>>(std::move(done)));
     }},
    {"kv_keys", kReadPrefix,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.kv_keys(text_of(a, "prefix"), o, into<std::vector<std::string>>(std::move(done)));
     }},
    {"catalog_nodes",
     {},
     [](ConsulClient& client, const Json&, const ReadOptions& o, AnswerCallback done) {
       client.catalog_nodes(o, into<std::vector<Node>>(std::move(done)));
     }},
    {"catalog_services",
     {},
     [](ConsulClient& client, const Json&, const ReadOptions& o, AnswerCallback done) {
       client.catalog_services(o, into<std::map<std::string, std::vector<std::string>>>(std::move(done)));
     }},
    {"health_service", kService,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.health_service(text_of(a, "service"), o, into<std::vector<HealthRow>>(std::move(done)));
     }},
    {"health_node", kNode,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.health_node(text_of(a, "node"), o, into<std::vector<HealthCheck>>(std::move(done)));
     }},
    {"health_state", kState,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.health_state(text_of(a, "state"), o, into<std::vector<HealthCheck>>(std::move(done)));
     }},
    {"config_get", kKindName,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.config_get(text_of(a, "kind"), text_of(a, "name"), o, into<std::optional<ConfigEntry>>(std::move(done)));
     }},
    {"config_list", kKind,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.config_list(text_of(a, "kind"), o, into<std::vector<ConfigEntry>>(std::move(done)));
     }},
    {"config_list_all",
     {},
     [](ConsulClient& client, const Json&, const ReadOptions& o, AnswerCallback done) {
       client.config_list_all(o, into<std::vector<ConfigEntry>>(std::move(done)));
     }},
    {"discovery_chain", kService,
     [](ConsulClient& client, const Json& a, const ReadOptions& o, AnswerCallback done) {
       client.discovery_chain(text_of(a, "service"), o, into<DiscoveryChain>(std::move(done)));
     }},
    {"session_list",
     {},
     [](ConsulClient& client, const Json&, const ReadOptions& o, AnswerCallback done) {
       client.session_list(o, into<Json::Array>(std::move(done)));
     }},
};

constexpr Parameter kReadParameters[] = {
    {"dc", Shape::kText, false},         {"ns", Shape::kText, false},          {"stale", Shape::kBool, false},
    {"consistent", Shape::kBool, false}, {"filter", Shape::kText, false},      {"index", Shape::kInteger, false},
    {"wait", Shape::kDuration, false},   {"timeout", Shape::kDuration, false},
};

}  // namespace

std::span<const ReadVerb> read_verbs() { return kReadVerbs; }
std::span<const Parameter> read_parameters() { return kReadParameters; }

ReadOptions read_options(const Json& arguments) {
  ReadOptions options;
  options.datacenter = text_of(arguments, "dc");
  options.namespace_name = text_of(arguments, "ns");
  if (flag_of(arguments, "stale")) options.consistency = Consistency::kStale;
  if (flag_of(arguments, "consistent")) options.consistency = Consistency::kConsistent;
  options.filter = text_of(arguments, "filter");
  options.wait_index = static_cast<std::uint64_t>(integer_of(arguments, "index").value_or(0));
  options.wait = duration_of(arguments, "wait").value_or(options.wait);
  options.timeout = duration_of(arguments, "timeout").value_or(options.timeout);
  return options;
}

}  // namespace convergence::capi
