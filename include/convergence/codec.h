#ifndef CONVERGENCE_CODEC_H_
#define CONVERGENCE_CODEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/agent.h"
#include "convergence/analysis.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"
#include "convergence/json.h"
#include "convergence/lint.h"
#include "convergence/operate.h"
#include "convergence/plan.h"
#include "convergence/report.h"
#include "convergence/simulate.h"

namespace convergence {

// Values <-> JSON. Where Consul has a shape for a value, that is the shape. from_json<T>(to_json(x)) == x for every
// value; members unknown to us come back where the value has a place for them. Where it has none they are refused in
// documents of ours, and ignored in what a newer Consul answers.
//
// Errors: INVALID_ARGUMENT kind "decode", "<document>: <pointer> (offset N): <problem>"; detail has document, pointer,
// offset. Our own documents carry "schema"; one outside CVG_SCHEMA_OLDEST..CURRENT is refused by that name.

template <typename T>
absl::StatusOr<T> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<ConfigEntry> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<DiscoveryChain> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<Node> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<HealthCheck> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<ServiceInstance> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<KvPair> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CatalogState> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CheckDefinition> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<Release> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<DesiredService> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<DesiredState> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<NodeReport> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<DeployLock> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<DeploymentRecord> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AppSpec> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AgentMemory> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AgentEvent> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AgentState> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<Plan> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<PlanOptions> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CanaryPolicy> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CanaryState> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CanaryEvent> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<CanaryStep> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AnalysisOptions> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AnalysisState> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<std::vector<Interval>> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<Scenario> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<SimulatedPolicy> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<HttpRequestShape> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<RouteResult> from_json(const Json& json, std::string_view document);

// parse_json, then from_json.
template <typename T>
absl::StatusOr<T> parse(std::string_view text, std::string_view document) {
  absl::StatusOr<Json> json = parse_json(text, document);
  if (!json.ok()) return json.status();
  return from_json<T>(*json, document);
}

Json to_json(const ConfigEntry& entry);     // as GET /v1/config answers
Json to_json(const DiscoveryChain& chain);  // the "Chain" object
Json to_json(const Node& node);
Json to_json(const HealthCheck& check);
Json to_json(const ServiceInstance& instance);  // the "Service" object of a health row, which does not name the node
Json to_json(const KvPair& pair);               // value in base64, as Consul answers
Json to_json(const CatalogState& catalog);      // the shape that catalog_from_consul reads
Json to_json(const CheckDefinition& check);
Json to_json(const DesiredService& service);
Json to_json(const Release& release);
Json to_json(const DesiredState& desired);
Json to_json(const NodeReport& report);
Json to_json(const DeployLock& lock);
Json to_json(const DeploymentRecord& record);
Json to_json(const PastDeployment& deployment);
Json to_json(const ServiceStatus& status);
Json to_json(const AppSpec& spec);
Json to_json(const AgentMemory& memory);
Json to_json(const AgentEvent& event);
Json to_json(const AgentState& state);
Json to_json(const AgentStep& step);  // its effects and decisions, and what waits; the rest of its state is not in it
Json to_json(const Plan& plan);
Json to_json(const PlanOptions& options);
Json to_json(const CanaryPolicy& policy);
Json to_json(const CanaryState& state);
Json to_json(const CanaryEvent& event);
Json to_json(const CanaryStep& step);
Json to_json(const AnalysisOptions& options);
Json to_json(const AnalysisState& state);
Json to_json(const Interval& interval);
Json to_json(const Judgement& judgement);
Json to_json(const Comparison& comparison);
Json to_json(const Simulation& simulation);
Json to_json(const RouteResult& result);
Json to_json(const std::vector<Finding>& findings);

// Raw Consul answers as CatalogState: {"nodes": [/v1/catalog/nodes], "services": {/v1/catalog/services},
// "health": {name: [/v1/health/service/name]}, "node_health": {node: [/v1/health/node/name]}, "kv": [/v1/kv/?recurse],
// "config": [entries], "index": n, "datacenter": "dc1"}; each member may be absent.
absl::StatusOr<CatalogState> catalog_from_consul(const Json& answers, std::string_view document);

// A row of /v1/health/service.
Json health_row(const InstanceState& instance, const NodeState& node);

// Desired documents as they stand in KV below `prefix` (desired.h). A broken document, or a key below desired/ or
// config/ that can be none of ours (a typing mistake), is an error in `broken` and leaves the others; what is not read
// is not known to be unwanted, so nothing may be pruned while there is one. Other keys below the prefix are left alone.
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
