#include "lib/node/zip_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

constexpr std::size_t kEndSize = 22;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::uint64_t kMaxDirectory = std::uint64_t{256} << 20;

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

struct Central {
  std::string name;
  std::uint64_t flags = 0;
  std::uint64_t method = 0;
  std::uint64_t offset = 0;
  std::uint64_t type = 0;  // as in st_mode, when it was made on a Unix
  ZipEntry entry;
};

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
  std::uint64_t end = 0;  // where the records after it begin
};

absl::Status damaged_zip(std::string_view archive, std::string_view entry, std::string_view problem) {
  Json detail;
  if (!entry.empty()) detail.set("entry", printable_utf8(entry));
  return make_error(ErrorKind::kValidate,
                    fmt::format("{}: {}{}{}{}; make the archive without that and publish it again, as binary",
                                printable_utf8(archive), entry.empty() ? "" : "\"", printable_utf8(entry),
                                entry.empty() ? "" : "\": ", problem),
                    std::move(detail));
}

absl::StatusOr<std::string> bytes_at(int file, std::uint64_t offset, std::size_t size, std::string_view archive) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t count = pread(file, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(errno, "reading", archive);
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

// Sizes and offset of more than 32 bits stand in an extra field, those that need it, in this order.
bool read_zip64(std::string_view extra, std::initializer_list<std::uint64_t*> values) {
  while (extra.size() >= 4) {
    const std::uint64_t id = number_at(extra, 0, 2);
    const std::size_t size = number_at(extra, 2, 2);
    if (extra.size() < 4 + size) return false;
    std::string_view field = extra.substr(4, size);
    extra.remove_prefix(4 + size);
    if (id != 1) continue;
    for (std::uint64_t* value : values) {
      if (*value != 0xffffffff) continue;
      if (field.size() < 8) return false;
      *value = number_at(field, 0, 8);
      field.remove_prefix(8);
    }
    return true;
  }
  return std::none_of(values.begin(), values.end(), [](const std::uint64_t* value) { return *value == 0xffffffff; });
}

absl::StatusOr<Directory> find_directory(int file, std::uint64_t file_size, std::string_view archive) {
  const std::size_t tail_size = static_cast<std::size_t>(std::min<std::uint64_t>(file_size, kEndSize + 0xffff));
  CVG_ASSIGN_OR_RETURN(const std::string tail, bytes_at(file, file_size - tail_size, tail_size, archive));
  for (std::size_t at = tail.size() < kEndSize ? 0 : tail.size() - kEndSize + 1; at-- > 0;) {
    if (number_at(tail, at, 4) != 0x06054b50 || at + kEndSize + number_at(tail, at + 20, 2) != tail.size()) continue;
    Directory directory;
    directory.end = file_size - tail.size() + at;
    directory.count = number_at(tail, at + 10, 2);
    directory.size = number_at(tail, at + 12, 4);
    directory.offset = number_at(tail, at + 16, 4);
    const bool one_disk =
        number_at(tail, at + 4, 2) == number_at(tail, at + 6, 2) && number_at(tail, at + 8, 2) == directory.count;
    if (!one_disk) return damaged_zip(archive, "", "it is a part of several");
    if (directory.count != 0xffff && directory.size != 0xffffffff && directory.offset != 0xffffffff) return directory;
    if (directory.end < 20 + 56) return damaged_zip(archive, "", "its zip64 record is missing");
    CVG_ASSIGN_OR_RETURN(const std::string locator, bytes_at(file, directory.end - 20, 20, archive));
    if (number_at(locator, 0, 4) != 0x07064b50) return directory;  // exactly 65535 entries
    const std::uint64_t record = number_at(locator, 8, 8);
    if (record > directory.end - 20 - 56) return damaged_zip(archive, "", "its zip64 record is not where it says");
    CVG_ASSIGN_OR_RETURN(const std::string zip64, bytes_at(file, record, 56, archive));
    if (number_at(zip64, 0, 4) != 0x06064b50) {
      return damaged_zip(archive, "", "its zip64 record is not where it says");
    }
    directory.count = number_at(zip64, 32, 8);
    directory.size = number_at(zip64, 40, 8);
    directory.offset = number_at(zip64, 48, 8);
    directory.end = record;
    return directory;
  }
  return damaged_zip(archive, "", "the directory at its end is missing");
}

absl::StatusOr<std::vector<Central>> read_directory(int file, const Directory& directory, std::string_view archive,
                                                    std::size_t max_entries) {
  if (directory.count > max_entries) {
    return make_error(ErrorKind::kTooLarge,
                      fmt::format("{}: it has {} entries and may have {}; raise the limit if that "
                                  "is right",
                                  archive, directory.count, max_entries));
  }
  if (directory.size > directory.end || directory.size > kMaxDirectory) {
    return damaged_zip(archive, "", "the directory at its end does not fit into it");
  }
  // Where it has to be, whatever it says: from there entries can be named.
  const std::uint64_t begin = directory.end - directory.size;
  CVG_ASSIGN_OR_RETURN(const std::string bytes,
                       bytes_at(file, begin, static_cast<std::size_t>(directory.size), archive));
  std::vector<Central> entries;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    if (rest.size() < kCentralSize || number_at(rest, 0, 4) != 0x02014b50) {
      return damaged_zip(archive, entries.empty() ? "" : entries.back().name,
                         "the archive's directory cannot be read after it");
    }
    Central central;
    central.flags = number_at(rest, 8, 2);
    central.method = number_at(rest, 10, 2);
    central.entry.crc = static_cast<std::uint32_t>(number_at(rest, 16, 4));
    central.entry.packed = number_at(rest, 20, 4);
    central.entry.size = number_at(rest, 24, 4);
    central.offset = number_at(rest, 42, 4);
    const std::uint64_t made_on = number_at(rest, 5, 1);
    if (made_on == 3 || made_on == 19) central.type = number_at(rest, 40, 2) & S_IFMT;
    const std::size_t name = number_at(rest, 28, 2);
    const std::size_t extra = number_at(rest, 30, 2);
    const std::size_t whole = kCentralSize + name + extra + number_at(rest, 32, 2);
    if (rest.size() < whole) return damaged_zip(archive, "", "the archive's directory is cut off");
    central.name = rest.substr(kCentralSize, name);
    if (invalid_utf8(central.name)) return damaged_zip(archive, central.name, "its name is no UTF-8");
    if (central.name.find('\0') != std::string::npos) {  // readers see it only up to there
      return damaged_zip(archive, central.name.substr(0, central.name.find('\0')), "its name has a zero byte");
    }
    if (!read_zip64(rest.substr(kCentralSize + name, extra),
                    {&central.entry.size, &central.entry.packed, &central.offset})) {
      return damaged_zip(archive, central.name, "its sizes cannot be read");
    }
    entries.push_back(std::move(central));
    rest.remove_prefix(whole);
  }
  if (entries.size() != directory.count) {
    return damaged_zip(archive, "",
                       fmt::format("its directory has {} entries and says {}", entries.size(), directory.count));
  }
  std::sort(entries.begin(), entries.end(), [](const Central& a, const Central& b) { return a.offset < b.offset; });
  return entries;
}

