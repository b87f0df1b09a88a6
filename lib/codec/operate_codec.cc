#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "convergence/version.h"
#include "lib/base/pieces.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace codec {
namespace {

constexpr std::string_view kAll = "all";
constexpr std::string_view kRoles = "roles/";
constexpr std::string_view kNodes = "nodes/";

Json with_asked(ObjectWriter writer, const Asked& asked) {
  return writer.put_if("by", asked.by).put_if("reason", asked.reason).put("at", encode(asked.at)).take();
}

// "<role>/<service id>/<deployment>/nodes/<node>" or ".../record", from its end, since nothing in it holds a slash.
struct KeyParts {
  std::string_view role{}, service_id{}, deployment{}, node{};
  bool record = false;
};

bool split(std::string_view rest, KeyParts& out) {
  const std::vector<std::string_view> parts = pieces_of(rest);
  out.record = parts.size() == 4 && parts[3] == "record";
  if (!out.record && !(parts.size() == 5 && parts[3] == "nodes")) return false;
  out.role = parts[0];
  out.service_id = parts[1];
  out.deployment = parts[2];
  if (!out.record) out.node = parts[4];
  return true;
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, DeploymentRecord& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("version", out.version)
      .optional("generation", out.generation)
      .optional("by", out.asked.by)
      .optional("reason", out.asked.reason)
      .optional("at", out.asked.at)
      .optional("log", out.log)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, DeployLock& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("by", out.asked.by)
      .optional("reason", out.asked.reason)
      .optional("at", out.asked.at)
      .finish();
}

}  // namespace codec

template <>
absl::StatusOr<DeploymentRecord> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DeploymentRecord>(json, document);
}
template <>
absl::StatusOr<DeployLock> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<DeployLock>(json, document);
}

Json to_json(const DeploymentRecord& record) {
  codec::ObjectWriter writer;
  writer.put("schema", CVG_SCHEMA_CURRENT).put("version", record.version).put_if("generation", record.generation);
  Json json = codec::with_asked(std::move(writer), record.asked);
  if (!record.log.empty()) json.set("log", codec::encode(record.log));
  return json;
}

DeploymentRecord with_lines(const DeploymentRecord& record, const std::vector<std::string>& lines) {
  constexpr std::size_t kMostBytes = 400;
  DeploymentRecord out = record;
  for (const std::string& line : lines) {
    std::size_t end = std::min(line.size(), kMostBytes);
    while (end > 0 && end < line.size() && (line[end] & 0xC0) == 0x80) --end;  // not within a character
    out.log.push_back(line.substr(0, end));
  }
  if (out.log.size() > kMostLogLines) {
    out.log.erase(out.log.begin(), out.log.end() - static_cast<std::ptrdiff_t>(kMostLogLines));
  }
  return out;
}

Json to_json(const DeployLock& lock) {
  codec::ObjectWriter writer;
  writer.put("schema", CVG_SCHEMA_CURRENT);
  return codec::with_asked(std::move(writer), lock.asked);
}

Json to_json(const ServiceStatus& status) {
  Json::Array nodes;
  for (const NodeLine& line : status.nodes) {
    codec::ObjectWriter node;
    node.put("node", line.node)
        .put("standing", to_string(line.standing))
        .put_if("version", line.version)
        .put_if("deployment", line.deployment)
        .put_if("wanted", line.wanted)
        .put_if("out_of_traffic", line.out_of_traffic)
        .put_if("why", line.why);
    if (line.report) node.put("report", to_json(*line.report));
    nodes.push_back(node.take());
  }
  return codec::ObjectWriter()
      .put("service", status.name)
      .put("role", status.role)
      .put("slice", to_string(status.slice))
      .put("service_id", status.service_id)
      .put("version", status.version)
      .put("deployment", status.deployment)
      .put_if("last_good", status.last_good)
      .put("action", to_string(status.action))
      .put("phase", status.phase)
      .put_if("why", status.why)
      .put("satisfied", status.satisfied)
      .put("nodes", Json(std::move(nodes)))
      .take();
}

