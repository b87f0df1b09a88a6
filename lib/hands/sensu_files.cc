#include "lib/hands/sensu_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "convergence/appspec.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/node.h"
#include "lib/base/status_macros.h"
#include "lib/hands/package_folder.h"

namespace convergence::hands {
namespace {

// Which files a service has, or may have: a call may have ended before all of them were there.
struct SensuRecord {
  std::string folder{};
  std::vector<std::string> names{};
};

std::string records_folder(const LinuxHandsOptions& options) { return options.folder + "/sensu"; }
std::string record_name(const std::string& service_id) { return service_id + ".json"; }
std::string record_path(const LinuxHandsOptions& options, const std::string& service_id) {
  return fmt::format("{}/{}", records_folder(options), record_name(service_id));
}

absl::StatusOr<SensuRecord> read_record(const LinuxHandsOptions& options, const std::string& service_id) {
  SensuRecord record;
  const std::string path = record_path(options, service_id);
  if (!is_file(path)) return record;
  CVG_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(text, path));
  const Json* folder = json.find("folder");
  const Json* files = json.find("files");
  if (!folder || !folder->as_string() || !files || !files->as_array()) {
    return make_error(ErrorKind::kDecode, path + ": is no list of files; see which are there, and remove it");
  }
  record.folder = *folder->as_string();
  for (const Json& name : *files->as_array()) {
    if (name.as_string()) record.names.push_back(*name.as_string());
  }
  return record;
}

absl::Status write_record(const LinuxHandsOptions& options, const std::string& service_id, const SensuRecord& record) {
  if (record.names.empty()) return remove_files(records_folder(options), {record_name(service_id)});
  CVG_RETURN_IF_ERROR(make_folders(records_folder(options)));
  Json json;
  json.set("folder", record.folder).set("files", Json(Json::Array(record.names.begin(), record.names.end())));
  return write_file_atomically(record_path(options, service_id), to_text(json));
}

using SensuContents = std::map<std::string, std::string>;  // by file name

SensuContents contents_of(const LinuxHandsOptions& options, const std::string& service_id, const Installed& subject) {
  SensuContents files;
  if (options.sensu_folder.empty()) return files;
  for (const SensuCheck& check : subject.spec.sensu) {
    files[sensu_file_name(service_id, check.id, subject.slice)] = to_text(check.json) + "\n";
  }
  return files;
}

absl::Status put_files(const LinuxHandsOptions& options, const std::string& service_id, const SensuContents& files) {
  CVG_ASSIGN_OR_RETURN(SensuRecord before, read_record(options, service_id));
  if (!before.names.empty() && before.folder != options.sensu_folder) {
    CVG_RETURN_IF_ERROR(remove_files(before.folder, before.names));
    before.names.clear();
  }
  SensuRecord after;
  after.folder = options.sensu_folder;
  for (const auto& [name, text] : files) after.names.push_back(name);
  SensuRecord during = after;
  std::vector<std::string> gone;
  std::ranges::copy_if(before.names, std::back_inserter(gone),
                       [&](const std::string& name) { return !files.contains(name); });
  during.names.insert(during.names.end(), gone.begin(), gone.end());
  CVG_RETURN_IF_ERROR(write_record(options, service_id, during));
  for (const auto& [name, text] : files) {
    CVG_RETURN_IF_ERROR(write_file_atomically(fmt::format("{}/{}", options.sensu_folder, name), text));
  }
  if (gone.empty()) return absl::OkStatus();
  CVG_RETURN_IF_ERROR(remove_files(options.sensu_folder, gone));
  return write_record(options, service_id, after);
}

// All of them are there as put_files() writes them, and no others are ours.
bool files_stand(const LinuxHandsOptions& options, const std::string& service_id, const Installed& subject) {
  const SensuContents wanted = contents_of(options, service_id, subject);
  const absl::StatusOr<SensuRecord> record = read_record(options, service_id);
  if (!record.ok() || record->names.size() != wanted.size()) return false;
  if (!wanted.empty() && record->folder != options.sensu_folder) return false;
  return std::ranges::all_of(wanted, [&](const auto& file) {
    const auto text = read_file(fmt::format("{}/{}", options.sensu_folder, file.first));
    return text.ok() && *text == file.second;
  });
}

std::vector<std::string> recorded_services(const LinuxHandsOptions& options) {
  std::vector<std::string> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(records_folder(options), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".json")) out.push_back(name.substr(0, name.size() - 5));
  }
  return out;
}

}  // namespace

absl::Status put_sensu_files(const LinuxHandsOptions& options, const std::string& service_id,
                             const Installed& subject) {
  return put_files(options, service_id, contents_of(options, service_id, subject));
}

absl::Status remove_sensu_files(const LinuxHandsOptions& options, const std::string& service_id) {
  return put_files(options, service_id, {});
}

void mend_sensu_files(const LinuxHandsOptions& options, const AgentMemory& memory) {
  const std::string busy = memory.task ? memory.task->service_id : "";
  for (const auto& [id, installed] : memory.installed) {
    if (id != busy && !files_stand(options, id, installed)) (void)put_sensu_files(options, id, installed);
  }
  for (const std::string& id : recorded_services(options)) {
    if (id != busy && !memory.installed.contains(id)) (void)remove_sensu_files(options, id);
  }
}

std::map<std::string, std::string> sensu_plugins(const LinuxHandsOptions& options) {
  std::map<std::string, std::string> out;
  for (const std::string& folder : options.sensu_plugin_folders) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      const bool program = at->is_regular_file(error) && access(at->path().c_str(), X_OK) == 0;
      if (program) out.emplace(at->path().filename().string(), at->path().string());
      error.clear();  // of one that went meanwhile
    }
  }
  return out;
}

}  // namespace convergence::hands
