#include "lib/node/file_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <system_error>

#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace convergence {
namespace {

struct Refusal {
  ErrorKind kind;
  std::string_view remedy;
};

Refusal refusal_of(int error) {
  switch (error) {
    case ENOENT:
      return {ErrorKind::kNotFound, "see whether it was moved or removed"};
    case EACCES:
    case EPERM:
      return {ErrorKind::kDenied, "give the agent's user the right to"};
    case EROFS:
      return {ErrorKind::kDenied, "it has to be mounted for writing"};
    case ENOSPC:
    case EDQUOT:
      return {ErrorKind::kTooLarge, "free some space there"};
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return {ErrorKind::kTooLarge, "raise the limits of the agent's process"};
    case ELOOP:
    case ENOTDIR:
      return {ErrorKind::kConflict, "a link or file stands where a folder has to be; move it away"};
    case EEXIST:
    case ENOTEMPTY:
    case EISDIR:
      return {ErrorKind::kConflict, "something stands there; move it away"};
    case EBUSY:
    case EXDEV:
      return {ErrorKind::kConflict, "something is mounted there; use a folder that is no mount point"};
    default:
      return {ErrorKind::kRefused, "see the system's log"};
  }
}

}  // namespace

absl::Status file_error(int error, std::string_view what, std::string_view path) {
  const Refusal refusal = refusal_of(error);
  const std::string shown = printable_utf8(path);
  Json detail;
  detail.set("path", shown);
  detail.set("errno", error);
  return make_error(refusal.kind,
                    fmt::format("{} {}: {}; {}", what, shown, std::generic_category().message(error), refusal.remedy),
                    std::move(detail));
}

absl::Status stopped_error(std::string_view what) {
  return make_error(ErrorKind::kCancelled, fmt::format("{}: stopped; begin again when it is wanted", what));
}

std::size_t find_unprintable(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return i;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return i;
  }
  return invalid_utf8(text).value_or(std::string_view::npos);
}

std::vector<std::string> path_parts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash != 0) parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

bool is_normal_absolute(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() >= PATH_MAX) return false;
  if (find_unprintable(path) != std::string_view::npos) return false;
  std::string normal;
  for (const std::string& part : path_parts(path)) {
    if (part == "." || part == ".." || part.size() > NAME_MAX) return false;
    normal += "/" + part;
  }
  return path == (normal.empty() ? "/" : normal);
}

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.size() > 1 && path.front() == '/';
  return path.size() > folder.size() + 1 && path.substr(0, folder.size()) == folder && path[folder.size()] == '/';
}

bool is_at_or_below(std::string_view path, std::string_view folder) { return path == folder || is_below(path, folder); }

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return "";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (name.empty()) return std::string(folder);
  if (folder.empty()) return std::string(name);
  return fmt::format("{}{}{}", folder, folder.back() == '/' ? "" : "/", name);
}

absl::StatusOr<Descriptor> open_folder(const std::string& path) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return file_error(errno, "opening the folder", path);
  return folder;
}

absl::StatusOr<Descriptor> open_folder_below(int folder, std::string_view relative, bool make, std::string_view place) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Descriptor at(openat(folder, ".", kFlags));
  if (!at) return file_error(errno, "opening the folder", place);
  std::string path(place);
  for (const std::string& part : path_parts(relative)) {
    path = join_path(path, part);
    Descriptor next(openat(at.get(), part.c_str(), kFlags));
    if (!next && errno == ENOENT && make) {
      if (mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
        return file_error(errno, "making the folder", path);
      }
      next = Descriptor(openat(at.get(), part.c_str(), kFlags));
    }
    if (!next) return file_error(errno, "opening the folder", path);
    at = std::move(next);
  }
  return at;
}

absl::Status make_folders(const std::string& path) {
  std::string so_far = path.substr(0, 1) == "/" ? "/" : "";
  for (const std::string& part : path_parts(path)) {
    so_far = join_path(so_far, part);
    if (mkdir(so_far.c_str(), 0755) == 0 || errno == EEXIST) continue;
    if (errno == EROFS || errno == EACCES) {  // said of folders that are there, too
      const int error = errno;
      struct stat info;
      if (stat(so_far.c_str(), &info) == 0) continue;
      errno = error;
    }
    return file_error(errno, "making the folder", so_far);
  }
  return absl::OkStatus();
}

