#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/archive_names.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

constexpr std::string_view kFolder = ".convergence-";
constexpr std::size_t kMaxName = 240;  // with ".aside" it still is a name

using Entries = std::map<std::string, PlannedEntry>;

absl::Status refuse_plan(std::string_view what, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("install: {}: {}", printable_utf8(what), problem));
}

// As deployment_key() makes them, and ids of others.
bool is_safe_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '@' || c == '+' || c == '%';
  });
}

absl::Status check_request(const InstallRequest& request) {
  if (!is_safe_name(request.deployment)) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("install: deployment: \"{}\" cannot be part of a file's name; use letters, digits, "
                                  "dots and any of _-@+%",
                                  printable_utf8(request.deployment)));
  }
  if (!is_normal_absolute(request.own_folder)) {
    return make_error(ErrorKind::kUsage, "install: own_folder: no absolute path in normal form; correct it");
  }
  for (const std::string& root : request.allowed_roots) {
    if (is_normal_absolute(root)) continue;
    return make_error(ErrorKind::kUsage, fmt::format("install: allowed_roots: {} is no absolute path in normal form; "
                                                     "correct it",
                                                     printable_utf8(root)));
  }
  return absl::OkStatus();
}

// The innermost root that a destination is below.
absl::StatusOr<std::string> root_of(const std::string& destination, const InstallRequest& request) {
  if (!is_normal_absolute(destination)) {
    return refuse_plan(destination,
                       "no absolute path without \"..\", \".\" and doubled or last slashes; correct the "
                       "destination");
  }
  if (is_at_or_below(destination, request.own_folder) || is_below(request.own_folder, destination)) {
    return refuse_plan(destination, fmt::format("holds, or is in, the agent's own {}; choose another destination",
                                                request.own_folder));
  }
  for (const std::string& part : path_parts(destination)) {
    if (part.rfind(kFolder, 0) != 0) continue;
    return refuse_plan(destination, "lies where other deployments are kept; choose another destination");
  }
  if (base_name(destination).size() > kMaxName) return refuse_plan(destination, "has too long a name; shorten it");
  std::string best;
  for (const std::string& root : request.allowed_roots) {
    if (is_below(destination, root) && root.size() >= best.size()) best = root;
  }
  if (!best.empty()) return best;
  return refuse_plan(destination,
                     "lies below none of the folders that packages may be installed to; allow one, or "
                     "choose another destination");
}

// "/" is the whole archive; empty then.
absl::StatusOr<std::string> normal_source(const std::string& source) {
  std::string normal;
  for (const std::string& part : path_parts(source)) {
    if (part == ".") continue;
    if (part == "..") return refuse_plan(source, "leads out of the archive; correct the source");
    normal = join_path(normal, part);
  }
  return normal;
}

PlannedEntry planned(std::string path, const ManifestEntry& entry) {
  return {std::move(path), entry.path, entry.type, entry.mode, entry.size, entry.target, "", ""};
}

absl::Status add_entry(Entries& entries, PlannedEntry entry, const std::string& destination) {
  for (std::size_t slash = entry.path.find('/'); slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
    const std::string folder = entry.path.substr(0, slash);
    entries.try_emplace(folder, PlannedEntry{folder, "", EntryType::kDirectory, 0755, 0, "", "", ""});
  }
  const auto [found, fresh] = entries.try_emplace(entry.path, entry);
  PlannedEntry& held = found->second;
  if (fresh || held == entry) return absl::OkStatus();
  if (held.type == EntryType::kDirectory && entry.type == EntryType::kDirectory) {
    if (held.source.empty()) held = std::move(entry);
    return absl::OkStatus();
  }
  const auto shown = [](const PlannedEntry& one) { return one.source.empty() ? "a folder on the way" : one.source; };
  return refuse_plan(
      join_path(destination, entry.path),
      fmt::format("would be both {} and {} of the archive; name one of them", shown(held), shown(entry)));
}

