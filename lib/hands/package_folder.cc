#include "lib/hands/package_folder.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "convergence/appspec.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/hands/sensu_files.h"

namespace convergence::hands {
namespace {

constexpr const char* kAppSpecFile = "appspec.yml";

absl::Status system_error(const std::string& path) {
  return make_error(ErrorKind::kRefused, fmt::format("{}: {}", path, std::strerror(errno)));
}

std::string manifest_path(const PackageFolder& folder) { return folder.path + "/manifest.json"; }

bool is_user(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  return getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
}

// Users that hooks run as are asked for while nothing is stopped yet.
absl::Status check_users(const AppSpec& spec, const Release& release) {
  for (const Hooks* hooks : {&release.hooks, &spec.hooks}) {
    for (const auto& [event, list] : *hooks) {
      for (const Hook& hook : list) {
        const std::string& user = hook.run_as.empty() ? release.run_as : hook.run_as;
        if (user.empty() || is_user(user)) continue;
        return make_error(ErrorKind::kValidate, fmt::format("hooks.{}: {}: there is no user {} on this node",
                                                            to_string(event), hook.location, user));
      }
    }
  }
  return absl::OkStatus();
}

// Archives made elsewhere cannot say which of their files are programs.
absl::Status make_executable(const PackageFolder& folder, const AppSpec& spec, const Release& release) {
  std::vector<std::string> programs;
  for (const Hooks* hooks : {&release.hooks, &spec.hooks}) {
    for (const auto& [event, list] : *hooks) {
      for (const Hook& hook : list) programs.push_back(hook.location);
    }
  }
  for (const auto* checks : {&release.checks, &spec.checks}) {
    for (const CheckDefinition& check : *checks) {
      if (!check.args.empty() && !check.args.front().starts_with('/')) programs.push_back(check.args.front());
    }
  }
  for (const SensuCheck& check : spec.sensu) {
    if (!check.script.empty()) programs.push_back(check.script);
  }
  for (const std::string& program : programs) {
    const std::string path = fmt::format("{}/{}", folder.archive(), program);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return system_error(path);
    if (chmod(path.c_str(), (status.st_mode & 07777) | S_IXUSR) != 0) return system_error(path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_piece(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos) return absl::OkStatus();
  return make_error(ErrorKind::kValidate, fmt::format("\"{}\" can be no folder's name", name));
}

std::string deployments_folder(const LinuxHandsOptions& options) { return options.folder + "/deployments"; }

absl::StatusOr<PackageFolder> package_folder(const LinuxHandsOptions& options, const std::string& service_id,
                                             const std::string& deployment) {
  CVG_RETURN_IF_ERROR(check_piece(service_id));
  CVG_RETURN_IF_ERROR(check_piece(deployment));
  return PackageFolder{fmt::format("{}/{}/{}", deployments_folder(options), service_id, deployment)};
}

absl::Status make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return system_error(part);
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

bool is_file(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

absl::Status write_manifest(const PackageFolder& folder, const Manifest& manifest) {
  Json::Array rows;
  rows.reserve(manifest.entries.size());
  for (const ManifestEntry& entry : manifest.entries) {
    rows.emplace_back(Json::Array{entry.path, std::string(to_string(entry.type)), std::uint64_t{entry.mode}, entry.size,
                                  entry.target});
  }
  return write_file_atomically(manifest_path(folder), to_text(Json(std::move(rows))));
}

absl::StatusOr<Manifest> read_manifest(const PackageFolder& folder) {
  const std::string path = manifest_path(folder);
  CVG_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(text, path));
  Manifest manifest;
  const Json::Array* rows = json.as_array();
  for (std::size_t i = 0; rows && i < rows->size(); ++i) {
    const Json::Array* row = (*rows)[i].as_array();
    const bool whole =
        row && row->size() == 5 && (*row)[0].as_string() && (*row)[1].as_string() && (*row)[4].as_string();
    const std::optional<std::uint64_t> mode = whole ? (*row)[2].to_uint64() : std::nullopt;
    const std::optional<std::uint64_t> size = whole ? (*row)[3].to_uint64() : std::nullopt;
    if (!mode || !size) return make_error(ErrorKind::kDecode, fmt::format("{}: entry {} is none", path, i));
    ManifestEntry& entry = manifest.entries.emplace_back();
    entry.path = *(*row)[0].as_string();
    for (const EntryType type : {EntryType::kFile, EntryType::kDirectory, EntryType::kLink}) {
      if (to_string(type) == *(*row)[1].as_string()) entry.type = type;
    }
    entry.mode = static_cast<std::uint32_t>(*mode);
    entry.size = *size;
    entry.target = *(*row)[4].as_string();
  }
  if (!rows) return make_error(ErrorKind::kDecode, fmt::format("{}: must be a list", path));
  return manifest;
}

absl::StatusOr<AppSpec> read_appspec(const PackageFolder& folder, const PackageContext& context) {
  const std::string path = fmt::format("{}/{}", folder.archive(), kAppSpecFile);
  if (!is_file(path)) return AppSpec();
  CVG_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  CVG_ASSIGN_OR_RETURN(AppSpecRead read, parse_appspec(text, kAppSpecFile, context));
  return std::move(read.spec);
}

absl::StatusOr<AppSpec> read_package(const LinuxHandsOptions& options, const PackageFolder& folder,
                                     const std::string& service_id, const Installed& subject) {
  PackageContext context;
  context.slice = subject.slice;
  context.port = subject.release.port;
  context.root = folder.archive();
  context.service = subject.name;
  context.owning_cluster = options.owning_cluster;
  context.tags = options.tags;
  auto at = [&](std::string_view file) { return fmt::format("{}/{}", folder.archive(), file); };
  CVG_ASSIGN_OR_RETURN(AppSpec spec, read_appspec(folder, context));
  if (is_file(at(kHealthchecksFile))) {
    CVG_ASSIGN_OR_RETURN(const std::string text, read_file(at(kHealthchecksFile)));
    CVG_ASSIGN_OR_RETURN(HealthchecksRead read, parse_healthchecks(text, kHealthchecksFile));
    spec.checks = std::move(read.checks);
  }
  if (!options.sensu_folder.empty() && is_file(at(kSensuHealthchecksFile))) {
    context.plugins = sensu_plugins(options);
    CVG_ASSIGN_OR_RETURN(const std::string text, read_file(at(kSensuHealthchecksFile)));
    CVG_ASSIGN_OR_RETURN(SensuRead read, parse_sensu_healthchecks(text, kSensuHealthchecksFile, context));
    spec.sensu = std::move(read.checks);
  }
  CVG_ASSIGN_OR_RETURN(const Manifest manifest, read_manifest(folder));
  std::vector<PackedFile> packed;
  for (const ManifestEntry& entry : manifest.entries) {
    packed.push_back({entry.path, entry.type == EntryType::kDirectory, (entry.mode & 0111) != 0});
  }
  CVG_RETURN_IF_ERROR(check_package(spec, packed));
  CVG_RETURN_IF_ERROR(check_users(spec, subject.release));
  for (CheckDefinition& check : spec.checks) {
    CVG_ASSIGN_OR_RETURN(check, instance_check(check, service_id, subject.release.port, subject.slice));
  }
  CVG_RETURN_IF_ERROR(make_executable(folder, spec, subject.release));
  CVG_RETURN_IF_ERROR(plan_of(options, folder, spec, subject.deployment).status());
  return spec;
}

absl::StatusOr<InstallPlan> plan_of(const LinuxHandsOptions& options, const PackageFolder& folder, const AppSpec& spec,
                                    const std::string& deployment) {
  CVG_ASSIGN_OR_RETURN(const Manifest manifest, read_manifest(folder));
  InstallRequest request;
  request.files = spec.files;
  request.permissions = spec.permissions;
  request.allowed_roots = options.allowed_roots;
  request.own_folder = options.folder;
  request.deployment = deployment;
  return plan_install(manifest, request);
}

}  // namespace convergence::hands
