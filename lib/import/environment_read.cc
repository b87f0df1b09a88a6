#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/place.h"
#include "lib/import/environment.h"
#include "lib/model/names.h"

namespace convergence {
namespace environment {

using codec::ObjectReader;
using codec::Place;

std::string definition_key(std::string_view environment, std::string_view service, std::string_view version) {
  return fmt::format("environments/{}/services/{}/{}/definition", environment, service, version);
}

std::string installation_key(std::string_view environment, std::string_view service, std::string_view version) {
  return fmt::format("environments/{}/services/{}/{}/installation", environment, service, version);
}

std::string piece_problem(std::string_view piece) {
  constexpr std::size_t kMost = 128;
  if (piece.empty()) return "is empty";
  if (piece.size() > kMost) return fmt::format("has {} bytes; {} is the most", piece.size(), kMost);
  if (piece == "." || piece == "..") return fmt::format("\"{}\" can be no folder's name", piece);
  for (const char c : piece) {
    if (c == '/' || c == '\\') return fmt::format("\"{}\" holds a slash, and may name no path", piece);
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "holds a control character";
  }
  return "";
}

std::vector<const KvPair*> pairs_below(const std::map<std::string, KvPair>& kv, std::string_view prefix) {
  std::vector<const KvPair*> out;
  for (auto it = kv.lower_bound(std::string(prefix)); it != kv.end() && it->first.starts_with(prefix); ++it) {
    if (!it->first.ends_with('/')) out.push_back(&it->second);
  }
  return out;
}

absl::StatusOr<RecordName> record_name(std::string_view key, std::string_view prefix) {
  const std::string_view rest = key.substr(prefix.size());
  const std::size_t slash = rest.find('/');
  RecordName name{rest.substr(0, slash), {}};
  if (const std::string problem = piece_problem(name.service); !problem.empty()) {
    return codec::decode_error(key, "", 0, fmt::format("the service of the key {}", problem));
  }
  if (slash == std::string_view::npos) return name;
  name.slice = parse_name<Slice>(rest.substr(slash + 1));
  if (!name.slice) {
    return codec::decode_error(key, "", 0,
                               fmt::format("the key's slice \"{}\" is none of {}; the key must be {}<service>/<slice>",
                                           rest.substr(slash + 1), all_names<Slice>(), prefix));
  }
  return name;
}

namespace {

// Text, or a number as it was written: a version may be 7 or 1.20.
absl::Status decode_text(const Json& json, const Place& place, std::string& out) {
  if (const Json::Number* number = json.as_number()) {
    out = number->text;
    return absl::OkStatus();
  }
  return codec::decode(json, place, out);
}

absl::Status decode_piece(const Json& json, const Place& place, std::string& out) {
  CVG_RETURN_IF_ERROR(decode_text(json, place, out));
  const std::string problem = piece_problem(out);
  return problem.empty() ? absl::OkStatus() : place.error(json, problem);
}

// "" says nothing, as in the oldest records.
bool is_empty_text(const Json& json) {
  const std::string* text = json.as_string();
  return text && text->empty();
}

absl::Status decode_slice(const Json& json, const Place& place, std::optional<Slice>& out) {
  return is_empty_text(json) ? absl::OkStatus() : codec::decode_name(json, place, out.emplace());
}

absl::Status decode_deployment(const Json& json, const Place& place, std::string& out) {
  return is_empty_text(json) ? absl::OkStatus() : decode_piece(json, place, out);
}

absl::Status decode_action(const Json& json, const Place& place, DesiredAction& out) {
  const std::string* text = json.as_string();
  if (!text) return codec::wrong_type(json, place, "text");
  if (text->empty() || *text == "Install") {
    out = DesiredAction::kInstall;
  } else if (*text == "Ignore") {
    out = DesiredAction::kIgnore;
  } else if (*text == "Uninstall") {
    out = DesiredAction::kUninstall;
  } else {
    return place.error(json, fmt::format("\"{}\" is none of Install, Ignore, Uninstall", *text));
  }
  return absl::OkStatus();
}

// A number, or a number in text.
std::optional<double> number_of(const Json& json) {
  if (json.is_number()) return json.to_double();
  const std::string* text = json.as_string();
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (text->empty() || error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

absl::Status decode_port(const Json& json, const Place& place, std::int32_t& out) {
  constexpr double kMost = 65535;
  out = 0;
  if (is_empty_text(json)) return absl::OkStatus();
  const std::optional<double> value = number_of(json);
  if (!value || *value < 0 || *value > kMost || std::floor(*value) != *value) {
    return place.error(json, fmt::format("must be a port, 0 to {}, as a number or as text", kMost));
  }
  out = static_cast<std::int32_t>(*value);
  return absl::OkStatus();
}

absl::Status decode_minutes(const Json& json, const Place& place, Duration& out) {
  constexpr double kMost = 366.0 * 24 * 60;
  const std::optional<double> value = number_of(json);
  if (!value || !(*value >= 0) || *value > kMost) {
    return place.error(json, fmt::format("must be a number of minutes, 0 to {}", kMost));
  }
  out = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::ratio<60>>(*value));
  return absl::OkStatus();
}

// The ports of a definition; `legacy` is Port, as old test scripts wrote it (1.3).
struct PortFields {
  Ports ports{};
  std::int32_t legacy = 0;
};

absl::Status decode_ports(const Json& json, const Place& place, Ports& out) {
  return ObjectReader(json, place)
      .optional("blue", out.blue, decode_port)
      .optional("green", out.green, decode_port)
      .finish_ignoring();
}

struct Definition {
  PortFields ports{};
  std::vector<std::string> tags{};
};

absl::Status decode_definition(const Json& json, const Place& place, Definition& out) {
  return ObjectReader(json, place)
      .optional("Ports", out.ports.ports, decode_ports)
      .optional("Port", out.ports.legacy, decode_port)
      .optional("Tags", out.tags)
      .finish_ignoring();
}

absl::StatusOr<Definition> read_definition(const KvPair& pair) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(pair.value, pair.key));
  Definition out;
  CVG_RETURN_IF_ERROR(
      ObjectReader(json, Place(pair.key)).required("Service", out, decode_definition).finish_ignoring());
  return out;
}

// Theirs took the smaller of both, which is none where only one is set (W-A22).
std::int32_t port_of(const PortFields& fields, Slice slice) {
  const Ports& ports = fields.ports;
  std::int32_t port = 0;
  if (slice == Slice::kBlue) port = ports.blue;
  if (slice == Slice::kGreen) port = ports.green;
  if (slice == Slice::kNone) {
    port = ports.blue == 0 || ports.green == 0 ? std::max(ports.blue, ports.green) : std::min(ports.blue, ports.green);
  }
  return port == 0 ? fields.legacy : port;
}

struct Installation {
  std::string bucket{};
  std::string key{};
  std::string path{};  // a URL, in the oldest ones
  Package package{};
  Duration deadline{0};
};

absl::StatusOr<Installation> read_installation(const KvPair& pair) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(pair.value, pair.key));
  Installation out;
  CVG_RETURN_IF_ERROR(ObjectReader(json, Place(pair.key))
                          .optional("PackageBucket", out.bucket)
                          .optional("PackageKey", out.key)
                          .optional("PackagePath", out.path)
                          .optional("PackageSha256", out.package.sha256)
                          .optional("PackageSize", out.package.size)
                          .optional("InstallationTimeout", out.deadline, decode_minutes)
                          .finish_ignoring());
  if (out.bucket.empty() && out.key.empty() && !out.path.empty()) {
    out.package.source = out.path;
  } else if (out.bucket.empty() || out.key.empty()) {
    return codec::decode_error(pair.key, "", json.offset, "needs PackageBucket and PackageKey: where the package lies");
  } else if (out.bucket.find('/') != std::string::npos) {
    return Place(pair.key).member("PackageBucket").error(json, fmt::format("\"{}\" is no bucket", out.bucket));
  } else {
    out.package.source = fmt::format("s3://{}/{}", out.bucket, out.key);
  }
  return out;
}

