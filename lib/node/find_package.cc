#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "convergence/package_search.h"
#include "lib/base/status_macros.h"
#include "lib/node/file_calls.h"
#include "lib/node/http_call.h"
#include "lib/node/sha256.h"

namespace convergence {
namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr std::size_t kMostOfADigest = 4096;

// Not there, or not for us to see: an object store says 403 of a key where it may not be listed.
bool is_absent(const absl::Status& status) {
  const std::int64_t answer = http_status_of(status);
  return error_kind(status) == ErrorKind::kNotFound || answer == 404 || answer == 403;
}

// ---- files

absl::StatusOr<std::string> text_of_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return file_error(errno, "opening", path);
  std::array<char, kMostOfADigest> buffer;
  CVG_ASSIGN_OR_RETURN(const std::size_t count, read_some(file.get(), buffer.data(), buffer.size(), path));
  return std::string(buffer.data(), count);
}

absl::StatusOr<Package> look_at_file(const std::string& address, const StopSignal& stop) {
  const std::string path = address.substr(kFileScheme.size());
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return file_error(errno, "looking for", path);
  if (!S_ISREG(info.st_mode)) return file_error(ENOENT, "looking for a file at", path);
  Package found;
  found.source = address;
  found.size = static_cast<std::uint64_t>(info.st_size);
  CVG_ASSIGN_OR_RETURN(found.sha256, sha256_file(path, stop));
  const absl::StatusOr<std::string> beside = text_of_file(digest_address(path));
  if (!beside.ok()) return is_absent(beside.status()) ? absl::StatusOr<Package>(found) : beside.status();
  CVG_ASSIGN_OR_RETURN(const std::string told, digest_in(*beside, digest_address(path)));
  if (told == found.sha256) return found;
  return make_error(ErrorKind::kValidate, fmt::format("{}: its SHA-256 is {}, and {} says {}; publish both anew", path,
                                                      found.sha256, digest_address(path), told));
}

// ---- elsewhere

// Again where that may help.
absl::Status call_again(const HttpCall& call, const HttpOptions& options, const HttpSink& sink,
                        const StopSignal& stop) {
  for (std::int32_t attempt = 1;; ++attempt) {
    absl::Status status = http_call(call, options, sink, stop);
    if (status.ok() || !may_pass(status) || attempt >= options.attempts) return status;
    CVG_RETURN_IF_ERROR(pause_before_retry(options, call.label, stop));
  }
}

absl::StatusOr<std::string> text_elsewhere(const std::string& address, const HttpOptions& options,
                                           const StopSignal& stop) {
  CVG_ASSIGN_OR_RETURN(const HttpCall call, call_to_get(address, options));
  std::string text;
  HttpSink sink;
  sink.begin = [&](const HttpBodyStart&) {
    text.clear();
    return absl::OkStatus();
  };
  sink.bytes = [&](std::string_view bytes) {
    text += bytes;
    return text.size() <= kMostOfADigest
               ? absl::OkStatus()
               : make_error(ErrorKind::kTooLarge, call.label + ": is more than a digest; see what lies there");
  };
  CVG_RETURN_IF_ERROR(call_again(call, options, sink, stop));
  return text;
}

// With a digest that is known only the size is asked for; else all of it is read.
absl::StatusOr<Package> look_elsewhere(const std::string& address, const HttpOptions& options, const StopSignal& stop) {
  Package found;
  found.source = address;
  const absl::StatusOr<std::string> beside = text_elsewhere(digest_address(address), options, stop);
  if (!beside.ok() && !is_absent(beside.status())) return beside.status();
  if (beside.ok()) {
    CVG_ASSIGN_OR_RETURN(found.sha256, digest_in(*beside, digest_address(address)));
  }
  CVG_ASSIGN_OR_RETURN(const HttpCall call, call_to_get(address, options));
  std::optional<Sha256> digest;
  std::uint64_t size = 0;
  bool enough = false;
  HttpSink sink;
  sink.begin = [&](const HttpBodyStart& start) {
    digest.emplace();
    size = 0;
    enough = beside.ok() && start.total > 0;
    if (!enough) return absl::OkStatus();
    size = start.total;
    return make_error(ErrorKind::kCancelled, call.label + ": its size is known");
  };
  sink.bytes = [&](std::string_view bytes) {
    digest->add(bytes);
    size += bytes.size();
    return absl::OkStatus();
  };
  const absl::Status status = call_again(call, options, sink, stop);
  if (!status.ok() && !enough) return status;
  found.size = size;
  if (!beside.ok()) found.sha256 = digest->hex();
  return found;
}

}  // namespace

absl::StatusOr<Package> find_package(const std::vector<std::string>& addresses, const HttpOptions& options,
                                     const StopSignal& stop) {
  CVG_RETURN_IF_ERROR(check_http_options(options));
  std::string places;
  for (const std::string& address : addresses) {
    absl::StatusOr<Package> found =
        address.starts_with(kFileScheme) ? look_at_file(address, stop) : look_elsewhere(address, options, stop);
    if (found.ok() || !is_absent(found.status())) return found;
    const std::int64_t answer = http_status_of(found.status());
    places += fmt::format("{}{}{}", places.empty() ? "" : ", ", shown_source(address),
                          answer == 403 ? " (403: not there, or not to be seen)" : "");
  }
  return make_error(ErrorKind::kNotFound, fmt::format("no package lies at {}; publish it, or name it",
                                                      places.empty() ? "any place" : places));
}

}  // namespace convergence
