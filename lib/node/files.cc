#include "lib/node/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "convergence/error.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/node/descriptor.h"
#include "lib/node/file_calls.h"

namespace convergence {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status sync_folder(const std::string& folder) {
  const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.get()) != 0) return errno_error(folder, errno);
  return absl::OkStatus();
}

absl::Status write_file_atomically(const std::string& path, std::string_view bytes, std::uint32_t mode) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return errno_error(path, errno);
  absl::Status status = write_all(file.get(), bytes, temporary);
  if (status.ok() &&
      (fchmod(file.get(), mode) != 0 || fsync(file.get()) != 0 || rename(temporary.c_str(), path.c_str()) != 0)) {
    status = errno_error(path, errno);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return sync_folder(folder_of(path));
}

absl::StatusOr<std::string> read_file(const std::string& path, std::uint64_t most) {
  // Without waiting: a FIFO has no writer perhaps.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) return errno_error(path, errno);
  if (!S_ISREG(facts.st_mode)) return make_error(ErrorKind::kRefused, fmt::format("{}: is no regular file", path));
  std::string bytes;
  std::array<char, 1 << 16> piece;
  while (true) {
    const ssize_t got = read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(path, errno);
    if (got == 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
    if (bytes.size() > most) {
      return make_error(ErrorKind::kTooLarge, fmt::format("{}: has more than {} bytes", path, most));
    }
  }
}

absl::Status remove_files(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      return make_error(ErrorKind::kUsage, fmt::format("remove_files: \"{}\" is no name of a file", name));
    }
  }
  const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return errno == ENOENT ? absl::OkStatus() : errno_error(folder, errno);
  for (const std::string& name : names) {
    if (unlinkat(opened.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return errno_error(fmt::format("{}/{}", folder, name), errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace convergence