// Where the entry's data ends; empty: what stands before it is not what the directory says.
absl::StatusOr<std::optional<std::uint64_t>> end_of_local(int file, const Central& central, std::string_view archive,
                                                          std::string& problem) {
  CVG_ASSIGN_OR_RETURN(const std::string head, bytes_at(file, central.offset, kLocalSize, archive));
  if (head.size() < kLocalSize || number_at(head, 0, 4) != 0x04034b50) {
    problem = "does not begin where the archive's directory says";
    return std::optional<std::uint64_t>();
  }
  const std::size_t name_size = number_at(head, 26, 2);
  const std::size_t extra_size = number_at(head, 28, 2);
  CVG_ASSIGN_OR_RETURN(const std::string rest,
                       bytes_at(file, central.offset + kLocalSize, name_size + extra_size, archive));
  if (rest.size() < name_size + extra_size || rest.substr(0, name_size) != central.name) {
    problem = fmt::format("is called \"{}\" where its data is", printable_utf8(rest.substr(0, name_size)));
    return std::optional<std::uint64_t>();
  }
  const std::uint64_t flags = number_at(head, 6, 2);
  ZipEntry local{static_cast<std::uint32_t>(number_at(head, 14, 4)), number_at(head, 18, 4), number_at(head, 22, 4)};
  const bool zip64 = read_zip64(std::string_view(rest).substr(name_size), {&local.size, &local.packed});
  const bool later = (flags & 8) != 0;  // sizes and CRC come after the data
  if (number_at(head, 8, 2) != central.method || ((flags ^ central.flags) & 0x0809) != 0 || !zip64) {
    problem = "has another method or other flags where its data is";
    return std::optional<std::uint64_t>();
  }
  const ZipEntry& wanted = central.entry;
  const auto agrees = [&](std::uint64_t here, std::uint64_t there) { return here == there || (later && here == 0); };
  if (!agrees(local.crc, wanted.crc) || !agrees(local.packed, wanted.packed) || !agrees(local.size, wanted.size)) {
    problem = "has another size or CRC where its data is";
    return std::optional<std::uint64_t>();
  }
  return std::optional(central.offset + kLocalSize + name_size + extra_size + wanted.packed);
}