void put_agent_tags(std::vector<std::string>& tags, const Record& record, const EnvironmentRole& role) {
  std::erase_if(tags, [](const std::string& tag) {
    return std::ranges::any_of(kAgentTags, [&](std::string_view start) { return tag.starts_with(start); });
  });
  if (!record.deployment.empty()) tags.push_back(fmt::format("{}{}", kAgentTags[0], record.deployment));
  tags.push_back(fmt::format("{}{}", kAgentTags[1], role.role));
  tags.push_back(fmt::format("{}{}", kAgentTags[2], to_string(record.slice)));
}

}  // namespace

absl::StatusOr<Record> read_record(const KvPair& pair, const RecordName& name) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(pair.value, pair.key));
  Record out;
  out.key = pair.key;
  out.service = name.service;
  out.has_slice_in_key = name.slice.has_value();
  out.modify_index = pair.modify_index;
  std::string said = out.service;
  std::optional<Slice> slice = name.slice;
  const Place place(pair.key);
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .optional("Name", said)
                          .required("Version", out.version, decode_piece)
                          .optional("Slice", slice, decode_slice)
                          .optional("DeploymentId", out.deployment, decode_deployment)
                          .optional("Action", out.action, decode_action)
                          .finish_ignoring());
  if (said != out.service) {
    return place.member("Name").error(*json.find("Name"),
                                      fmt::format("is \"{}\", but the key says \"{}\"", said, out.service));
  }
  if (name.slice && slice != name.slice) {
    return place.member("Slice").error(*json.find("Slice"), fmt::format("is \"{}\", but the key says \"{}\"",
                                                                        to_string(*slice), to_string(*name.slice)));
  }
  out.slice = slice.value_or(Slice::kNone);
  return out;
}

