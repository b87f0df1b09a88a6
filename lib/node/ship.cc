#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"
#include "lib/node/http_call.h"
#include "lib/node/sha256.h"

namespace convergence {
namespace {

absl::StatusOr<Descriptor> open_to_ship(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return file_error(errno, "opening", path);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return file_error(errno, "looking at", path);
  if (S_ISREG(info.st_mode)) return file;
  return make_error(ErrorKind::kUsage, fmt::format("shipping {}: it is no regular file; name one", path));
}

absl::StatusOr<std::string> ship_to_s3(const Descriptor& file, const std::string& path, const std::string& target,
                                       const HttpOptions& options, const StopSignal& stop) {
  CVG_ASSIGN_OR_RETURN(S3Object object, parse_s3(target));
  if (object.key.empty() || object.key.back() == '/') object.key += base_name(path);
  const std::string place = fmt::format("s3://{}/{}", object.bucket, object.key);
  HttpCall call;
  call.label = fmt::format("shipping {} to {}", printable_utf8(path), printable_utf8(place));
  call.s3 = true;
  CVG_RETURN_IF_ERROR(parse_s3(place).status());  // with the file's name in it
  CVG_ASSIGN_OR_RETURN(call.url, s3_url(object, options.s3));
  for (std::int32_t attempt = 1;; ++attempt) {
    // Signed is the file as it is now; S3 refuses what has changed by the time that it is sent.
    if (lseek(file.get(), 0, SEEK_SET) != 0) return file_error(errno, "rewinding", path);
    CVG_ASSIGN_OR_RETURN(call.upload_sha256, sha256_rest(file.get(), path, stop));
    const off_t size = lseek(file.get(), 0, SEEK_CUR);
    if (size < 0 || lseek(file.get(), 0, SEEK_SET) != 0) return file_error(errno, "rewinding", path);
    call.upload = file.get();
    call.upload_size = static_cast<std::uint64_t>(size);
    const absl::Status status = http_call(call, options, {}, stop);
    if (status.ok()) return place;
    if (!may_pass(status) || attempt >= options.attempts) return status;
    CVG_RETURN_IF_ERROR(pause_before_retry(options, call.label, stop));
  }
}

absl::StatusOr<std::string> ship_to_folder(const Descriptor& file, const std::string& path, const std::string& target,
                                           const StopSignal& stop) {
  if (!is_normal_absolute(target)) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("shipping to {}: neither an absolute path without \".\" and \"..\" "
                                  "nor an s3:// address; give one",
                                  printable_utf8(target)));
  }
  CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder(target));
  const std::string name = base_name(path);
  const std::string place = join_path(target, name);
  const std::string hidden = fmt::format(".{}.{}.shipping", name.substr(0, 200), getpid());
  unlinkat(folder.get(), hidden.c_str(), 0);  // left by a process of our number
  const Descriptor copy(
      openat(folder.get(), hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!copy) return file_error(errno, "making", join_path(target, hidden));
  absl::Status status = copy_rest(file.get(), path, copy.get(), place, stop);
  if (status.ok()) status = sync_file(copy.get(), place);
  if (status.ok() && renameat(folder.get(), hidden.c_str(), folder.get(), name.c_str()) != 0) {
    status = file_error(errno, "renaming to", place);
  }
  if (!status.ok()) {
    unlinkat(folder.get(), hidden.c_str(), 0);  // the first error is the one to tell
    return status;
  }
  CVG_RETURN_IF_ERROR(sync_file(folder.get(), target));
  return place;
}

}  // namespace

absl::StatusOr<std::string> ship_file(const std::string& path, const std::string& target, const HttpOptions& options,
                                      const StopSignal& stop) {
  CVG_RETURN_IF_ERROR(check_http_options(options));
  CVG_ASSIGN_OR_RETURN(const Descriptor file, open_to_ship(path));
  if (target.rfind("s3://", 0) == 0) return ship_to_s3(file, path, target, options, stop);
  return ship_to_folder(file, path, target, stop);
}

}  // namespace convergence
