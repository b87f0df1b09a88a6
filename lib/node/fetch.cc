#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"
#include "lib/node/http_call.h"
#include "lib/node/sha256.h"

namespace convergence {
namespace {

constexpr std::string_view kWhole = "sha256";
constexpr std::string_view kPartial = "partial";

// One package on its way into the cache.
struct Fetch {
  const Package& package;
  const FetchOptions& options;
  const FetchProgress& progress;
  const StopSignal& stop;
  std::string label;         // "fetching <source>"
  std::string digest;        // wanted; empty: any
  std::string partial_name;  // in <cache>/partial
  std::string partial_path;
  Descriptor partial_folder;
  Descriptor whole_folder;
  Descriptor file;       // the partial one, locked
  bool resumed = false;  // it holds bytes of more than one answer, or some from before
};

absl::Status wrong(const Fetch& fetch, std::string_view what, std::string_view wanted, std::string_view found) {
  Json detail;
  detail.set("expected", wanted);
  detail.set("found", found);
  return make_error(
      ErrorKind::kValidate,
      fmt::format("{}: its {} is {} and has to be {}; see whether the package was replaced, and publish it "
                  "under a version of its own",
                  fetch.label, what, found, wanted),
      std::move(detail));
}

absl::StatusOr<std::uint64_t> size_of(const Fetch& fetch) {
  struct stat info;
  if (fstat(fetch.file.get(), &info) != 0) return file_error(errno, "looking at", fetch.partial_path);
  return static_cast<std::uint64_t>(info.st_size);
}

absl::Status begin_again(const Fetch& fetch) {
  if (ftruncate(fetch.file.get(), 0) != 0) return file_error(errno, "emptying", fetch.partial_path);
  if (lseek(fetch.file.get(), 0, SEEK_SET) < 0) return file_error(errno, "rewinding", fetch.partial_path);
  return absl::OkStatus();
}

// More than it may be, said before it fills the disk.
absl::Status check_size_so_far(const Fetch& fetch, std::uint64_t size) {
  if (fetch.package.size > 0 && size > fetch.package.size) {
    return wrong(fetch, "size", std::to_string(fetch.package.size), std::to_string(size) + " or more");
  }
  if (size <= fetch.options.max_size) return absl::OkStatus();
  return make_error(ErrorKind::kTooLarge,
                    fmt::format("{}: it has more than the {} bytes that a package may have; raise "
                                "max_size if that is right",
                                fetch.label, fetch.options.max_size));
}

void tell(const Fetch& fetch, std::uint64_t done, std::uint64_t total) {
  if (fetch.progress) fetch.progress(done, fetch.package.size > 0 ? fetch.package.size : total);
}

absl::StatusOr<std::string> path_of_file_url(const Fetch& fetch) {
  std::string_view rest = std::string_view(fetch.package.source).substr(7);
  if (rest.substr(0, 10) == "localhost/") rest.remove_prefix(9);
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const auto digit = [&](std::size_t at) -> int {
      const char c = at < rest.size() ? rest[at] : ' ';
      if (c >= '0' && c <= '9') return c - '0';
      const char small = static_cast<char>(c | 0x20);
      return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
    };
    if (rest[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      path += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
      i += 2;
    } else {
      path += rest[i];
    }
  }
  if (is_normal_absolute(path)) return path;
  return make_error(ErrorKind::kValidate,
                    fmt::format("{}: no absolute path without \".\" and \"..\"; give file:///path", fetch.label));
}

absl::Status fetch_file(const Fetch& fetch) {
  CVG_ASSIGN_OR_RETURN(const std::string path, path_of_file_url(fetch));
  CVG_RETURN_IF_ERROR(begin_again(fetch));
  const Descriptor source(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!source) return file_error(errno, "opening the package", path);
  struct stat info;
  if (fstat(source.get(), &info) != 0) return file_error(errno, "looking at", path);
  if (!S_ISREG(info.st_mode)) {
    return make_error(ErrorKind::kValidate, fmt::format("{}: it is no regular file; name one", fetch.label));
  }
  const auto total = static_cast<std::uint64_t>(info.st_size);
  CVG_RETURN_IF_ERROR(check_size_so_far(fetch, total));
  std::vector<char> buffer(std::size_t{1} << 17);
  std::uint64_t done = 0;
  while (!fetch.stop.is_set()) {
    CVG_ASSIGN_OR_RETURN(const std::size_t count, read_some(source.get(), buffer.data(), buffer.size(), path));
    if (count == 0) return absl::OkStatus();
    done += count;
    CVG_RETURN_IF_ERROR(check_size_so_far(fetch, done));
    CVG_RETURN_IF_ERROR(write_all(fetch.file.get(), {buffer.data(), count}, fetch.partial_path));
    tell(fetch, done, total);
  }
  return stopped_error(fetch.label);
}

// One request for what is missing yet.
absl::Status fetch_rest(Fetch& fetch, const HttpCall& whole) {
  if (fetch.digest.empty()) CVG_RETURN_IF_ERROR(begin_again(fetch));
  CVG_ASSIGN_OR_RETURN(std::uint64_t done, size_of(fetch));
  if (fetch.package.size > 0 && done == fetch.package.size) return absl::OkStatus();
  if (fetch.package.size > 0 && done > fetch.package.size) {
    CVG_RETURN_IF_ERROR(begin_again(fetch));
    done = 0;
  }
  if (lseek(fetch.file.get(), 0, SEEK_END) < 0) return file_error(errno, "going on with", fetch.partial_path);
  HttpCall call = whole;
  call.from = done;
  std::uint64_t total = 0;
  HttpSink sink;
  sink.begin = [&](const HttpBodyStart& start) -> absl::Status {
    total = start.total;
    if (start.partial) fetch.resumed = true;
    if (!start.partial && done > 0) {  // a server without ranges sends all
      CVG_RETURN_IF_ERROR(begin_again(fetch));
      done = 0;
    }
    return check_size_so_far(fetch, total);
  };
  sink.bytes = [&](std::string_view bytes) -> absl::Status {
    CVG_RETURN_IF_ERROR(check_size_so_far(fetch, done + bytes.size()));
    CVG_RETURN_IF_ERROR(write_all(fetch.file.get(), bytes, fetch.partial_path));
    done += bytes.size();
    tell(fetch, done, total);
    return absl::OkStatus();
  };
  absl::Status status = http_call(call, fetch.options.http, sink, fetch.stop);
  // Nothing comes after what we have: either it is whole, which its digest says, or the server has a shorter one.
  if (call.from > 0 && http_status_of(status) == 416) return absl::OkStatus();
  return status;
}

absl::Status fetch_bytes(Fetch& fetch) {
  if (fetch.package.source.rfind("file://", 0) == 0) return fetch_file(fetch);
  CVG_ASSIGN_OR_RETURN(const HttpCall call, call_to_get(fetch.package.source, fetch.options.http));
  for (std::int32_t attempt = 1;; ++attempt) {
    absl::Status status = fetch_rest(fetch, call);
    if (status.ok() || !may_pass(status) || attempt >= fetch.options.http.attempts) return status;
    CVG_RETURN_IF_ERROR(pause_before_retry(fetch.options.http, fetch.label, fetch.stop));
  }
}

// The digest that the file has, once it is of the size and has the digest that it should.
absl::StatusOr<std::string> check_whole(const Fetch& fetch) {
  CVG_ASSIGN_OR_RETURN(const std::uint64_t size, size_of(fetch));
  if (fetch.package.size > 0 && size != fetch.package.size) {
    return wrong(fetch, "size", std::to_string(fetch.package.size), std::to_string(size));
  }
  if (lseek(fetch.file.get(), 0, SEEK_SET) < 0) return file_error(errno, "rewinding", fetch.partial_path);
  CVG_ASSIGN_OR_RETURN(std::string found, sha256_rest(fetch.file.get(), fetch.partial_path, fetch.stop));
  if (!fetch.digest.empty() && found != fetch.digest) return wrong(fetch, "SHA-256", fetch.digest, found);
  return found;
}

absl::StatusOr<std::string> fetch_whole(Fetch& fetch) {
  CVG_ASSIGN_OR_RETURN(const std::uint64_t before, size_of(fetch));
  fetch.resumed = before > 0;
  absl::Status status = fetch_bytes(fetch);
  absl::StatusOr<std::string> digest = status.ok() ? check_whole(fetch) : status;
  const bool joined = fetch.resumed && !fetch.digest.empty();
  if (digest.ok() || !joined || error_kind(digest.status()) != ErrorKind::kValidate) return digest;
  // Its parts need not be of one package: what was here from before, or what came before the connection broke from a
  // server where it was just being replaced. Once more, all of it.
  CVG_RETURN_IF_ERROR(begin_again(fetch));
  CVG_RETURN_IF_ERROR(fetch_bytes(fetch));
  return check_whole(fetch);
}

// Another process may have renamed or removed the file between our opening and our locking it.
absl::Status open_partial(Fetch& fetch) {
  while (true) {
    fetch.file = Descriptor(openat(fetch.partial_folder.get(), fetch.partial_name.c_str(),
                                   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!fetch.file) return file_error(errno, "opening", fetch.partial_path);
    if (flock(fetch.file.get(), LOCK_EX | LOCK_NB) != 0) {
      return make_error(ErrorKind::kConflict,
                        fmt::format("{}: another process fetches it now; wait for it", fetch.label));
    }
    struct stat ours;
    struct stat named;
    if (fstat(fetch.file.get(), &ours) != 0) return file_error(errno, "looking at", fetch.partial_path);
    CVG_ASSIGN_OR_RETURN(const bool there, look_at(fetch.partial_folder.get(), fetch.partial_name, named,
                                                   join_path(fetch.options.cache, kPartial)));
    if (there && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) return absl::OkStatus();
  }
}

// From the cache, when it is there and still what its name says.
absl::StatusOr<bool> find_cached(const Fetch& fetch, FetchedPackage& found) {
  const std::string path = fmt::format("{}/{}/{}", fetch.options.cache, kWhole, fetch.digest);
  const Descriptor file(openat(fetch.whole_folder.get(), fetch.digest.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno == ENOENT ? absl::StatusOr<bool>(false) : file_error(errno, "opening", path);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return file_error(errno, "looking at", path);
  CVG_ASSIGN_OR_RETURN(const std::string digest, sha256_rest(file.get(), path, fetch.stop));
  if (digest != fetch.digest) {
    CVG_RETURN_IF_ERROR(remove_in(fetch.whole_folder.get(), fetch.digest, join_path(fetch.options.cache, kWhole)));
    return false;
  }
  found = {path, digest, static_cast<std::uint64_t>(info.st_size), true};
  if (fetch.package.size > 0 && found.size != fetch.package.size) {
    return wrong(fetch, "size", std::to_string(fetch.package.size), std::to_string(found.size));
  }
  return true;
}

absl::StatusOr<FetchedPackage> keep_whole(const Fetch& fetch, const std::string& digest) {
  CVG_ASSIGN_OR_RETURN(const std::uint64_t size, size_of(fetch));
  if (fchmod(fetch.file.get(), 0644) != 0) return file_error(errno, "setting the mode of", fetch.partial_path);
  CVG_RETURN_IF_ERROR(sync_file(fetch.file.get(), fetch.partial_path));
  const std::string path = fmt::format("{}/{}/{}", fetch.options.cache, kWhole, digest);
  if (renameat(fetch.partial_folder.get(), fetch.partial_name.c_str(), fetch.whole_folder.get(), digest.c_str()) != 0) {
    return file_error(errno, "renaming to", path);
  }
  CVG_RETURN_IF_ERROR(sync_file(fetch.whole_folder.get(), path));
  return FetchedPackage{path, digest, size, false};
}

// What broke off may be gone on with; what is wrong, or takes the room that is missing, is in the way.
bool worth_keeping(const Fetch& fetch, const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  return !fetch.digest.empty() && (may_pass(status) || kind == ErrorKind::kCancelled);
}

absl::StatusOr<std::string> wanted_digest(const Package& package, std::string_view label) {
  std::string digest = package.sha256;
  std::transform(digest.begin(), digest.end(), digest.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (digest.empty() || is_sha256(digest)) return digest;
  return make_error(ErrorKind::kValidate, fmt::format("{}: \"{}\" is no SHA-256; give 64 digits of hex", label,
                                                      printable_utf8(package.sha256)));
}

}  // namespace

absl::StatusOr<FetchedPackage> fetch_package(const Package& package, const FetchOptions& options,
                                             const FetchProgress& progress, const StopSignal& stop) {
  Fetch fetch{package, options, progress, stop, "fetching " + shown_source(package.source), {}, {}, {},
              {},      {},      {},       false};
  CVG_RETURN_IF_ERROR(check_http_options(options.http));
  if (options.cache.empty()) return make_error(ErrorKind::kUsage, "fetch: cache: empty; name a folder");
  if (find_unprintable(package.source) != std::string_view::npos) {
    return make_error(ErrorKind::kValidate, fetch.label + ": has a control character or no UTF-8; correct it");
  }
  CVG_ASSIGN_OR_RETURN(fetch.digest, wanted_digest(package, fetch.label));
  CVG_RETURN_IF_ERROR(make_folders(options.cache));
  CVG_ASSIGN_OR_RETURN(const Descriptor cache, open_folder(options.cache));
  CVG_ASSIGN_OR_RETURN(fetch.whole_folder, open_folder_below(cache.get(), kWhole, true, options.cache));
  CVG_ASSIGN_OR_RETURN(fetch.partial_folder, open_folder_below(cache.get(), kPartial, true, options.cache));
  if (!fetch.digest.empty()) {
    FetchedPackage found;
    CVG_ASSIGN_OR_RETURN(const bool cached, find_cached(fetch, found));
    if (cached) return found;
  }
  fetch.partial_name = fetch.digest.empty() ? "of-" + sha256_text(package.source) : fetch.digest;
  fetch.partial_path = fmt::format("{}/{}/{}", options.cache, kPartial, fetch.partial_name);
  CVG_RETURN_IF_ERROR(open_partial(fetch));
  const absl::StatusOr<std::string> digest = fetch_whole(fetch);
  absl::StatusOr<FetchedPackage> kept = digest.ok() ? keep_whole(fetch, *digest) : digest.status();
  if (!kept.ok() && !worth_keeping(fetch, kept.status())) {
    unlinkat(fetch.partial_folder.get(), fetch.partial_name.c_str(), 0);  // the first error is the one to tell
  }
  return kept;
}

namespace {

absl::Status prune_folder(int cache, std::string_view name, const std::string& place,
                          const std::vector<std::string>& keep, std::vector<std::string>& gone) {
  const std::string path = join_path(place, name);
  const int number = openat(cache, std::string(name).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (number < 0) return errno == ENOENT ? absl::OkStatus() : file_error(errno, "opening the folder", path);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(number), &closedir);
  if (listing == nullptr) {
    close(number);
    return file_error(errno, "opening the folder", path);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(listing.get())) names.emplace_back(entry->d_name);
  if (errno != 0) return file_error(errno, "reading the folder", path);
  for (const std::string& file : names) {
    const bool nameless = name == kPartial && file.rfind("of-", 0) == 0;
    const std::string digest = nameless ? file.substr(3) : file;
    if (!is_sha256(digest)) continue;
    if (!nameless && std::find(keep.begin(), keep.end(), digest) != keep.end()) continue;
    const Descriptor opened(openat(number, file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info;
    if (!opened || fstat(opened.get(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (flock(opened.get(), LOCK_EX | LOCK_NB) != 0) continue;  // being fetched
    if (unlinkat(number, file.c_str(), 0) != 0 && errno != ENOENT) return file_error(errno, "removing", path);
    if (!nameless) gone.push_back(digest);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> prune_cache(const std::string& cache, const std::vector<std::string>& keep) {
  std::vector<std::string> gone;
  CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder(cache));
  CVG_RETURN_IF_ERROR(prune_folder(folder.get(), kWhole, cache, keep, gone));
  CVG_RETURN_IF_ERROR(prune_folder(folder.get(), kPartial, cache, keep, gone));
  std::sort(gone.begin(), gone.end());
  gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
  return gone;
}

}  // namespace convergence