absl::Status write_all(int file, std::string_view bytes, std::string_view path) {
  while (!bytes.empty()) {
    const ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(errno, "writing", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> read_some(int file, char* buffer, std::size_t size, std::string_view path) {
  while (true) {
    const ssize_t count = read(file, buffer, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return file_error(errno, "reading", path);
  }
}

absl::Status sync_file(int file, std::string_view path) {
  if (fsync(file) != 0) return file_error(errno, "writing to the disk", path);
  return absl::OkStatus();
}

absl::Status copy_rest(int source, std::string_view source_path, int target, std::string_view target_path,
                       const StopSignal& stop) {
  std::vector<char> buffer(std::size_t{1} << 17);
  while (!stop.is_set()) {
    CVG_ASSIGN_OR_RETURN(const std::size_t count, read_some(source, buffer.data(), buffer.size(), source_path));
    if (count == 0) return absl::OkStatus();
    CVG_RETURN_IF_ERROR(write_all(target, {buffer.data(), count}, target_path));
  }
  return stopped_error(fmt::format("copying to {}", target_path));
}

absl::StatusOr<std::string> read_link(int folder, const std::string& name, std::string_view place) {
  char buffer[PATH_MAX + 1];
  const ssize_t count = readlinkat(folder, name.c_str(), buffer, sizeof buffer);
  if (count < 0) return file_error(errno, "reading the link", join_path(place, name));
  return std::string(buffer, static_cast<std::size_t>(count));
}

absl::StatusOr<bool> look_at(int folder, const std::string& name, struct stat& info, std::string_view place) {
  if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return file_error(errno, "looking at", join_path(place, name));
}

namespace {

// Of a folder: which mount it is on, as exactly as the kernel says.
absl::StatusOr<std::pair<std::uint64_t, std::uint64_t>> mount_of(int folder, const char* name, std::string_view path) {
  struct statx info {};
  if (statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID | STATX_TYPE, &info) !=
      0) {
    return file_error(errno, "looking at", path);
  }
  const std::uint64_t device = (std::uint64_t{info.stx_dev_major} << 32) | info.stx_dev_minor;
  return std::pair{device, (info.stx_mask & STATX_MNT_ID) != 0 ? info.stx_mnt_id : 0};
}

absl::Status remove_folder(int parent, const std::string& name, const std::string& path) {
  CVG_ASSIGN_OR_RETURN(const auto outside, mount_of(parent, "", path));
  CVG_ASSIGN_OR_RETURN(const auto inside, mount_of(parent, name.c_str(), path));
  if (outside != inside) return file_error(EBUSY, "removing", path);
  const int number = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (number < 0) return file_error(errno, "opening the folder", path);
  if (geteuid() != 0) fchmod(number, 0700);  // ours, perhaps with a mode that keeps us from emptying it
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(number), &closedir);
  if (listing == nullptr) {
    close(number);
    return file_error(errno, "opening the folder", path);
  }
  while (true) {
    errno = 0;
    const dirent* entry = readdir(listing.get());
    if (entry == nullptr && errno != 0) return file_error(errno, "reading the folder", path);
    if (entry == nullptr) break;
    const std::string child = entry->d_name;
    if (child == "." || child == "..") continue;
    CVG_RETURN_IF_ERROR(remove_in(number, child, path));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return file_error(errno, "removing", path);
  return absl::OkStatus();
}

}  // namespace

absl::Status remove_in(int folder, const std::string& name, std::string_view place) {
  const std::string path = join_path(place, name);
  struct stat info;
  CVG_ASSIGN_OR_RETURN(const bool there, look_at(folder, name, info, place));
  if (!there) return absl::OkStatus();
  if (S_ISDIR(info.st_mode)) return remove_folder(folder, name, path);
  if (unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) return file_error(errno, "removing", path);
  return absl::OkStatus();
}

}  // namespace convergence