absl::Status add_file(Entries& entries, const Manifest& manifest, const AppFile& file, const PlannedTree& tree) {
  CVG_ASSIGN_OR_RETURN(const std::string source, normal_source(file.source));
  const std::string below =
      file.destination == tree.destination ? "" : file.destination.substr(tree.destination.size() + 1);
  if (source.empty()) {
    CVG_RETURN_IF_ERROR(add_entry(entries, {below, "", EntryType::kDirectory, 0755, 0, "", "", ""}, tree.destination));
  }
  bool found = source.empty();
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.path == source) {
      found = true;
      const bool folder = entry.type == EntryType::kDirectory;
      CVG_RETURN_IF_ERROR(
          add_entry(entries, planned(folder ? below : join_path(below, base_name(source)), entry), tree.destination));
    } else if (source.empty() || is_below(entry.path, source)) {
      const std::string rest = source.empty() ? entry.path : entry.path.substr(source.size() + 1);
      CVG_RETURN_IF_ERROR(add_entry(entries, planned(join_path(below, rest), entry), tree.destination));
    }
  }
  if (found) return absl::OkStatus();
  return refuse_plan(file.source, "is not in the archive; correct the source");
}

// Files below files, and links that lead out of what is installed once it stands by itself.
absl::Status check_tree(const PlannedTree& tree) {
  const std::size_t any = std::string::npos;
  ArchiveNames names(tree.destination, {.entries = any, .path_length = any, .depth = any});
  for (const PlannedEntry& entry : tree.entries) {
    if (entry.path.empty()) continue;
    CVG_RETURN_IF_ERROR(names.add({entry.path, entry.type, entry.mode, entry.size, entry.target}));
  }
  return names.check_links();
}

bool name_matches(const std::string& pattern, const std::string& name) {
  return pattern == "**" || fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

bool concerns_entry(const AppPermission& permission, const std::string& path, EntryType type) {
  if (type == EntryType::kLink) return false;
  const std::string name = base_name(path);
  const auto& types = permission.types;
  if (!types.empty() && std::find(types.begin(), types.end(), to_string(type)) == types.end()) return false;
  return name_matches(permission.pattern, name) &&
         std::none_of(permission.except.begin(), permission.except.end(),
                      [&](const std::string& except) { return name_matches(except, name); });
}

absl::Status apply_permission(const AppPermission& permission, InstallPlan& plan) {
  if (!is_normal_absolute(permission.object)) {
    return refuse_plan(permission.object, "no absolute path in normal form; correct the permission's object");
  }
  for (const std::string& type : permission.types) {
    if (type == "file" || type == "directory") continue;
    return refuse_plan(permission.object,
                       fmt::format("\"{}\" is no type; use file and directory", printable_utf8(type)));
  }
  if (permission.mode.value_or(0) > 07777) {
    return refuse_plan(permission.object, fmt::format("{:o} is no mode; use up to 7777", *permission.mode));
  }
  bool found = false;
  for (PlannedTree& tree : plan.trees) {
    for (PlannedEntry& entry : tree.entries) {
      const std::string path = join_path(tree.destination, entry.path);
      if (!is_at_or_below(path, permission.object)) continue;
      found = true;
      if (!concerns_entry(permission, path, entry.type)) continue;
      if (!permission.owner.empty()) entry.owner = permission.owner;
      if (!permission.group.empty()) entry.group = permission.group;
      if (permission.mode) entry.mode = *permission.mode;
    }
  }
  if (found) return absl::OkStatus();
  return refuse_plan(permission.object, "is nothing that this package installs; correct the permission's object");
}

}  // namespace

absl::StatusOr<InstallPlan> plan_install(const Manifest& manifest, const InstallRequest& request) {
  CVG_RETURN_IF_ERROR(check_request(request));
  std::map<std::string, std::string> roots;  // by destination
  for (const AppFile& file : request.files) {
    CVG_ASSIGN_OR_RETURN(roots[file.destination], root_of(file.destination, request));
  }
  InstallPlan plan;
  for (const auto& [destination, root] : roots) {
    const bool inside = std::any_of(plan.trees.begin(), plan.trees.end(), [&, &below = destination](const auto& t) {
      return is_below(below, t.destination);
    });
    if (inside) continue;
    plan.trees.push_back(
        {destination, root, join_path(parent_of(destination), std::string(kFolder) + request.deployment), {}});
  }
  for (PlannedTree& tree : plan.trees) {
    Entries entries;
    entries[""] = {"", "", EntryType::kDirectory, 0755, 0, "", "", ""};
    for (const AppFile& file : request.files) {
      if (!is_at_or_below(file.destination, tree.destination)) continue;
      CVG_RETURN_IF_ERROR(add_file(entries, manifest, file, tree));
    }
    for (auto& [path, entry] : entries) tree.entries.push_back(std::move(entry));
    CVG_RETURN_IF_ERROR(check_tree(tree));
  }
  for (const AppPermission& permission : request.permissions) CVG_RETURN_IF_ERROR(apply_permission(permission, plan));
  return plan;
}

}  // namespace convergence
