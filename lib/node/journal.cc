#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <optional>

#include "convergence/error.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/node/crc32c.h"
#include "lib/node/descriptor.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

// The file: these bytes, then records: length (4), checksum (4), bytes; numbers little-endian. The checksum is over the
// record's place in the file too, so that a copy of a record that stands inside another is not taken for one.
constexpr std::string_view kMagic = "CVGJRNL1";
constexpr std::size_t kHead = 8;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::uint64_t kMostFile = std::uint64_t{1} << 32;

void append_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((number >> (8 * i)) & 0xff));
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    number |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return number;
}

std::uint32_t checksum_of(std::uint64_t place, std::string_view record) {
  std::string head;
  append_number(head, place, 8);
  append_number(head, record.size(), 4);
  return crc32c(record, crc32c(head));
}

void append_record(std::string& file, std::uint64_t place, std::string_view record) {
  append_number(file, record.size(), 4);
  append_number(file, checksum_of(place, record), 4);
  file.append(record);
}

std::optional<std::string_view> record_at(std::string_view file, std::size_t at) {
  if (file.size() - at < kHead) return std::nullopt;
  const std::size_t size = number_at(file, at);
  if (size > kMostBytes || size > file.size() - at - kHead) return std::nullopt;
  const std::string_view record = file.substr(at + kHead, size);
  if (checksum_of(at, record) != number_at(file, at + 4)) return std::nullopt;
  return record;
}

bool record_after(std::string_view file, std::size_t at) {
  for (std::size_t next = at + 1; next + kHead <= file.size(); ++next) {
    if (record_at(file, next)) return true;
  }
  return false;
}

}  // namespace

struct Journal::Impl {
  std::string path;
  Descriptor lock;
  Descriptor file;
  std::uint64_t size = 0;
  std::vector<std::string> records;
  std::uint64_t torn = 0;
  absl::Status broken;

  absl::Status take_lock();
  absl::Status read();
  absl::Status open_file();
  absl::Status append(std::string_view record);
};

absl::Status Journal::Impl::take_lock() {
  const std::string name = path + ".lock";
  lock = Descriptor(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return errno_error(name, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return errno_error(name, errno);
  return make_error(ErrorKind::kConflict, fmt::format("{}: the journal is open elsewhere; one at a time", path));
}

absl::Status Journal::Impl::open_file() {
  file = Descriptor(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  return file ? absl::OkStatus() : errno_error(path, errno);
}

absl::Status Journal::Impl::read() {
  CVG_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, kMostFile));
  if (!bytes.starts_with(kMagic)) {
    return make_error(ErrorKind::kDecode, fmt::format("{}: is no journal of this version", path));
  }
  std::size_t at = kMagic.size();
  while (const auto record = record_at(bytes, at)) {
    records.emplace_back(*record);
    at += kHead + record->size();
  }
  if (at < bytes.size() && record_after(bytes, at)) {
    Json detail;
    detail.set("offset", static_cast<std::int64_t>(at));
    return make_error(
        ErrorKind::kDecode,
        fmt::format("{}: damaged at byte {}, with whole records after it; put it aside to begin anew", path, at),
        std::move(detail));
  }
  size = at;
  torn = bytes.size() - at;
  if (torn > 0 && (ftruncate(file.get(), static_cast<off_t>(at)) != 0 || fsync(file.get()) != 0)) {
    return errno_error(path, errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  CVG_RETURN_IF_ERROR(impl->take_lock());
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT)
    CVG_RETURN_IF_ERROR(write_file_atomically(path, kMagic, 0600));
  CVG_RETURN_IF_ERROR(impl->open_file());
  CVG_RETURN_IF_ERROR(impl->read());
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

absl::Status Journal::Impl::append(std::string_view record) {
  std::string bytes;
  append_record(bytes, size, record);
  const absl::Status written = write_all(file.get(), bytes, path);
  // What a full disk has cut off goes again.
  if (!written.ok()) {
    if (ftruncate(file.get(), static_cast<off_t>(size)) != 0) broken = errno_error(path, errno);
    return written;
  }
  // After a failure nobody knows what is on the disk, and asking once more would say that all is well.
  if (fdatasync(file.get()) != 0) return broken = errno_error(path, errno);
  size += bytes.size();
  return absl::OkStatus();
}

absl::Status Journal::append(std::string_view record) {
  if (!impl_->broken.ok()) return impl_->broken;
  if (record.size() > kMostBytes) {
    return make_error(ErrorKind::kTooLarge, fmt::format("{}: a record of {} bytes", impl_->path, record.size()));
  }
  return impl_->append(record);
}

absl::Status Journal::replace(const std::vector<std::string>& records) {
  if (!impl_->broken.ok()) return impl_->broken;
  std::string bytes(kMagic);
  for (const std::string& record : records) {
    if (record.size() > kMostBytes) {
      return make_error(ErrorKind::kTooLarge, fmt::format("{}: a record of {} bytes", impl_->path, record.size()));
    }
    append_record(bytes, bytes.size(), record);
  }
  const absl::Status written = write_file_atomically(impl_->path, bytes, 0600);
  // The name may stand for the new file even after an error, when only the folder's own end failed.
  const absl::Status opened = impl_->open_file();
  if (!opened.ok()) return impl_->broken = opened;
  const off_t end = lseek(impl_->file.get(), 0, SEEK_END);
  if (end < 0) return impl_->broken = errno_error(impl_->path, errno);
  impl_->size = static_cast<std::uint64_t>(end);
  return written;
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;
std::vector<std::string> Journal::take_records() { return std::move(impl_->records); }
std::uint64_t Journal::torn_bytes() const { return impl_->torn; }
std::uint64_t Journal::size() const { return impl_->size; }

}  // namespace convergence
