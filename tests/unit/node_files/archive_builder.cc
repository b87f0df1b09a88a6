#include "tests/unit/node_files/archive_builder.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "lib/node/zip_check.h"

namespace convergence::test {
namespace {

std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

la_ssize_t append_bytes(struct archive*, void* self, const void* bytes, std::size_t size) {
  static_cast<std::string*>(self)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

void must_write(int code, struct archive* writer) {
  if (code != ARCHIVE_OK) throw std::runtime_error(archive_error_string(writer));
}

void write_entry(struct archive* writer, const std::string& name, std::string_view content, std::uint32_t mode) {
  struct archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, mode);
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  must_write(archive_write_header(writer, entry), writer);
  if (archive_write_data(writer, content.data(), content.size()) < 0) throw std::runtime_error("archive_write_data");
  archive_entry_free(entry);
}

}  // namespace

std::string build_tar(const std::vector<BuiltEntry>& entries) {
  std::string tar;
  for (const BuiltEntry& entry : entries) {
    const bool link = entry.type == '1' || entry.type == '2';
    const std::string content = entry.type == '0' ? entry.content : "";
    std::string head(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { head.replace(at, text.size(), text); };
    put(0, entry.name.substr(0, 100));
    put(100, fmt::format("{:07o}", entry.mode));
    put(108, "0000000");
    put(116, "0000000");
    put(124, fmt::format("{:011o}", content.size()));
    put(136, "00000000000");
    put(148, "        ");
    head[156] = entry.type;
    if (link) put(157, entry.content);
    put(257, std::string("ustar\0"
                         "00",
                         8));
    unsigned sum = 0;
    for (const char c : head) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    tar += head + content;
    tar.resize((tar.size() + 511) / 512 * 512);
  }
  return tar + std::string(1024, '\0');
}

std::string build_zip(const std::vector<BuiltEntry>& entries) {
  std::string zip;
  std::string directory;
  for (const BuiltEntry& entry : entries) {
    const std::uint32_t type = entry.type == '5'   ? 0040000U
                               : entry.type == '2' ? 0120000U
                               : entry.type == '6' ? 0010000U
                               : entry.type == '3' ? 0020000U
                                                   : 0100000U;
    const std::string sizes =
        little(crc32_of(0, entry.content), 4) + little(entry.content.size(), 4) + little(entry.content.size(), 4);
    const std::string common = little(0x0800, 2) + little(0, 2) + little(0, 2) + little(0x21, 2) + sizes;
    const std::string& local = entry.local_name.empty() ? entry.name : entry.local_name;
    directory += "PK\1\2" + little(0x031e, 2) + little(20, 2) + common + little(entry.name.size(), 2) + little(0, 2) +
                 little(0, 2) + little(0, 2) + little(0, 2) + little(std::uint64_t{type | entry.mode} << 16, 4) +
                 little(zip.size(), 4) + entry.name;
    zip += "PK\3\4" + little(20, 2) + common + little(local.size(), 2) + little(0, 2) + local + entry.content;
  }
  const std::string end = "PK\5\6" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
                          little(directory.size(), 4) + little(zip.size(), 4) + little(0, 2);
  return zip + directory + end;
}

std::string pack(Packing packing, std::string_view bytes) {
  std::string packed;
  struct archive* writer = archive_write_new();
  must_write(archive_write_set_format_raw(writer), writer);
  must_write(packing == Packing::kGzip ? archive_write_add_filter_gzip(writer) : archive_write_add_filter_zstd(writer),
             writer);
  must_write(archive_write_set_bytes_in_last_block(writer, 1), writer);
  must_write(archive_write_open(writer, &packed, nullptr, &append_bytes, nullptr), writer);
  write_entry(writer, "data", bytes, 0644);
  must_write(archive_write_close(writer), writer);
  archive_write_free(writer);
  return packed;
}

std::string deflated_zip(const std::vector<BuiltEntry>& entries) {
  std::string packed;
  struct archive* writer = archive_write_new();
  must_write(archive_write_set_format_zip(writer), writer);
  must_write(archive_write_set_bytes_in_last_block(writer, 1), writer);
  must_write(archive_write_open(writer, &packed, nullptr, &append_bytes, nullptr), writer);
  for (const BuiltEntry& entry : entries) write_entry(writer, entry.name, entry.content, entry.mode);
  must_write(archive_write_close(writer), writer);
  archive_write_free(writer);
  return packed;
}

void write_file(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::map<std::string, std::string> tree_of(const std::string& folder) {
  std::map<std::string, std::string> tree;
  const auto add = [&](const std::string& name, const std::string& path) {
    struct stat info;
    if (lstat(path.c_str(), &info) != 0) return;
    const std::string mode = fmt::format("{:o}", info.st_mode & 07777);
    if (S_ISLNK(info.st_mode)) {
      tree[name] = "link " + std::filesystem::read_symlink(path).string();
    } else {
      tree[name] = S_ISDIR(info.st_mode) ? "directory " + mode : "file " + mode + " " + read_file(path);
    }
  };
  add("", folder);
  if (!std::filesystem::is_directory(std::filesystem::symlink_status(folder))) return tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    add(entry.path().string().substr(folder.size() + 1), entry.path().string());
  }
  return tree;
}

}  // namespace convergence::test
