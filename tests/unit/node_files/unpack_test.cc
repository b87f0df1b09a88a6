#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "convergence/node_files.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/node_files/archive_builder.h"

namespace convergence {
namespace {

using test::BuiltEntry;
using test::Packing;
using Tree = std::map<std::string, std::string>;

struct Unpacked {
  absl::StatusOr<Manifest> manifest;
  bool anything_left = false;  // at the folder
  Tree tree{};
  Tree beside{};  // all of the test's folder but the folder unpacked to and the archive
};

Unpacked unpack_bytes(const std::string& bytes, const UnpackLimits& limits = {}, bool stopped = false) {
  const test::TemporaryDirectory folder;
  test::write_file(folder.path("package"), bytes);
  StopSignal stop;
  if (stopped) stop.set();
  Unpacked unpacked{unpack_archive(folder.path("package"), folder.path("fresh"), limits, stop)};
  unpacked.anything_left = std::filesystem::exists(std::filesystem::symlink_status(folder.path("fresh")));
  if (unpacked.anything_left) unpacked.tree = test::tree_of(folder.path("fresh"));
  for (const auto& [path, what] : test::tree_of(folder.path())) {
    if (!path.empty() && path != "package" && path.rfind("fresh", 0) != 0) unpacked.beside[path] = what;
  }
  return unpacked;
}

const std::vector<BuiltEntry> kGood = {
    {"bin", "", '5', 0755},
    {"bin/run", "#!/bin/sh\n", '0', 0755},
    {"conf/gr\xc3\xbc\xc3\x9f", "text", '0', 0640},
    {"empty", "", '0', 0600},
    {"locked", "", '5', 0700},
    {"locked/suid", "x", '0', 04755},
    {"current", "bin/run", '2', 0777},
    {"conf/up", "../bin", '2', 0777},
};
const Tree kGoodTree = {{"", "directory 755"},
                        {"bin", "directory 755"},
                        {"bin/run", "file 755 #!/bin/sh\n"},
                        {"conf", "directory 755"},
                        {"conf/gr\xc3\xbc\xc3\x9f", "file 640 text"},
                        {"conf/up", "link ../bin"},
                        {"current", "link bin/run"},
                        {"empty", "file 600 "},
                        {"locked", "directory 700"},
                        {"locked/suid", "file 755 x"}};
const Manifest kGoodManifest = {{{"bin", EntryType::kDirectory, 0755, 0, ""},
                                 {"bin/run", EntryType::kFile, 0755, 10, ""},
                                 {"conf", EntryType::kDirectory, 0755, 0, ""},
                                 {"conf/gr\xc3\xbc\xc3\x9f", EntryType::kFile, 0640, 4, ""},
                                 {"conf/up", EntryType::kLink, 0, 0, "../bin"},
                                 {"current", EntryType::kLink, 0, 0, "bin/run"},
                                 {"empty", EntryType::kFile, 0600, 0, ""},
                                 {"locked", EntryType::kDirectory, 0700, 0, ""},
                                 {"locked/suid", EntryType::kFile, 0755, 1, ""}}};

std::vector<BuiltEntry> with_slashes(std::vector<BuiltEntry> entries) {
  for (BuiltEntry& entry : entries) {
    if (entry.type == '5') entry.name += "/";
  }
  return entries;
}

TEST_CASE("zip, tar, tar.gz and tar.zst of the same files unpack to the same tree, modes and all but setuid") {
  const std::string tar = test::build_tar(with_slashes(kGood));
  for (const std::string& bytes :
       {tar, test::pack(Packing::kGzip, tar), test::pack(Packing::kZstd, tar), test::build_zip(with_slashes(kGood))}) {
    const Unpacked unpacked = unpack_bytes(bytes);
    REQUIRE_OK(unpacked.manifest);
    CHECK(*unpacked.manifest == kGoodManifest);
    CHECK(unpacked.tree == kGoodTree);
  }
}

TEST_CASE("a deflated zip whose sizes come after the data, leading dots and hard links are read") {
  const std::string text(100'000, 'a');
  const Unpacked zip = unpack_bytes(test::deflated_zip({{"a/b", text}, {"c", "d"}}), {.ratio_from = 1 << 20});
  REQUIRE_OK(zip.manifest);
  CHECK(zip.tree.at("a/b") == "file 644 " + text);

  const Unpacked tar = unpack_bytes(test::build_tar({{"./", "", '5', 0755}, {"./a", "1"}, {"./d/b", "a", '1'}}));
  REQUIRE_OK(tar.manifest);
  CHECK(tar.tree == Tree{{"", "directory 755"}, {"a", "file 644 1"}, {"d", "directory 755"}, {"d/b", "file 644 1"}});

  CHECK_ERROR(unpack_bytes(test::build_zip({})).manifest, ErrorKind::kValidate, "it holds nothing");
}

struct Evil {
  std::string what;
  std::vector<BuiltEntry> entries;
  std::string fragment;
  bool only_tar = false;
};

const std::vector<Evil> kEvil = {
    {"absolute", {{"/etc/x", "1"}}, "\"/etc/x\" is an absolute path"},
    {"up", {{"a/../../x", "1"}}, "leads out by \"..\""},
    {"up alone", {{"..", "", '5'}}, "leads out by \"..\""},
    {"up at the end", {{"a/..", "1"}}, "leads out by \"..\""},
    {"empty part", {{"a//b", "1"}}, "an empty part"},
    {"dot", {{"a/./b", "1"}}, "an empty part or a \".\""},
    {"link to the root", {{"l", "/etc", '2'}}, "\"l\" is a link to the absolute path /etc"},
    {"link out", {{"a/l", "../../x", '2'}}, "\"a/l\" is a link that leads out"},
    {"link to the parent", {{"l", "..", '2'}}, "\"l\" is a link that leads out"},
    {"link out by another", {{"a/b/up", "../..", '2'}, {"z", "a/b/up/../x", '2'}}, "\"z\" is a link that leads out"},
    {"circle", {{"a", "b", '2'}, {"b", "a", '2'}}, "leads round in a circle"},
    {"below a link", {{"d", "e", '2'}, {"d/x", "1"}}, "\"d/x\" lies below \"d\", which is a link"},
    {"below a file", {{"d", "1"}, {"d/x", "1"}}, "\"d/x\" lies below \"d\", which is a file"},
    {"link where a folder is", {{"d/x", "1"}, {"d", "e", '2'}}, "\"d\" is there twice"},
    {"file where a folder is", {{"d/x", "1"}, {"d", "1"}}, "\"d\" is there twice"},
    {"control character", {{"a\nb", "1"}}, "\"a?b\" has a control character"},
    {"C1 control character",
     {{"a\xc2\x9b"
       "b",
       "1"}},
     "has a control character"},
    {"delete", {{"a\x7f", "1"}}, "has a control character"},
    {"no UTF-8", {{"a\xff", "1"}}, "is no UTF-8"},
    {"UTF-8 surrogate", {{"a\xed\xa0\x80", "1"}}, "is no UTF-8"},
    {"control character in a target", {{"l", "a\tb", '2'}}, "a link whose target has a control character"},
    {"fifo", {{"f", "", '6'}}, "\"f\""},
    {"device", {{"f", "", '3'}}, "device"},
    {"twice", {{"a", "1"}, {"a", "2"}}, "there twice", true},
    {"twice by another spelling", {{"a", "1"}, {"./a", "2"}}, "\"a\" is there twice"},
    {"folder twice", {{"a/", "", '5'}, {"./a/", "", '5'}}, "\"a\" is there twice"},
    {"hard link out", {{"h", "../x", '1'}}, "leads out by \"..\"", true},
    {"hard link to the root", {{"h", "/etc/passwd", '1'}}, "is an absolute path", true},
    {"hard link to a link", {{"l", "x", '2'}, {"h", "l", '1'}}, "\"h\" is a hard link to \"l\"", true},
    {"hard link to what comes later", {{"h", "a", '1'}, {"a", "1"}}, "\"h\" is a hard link to \"a\"", true},
};

TEST_CASE("what a package must not have is refused by name in tar and zip, and nothing is left") {
  for (const Evil& evil : kEvil) {
    CAPTURE(evil.what);
    std::vector<BuiltEntry> entries = {{"good", "1"}};
    entries.insert(entries.end(), evil.entries.begin(), evil.entries.end());
    std::vector<std::string> archives = {test::build_tar(entries)};
    archives.push_back(test::pack(Packing::kZstd, archives[0]));
    if (!evil.only_tar) archives.push_back(test::build_zip(entries));
    for (const std::string& bytes : archives) {
      CAPTURE(bytes.substr(0, 2));
      const Unpacked unpacked = unpack_bytes(bytes);
      CHECK_ERROR(unpacked.manifest, ErrorKind::kValidate, evil.fragment);
      CHECK_FALSE(unpacked.anything_left);
      CHECK(unpacked.beside.empty());
    }
  }
}

TEST_CASE("each limit names the entry that goes over it") {
  const std::string text(3000, 'a');
  const auto check = [](const std::string& bytes, const UnpackLimits& limits, const char* fragment) {
    const Unpacked unpacked = unpack_bytes(bytes, limits);
    CHECK_ERROR(unpacked.manifest, ErrorKind::kTooLarge, fragment);
    CHECK_FALSE(unpacked.anything_left);
  };
  const std::vector<BuiltEntry> two = {{"a", text}, {"b", text}};
  for (const std::string& bytes : {test::build_tar(two), test::build_zip(two)}) {
    check(bytes, {.total_size = 5999}, "\"b\" makes it more than 5999 bytes");
    check(bytes, {.file_size = 2999}, "\"a\" has more than 2999 bytes");
    check(bytes, {.path_length = 0}, "has a name of more than 0 bytes");
    CHECK_OK(unpack_bytes(bytes, {.total_size = 6000, .file_size = 3000, .entries = 2, .path_length = 1, .depth = 1})
                 .manifest);
  }
  check(test::build_tar(two), {.entries = 1}, "\"b\" is more than entry 1");
  check(test::build_zip(two), {.entries = 1}, "it has 2 entries and may have 1");
  check(test::build_tar({{"a/b/c", "1"}}), {.depth = 2}, "\"a/b/c\" lies more than 2 folders deep");
  check(test::deflated_zip({{"bomb", std::string(1 << 20, '\0')}}), {.ratio = 100, .ratio_from = 1000},
        "\"bomb\" makes it more than 100 times as large");
  check(test::pack(Packing::kGzip, test::build_tar({{"bomb", std::string(1 << 20, '\0')}})),
        {.ratio = 100, .ratio_from = 1000}, "\"bomb\" makes it more than 100 times as large");
  // Of a compressed tar also what lies between its files.
  check(test::pack(Packing::kZstd, test::build_tar({{"a", "1"}}) + std::string(4 << 20, '\0')),
        {.total_size = 1000, .entries = 10}, "makes it more than 1000 bytes in all");
}

TEST_CASE("archives are refused wherever they are cut off, and no byte of a tar.gz changes unseen") {
  const std::vector<BuiltEntry> entries = {{"a", "first content"}, {"b/c", "second, another"}};
  const std::string tar = test::build_tar(entries);
  for (const std::string& bytes : {test::build_zip(entries), test::deflated_zip(entries),
                                   test::pack(Packing::kGzip, tar), test::pack(Packing::kZstd, tar)}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CAPTURE(size);
      const Unpacked unpacked = unpack_bytes(bytes.substr(0, size));
      CHECK_ERROR(unpacked.manifest, ErrorKind::kValidate, "");
      CHECK_FALSE(unpacked.anything_left);
    }
  }
  for (std::size_t size = 0; size < tar.size(); size += 128) {
    CAPTURE(size);
    CHECK_ERROR(unpack_bytes(tar.substr(0, size)).manifest, ErrorKind::kValidate, "");
  }
  // zstd has a checksum only when its maker wanted one, and the writer of these tests does not.
  const Unpacked whole = unpack_bytes(tar);
  const std::string packed = test::pack(Packing::kGzip, tar);
  for (std::size_t at = 0; at < packed.size(); ++at) {
    std::string changed = packed;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    CAPTURE(at);
    const Unpacked unpacked = unpack_bytes(changed);
    // Some of gzip's header says nothing of the content: refused, or unharmed.
    if (unpacked.manifest.ok()) CHECK(unpacked.tree == whole.tree);
    if (!unpacked.manifest.ok()) CHECK_FALSE(unpacked.anything_left);
  }
}

TEST_CASE("damage is told with the entry") {
  const std::vector<BuiltEntry> entries = {{"a", "first content"}, {"b", "second"}};
  std::string zip = test::build_zip(entries);
  zip[zip.find("second")] = 'S';
  CHECK_ERROR(unpack_bytes(zip).manifest, ErrorKind::kValidate, "\"b\" is damaged");

  CHECK_ERROR(unpack_bytes(test::build_zip({{"a", "1"}, {"b", "1", '0', 0644, "c"}})).manifest, ErrorKind::kValidate,
              "\"b\": it is called \"c\" where its data is");

  std::string size = test::build_zip(entries);
  size[size.find("PK\3\4", 4) + 22] = 9;
  CHECK_ERROR(unpack_bytes(size).manifest, ErrorKind::kValidate, "\"b\": it has another size or CRC");

  CHECK_ERROR(unpack_bytes(test::build_zip({{std::string("a\0b", 3), "1"}})).manifest, ErrorKind::kValidate,
              "\"a\": its name has a zero byte");
  CHECK_ERROR(unpack_bytes("junk" + test::build_zip(entries)).manifest, ErrorKind::kValidate, "no zip, tar");
  std::string grown = test::build_zip(entries);
  grown.insert(grown.find("PK\3\4", 4), "PK\3\4more");
  CHECK_ERROR(unpack_bytes(grown).manifest, ErrorKind::kValidate, "after \"a\"");
  CHECK_ERROR(unpack_bytes(test::build_zip({{"a", "1"}, {"a", "2"}})).manifest, ErrorKind::kValidate,
              "\"a\": it is there twice");
  CHECK_ERROR(unpack_bytes(test::build_tar(entries) + "junk").manifest, ErrorKind::kValidate, "\"b\" is damaged");
  CHECK_ERROR(unpack_bytes("neither").manifest, ErrorKind::kValidate, "no zip, tar, tar.gz or tar.zst");
}

TEST_CASE("a zip whose line ends were converted, as that of environment-manager.md 6.1, is refused by name") {
  std::string zip = test::build_zip({{"whole", "no line end"}, {"text", "one\r\ntwo\r\n"}, {"after", "three"}});
  for (std::size_t at = zip.find("\r\n"); at != std::string::npos; at = zip.find("\r\n", at)) zip.erase(at, 1);
  const Unpacked unpacked = unpack_bytes(zip);
  CHECK_ERROR(unpacked.manifest, ErrorKind::kValidate,
              "\"after\": it does not begin where the archive's directory says, after \"text\"");
  CHECK_ERROR(unpacked.manifest, ErrorKind::kValidate, "publish it again, as binary");
  CHECK_FALSE(unpacked.anything_left);
}

TEST_CASE("a folder that is there is not unpacked into, and stays") {
  const test::TemporaryDirectory folder;
  test::write_file(folder.path("package"), test::build_tar({{"a", "1"}}));
  std::filesystem::create_directory(folder.path("fresh"));
  test::write_file(folder.path("fresh/kept"), "1");
  const StopSignal stop;
  CHECK_ERROR(unpack_archive(folder.path("package"), folder.path("fresh"), {}, stop), ErrorKind::kConflict, "fresh");
  CHECK(test::read_file(folder.path("fresh/kept")) == "1");
  std::filesystem::create_symlink(folder.path("fresh"), folder.path("link"));
  CHECK_ERROR(unpack_archive(folder.path("package"), folder.path("link"), {}, stop), ErrorKind::kConflict, "link");
  CHECK_ERROR(unpack_archive(folder.path("package"), folder.path("a/../b"), {}, stop), ErrorKind::kUsage, "normal");
  CHECK_ERROR(unpack_archive(folder.path("absent"), folder.path("b"), {}, stop), ErrorKind::kNotFound, "absent");
  CHECK_ERROR(unpack_archive(folder.path("fresh"), folder.path("b"), {}, stop), ErrorKind::kUsage, "no regular file");
}

TEST_CASE("stopped, unpacking leaves nothing") {
  const Unpacked unpacked = unpack_bytes(test::build_tar({{"a", "1"}}), {}, true);
  CHECK_ERROR(unpacked.manifest, ErrorKind::kCancelled, "stopped");
  CHECK_FALSE(unpacked.anything_left);
}

}  // namespace
}  // namespace convergence