Json to_json(const PastDeployment& deployment) {
  codec::ObjectWriter writer;
  writer.put("role", deployment.role).put("service_id", deployment.service_id).put("deployment", deployment.deployment);
  writer.put_if("overall_status", deployment.overall);
  if (deployment.record) writer.put("record", to_json(*deployment.record));
  Json reports;
  for (const auto& [node, report] : deployment.reports) reports.set(node, to_json(report));
  return writer.put("nodes", deployment.reports.empty() ? Json(Json::Object{}) : reports).take();
}

// ---- locks -------------------------------------------------------------------------------------------------------

absl::Status check_lock_scope(std::string_view scope) {
  if (scope == codec::kAll) return absl::OkStatus();
  for (const std::string_view kind : {codec::kRoles, codec::kNodes}) {
    if (!scope.starts_with(kind)) continue;
    const std::string_view name = scope.substr(kind.size());
    if (!name.empty() && name.find('/') == std::string_view::npos) return absl::OkStatus();
  }
  return make_error(ErrorKind::kValidate,
                    fmt::format("lock \"{}\": has to be all, roles/<role> or nodes/<node>", scope));
}

std::vector<DeployLock> locks_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix) {
  const std::string folder = fmt::format("{}/locks/", prefix);
  std::vector<DeployLock> locks;
  for (const KvPair& pair : pairs) {
    if (!pair.key.starts_with(folder) || pair.key.ends_with('/')) continue;
    absl::StatusOr<DeployLock> read = parse<DeployLock>(pair.value, pair.key);
    DeployLock lock;
    if (read.ok()) {
      lock = *std::move(read);
    } else {
      lock.asked.reason = pair.value;
    }
    lock.scope = pair.key.substr(folder.size());
    locks.push_back(std::move(lock));
  }
  std::ranges::sort(locks, {}, &DeployLock::scope);
  return locks;
}

std::string locked_for(const std::vector<DeployLock>& locks, std::string_view role, std::string_view node) {
  for (const DeployLock& lock : locks) {
    const std::string_view scope = lock.scope;
    std::string what;
    if (scope == codec::kAll) what = "all deployments are";
    if (scope.starts_with(codec::kRoles) && scope.substr(codec::kRoles.size()) == role) {
      what = fmt::format("deployments of role {} are", role);
    }
    if (scope.starts_with(codec::kNodes) && scope.substr(codec::kNodes.size()) == node) {
      what = fmt::format("deployments on {} are", node);
    }
    if (what.empty()) continue;
    return fmt::format("{} locked{}{}{}{}", what, lock.asked.by.empty() ? "" : " by ", lock.asked.by,
                       lock.asked.reason.empty() ? "" : ": ", lock.asked.reason);
  }
  return "";
}

// ---- deployments -------------------------------------------------------------------------------------------------

Time began(const PastDeployment& deployment) {
  std::optional<Time> first;
  if (deployment.record && deployment.record->asked.at != Time{}) first = deployment.record->asked.at;
  for (const auto& [node, report] : deployment.reports) {
    if (!first || report.start < *first) first = report.start;
  }
  return first.value_or(Time{});
}

std::vector<PastDeployment> deployments_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix,
                                                std::vector<absl::Status>& broken) {
  const std::string folder = fmt::format("{}/deployments/", prefix);
  std::map<std::tuple<std::string, std::string, std::string>, PastDeployment> found;
  for (const KvPair& pair : pairs) {
    codec::KeyParts place;
    if (!pair.key.starts_with(folder) || !codec::split(std::string_view(pair.key).substr(folder.size()), place)) {
      continue;
    }
    PastDeployment& one =
        found[{std::string(place.role), std::string(place.service_id), std::string(place.deployment)}];
    one.role = place.role;
    one.service_id = place.service_id;
    one.deployment = place.deployment;
    absl::Status status;
    if (place.record) {
      absl::StatusOr<DeploymentRecord> record = parse<DeploymentRecord>(pair.value, pair.key);
      status = record.status();
      if (record.ok()) one.record = *std::move(record);
    } else {
      absl::StatusOr<NodeReport> report = parse<NodeReport>(pair.value, pair.key);
      status = report.status();
      if (report.ok()) one.reports[std::string(place.node)] = *std::move(report);
    }
    if (!status.ok()) broken.push_back(std::move(status));
  }
  std::vector<PastDeployment> out;
  for (auto& [key, one] : found) out.push_back(std::move(one));
  std::ranges::stable_sort(out, std::ranges::greater{}, began);
  return out;
}

}  // namespace convergence
