#include "documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/import.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

absl::StatusOr<std::string> read_file(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || file.bad())
    return make_error(ErrorKind::kUsage, path + ": cannot be read", Json().set("document", path));
  return text;
}

namespace {

absl::StatusOr<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (const auto& item : std::filesystem::directory_iterator(path, error)) {
    const auto ending = item.path().extension();
    const bool is_document = ending == ".json" || ending == ".hcl" || ending == ".yaml" || ending == ".yml";
    if (is_document) files.push_back(item.path().string());
  }
  if (error) return make_error(ErrorKind::kUsage, fmt::format("{}: {}", path, error.message()));
  if (files.empty()) return make_error(ErrorKind::kUsage, path + ": holds no *.json, *.hcl, *.yaml or *.yml");
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status add_document(const Json& json, const std::string& document, DesiredState& desired) {
  if (const Json::Array* list = json.as_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      absl::Status added = add_document((*list)[i], fmt::format("{}[{}]", document, i), desired);
      if (!added.ok()) return added;
    }
    return absl::OkStatus();
  }
  if (json.find("Kind") || json.find("kind")) {
    absl::StatusOr<ConfigEntry> entry = from_json<ConfigEntry>(json, document);
    if (!entry.ok()) return entry.status();
    desired.entries.push_back(*std::move(entry));
    return absl::OkStatus();
  }
  if (json.find("services") || json.find("entries")) {
    absl::StatusOr<DesiredState> state = from_json<DesiredState>(json, document);
    if (!state.ok()) return state.status();
    std::move(state->services.begin(), state->services.end(), std::back_inserter(desired.services));
    std::move(state->entries.begin(), state->entries.end(), std::back_inserter(desired.entries));
    return absl::OkStatus();
  }
  absl::StatusOr<DesiredService> service = from_json<DesiredService>(json, document);
  if (!service.ok()) return service.status();
  desired.services.push_back(*std::move(service));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DesiredState> read_desired_files(const std::vector<std::string>& paths) {
  DesiredState desired;
  for (const std::string& path : paths) {
    absl::StatusOr<std::vector<std::string>> files = files_of(path);
    if (!files.ok()) return files.status();
    for (const std::string& file : *files) {
      absl::StatusOr<std::string> text = read_file(file);
      if (!text.ok()) return text.status();
      if (file.ends_with(".yaml") || file.ends_with(".yml")) {
        absl::StatusOr<Imported> imported = import_entries(*text, file, "yaml");
        if (!imported.ok()) return imported.status();
        std::move(imported->entries.begin(), imported->entries.end(), std::back_inserter(desired.entries));
        continue;
      }
      absl::StatusOr<Json> json = file.ends_with(".hcl") ? parse_hcl(*text, file) : parse_json(*text, file);
      if (!json.ok()) return json.status();
      absl::Status added = add_document(*json, file, desired);
      if (!added.ok()) return added;
    }
  }
  absl::StatusOr<DesiredState> normal = normalise(std::move(desired));
  if (!normal.ok()) return normal;
  absl::Status valid = validate(*normal);
  if (!valid.ok()) return valid;
  return normal;
}

absl::StatusOr<ClusterIdentity> cluster_of(const Arguments& arguments) {
  ClusterIdentity cluster;
  if (arguments.has("datacenter")) cluster.datacenter = arguments.get("datacenter");
  const std::string dialect = arguments.get("dialect", "1.8");
  if (dialect != "1.8" && dialect != "current") {
    return make_error(ErrorKind::kUsage, fmt::format("--dialect={}: is neither 1.8 nor current", dialect));
  }
  cluster.dialect = dialect == "1.8" ? Dialect::k1_8 : Dialect::kCurrent;
  return cluster;
}

absl::StatusOr<EntryMap> entries_from_files(const std::vector<std::string>& paths, const Arguments& arguments) {
  absl::StatusOr<ClusterIdentity> cluster = cluster_of(arguments);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<DesiredState> desired = read_desired_files(paths);
  if (!desired.ok()) return desired.status();
  EntryMap entries;
  for (const ConfigEntry& entry : desired->entries) {
    absl::StatusOr<ConfigEntry> normal = normalise_entry(entry, cluster->dialect);
    if (!normal.ok()) {
      return make_error(error_kind(normal.status()),
                        fmt::format("{}/{}: {}", entry.kind, entry.name, std::string(normal.status().message())));
    }
    const EntryId key = entry_key(*normal);
    if (!entries.emplace(key, *std::move(normal)).second) {
      return make_error(ErrorKind::kValidate, fmt::format("{}/{}: is in the files twice", key.kind, key.name));
    }
  }
  return entries;
}

}  // namespace cli
