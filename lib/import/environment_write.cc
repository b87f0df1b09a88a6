#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_writer.h"
#include "lib/codec/place.h"
#include "lib/import/environment.h"

namespace convergence {
namespace environment {
namespace {

using codec::ObjectWriter;

constexpr std::string_view kS3 = "s3://";

std::string record_key(const EnvironmentRole& role, std::string_view service, Slice slice) {
  return fmt::format("{}{}/{}", role_prefix(role), service, to_string(slice));
}

Json operation(std::string_view verb, std::string_view key, std::uint64_t index,
               std::optional<std::string_view> value) {
  ObjectWriter kv;
  kv.put("Verb", verb).put("Key", key);
  if (value) kv.put("Value", base64_encode(*value));
  kv.put("Index", index);
  return ObjectWriter().put("KV", kv.take()).take();
}

const KvPair* find(const Kv& kv, const std::string& key) {
  const auto found = kv.find(key);
  return found == kv.end() ? nullptr : &found->second;
}

absl::Status invalid(const DesiredService& service, std::string_view field, std::string_view problem) {
  const std::string where = fmt::format("export of {}/{}", service.name, to_string(service.slice));
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}: {}", where, field, problem),
                    Json().set("where", where).set("field", field));
}

// Pieces of keys, each of which may reach into no other subtree (W-S6).
absl::Status check_pieces(const EnvironmentRole& role, std::string_view service, std::string_view deployment) {
  for (const auto& [what, piece] :
       {std::pair{"environment", std::string_view(role.environment)}, std::pair{"role", std::string_view(role.role)},
        std::pair{"service", service}, std::pair{"deployment", deployment}}) {
    const std::string problem = piece_problem(piece);
    if (problem.empty()) continue;
    return make_error(ErrorKind::kValidate, fmt::format("the {} {}", what, problem), Json().set("field", what));
  }
  return absl::OkStatus();
}

// What their documents have no word for, and whose absence would put the service elsewhere or run other bytes.
absl::Status check_sayable(const DesiredService& service, const EnvironmentRole& role) {
  const Release& release = service.release;
  const Placement& placement = service.placement;
  CVG_RETURN_IF_ERROR(check_pieces(role, service.name, release.deployment));
  CVG_RETURN_IF_ERROR(validate(DesiredState{{service}, {}}));
  if (const std::string problem = piece_problem(release.version); !problem.empty()) {
    return invalid(service, "version", problem);
  }
  if (placement.role != role.role) {
    return invalid(service, "placement.role", fmt::format("\"{}\" is not the role {}", placement.role, role.role));
  }
  for (const auto& [name, value] : placement.node_meta) {
    if (name == "environment" && value == role.environment) continue;
    return invalid(service, fmt::format("placement.node_meta[{}]", name), "their roles reach all nodes of the role");
  }
  if (!placement.nodes.empty()) return invalid(service, "placement.nodes", "their roles reach all nodes of the role");
  if (!placement.filter.empty()) return invalid(service, "placement.filter", "their roles reach all nodes of the role");
  const std::string id = environment_service_id(role, service.name, service.slice);
  for (const auto& [field, name] : {std::pair{"id", &service.id}, {"registered_name", &service.registered_name}}) {
    if (!name->empty() && *name != id) {
      return invalid(service, field, fmt::format("\"{}\" cannot be said there; their agent makes it {}", *name, id));
    }
  }
  const std::string_view source = release.package.source;
  const std::size_t slash = source.starts_with(kS3) ? source.find('/', kS3.size()) : std::string_view::npos;
  if (slash == std::string_view::npos || slash == kS3.size() || slash + 1 == source.size()) {
    return invalid(service, "package.source",
                   fmt::format("\"{}\" is not s3://bucket/key, and they read no other", source));
  }
  return absl::OkStatus();
}

std::vector<std::string> left_out(const DesiredService& service) {
  const Release& release = service.release;
  std::vector<std::string> out;
  const auto add = [&](bool is_set, std::string_view name) {
    if (is_set) out.emplace_back(name);
  };
  add(!release.meta.empty(), "meta");
  add(!release.checks.empty(), "checks");
  add(!release.hooks.empty(), "hooks");
  add(!release.environment.empty(), "environment");
  add(!release.run_as.empty(), "run_as");
  add(!release.depends_on.empty(), "depends_on");
  add(release.demands != Demands(), "demands");
  add(release.deadline % std::chrono::minutes(1) != Duration::zero(), "deadline: rounded up to whole minutes");
  add(service.generation != 0, "generation");
  add(service.last_good.has_value(), "last_good");
  add(service.strategy != Strategy(), "strategy");
  add(service.progress != FleetProgress(), "progress");
  add(!service.unknown.empty(), "unknown members");
  return out;
}

// The definition whose ports are known: of the version itself, else of the one that the record points to.
const KvPair* definition_before(const DesiredService& service, const EnvironmentRole& role, const Kv& kv) {
  if (const KvPair* own = find(kv, definition_key(role.environment, service.name, service.release.version))) return own;
  const KvPair* pointer = find(kv, record_key(role, service.name, service.slice));
  if (!pointer) return nullptr;
  const auto record = read_record(*pointer, {service.name, service.slice});
  return record.ok() ? find(kv, definition_key(role.environment, service.name, record->version)) : nullptr;
}

// K2. Of its ports the one of the other slice stays, for slices share the definition of a version (1.7).
absl::StatusOr<std::string> definition_text(const DesiredService& service, const EnvironmentRole& role,
                                            const KvPair* there) {
  Ports ports;
  if (there) {
    CVG_ASSIGN_OR_RETURN(ports, read_ports(*there));
  }
  // In no slice theirs takes the smaller one, so both are said unless it is the right one already.
  const bool is_said = service.slice == Slice::kNone && std::min(ports.blue, ports.green) == service.release.port;
  if (service.slice != Slice::kGreen && !is_said) ports.blue = service.release.port;
  if (service.slice != Slice::kBlue && !is_said) ports.green = service.release.port;
  std::vector<std::string> tags = service.release.tags;
  std::erase_if(tags, [](const std::string& tag) {
    return std::ranges::any_of(kAgentTags, [&](std::string_view start) { return tag.starts_with(start); });
  });
  // By these two their pages find services.
  const std::pair<std::string_view, std::string_view> wanted[] = {{"environment:", role.environment},
                                                                  {"version:", service.release.version}};
  for (const auto& [start, value] : wanted) {
    const auto begins = [begin = start](const std::string& tag) { return tag.starts_with(begin); };
    if (std::ranges::none_of(tags, begins)) tags.push_back(fmt::format("{}{}", start, value));
  }
  const std::string id = environment_service_id(role, service.name, service.slice);
  ObjectWriter inner;
  inner.put("Name", id)
      .put("ID", id)
      .put("Address", "")
      .put("Ports", ObjectWriter().put("blue", std::int64_t{ports.blue}).put("green", std::int64_t{ports.green}).take())
      .put("Tags", codec::encode(tags));
  return to_text(ObjectWriter().put("Service", inner.take()).take());
}

// K3. Digest and size are members of ours, of which their agent takes no notice.
std::string installation_text(const Release& release) {
  const std::string_view source = std::string_view(release.package.source).substr(kS3.size());
  const std::size_t slash = source.find('/');
  ObjectWriter out;
  out.put("PackageBucket", source.substr(0, slash)).put("PackageKey", source.substr(slash + 1));
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(release.deadline).count();
  if (minutes > 0) out.put("InstallationTimeout", std::int64_t{minutes});
  return to_text(
      out.put_if("PackageSha256", release.package.sha256).put_if("PackageSize", release.package.size).take());
}

std::string record_text(const DesiredService& service) {
  return to_text(ObjectWriter()
                     .put("Name", service.name)
                     .put("Version", service.release.version)
                     .put("Slice", to_string(service.slice))
                     .put("DeploymentId", service.release.deployment)
                     .put("InstanceIds", Json(Json::Array{}))
                     .put("Action", action_text(service.action))
                     .take());
}

// Whether a record of any role, other than those in `gone`, points to the version, or may do so for all that is known.
bool is_pointed_to(const Record& record, const std::string& environment, const std::vector<std::string>& gone,
                   const Kv& kv) {
  const std::string roles = fmt::format("environments/{}/roles/", environment);
  for (const KvPair* pair : pairs_below(kv, roles)) {
    const std::size_t services = pair->key.find('/', roles.size());
    constexpr std::string_view kServices = "/services/";
    if (services == std::string::npos || pair->key.compare(services, kServices.size(), kServices) != 0) continue;
    if (std::ranges::find(gone, pair->key) != gone.end()) continue;
    const auto name = record_name(pair->key, std::string_view(pair->key).substr(0, services + kServices.size()));
    if (!name.ok() || name->service != record.service) continue;
    const auto other = read_record(*pair, *name);
    if (!other.ok() || other->version == record.version) return true;
  }
  return false;
}

}  // namespace

