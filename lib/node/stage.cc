#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <vector>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"
#include "lib/node/install_place.h"

namespace convergence {
namespace {

constexpr std::uint32_t kStays = ~std::uint32_t{0};  // as chown has it

absl::Status unknown_account(std::string_view what, const std::string& name) {
  return make_error(ErrorKind::kNotFound, fmt::format("install: there is no {} \"{}\" on this node; create it first",
                                                      what, printable_utf8(name)));
}

bool is_number(const std::string& text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number != kStays;
}

absl::StatusOr<std::uint32_t> user_number(const std::string& name) {
  if (name.empty()) return kStays;
  std::vector<char> buffer(1 << 16);
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  std::uint32_t number = 0;
  if (found != nullptr) return found->pw_uid;
  return is_number(name, number) ? absl::StatusOr<std::uint32_t>(number) : unknown_account("user", name);
}

absl::StatusOr<std::uint32_t> group_number(const std::string& name) {
  if (name.empty()) return kStays;
  std::vector<char> buffer(1 << 18);  // its members are in it
  group entry{};
  group* found = nullptr;
  getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  std::uint32_t number = 0;
  if (found != nullptr) return found->gr_gid;
  return is_number(name, number) ? absl::StatusOr<std::uint32_t>(number) : unknown_account("group", name);
}

// One tree on its way beside its destination.
class Staging {
 public:
  Staging(const PlannedTree& tree, const InstallPlace& place, int unpacked, const std::string& unpacked_path,
          const StopSignal& stop)
      : tree_(tree),
        place_(place),
        path_(join_path(place.folder_path, place.tree())),
        unpacked_(unpacked),
        unpacked_path_(unpacked_path),
        stop_(stop) {}

  absl::Status run() {
    CVG_RETURN_IF_ERROR(remove_in(place_.folder.get(), place_.tree(), place_.folder_path));
    if (mkdirat(place_.folder.get(), place_.tree().c_str(), 0700) != 0) {
      return file_error(errno, "making the folder", path_);
    }
    CVG_ASSIGN_OR_RETURN(root_, open_folder_below(place_.folder.get(), place_.tree(), false, place_.folder_path));
    for (const PlannedEntry& entry : tree_.entries) {
      if (stop_.is_set()) return stopped_error("copying to " + path_);
      if (!entry.path.empty()) CVG_RETURN_IF_ERROR(make(entry));
    }
    // Inner ones first: a folder may come to forbid what is done in it.
    for (auto entry = tree_.entries.rbegin(); entry != tree_.entries.rend(); ++entry) {
      if (entry->type != EntryType::kDirectory) continue;
      CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder_below(root_.get(), entry->path, false, path_));
      CVG_RETURN_IF_ERROR(give_away(folder.get(), *entry));
    }
    if (syncfs(root_.get()) != 0) return file_error(errno, "writing to the disk", path_);
    return absl::OkStatus();
  }

 private:
  absl::Status make(const PlannedEntry& entry) {
    const std::string path = join_path(path_, entry.path);
    const std::string name = base_name(entry.path);
    CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder_below(root_.get(), parent_of(entry.path), false, path_));
    switch (entry.type) {
      case EntryType::kDirectory:
        if (mkdirat(folder.get(), name.c_str(), 0700) != 0) return file_error(errno, "making the folder", path);
        return absl::OkStatus();
      case EntryType::kLink:
        if (symlinkat(entry.target.c_str(), folder.get(), name.c_str()) != 0) {
          return file_error(errno, "making the link", path);
        }
        return absl::OkStatus();
      case EntryType::kFile:
        return copy(entry, folder.get(), name, path);
    }
    return absl::OkStatus();
  }

  absl::Status copy(const PlannedEntry& entry, int folder, const std::string& name, const std::string& path) {
    const std::string source_path = join_path(unpacked_path_, entry.source);
    CVG_ASSIGN_OR_RETURN(const Descriptor from,
                         open_folder_below(unpacked_, parent_of(entry.source), false, unpacked_path_));
    const Descriptor source(
        openat(from.get(), base_name(entry.source).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!source) return file_error(errno, "opening", source_path);
    const Descriptor file(openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return file_error(errno, "making", path);
    CVG_RETURN_IF_ERROR(copy_rest(source.get(), source_path, file.get(), path, stop_));
    struct stat info;
    if (fstat(file.get(), &info) != 0) return file_error(errno, "looking at", path);
    if (static_cast<std::uint64_t>(info.st_size) != entry.size) {
      return make_error(ErrorKind::kValidate,
                        fmt::format("{}: it has {} bytes and had {} when it was unpacked; unpack it "
                                    "again",
                                    source_path, info.st_size, entry.size));
    }
    return give_away(file.get(), entry);
  }

  // The owner first: a change of it takes setuid away.
  absl::Status give_away(int file, const PlannedEntry& entry) {
    const std::string path = join_path(path_, entry.path);
    CVG_ASSIGN_OR_RETURN(const std::uint32_t owner, number_of(users_, entry.owner, &user_number));
    CVG_ASSIGN_OR_RETURN(const std::uint32_t group, number_of(groups_, entry.group, &group_number));
    if ((owner != kStays || group != kStays) && fchown(file, owner, group) != 0) {
      return file_error(errno, "setting the owner of", path);
    }
    if (fchmod(file, entry.mode) != 0) return file_error(errno, "setting the mode of", path);
    return absl::OkStatus();
  }

  using Numbers = std::map<std::string, std::uint32_t>;
  static absl::StatusOr<std::uint32_t> number_of(Numbers& known, const std::string& name,
                                                 absl::StatusOr<std::uint32_t> (*look_up)(const std::string&)) {
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    CVG_ASSIGN_OR_RETURN(const std::uint32_t number, look_up(name));
    known.emplace(name, number);
    return number;
  }

  const PlannedTree& tree_;
  const InstallPlace& place_;
  const std::string path_;
  const int unpacked_;
  const std::string& unpacked_path_;
  const StopSignal& stop_;
  Descriptor root_;
  Numbers users_;
  Numbers groups_;
};

absl::Status stage_tree(const PlannedTree& tree, int unpacked, const std::string& unpacked_path,
                        const StopSignal& stop) {
  CVG_ASSIGN_OR_RETURN(const InstallPlace place, open_place(tree, true));
  CVG_ASSIGN_OR_RETURN(const bool in_place, is_in_place(place));
  if (in_place) return check_staged(tree, place);  // it may be running
  return Staging(tree, place, unpacked, unpacked_path, stop).run();
}

// After a failure, whose error is the one to tell.
void unstage(const PlannedTree& tree) {
  const absl::StatusOr<InstallPlace> place = open_place(tree, false);
  if (!place.ok()) return;
  const absl::StatusOr<bool> in_place = is_in_place(*place);
  if (!in_place.ok() || *in_place) return;
  remove_in(place->folder.get(), place->tree(), place->folder_path).IgnoreError();
  unlinkat(place->parent.get(), base_name(tree.folder).c_str(), AT_REMOVEDIR);
}

}  // namespace

absl::Status stage_install(const InstallPlan& plan, const std::string& unpacked, const StopSignal& stop) {
  CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder(unpacked));
  for (const PlannedTree& tree : plan.trees) {
    const absl::Status status = stage_tree(tree, folder.get(), unpacked, stop);
    if (status.ok()) continue;
    for (const PlannedTree& before : plan.trees) unstage(before);
    return status;
  }
  return absl::OkStatus();
}

}  // namespace convergence
