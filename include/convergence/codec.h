#ifndef CONVERGENCE_CODEC_H_
#define CONVERGENCE_CODEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"
#include "convergence/json.h"
#include "convergence/plan.h"

namespace convergence {

// Values <-> JSON. Where Consul has a shape for a value, that is the shape. from_json<T>(to_json(x)) == x for every
// value; members unknown to us come back where the value has a place for them and are refused where it has not.
//
// Errors: INVALID_ARGUMENT kind "decode", "<document>: <pointer> (offset N): <problem>"; detail has document, pointer,
// offset. Our own documents carry "schema"; one outside CVG_SCHEMA_OLDEST..CURRENT is refused by that name.

// Declared for: ConfigEntry, DiscoveryChain, Node, HealthCheck, ServiceInstance, KvPair, CatalogState, DesiredService,
// DesiredState, Plan, PlanOptions, CanaryPolicy, CanaryState, CanaryEvent, CanaryStep, HttpRequestShape, RouteResult.
template <typename T>
absl::StatusOr<T> from_json(const Json& json, std::string_view document);

// parse_json, then from_json.
template <typename T>
absl::StatusOr<T> parse(std::string_view text, std::string_view document) {
  absl::StatusOr<Json> json = parse_json(text, document);
  if (!json.ok()) return json.status();
  return from_json<T>(*json, document);
}

Json to_json(const ConfigEntry& entry);  // as GET /v1/config answers
Json to_json(const DiscoveryChain& chain);  // the "Chain" object
Json to_json(const Node& node);
Json to_json(const HealthCheck& check);
Json to_json(const ServiceInstance& instance);  // the "Service" object of a health row
Json to_json(const KvPair& pair);  // value in base64, as Consul answers
Json to_json(const CatalogState& catalog);
Json to_json(const DesiredService& service);
Json to_json(const DesiredState& desired);
Json to_json(const Plan& plan);
Json to_json(const PlanOptions& options);
Json to_json(const CanaryPolicy& policy);
Json to_json(const CanaryState& state);
Json to_json(const CanaryEvent& event);
Json to_json(const CanaryStep& step);
Json to_json(const RouteResult& result);

// Raw Consul answers as CatalogState: {"nodes": [/v1/catalog/nodes], "services": {/v1/catalog/services},
// "health": {name: [/v1/health/service/name]}, "node_health": {node: [/v1/health/node/name]}, "kv": [/v1/kv/?recurse],
// "config": [entries], "index": n, "datacenter": "dc1"}; each member may be absent.
absl::StatusOr<CatalogState> catalog_from_consul(const Json& answers, std::string_view document);

// A row of /v1/health/service.
Json health_row(const InstanceState& instance, const NodeState& node);

// Desired documents as they stand in KV below `prefix` (desired.h); keys that are no documents of ours are refused, so
// that a typing mistake is seen. A torn or broken document makes that one an error in `broken` and leaves the others.
struct DesiredRead {
  DesiredState desired;
  std::vector<absl::Status> broken;
};
absl::StatusOr<DesiredRead> desired_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix);
std::vector<KvPair> desired_to_kv(const DesiredState& desired, std::string_view prefix);

// Durations as Go writes and reads them: "1m30s", "1.5s", "250µs".
std::string duration_to_text(Duration duration);
absl::StatusOr<Duration> duration_from_text(std::string_view text);

std::string base64_encode(std::string_view bytes);
absl::StatusOr<std::string> base64_decode(std::string_view text);

}  // namespace convergence

#endif  // CONVERGENCE_CODEC_H_
