#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/archive_names.h"
#include "lib/node/file_calls.h"
#include "lib/node/zip_check.h"

namespace convergence {
namespace {

using Reader = std::unique_ptr<struct archive, int (*)(struct archive*)>;

constexpr std::size_t kBlock = std::size_t{1} << 16;

// libarchive turns names into the locale's characters; in "C" there are none but ASCII.
class Utf8Locale {
 public:
  Utf8Locale() : ours_(newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})), before_(uselocale(ours_)) {}
  ~Utf8Locale() {
    uselocale(before_);
    if (ours_ != locale_t{}) freelocale(ours_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t ours_;
  locale_t before_;
};

enum class Format { kZip, kTar, kTarGzip, kTarZstd };

std::string libarchive_text(struct archive* reader) {
  const char* text = archive_error_string(reader);
  return printable_utf8(text == nullptr ? "it cannot be read" : text);
}

// What a compressed tar unpacks to, watched on its way into the reader of tar.
struct Stream {
  int file = -1;
  struct archive* inner = nullptr;  // null: no compression
  std::uint64_t max_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t zeros = 0;  // at the end, so far
  std::uint32_t crc = 0;
  bool failed = false;
  bool too_large = false;
  std::string problem;
  std::vector<char> buffer = std::vector<char>(kBlock);

  // Empty at the end, and when something is wrong.
  std::string_view next() {
    if (failed) return {};
    const la_ssize_t count = inner != nullptr ? archive_read_data(inner, buffer.data(), buffer.size())
                                              : read(file, buffer.data(), buffer.size());
    if (count < 0) {
      failed = true;
      problem = inner != nullptr ? libarchive_text(inner) : "it cannot be read";
      return {};
    }
    const std::string_view got(buffer.data(), static_cast<std::size_t>(count));
    bytes += got.size();
    crc = crc32_of(crc, got);
    const std::size_t last = got.find_last_not_of('\0');
    zeros = last == std::string_view::npos ? zeros + got.size() : got.size() - 1 - last;
    if (bytes > max_bytes) {
      failed = too_large = true;
      return {};
    }
    return got;
  }
};

la_ssize_t stream_next(struct archive* reader, void* self, const void** bytes) noexcept {
  auto* stream = static_cast<Stream*>(self);
  try {
    const std::string_view got = stream->next();
    *bytes = got.data();
    if (!stream->failed) return static_cast<la_ssize_t>(got.size());
    archive_set_error(reader, EIO, "%s", stream->problem.c_str());
  } catch (const std::bad_alloc&) {
    archive_set_error(reader, ENOMEM, "no memory is left");
  }
  return -1;
}

// One archive on its way into one folder.
class Unpacking {
 public:
  Unpacking(const std::string& archive, std::string folder, const UnpackLimits& limits, const StopSignal& stop)
      : archive_(archive),
        shown_(printable_utf8(archive)),
        folder_(std::move(folder)),
        limits_(limits),
        stop_(stop),
        names_(shown_, limits) {}

  absl::Status open_archive() {
    file_ = Descriptor(open(archive_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file_) return file_error(errno, "opening the archive", shown_);
    struct stat info;
    if (fstat(file_.get(), &info) != 0) return file_error(errno, "looking at", shown_);
    if (!S_ISREG(info.st_mode)) return make_error(ErrorKind::kUsage, shown_ + ": it is no regular file; name one");
    packed_ = static_cast<std::uint64_t>(info.st_size);
    char head[512] = {};
    CVG_ASSIGN_OR_RETURN(const std::size_t size, read_some(file_.get(), head, sizeof head, shown_));
    const std::string_view bytes(head, size);
    if (bytes.substr(0, 4) == "PK\3\4" || bytes.substr(0, 4) == "PK\5\6") {
      format_ = Format::kZip;
    } else if (bytes.substr(0, 2) == "\x1f\x8b") {
      format_ = Format::kTarGzip;
    } else if (bytes.substr(0, 4) == "\x28\xb5\x2f\xfd") {
      format_ = Format::kTarZstd;
    } else if (bytes.size() == 512 && bytes.substr(257, 5) == "ustar") {
      format_ = Format::kTar;
    } else {
      return make_error(ErrorKind::kValidate,
                        shown_ + ": no zip, tar, tar.gz or tar.zst, or damaged at its begin; see what was published");
    }
    if (lseek(file_.get(), 0, SEEK_SET) != 0) return file_error(errno, "rewinding", shown_);
    if (format_ != Format::kZip) return absl::OkStatus();
    CVG_ASSIGN_OR_RETURN(zip_, check_zip(file_.get(), shown_, limits_.entries));
    if (!zip_.empty()) return absl::OkStatus();
    return make_error(ErrorKind::kValidate, shown_ + ": it holds nothing; see what was published");
  }

  absl::StatusOr<Manifest> into(int folder) {
    root_ = folder;
    CVG_RETURN_IF_ERROR(open_reader());
    while (true) {
      if (stop_.is_set()) return stopped_error("unpacking " + shown_);
      struct archive_entry* entry = nullptr;
      const int code = archive_read_next_header(reader_.get(), &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return damaged();
      CVG_RETURN_IF_ERROR(take(entry));
      if (archive_read_data_skip(reader_.get()) != ARCHIVE_OK) return damaged();
      entries_end_ = static_cast<std::uint64_t>(archive_filter_bytes(reader_.get(), 0));
    }
    CVG_RETURN_IF_ERROR(check_end());
    CVG_RETURN_IF_ERROR(names_.check_links());
    CVG_RETURN_IF_ERROR(finish());
    return names_.manifest();
  }

 private:
  absl::Status no_reader() {
    return make_error(ErrorKind::kInvariant, shown_ + ": libarchive does not start; see whether memory is left");
  }

  absl::Status open_reader() {
    reader_ = Reader(archive_read_new(), &archive_read_free);
    if (reader_ == nullptr) return no_reader();
    if (format_ == Format::kZip) {
      if (archive_read_support_format_zip_seekable(reader_.get()) != ARCHIVE_OK) return no_reader();
      if (archive_read_open_fd(reader_.get(), file_.get(), kBlock) != ARCHIVE_OK) return damaged();
      return absl::OkStatus();
    }
    stream_.file = file_.get();
    // Headers and padding come on top of what the files have.
    stream_.max_bytes = limits_.total_size + (std::uint64_t{limits_.entries} + 64) * 4096;
    if (format_ != Format::kTar) {
      inner_ = Reader(archive_read_new(), &archive_read_free);
      if (inner_ == nullptr || archive_read_support_format_raw(inner_.get()) != ARCHIVE_OK) return no_reader();
      const int filter = format_ == Format::kTarGzip ? archive_read_support_filter_gzip(inner_.get())
                                                     : archive_read_support_filter_zstd(inner_.get());
      if (filter != ARCHIVE_OK) return no_reader();
      struct archive_entry* whole = nullptr;
      if (archive_read_open_fd(inner_.get(), file_.get(), kBlock) != ARCHIVE_OK ||
          archive_read_next_header(inner_.get(), &whole) != ARCHIVE_OK) {
        return names_.refuse("(begin)", "is damaged: " + libarchive_text(inner_.get()));
      }
      stream_.inner = inner_.get();
    }
    if (archive_read_support_format_tar(reader_.get()) != ARCHIVE_OK) return no_reader();
    if (archive_read_open(reader_.get(), &stream_, nullptr, &stream_next, nullptr) != ARCHIVE_OK) return damaged();
    return absl::OkStatus();
  }

  // The entry where the reader stopped, or the one that came before.
  absl::Status damaged() {
    if (stream_.too_large) return over_total();
    return names_.refuse(at_.empty() ? "(begin)" : at_,
                         fmt::format("is damaged, or what follows on it: {}", libarchive_text(reader_.get())));
  }
  absl::Status over_total() {
    return names_.too_large(at_, fmt::format("makes it more than {} bytes in all", limits_.total_size));
  }

  absl::Status take(struct archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return names_.refuse("(after " + at_ + ")", "has a name that is no UTF-8");
    at_ = raw;
    if (archive_entry_is_encrypted(entry) != 0) return names_.refuse(at_, "is encrypted");
    CVG_ASSIGN_OR_RETURN(const std::string name, names_.normal_name(at_));
    const char* hard = archive_entry_hardlink(entry);
    const auto type = archive_entry_filetype(entry);
    const std::uint32_t mode = archive_entry_perm(entry) & 0777;
    if (name.empty()) {
      if (type == AE_IFDIR && hard == nullptr) return absl::OkStatus();
      return names_.refuse(at_, "stands for the archive itself and is no folder");
    }
    // A "/" at the end makes it a folder to some readers.
    if (type != AE_IFDIR && at_.back() == '/') return names_.refuse(at_, "is no folder and has a name like one");
    if (hard != nullptr) return take_hard_link(name, hard);
    switch (type) {
      case AE_IFDIR:
        CVG_RETURN_IF_ERROR(names_.add({name, EntryType::kDirectory, mode, 0, ""}));
        return open_folder_below(root_, name, true, folder_).status();
      case AE_IFREG:
        CVG_RETURN_IF_ERROR(names_.add({name, EntryType::kFile, mode, 0, ""}));
        return take_file(name, entry);
      case AE_IFLNK: {
        const char* target = archive_entry_symlink(entry);
        CVG_RETURN_IF_ERROR(names_.check_target(name, target == nullptr ? "" : target));
        const auto zip = zip_.find(at_);
        if (zip != zip_.end() && zip->second.crc != crc32_of(0, target)) return names_.refuse(at_, "is damaged: CRC");
        return names_.add({name, EntryType::kLink, 0, 0, target});
      }
      case AE_IFIFO:
        return names_.refuse(at_, "is a fifo");
      case AE_IFSOCK:
        return names_.refuse(at_, "is a socket");
      default:
        return names_.refuse(at_, "is a device, or nothing that is known");
    }
  }

  absl::StatusOr<Descriptor> parent(const std::string& name) {
    return open_folder_below(root_, parent_of(name), true, folder_);
  }

  absl::Status take_hard_link(const std::string& name, const char* raw) {
    CVG_ASSIGN_OR_RETURN(const std::string target, names_.normal_name(raw));
    const ManifestEntry* const to = names_.find(target);
    if (to == nullptr || to->type != EntryType::kFile) {
      return names_.refuse(at_,
                           fmt::format("is a hard link to \"{}\", which is no file before it", printable_utf8(raw)));
    }
    ManifestEntry entry = *to;
    entry.path = name;
    CVG_RETURN_IF_ERROR(names_.add(std::move(entry)));
    CVG_ASSIGN_OR_RETURN(const Descriptor from, parent(target));
    CVG_ASSIGN_OR_RETURN(const Descriptor into, parent(name));
    if (linkat(from.get(), base_name(target).c_str(), into.get(), base_name(name).c_str(), 0) == 0) {
      return absl::OkStatus();
    }
    return file_error(errno, "linking", join_path(folder_, name));
  }

  absl::Status take_file(const std::string& name, struct archive_entry* entry) {
    const std::string path = join_path(folder_, name);
    CVG_ASSIGN_OR_RETURN(const Descriptor folder, parent(name));
    const Descriptor file(
        openat(folder.get(), base_name(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return file_error(errno, "making", path);
    std::uint64_t size = 0;
    while (true) {
      if (stop_.is_set()) return stopped_error("unpacking " + shown_);
      const la_ssize_t count = archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
      if (count < 0) return damaged();
      if (count == 0) break;
      size += static_cast<std::uint64_t>(count);
      total_ += static_cast<std::uint64_t>(count);
      if (size > limits_.file_size) {
        return names_.too_large(at_, fmt::format("has more than {} bytes", limits_.file_size));
      }
      if (total_ > limits_.total_size) return over_total();
      if (total_ > limits_.ratio_from && total_ / std::max<std::uint64_t>(limits_.ratio, 1) > packed_) {
        return names_.too_large(at_, fmt::format("makes it more than {} times as large as the archive", limits_.ratio));
      }
      CVG_RETURN_IF_ERROR(write_all(file.get(), {buffer_.data(), static_cast<std::size_t>(count)}, path));
    }
    const bool says = archive_entry_size_is_set(entry) != 0;
    const auto zip = zip_.find(at_);
    if ((says && static_cast<std::uint64_t>(archive_entry_size(entry)) != size) ||
        (zip != zip_.end() && zip->second.size != size)) {
      return names_.refuse(at_, "is damaged: its size is another");
    }
    ManifestEntry* const held = names_.find(name);
    held->size = size;
    if (fchmod(file.get(), held->mode) != 0) return file_error(errno, "setting the mode of", path);
    return absl::OkStatus();
  }

  // What the reader of tar does not look at: that there is an end, that nothing follows on it, and gzip's checksum.
  absl::Status check_end() {
    if (format_ == Format::kZip) return absl::OkStatus();
    while (!stream_.next().empty()) {
      if (stop_.is_set()) return stopped_error("unpacking " + shown_);
    }
    if (stream_.too_large) return over_total();
    const std::string_view last = at_.empty() ? std::string_view("(begin)") : std::string_view(at_);
    if (stream_.failed) return names_.refuse(last, "or what follows on it is damaged: " + stream_.problem);
    // Two blocks of zeros are the end, and no more than zeros may follow.
    const std::uint64_t rest = stream_.bytes - std::min(entries_end_, stream_.bytes);
    if (rest < 1024 || stream_.zeros < rest) {
      return names_.refuse(last, "is damaged: after it the end of the archive is missing, or something follows on it");
    }
    if (format_ != Format::kTarGzip) return absl::OkStatus();
    unsigned char trailer[8];
    if (pread(file_.get(), trailer, sizeof trailer, static_cast<off_t>(packed_ - 8)) != 8) {
      return file_error(errno, "reading", shown_);
    }
    const auto word = [&](std::size_t at) {
      return static_cast<std::uint32_t>(trailer[at] | (trailer[at + 1] << 8) | (trailer[at + 2] << 16)) |
             (static_cast<std::uint32_t>(trailer[at + 3]) << 24);
    };
    if (word(0) == stream_.crc && word(4) == static_cast<std::uint32_t>(stream_.bytes)) return absl::OkStatus();
    return names_.refuse(last, "or one before it is damaged: gzip's checksum is another, or it has several parts");
  }

  // Links and the modes of folders come last, when nothing is made below them any more.
  absl::Status finish() {
    const Manifest manifest = names_.manifest();
    for (const ManifestEntry& entry : manifest.entries) {
      if (entry.type != EntryType::kLink) continue;
      CVG_ASSIGN_OR_RETURN(const Descriptor folder, parent(entry.path));
      if (symlinkat(entry.target.c_str(), folder.get(), base_name(entry.path).c_str()) != 0) {
        return file_error(errno, "making the link", join_path(folder_, entry.path));
      }
    }
    for (auto entry = manifest.entries.rbegin(); entry != manifest.entries.rend(); ++entry) {
      if (entry->type != EntryType::kDirectory) continue;
      CVG_ASSIGN_OR_RETURN(const Descriptor folder, open_folder_below(root_, entry->path, false, folder_));
      if (fchmod(folder.get(), entry->mode) != 0) {
        return file_error(errno, "setting the mode of", join_path(folder_, entry->path));
      }
    }
    if (syncfs(root_) != 0) return file_error(errno, "writing to the disk", folder_);
    return absl::OkStatus();
  }

  const std::string archive_;
  const std::string shown_;
  const std::string folder_;
  const UnpackLimits limits_;
  const StopSignal& stop_;
  ArchiveNames names_;
  Descriptor file_;
  std::uint64_t packed_ = 0;
  Format format_ = Format::kTar;
  std::map<std::string, ZipEntry> zip_;
  Stream stream_;
  Reader inner_{nullptr, &archive_read_free};
  Reader reader_{nullptr, &archive_read_free};  // goes before what it reads from
  int root_ = -1;
  std::string at_;  // the entry's name as it stands in the archive
  std::uint64_t total_ = 0;
  std::uint64_t entries_end_ = 0;  // in a tar
  std::vector<char> buffer_ = std::vector<char>(kBlock);
};

}  // namespace

absl::StatusOr<Manifest> unpack_archive(const std::string& archive, const std::string& fresh_directory,
                                        const UnpackLimits& limits, const StopSignal& stop) {
  if (!is_normal_absolute(fresh_directory) || fresh_directory == "/") {
    return make_error(ErrorKind::kUsage, fmt::format("unpack: {}: no absolute path in normal form; give one",
                                                     printable_utf8(fresh_directory)));
  }
  const Utf8Locale utf8_locale;
  Unpacking unpacking(archive, fresh_directory, limits, stop);
  CVG_RETURN_IF_ERROR(unpacking.open_archive());
  CVG_ASSIGN_OR_RETURN(const Descriptor parent, open_folder(parent_of(fresh_directory)));
  const std::string name = base_name(fresh_directory);
  if (mkdirat(parent.get(), name.c_str(), 0755) != 0) return file_error(errno, "making the folder", fresh_directory);
  absl::StatusOr<Descriptor> root = open_folder_below(parent.get(), name, false, parent_of(fresh_directory));
  absl::StatusOr<Manifest> manifest = root.ok() ? unpacking.into(root->get()) : root.status();
  if (!manifest.ok())
    remove_in(parent.get(), name, parent_of(fresh_directory)).IgnoreError();  // the first error counts
  return manifest;
}

}  // namespace convergence