std::string begun_key(std::string_view deployment) { return fmt::format("deployments/{}/service", deployment); }

Json delete_operation(const KvPair& pair) { return operation("delete-cas", pair.key, pair.modify_index, std::nullopt); }

std::string_view action_text(DesiredAction action) {
  if (action == DesiredAction::kIgnore) return "Ignore";
  return action == DesiredAction::kUninstall ? "Uninstall" : "Install";
}

bool put(std::string_view value, const std::string& key, const Kv& kv, EnvironmentWrite& out) {
  const KvPair* there = find(kv, key);
  const bool is_there = there && there->value == value;
  const std::uint64_t index = there ? there->modify_index : 0;
  out.operations.push_back(is_there ? operation("check-index", key, index, std::nullopt)
                                    : operation("cas", key, index, value));
  return !is_there;
}

absl::StatusOr<Record> seen_record(const std::string& key, const EnvironmentRecord& seen, const EnvironmentRole& role,
                                   const Kv& kv) {
  const KvPair* pair = find(kv, key);
  if (!pair) {
    return make_error(ErrorKind::kNotFound, fmt::format("{}: is not there (any more)", key),
                      Json().set("document", key));
  }
  CVG_ASSIGN_OR_RETURN(const RecordName name, record_name(key, role_prefix(role)));
  CVG_ASSIGN_OR_RETURN(Record record, read_record(*pair, name));
  if (record.slice == seen.slice && record.deployment == seen.deployment) return record;
  return make_error(ErrorKind::kConflict,
                    fmt::format("{}: carries deployment \"{}\" of slice {}, not \"{}\" of {}; look again", key,
                                record.deployment, to_string(record.slice), seen.deployment, to_string(seen.slice)),
                    Json().set("document", key).set("deployment", record.deployment));
}