absl::StatusOr<Ports> read_ports(const KvPair& definition) {
  CVG_ASSIGN_OR_RETURN(const Definition read, read_definition(definition));
  return read.ports.ports;
}

namespace {

class Reader {
 public:
  Reader(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role) : kv_(kv), role_(role) {}

  EnvironmentRead run() {
    for (const KvPair* pair : pairs_below(kv_, role_prefix(role_))) read(*pair);
    break_equal_ids();
    std::ranges::stable_sort(out_.services, [](const DesiredService& a, const DesiredService& b) {
      return std::tie(a.name, a.slice) < std::tie(b.name, b.slice);
    });
    std::ranges::stable_sort(out_.broken, {}, &UnreadService::key);
    return std::move(out_);
  }

 private:
  void read(const KvPair& pair) {
    const absl::StatusOr<RecordName> name = record_name(pair.key, role_prefix(role_));
    if (!name.ok()) return add_broken(pair.key, "", name.status());
    const std::string guess = environment_service_id(role_, name->service, name->slice.value_or(Slice::kNone));
    const absl::StatusOr<Record> record = read_record(pair, *name);
    if (!record.ok()) return add_broken(pair.key, guess, record.status());
    const std::string id = environment_service_id(role_, record->service, record->slice);
    const std::string newer = fmt::format("{}/{}", pair.key, to_string(record->slice));
    // What was written before keys had slices stays when they are written and deleted with one (W-S16).
    if (!record->has_slice_in_key && kv_.contains(newer)) {
      return add_broken(pair.key, id,
                        codec::decode_error(pair.key, "", 0,
                                            fmt::format("{} speaks of the same service and counts; "
                                                        "delete this key",
                                                        newer)));
    }
    absl::StatusOr<DesiredService> service = service_of(*record);
    if (!service.ok()) return add_broken(pair.key, id, service.status());
    if (needs_.empty()) {
      keys_.push_back(pair.key);
      out_.services.push_back(*std::move(service));
    } else {
      absl::Status status =
          make_error(ErrorKind::kNotFound,
                     fmt::format("{}: waits for {}, which {} not there; deploy the version again if it stays so",
                                 pair.key, fmt::join(needs_, " and "), needs_.size() == 1 ? "is" : "are"),
                     Json().set("document", pair.key));
      out_.waiting.push_back({pair.key, id, std::exchange(needs_, {}), std::move(status)});
    }
  }

