#include "lib/node/install_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

std::string below_root(std::string_view path, std::string_view root) {
  return std::string(path.substr(std::min(path.size(), root.size())));
}

absl::Status differs(const std::string& path, std::string_view how) {
  Json detail;
  detail.set("path", path);
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}; deploy it again", path, how), std::move(detail));
}

absl::Status check_entry(const PlannedEntry& entry, int tree, const std::string& path, const std::string& tree_path) {
  struct stat info;
  bool there = true;
  Descriptor parent;
  if (entry.path.empty()) {
    if (fstat(tree, &info) != 0) return file_error(errno, "looking at", path);
  } else {
    absl::StatusOr<Descriptor> opened = open_folder_below(tree, parent_of(entry.path), false, tree_path);
    if (!opened.ok()) {
      const ErrorKind kind = error_kind(opened.status());
      if (kind != ErrorKind::kNotFound && kind != ErrorKind::kConflict) return opened.status();
      return differs(path, "is missing");
    }
    parent = *std::move(opened);
    CVG_ASSIGN_OR_RETURN(there, look_at(parent.get(), base_name(entry.path), info, path));
  }
  if (!there) return differs(path, "is missing");
  const bool right_type = entry.type == EntryType::kFile        ? S_ISREG(info.st_mode)
                          : entry.type == EntryType::kDirectory ? S_ISDIR(info.st_mode)
                                                                : S_ISLNK(info.st_mode);
  if (!right_type) return differs(path, fmt::format("is no {} any more", to_string(entry.type)));
  if (entry.type == EntryType::kLink) {
    CVG_ASSIGN_OR_RETURN(const std::string target, read_link(parent.get(), base_name(entry.path), path));
    return target == entry.target ? absl::OkStatus() : differs(path, "is a link to " + target);
  }
  if (entry.type == EntryType::kFile && static_cast<std::uint64_t>(info.st_size) != entry.size) {
    return differs(path, fmt::format("has {} bytes and should have {}", info.st_size, entry.size));
  }
  if ((info.st_mode & 07777) != entry.mode) {
    return differs(path, fmt::format("has mode {:o} and should have {:o}", info.st_mode & 07777, entry.mode));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InstallPlace> open_place(const PlannedTree& tree, bool make) {
  InstallPlace place;
  place.parent_path = parent_of(tree.destination);
  place.folder_path = tree.folder;
  place.name = base_name(tree.destination);
  place.target = base_name(tree.folder) + "/" + place.tree();
  CVG_ASSIGN_OR_RETURN(const Descriptor root, open_folder(tree.root));
  CVG_ASSIGN_OR_RETURN(place.parent,
                       open_folder_below(root.get(), below_root(place.parent_path, tree.root), make, tree.root));
  CVG_ASSIGN_OR_RETURN(place.folder,
                       open_folder_below(place.parent.get(), base_name(tree.folder), make, place.parent_path));
  return place;
}

absl::StatusOr<Stands> what_stands(int folder, const std::string& name, std::string_view place) {
  struct stat info;
  CVG_ASSIGN_OR_RETURN(const bool there, look_at(folder, name, info, place));
  if (!there) return Stands{};
  if (S_ISDIR(info.st_mode)) return Stands{Standing::kDirectory};
  if (S_ISREG(info.st_mode)) return Stands{Standing::kFile};
  if (S_ISLNK(info.st_mode)) {
    CVG_ASSIGN_OR_RETURN(std::string target, read_link(folder, name, place));
    return Stands{Standing::kLink, std::move(target)};
  }
  return make_error(ErrorKind::kConflict, fmt::format("{}: neither file, folder nor link stands there; move it away",
                                                      join_path(place, name)));
}

absl::StatusOr<bool> is_in_place(const InstallPlace& place) {
  CVG_ASSIGN_OR_RETURN(const Stands stands, what_stands(place.parent.get(), place.name, place.parent_path));
  return stands.what == Standing::kLink && stands.target == place.target;
}

absl::Status check_staged(const PlannedTree& tree, const InstallPlace& place) {
  const std::string path = join_path(place.folder_path, place.tree());
  const absl::StatusOr<Descriptor> opened = open_folder_below(place.folder.get(), place.tree(), false, tree.folder);
  if (!opened.ok()) return differs(path, "is missing");
  for (const PlannedEntry& entry : tree.entries) {
    CVG_RETURN_IF_ERROR(check_entry(entry, opened->get(), join_path(tree.destination, entry.path), path));
  }
  return absl::OkStatus();
}

absl::Status installed_as_planned(const InstallPlan& plan) {
  for (const PlannedTree& tree : plan.trees) {
    const absl::StatusOr<InstallPlace> place = open_place(tree, false);
    if (!place.ok() && error_kind(place.status()) == ErrorKind::kNotFound)
      return differs(tree.destination, "is missing");
    if (!place.ok()) return place.status();
    CVG_ASSIGN_OR_RETURN(const bool in_place, is_in_place(*place));
    if (!in_place) return differs(tree.destination, "is no link to what was installed");
    CVG_RETURN_IF_ERROR(check_staged(tree, *place));
  }
  return absl::OkStatus();
}

absl::Status remove_tree(const std::string& path, const std::string& root) {
  if (!is_normal_absolute(path) || !is_normal_absolute(root) || !is_below(path, root)) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("removing {}: it is not below {}, both absolute and in normal form; "
                                  "correct the paths",
                                  path, root));
  }
  const absl::StatusOr<Descriptor> opened = open_folder(root);
  if (!opened.ok()) {
    return error_kind(opened.status()) == ErrorKind::kNotFound ? absl::OkStatus() : opened.status();
  }
  const std::string parent = parent_of(path);
  const absl::StatusOr<Descriptor> folder = open_folder_below(opened->get(), below_root(parent, root), false, root);
  if (!folder.ok()) {
    return error_kind(folder.status()) == ErrorKind::kNotFound ? absl::OkStatus() : folder.status();
  }
  return remove_in(folder->get(), base_name(path), parent);
}

}  // namespace convergence