std::string pointing_key(const EnvironmentRecord& record, const EnvironmentRole& role, const Kv& kv) {
  std::string key = record_key(role, record.service, record.slice);
  const std::string legacy = fmt::format("{}{}", role_prefix(role), record.service);
  const KvPair* pair = find(kv, legacy);
  if (kv.contains(key) || !pair) return key;
  const auto there = read_record(*pair, {record.service, {}});
  return there.ok() && there->slice == record.slice ? legacy : key;
}

}  // namespace environment

std::vector<std::string> export_keys(const DesiredService& service, const EnvironmentRole& role) {
  const Release& release = service.release;
  return {environment::definition_key(role.environment, service.name, release.version),
          environment::installation_key(role.environment, service.name, release.version),
          environment::begun_key(release.deployment), overall_status_key(release.deployment),
          environment::record_key(role, service.name, service.slice)};
}

absl::StatusOr<EnvironmentWrite> export_environment(const DesiredService& service, const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv,
                                                    std::int32_t expected_nodes) {
  CVG_RETURN_IF_ERROR(environment::check_sayable(service, role));
  const std::vector<std::string> keys = export_keys(service, role);
  const Release& release = service.release;
  CVG_ASSIGN_OR_RETURN(const std::string definition,
                       environment::definition_text(service, role, environment::definition_before(service, role, kv)));
  const std::string deployment = to_text(codec::ObjectWriter()
                                             .put("Name", service.name)
                                             .put("Version", release.version)
                                             .put("ServerRole", role.role)
                                             .put("Environment", role.environment)
                                             .put("Action", environment::action_text(service.action))
                                             .put("ExpectedNodeDeployments", std::int64_t{expected_nodes})
                                             .take());
  const KvPair* begun = environment::find(kv, keys[2]);
  if (begun && begun->value != deployment) {
    return make_error(ErrorKind::kConflict,
                      fmt::format("{}: is another deployment already: {}; take a new id", keys[2], begun->value),
                      Json().set("document", keys[2]));
  }
  EnvironmentWrite out;
  bool changes = environment::put(definition, keys[0], kv, out);
  changes |= environment::put(environment::installation_text(release), keys[1], kv, out);
  changes |= environment::put(deployment, keys[2], kv, out);
  // One that has begun keeps what has become of it.
  if (!kv.contains(keys[3])) changes |= environment::put("In Progress", keys[3], kv, out);
  changes |= environment::put(environment::record_text(service), keys[4], kv, out);
  if (!changes) out.operations.clear();
  out.left_out = environment::left_out(service);
  return out;
}

absl::StatusOr<EnvironmentWrite> toggle_environment(const EnvironmentRecord& record, DesiredAction action,
                                                    const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv) {
  CVG_RETURN_IF_ERROR(environment::check_pieces(role, record.service, record.deployment));
  const std::string key = environment::pointing_key(record, role, kv);
  CVG_ASSIGN_OR_RETURN(const environment::Record there, environment::seen_record(key, record, role, kv));
  EnvironmentWrite out;
  if (there.action == action) return out;
  CVG_ASSIGN_OR_RETURN(Json json, parse_json(kv.at(key).value, key));
  json.set("Action", environment::action_text(action));
  environment::put(to_text(json), key, kv, out);
  return out;
}

absl::StatusOr<EnvironmentWrite> remove_from_environment(const EnvironmentRecord& record, const EnvironmentRole& role,
                                                         const std::map<std::string, KvPair>& kv, KvScope scope) {
  CVG_RETURN_IF_ERROR(environment::check_pieces(role, record.service, record.deployment));
  const std::string key = environment::pointing_key(record, role, kv);
  CVG_ASSIGN_OR_RETURN(const environment::Record there, environment::seen_record(key, record, role, kv));
  std::vector<std::string> keys = {key};
  const std::string legacy = fmt::format("{}{}", role_prefix(role), record.service);
  if (record.slice == Slice::kNone && key != legacy && kv.contains(legacy)) keys.push_back(legacy);
  if (scope == KvScope::kEnvironment && !environment::is_pointed_to(there, role.environment, keys, kv)) {
    keys.push_back(environment::definition_key(role.environment, record.service, there.version));
    keys.push_back(environment::installation_key(role.environment, record.service, there.version));
  }
  EnvironmentWrite out;
  for (const std::string& gone : keys) {
    const KvPair* pair = environment::find(kv, gone);
    if (!pair) continue;
    out.operations.push_back(environment::delete_operation(*pair));
  }
  return out;
}

}  // namespace convergence