// What may stand between the data and the next entry: nothing, or sizes and CRC as the directory has them.
absl::StatusOr<bool> is_descriptor(int file, const Central& central, std::uint64_t begin, std::uint64_t size,
                                   std::string_view archive) {
  if ((central.flags & 8) == 0) return size == 0;
  if (size != 12 && size != 16 && size != 20 && size != 24) return false;
  CVG_ASSIGN_OR_RETURN(const std::string text, bytes_at(file, begin, static_cast<std::size_t>(size), archive));
  if (text.size() < size) return false;
  std::string_view bytes = text;
  if (size == 16 || size == 24) {
    if (number_at(bytes, 0, 4) != 0x08074b50) return false;
    bytes.remove_prefix(4);
  }
  const std::size_t width = bytes.size() == 12 ? 4 : 8;
  return number_at(bytes, 0, 4) == central.entry.crc && number_at(bytes, 4, width) == central.entry.packed &&
         number_at(bytes, 4 + width, width) == central.entry.size;
}

}  // namespace

std::uint32_t crc32_of(std::uint32_t so_far, std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = ~so_far;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

absl::StatusOr<std::map<std::string, ZipEntry>> check_zip(int file, std::string_view archive, std::size_t max_entries) {
  struct stat info;
  if (fstat(file, &info) != 0) return file_error(errno, "looking at", archive);
  CVG_ASSIGN_OR_RETURN(const Directory directory,
                       find_directory(file, static_cast<std::uint64_t>(info.st_size), archive));
  CVG_ASSIGN_OR_RETURN(const std::vector<Central> entries, read_directory(file, directory, archive, max_entries));
  std::map<std::string, ZipEntry> by_name;
  std::uint64_t at = 0;
  std::string before;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Central& central = entries[i];
    if ((central.flags & 1) != 0) return damaged_zip(archive, central.name, "it is encrypted");
    if (central.type != 0 && central.type != S_IFREG && central.type != S_IFDIR && central.type != S_IFLNK) {
      return damaged_zip(archive, central.name, "it is a device, fifo or socket");
    }
    if (central.offset != at) return damaged_zip(archive, central.name, "it does not follow on the one before");
    std::string problem;
    CVG_ASSIGN_OR_RETURN(const auto end, end_of_local(file, central, archive, problem));
    if (!end) {
      if (!before.empty()) problem += fmt::format(", after \"{}\"", printable_utf8(before));
      return damaged_zip(archive, central.name, "it " + problem);
    }
    const std::uint64_t next = i + 1 < entries.size() ? entries[i + 1].offset : directory.offset;
    if (next < *end) return damaged_zip(archive, central.name, "it is longer than the room that it has");
    CVG_ASSIGN_OR_RETURN(const bool good, is_descriptor(file, central, *end, next - *end, archive));
    if (!good) return damaged_zip(archive, central.name, "something else follows on it");
    if (!by_name.emplace(central.name, central.entry).second) {
      return damaged_zip(archive, central.name, "it is there twice");
    }
    before = central.name;
    at = next;
  }
  if (directory.offset != directory.end - directory.size || at != directory.offset) {
    return damaged_zip(archive, before, "after it bytes are lost or added");
  }
  return by_name;
}

}  // namespace convergence
