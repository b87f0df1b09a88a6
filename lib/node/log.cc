#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "convergence/error.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/descriptor.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

std::string older_file(const std::string& path, std::uint32_t age) {
  return age == 0 ? path : fmt::format("{}.{}", path, age);
}

// The file from its end on, until there are enough lines; in order.
absl::StatusOr<std::string> end_of_file(const std::string& path, std::size_t lines, std::uint64_t most) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) return errno_error(path, errno);
  std::uint64_t at = static_cast<std::uint64_t>(facts.st_size);
  const std::uint64_t begin = at > most ? at - most : 0;
  std::string text;
  // The last line may have no end yet, so one more than wanted.
  while (at > begin && static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) <= lines) {
    const std::uint64_t size = std::min<std::uint64_t>(at - begin, std::uint64_t{64} << 10);
    std::string piece(size, '\0');
    const ssize_t got = pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(at - size));
    if (got < 0) return errno_error(path, errno);
    piece.resize(static_cast<std::size_t>(got));
    text.insert(0, piece);
    at -= size;
  }
  return text;
}

}  // namespace

struct DeploymentLog::Impl {
  Impl(std::string at, LogOptions how)
      : path(std::move(at)), options(std::move(how)), redactor(std::move(options.secrets)) {}

  std::string path;
  LogOptions options;
  Redactor redactor;
  Descriptor file;
  std::uint64_t size = 0;

  absl::Status open_file();
  absl::Status change_file();
  absl::Status write(std::string_view text);
};

absl::Status DeploymentLog::Impl::open_file() {
  file = Descriptor(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, static_cast<mode_t>(options.mode)));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) return errno_error(path, errno);
  size = static_cast<std::uint64_t>(facts.st_size);
  return absl::OkStatus();
}

absl::Status DeploymentLog::Impl::change_file() {
  for (std::uint32_t age = options.kept; age > 0; --age) {
    if (rename(older_file(path, age - 1).c_str(), older_file(path, age).c_str()) != 0 && errno != ENOENT) {
      return errno_error(path, errno);
    }
  }
  if (options.kept == 0 && unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(path, errno);
  return open_file();
}

absl::Status DeploymentLog::Impl::write(std::string_view text) {
  while (!text.empty()) {
    if (size >= options.max_size) CVG_RETURN_IF_ERROR(change_file());
    const std::uint64_t room = options.max_size > size ? options.max_size - size : 1;
    std::string_view piece = text;
    if (text.size() > room) {
      // Up to the end of the line that no longer fits, if it is not far.
      const std::size_t line_end = text.find('\n', static_cast<std::size_t>(room - 1));
      piece = text.substr(0, std::min<std::size_t>(line_end == std::string_view::npos ? text.size() : line_end + 1,
                                                   static_cast<std::size_t>(room + options.max_size)));
    }
    CVG_RETURN_IF_ERROR(write_all(file.get(), piece, path));
    size += piece.size();
    text.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DeploymentLog>> DeploymentLog::open(const std::string& path, LogOptions options) {
  if (options.max_size == 0) return make_error(ErrorKind::kUsage, "deployment log: max_size is 0");
  auto impl = std::make_unique<Impl>(path, std::move(options));
  CVG_RETURN_IF_ERROR(impl->open_file());
  return std::unique_ptr<DeploymentLog>(new DeploymentLog(std::move(impl)));
}

DeploymentLog::DeploymentLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeploymentLog::~DeploymentLog() { flush().IgnoreError(); }
absl::Status DeploymentLog::write(std::string_view bytes) { return impl_->write(impl_->redactor.add(bytes)); }
absl::Status DeploymentLog::flush() { return impl_->write(impl_->redactor.finish()); }

absl::StatusOr<std::vector<std::string>> tail_of_log(const std::string& path, std::size_t lines,
                                                     std::size_t most_bytes) {
  // Enough for lines of the length that is shown, without reading a log of one endless line whole.
  const std::uint64_t most = std::uint64_t{1} << 20 | lines * (most_bytes + 1);
  std::string text;
  for (std::uint32_t age = 0; age < 100; ++age) {
    auto older = end_of_file(older_file(path, age), lines, most);
    if (!older.ok() && error_kind(older.status()) == ErrorKind::kNotFound) break;
    if (!older.ok()) return older.status();
    text.insert(0, *older);
    if (text.size() >= most || static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) > lines) break;
  }
  std::vector<std::string> last;
  std::string_view rest = text;
  while (!rest.empty() && last.size() < lines) {
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    const std::size_t before = rest.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? rest : rest.substr(before + 1);
    last.push_back(printable_utf8(line.substr(0, most_bytes)));
    rest = before == std::string_view::npos ? "" : rest.substr(0, before + 1);
  }
  std::reverse(last.begin(), last.end());
  return last;
}

std::vector<std::string> log_files(const std::string& path, const LogOptions& options) {
  std::vector<std::string> files;
  for (std::uint32_t age = 0; age <= options.kept; ++age) files.push_back(older_file(path, age));
  return files;
}

}  // namespace convergence