  // `needs_` tells what is missing. What is ignored or to go needs no package, and may have lost it already (W-A4).
  absl::StatusOr<DesiredService> service_of(const Record& record) {
    needs_.clear();
    DesiredService service;
    service.name = record.service;
    service.slice = record.slice;
    service.id = environment_service_id(role_, record.service, record.slice);
    service.registered_name = service.id;
    service.placement.role = role_.role;
    // A role of this name in another environment is none of ours.
    service.placement.node_meta["environment"] = role_.environment;
    service.action = record.action;
    service.modify_index = record.modify_index;
    Release& release = service.release;
    release.version = record.version;
    release.deployment = record.deployment;
    if (const KvPair* pair = find(definition_key(role_.environment, record.service, record.version), record.action)) {
      CVG_ASSIGN_OR_RETURN(Definition definition, read_definition(*pair));
      release.tags = std::move(definition.tags);
      release.port = port_of(definition.ports, record.slice);
    }
    if (const KvPair* pair = find(installation_key(role_.environment, record.service, record.version), record.action)) {
      CVG_ASSIGN_OR_RETURN(Installation installation, read_installation(*pair));
      release.package = std::move(installation.package);
      release.deadline = installation.deadline;
    }
    put_agent_tags(release.tags, record, role_);
    CVG_RETURN_IF_ERROR(validate(DesiredState{{service}, {}}));
    return service;
  }

  const KvPair* find(const std::string& key, DesiredAction action) {
    const auto found = kv_.find(key);
    if (found != kv_.end()) return &found->second;
    if (action == DesiredAction::kInstall) needs_.push_back(key);
    return nullptr;
  }

  // "a-b" in no slice and "a" in a slice "b" would be one to Consul (W-A23), and so are ids that differ in case alone:
  // its catalog keeps one of them, its agents both (W-S17). Which of them runs is not known, so none is touched.
  void break_equal_ids() {
    std::map<std::string, std::vector<std::size_t>> by_id;
    for (std::size_t i = 0; i < keys_.size(); ++i) by_id[ascii_lower(out_.services[i].id)].push_back(i);
    std::set<std::size_t> gone;
    for (const auto& [same, places] : by_id) {
      if (places.size() < 2) continue;
      for (const std::size_t i : places) {
        const std::string& id = out_.services[i].id;
        const std::string& other = keys_[i == places[0] ? places[1] : places[0]];
        add_broken(keys_[i], id,
                   codec::decode_error(keys_[i], "", 0,
                                       fmt::format("its service id {} is that of {} too; rename one", id, other)));
        gone.insert(i);
      }
    }
    std::size_t i = 0;
    std::erase_if(out_.services, [&](const DesiredService&) { return gone.contains(i++); });
  }

  void add_broken(const std::string& key, const std::string& id, absl::Status status) {
    out_.broken.push_back({key, id, {}, std::move(status)});
  }

  const std::map<std::string, KvPair>& kv_;
  const EnvironmentRole& role_;
  EnvironmentRead out_;
  std::vector<std::string> keys_;  // of out_.services
  std::vector<std::string> needs_;
};

}  // namespace
}  // namespace environment

std::string role_prefix(const EnvironmentRole& role) {
  return fmt::format("environments/{}/roles/{}/services/", role.environment, role.role);
}

std::string node_report_key(std::string_view deployment, std::string_view instance) {
  return fmt::format("deployments/{}/nodes/{}", deployment, instance);
}

std::string cold_standby_key(std::string_view instance) { return fmt::format("nodes/{}/cold-standby", instance); }

std::string overall_status_key(std::string_view deployment) {
  return fmt::format("deployments/{}/overall_status", deployment);
}

std::string environment_service_id(const EnvironmentRole& role, std::string_view service, Slice slice) {
  if (slice == Slice::kNone) return fmt::format("{}-{}", role.environment, service);
  return fmt::format("{}-{}-{}", role.environment, service, to_string(slice));
}

std::vector<std::string> environment_keys(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role) {
  std::set<std::string> keys;
  for (const KvPair* pair : environment::pairs_below(kv, role_prefix(role))) {
    const auto name = environment::record_name(pair->key, role_prefix(role));
    if (!name.ok()) continue;
    const auto record = environment::read_record(*pair, *name);
    if (!record.ok()) continue;
    keys.insert(environment::definition_key(role.environment, record->service, record->version));
    keys.insert(environment::installation_key(role.environment, record->service, record->version));
  }
  return {keys.begin(), keys.end()};
}

EnvironmentRead import_environment(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role) {
  return environment::Reader(kv, role).run();
}

}  // namespace convergence
