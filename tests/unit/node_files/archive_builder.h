#ifndef CONVERGENCE_TESTS_UNIT_NODE_FILES_ARCHIVE_BUILDER_H_
#define CONVERGENCE_TESTS_UNIT_NODE_FILES_ARCHIVE_BUILDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convergence::test {

// Archives made byte by byte, so that they can be as wrong as a test wants them. Types as tar has them: '0' file,
// '1' hard link, '2' link, '3' device, '5' folder, '6' fifo.
struct BuiltEntry {
  std::string name;
  std::string content{};  // of a link: its target
  char type = '0';
  std::uint32_t mode = 0644;
  std::string local_name{};  // zip: another name where the data is
};

std::string build_tar(const std::vector<BuiltEntry>& entries);  // with its end
std::string build_zip(const std::vector<BuiltEntry>& entries);  // nothing compressed
enum class Packing { kGzip, kZstd };
std::string pack(Packing packing, std::string_view bytes);
// By libarchive's own writer, files deflated, with the sizes after the data as a stream has them.
std::string deflated_zip(const std::vector<BuiltEntry>& entries);

void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);
// All below a folder: path -> "file 644 <content>", "directory 755" or "link <target>". The folder itself is "".
std::map<std::string, std::string> tree_of(const std::string& folder);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_NODE_FILES_ARCHIVE_BUILDER_H_
