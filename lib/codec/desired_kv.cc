#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/pieces.h"
#include "lib/base/status_macros.h"
#include "lib/codec/place.h"
#include "lib/model/names.h"

namespace convergence {
namespace {

bool any_empty(const std::vector<std::string_view>& pieces) {
  return std::ranges::any_of(pieces, [](std::string_view piece) { return piece.empty(); });
}

// The key says who the document is about; the document may say it again, but nothing else.
absl::Status agree(const Json& json, std::string_view document, std::string_view member, std::string_view in_document,
                   std::string_view in_key) {
  if (in_document == in_key) return absl::OkStatus();
  std::string pointer;
  for (std::string_view piece : pieces_of(member)) codec::append_pointer_token(pointer, piece);
  return codec::decode_error(document, pointer, json.offset,
                             fmt::format("is \"{}\", but the key says \"{}\"", in_document, in_key));
}

absl::StatusOr<Json> read_object(const KvPair& pair) {
  CVG_ASSIGN_OR_RETURN(Json json, parse_json(pair.value, pair.key));
  if (!json.is_object()) return codec::decode_error(pair.key, "", json.offset, "must be an object");
  return json;
}

// P/desired/<role>/<service>/<slice>
absl::StatusOr<DesiredService> read_service(const KvPair& pair, const std::vector<std::string_view>& path) {
  const std::optional<Slice> slice = parse_name<Slice>(path[3]);
  if (!slice) {
    return codec::decode_error(pair.key, "", 0,
                               fmt::format("the key's slice \"{}\" is none of {}", path[3], all_names<Slice>()));
  }
  CVG_ASSIGN_OR_RETURN(Json json, read_object(pair));
  if (!json.find("name")) json.set("name", path[2]);
  if (!json.find("slice")) json.set("slice", path[3]);
  CVG_ASSIGN_OR_RETURN(DesiredService service, from_json<DesiredService>(json, pair.key));
  if (service.placement.role.empty()) service.placement.role = path[1];
  const Json* placement = json.find("placement");
  const Json* role = placement ? placement->find("role") : nullptr;
  CVG_RETURN_IF_ERROR(agree(*json.find("name"), pair.key, "name", service.name, path[2]));
  CVG_RETURN_IF_ERROR(agree(*json.find("slice"), pair.key, "slice", to_string(service.slice), path[3]));
  CVG_RETURN_IF_ERROR(agree(role ? *role : json, pair.key, "placement/role", service.placement.role, path[1]));
  service.modify_index = pair.modify_index;
  return service;
}

// P/config/<kind>/<name>
absl::StatusOr<ConfigEntry> read_entry(const KvPair& pair, const std::vector<std::string_view>& path) {
  CVG_ASSIGN_OR_RETURN(Json json, read_object(pair));
  if (!json.find("Kind") && !json.find("kind")) json.set("Kind", path[1]);
  CVG_ASSIGN_OR_RETURN(ConfigEntry entry, from_json<ConfigEntry>(json, pair.key));
  if (entry.name.empty()) entry.name = path[2];
  CVG_RETURN_IF_ERROR(agree(json, pair.key, "Kind", entry.kind, path[1]));
  CVG_RETURN_IF_ERROR(agree(json, pair.key, "Name", entry.name, path[2]));
  // They tell of a copy in Consul, which what is wanted knows nothing of.
  entry.create_index = 0;
  entry.modify_index = 0;
  return entry;
}

// One pair into `read`; an error is that document's. `entries` are those that were read before.
absl::Status read_pair(const KvPair& pair, std::string_view rest, std::set<EntryId>& entries, DesiredRead& read) {
  if (rest.ends_with('/')) return absl::OkStatus();  // a folder, as Consul's own pages make them
  const std::vector<std::string_view> path = pieces_of(rest);
  if (path[0] == "desired") {
    if (path.size() != 4 || any_empty(path)) {
      return codec::decode_error(pair.key, "", 0, "the key must be desired/<role>/<service>/<slice> below the prefix");
    }
    CVG_ASSIGN_OR_RETURN(DesiredService service, read_service(pair, path));
    read.desired.services.push_back(std::move(service));
  } else if (path[0] == "config") {
    if (path.size() != 3 || any_empty(path)) {
      return codec::decode_error(pair.key, "", 0, "the key must be config/<kind>/<name> below the prefix");
    }
    CVG_ASSIGN_OR_RETURN(ConfigEntry entry, read_entry(pair, path));
    if (!entries.insert(entry_key(entry)).second) {
      return codec::decode_error(pair.key, "", 0,
                                 "another key differs from this one only in case; to Consul both are one entry");
    }
    read.desired.entries.push_back(std::move(entry));
  }
  return absl::OkStatus();  // the rest below the prefix belongs to others: rollouts, leases
}

}  // namespace

absl::StatusOr<DesiredRead> desired_from_kv(const std::vector<KvPair>& pairs, std::string_view prefix) {
  DesiredRead read;
  std::set<EntryId> entries;
  for (const KvPair& pair : pairs) {
    std::string_view rest = pair.key;
    if (!rest.starts_with(prefix) || !rest.substr(prefix.size()).starts_with('/')) {
      return make_error(ErrorKind::kUsage,
                        fmt::format("desired state: the key {} is not below {}; read that prefix", pair.key, prefix));
    }
    rest.remove_prefix(prefix.size() + 1);
    absl::Status status = read_pair(pair, rest, entries, read);
    if (!status.ok()) read.broken.push_back(std::move(status));
  }
  CVG_ASSIGN_OR_RETURN(read.desired, normalise(std::move(read.desired)));
  return read;
}

std::vector<KvPair> desired_to_kv(const DesiredState& desired, std::string_view prefix) {
  std::vector<KvPair> pairs;
  for (const DesiredService& service : desired.services) {
    KvPair& pair = pairs.emplace_back();
    pair.key =
        fmt::format("{}/desired/{}/{}/{}", prefix, service.placement.role, service.name, to_string(service.slice));
    pair.value = to_pretty_text(to_json(service));
    pair.modify_index = service.modify_index;
  }
  for (const ConfigEntry& entry : desired.entries) {
    Json json = to_json(entry);
    std::erase_if(*json.as_object(), [](const Json::Member& member) {
      return member.name == "CreateIndex" || member.name == "ModifyIndex";
    });
    KvPair& pair = pairs.emplace_back();
    pair.key = fmt::format("{}/config/{}/{}", prefix, entry.kind, entry.name);
    pair.value = to_pretty_text(json);
  }
  return pairs;
}

}  // namespace convergence
