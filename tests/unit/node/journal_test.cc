#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "convergence/node_state.h"
#include "lib/node/crc32c.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

using Records = std::vector<std::string>;

std::string file_bytes(const std::string& path) { return read_file(path).value_or("(unreadable)"); }

void put_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::unique_ptr<Journal> opened(const std::string& path) {
  auto journal = Journal::open(path);
  REQUIRE_OK(journal);
  return *std::move(journal);
}

const Records kRecords = {"first", "", std::string("\0\n\xff", 3), std::string(3000, 'x'), "the last one"};

std::string bytes_of(const Records& records) {
  test::TemporaryDirectory folder;
  auto journal = opened(folder.path("j"));
  for (const std::string& record : records) REQUIRE_OK(journal->append(record));
  return file_bytes(folder.path("j"));
}

TEST_CASE("the checksum is CRC-32C") {
  CHECK(crc32c("123456789") == 0xe3069283);  // the catalogue's check value
  CHECK(crc32c("456789", crc32c("123")) == 0xe3069283);
  CHECK(crc32c("") == 0);
}

TEST_CASE("a journal gives back what was appended, and goes on") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  CHECK(opened(path)->take_records().empty());
  for (const std::string& record : kRecords) REQUIRE_OK(opened(path)->append(record));
  auto journal = opened(path);
  CHECK(journal->take_records() == kRecords);
  CHECK(journal->torn_bytes() == 0);
  CHECK(journal->size() == std::filesystem::file_size(path));
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
}

// Killed at any point of an append: enumerated.
TEST_CASE("a last record that is cut off at any byte is as if it had not been begun") {
  const std::string whole = bytes_of(kRecords);
  const Records before(kRecords.begin(), kRecords.end() - 1);
  const std::string kept = bytes_of(before);
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  for (std::size_t size = kept.size(); size < whole.size(); ++size) {
    CAPTURE(size);
    put_bytes(path, whole.substr(0, size));
    {
      auto journal = opened(path);
      CHECK(journal->take_records() == before);
      CHECK(journal->torn_bytes() == size - kept.size());
      CHECK(file_bytes(path) == kept);
      REQUIRE_OK(journal->append("another"));
    }
    auto again = opened(path);
    CHECK(again->torn_bytes() == 0);
    Records with = before;
    with.push_back("another");
    CHECK(again->take_records() == with);
  }
}

TEST_CASE("a last record whose room is there but not its bytes is cut off") {
  const std::string kept = bytes_of({"one", "two"});
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  put_bytes(path, kept + std::string(4096, '\0'));  // a file's size may be on the disk before what it holds
  auto journal = opened(path);
  CHECK(journal->take_records() == Records{"one", "two"});
  CHECK(journal->torn_bytes() == 4096);
}

TEST_CASE("any flipped bit before the last record is refused, and the file left as it is") {
  const Records records = {"abc", "defgh", "last"};
  const std::string whole = bytes_of(records);
  const std::string without_last = bytes_of({"abc", "defgh"});
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  for (std::size_t at = 0; at < without_last.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(at);
      CAPTURE(bit);
      std::string damaged = whole;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1U << bit));
      put_bytes(path, damaged);
      CHECK_ERROR(Journal::open(path), ErrorKind::kDecode, at < 8 ? "is no journal" : "damaged at byte");
      CHECK(file_bytes(path) == damaged);
    }
  }
}

TEST_CASE("any flipped bit of the last record cuts it off, and says so") {
  const std::string whole = bytes_of({"abc", "last"});
  const std::string kept = bytes_of({"abc"});
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  for (std::size_t at = kept.size(); at < whole.size(); ++at) {
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    put_bytes(path, damaged);
    auto journal = opened(path);
    CHECK(journal->take_records() == Records{"abc"});
    CHECK(journal->torn_bytes() == whole.size() - kept.size());
  }
}

TEST_CASE("a torn record that holds the bytes of a journal is still only a torn record") {
  const std::string inner = bytes_of({"a", "b", "c"});
  const std::string whole = bytes_of({"first", inner});
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  put_bytes(path, whole.substr(0, whole.size() - 1));
  CHECK(opened(path)->take_records() == Records{"first"});
}

TEST_CASE("two cannot have one journal") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  auto first = opened(path);
  CHECK_ERROR(Journal::open(path), ErrorKind::kConflict, "the journal is open elsewhere");
  REQUIRE_OK(first->replace({"a"}));  // the file is another one now, the lock is not
  CHECK_ERROR(Journal::open(path), ErrorKind::kConflict, "the journal is open elsewhere");
  first.reset();
  CHECK(opened(path)->take_records() == Records{"a"});
}

TEST_CASE("a compacted journal holds what it was given, and takes more") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  auto journal = opened(path);
  for (int i = 0; i < 100; ++i) REQUIRE_OK(journal->append(std::string(100, 'x')));
  const std::uint64_t before = journal->size();
  REQUIRE_OK(journal->replace({"all of it"}));
  CHECK(journal->size() < before);
  CHECK(journal->size() == std::filesystem::file_size(path));
  REQUIRE_OK(journal->append("more"));
  journal.reset();
  CHECK(opened(path)->take_records() == Records{"all of it", "more"});
  // Only the journal and its lock.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()) == 2);
}

TEST_CASE("what is no journal is left alone") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("other");
  for (const std::string text : {"", "CVGJ", "something else entirely"}) {
    put_bytes(path, text);
    CHECK_ERROR(Journal::open(path), ErrorKind::kDecode, "is no journal of this version");
    CHECK(file_bytes(path) == text);
  }
  CHECK_ERROR(Journal::open(folder.path("no/such/folder")), ErrorKind::kNotFound, "No such file");
}

// What a full disk does, by a limit on the size of files.
TEST_CASE("a record that does not fit is refused, and the ones after it are not lost by it") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("journal");
  auto journal = opened(path);
  REQUIRE_OK(journal->append("kept"));
  signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  getrlimit(RLIMIT_FSIZE, &usual);
  const rlimit narrow{journal->size() + 100, usual.rlim_max};
  setrlimit(RLIMIT_FSIZE, &narrow);
  const absl::Status refused = journal->append(std::string(1000, 'x'));
  const absl::Status small = journal->append("fits");
  setrlimit(RLIMIT_FSIZE, &usual);
  signal(SIGXFSZ, SIG_DFL);
  CHECK_ERROR(refused, ErrorKind::kTooLarge, "File too large");
  CHECK_OK(small);
  journal.reset();
  auto again = opened(path);
  CHECK(again->torn_bytes() == 0);
  CHECK(again->take_records() == Records{"kept", "fits"});
}

TEST_CASE("a file is replaced as a whole, with its mode, and leaves nothing beside it") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("file");
  REQUIRE_OK(write_file_atomically(path, "old", 0600));
  REQUIRE_OK(write_file_atomically(path, std::string("new\0", 4), 0755));
  CHECK(file_bytes(path) == std::string("new\0", 4));
  struct stat facts {};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0755);
  // A folder stands where the file is to go.
  std::filesystem::create_directory(folder.path("folder"));
  CHECK_ERROR(write_file_atomically(folder.path("folder"), "x"), ErrorKind::kRefused, "Is a directory");
  CHECK_ERROR(write_file_atomically(folder.path("none/file"), "x"), ErrorKind::kNotFound, "none/file: No such file");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()) == 2);
}

TEST_CASE("files are read up to a size, and only files") {
  test::TemporaryDirectory folder;
  put_bytes(folder.path("file"), "12345");
  CHECK(read_file(folder.path("file"), 5).value_or("") == "12345");
  CHECK_ERROR(read_file(folder.path("file"), 4), ErrorKind::kTooLarge, "has more than 4 bytes");
  CHECK_ERROR(read_file(folder.path("none")), ErrorKind::kNotFound, "No such file");
  CHECK_ERROR(read_file(folder.path()), ErrorKind::kRefused, "is no regular file");
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK_ERROR(read_file(folder.path("fifo")), ErrorKind::kRefused, "is no regular file");
}

// W-S6, W-S15: retention takes what is named and nothing beside it.
TEST_CASE("only files that are named are removed") {
  test::TemporaryDirectory folder;
  for (const char* name : {"a.log", "a.log.1", "a.log.bak", "b.log"}) put_bytes(folder.path(name), "x");
  std::filesystem::create_directory(folder.path("sub"));
  REQUIRE_OK(remove_files(folder.path(), {"a.log", "a.log.1", "a.log.2"}));
  CHECK_FALSE(std::filesystem::exists(folder.path("a.log")));
  CHECK_FALSE(std::filesystem::exists(folder.path("a.log.1")));
  CHECK(std::filesystem::exists(folder.path("a.log.bak")));
  for (const std::string bad : {"", ".", "..", "../x", "sub/x", "/etc/passwd"}) {
    CHECK_ERROR(remove_files(folder.path(), {"b.log", bad}), ErrorKind::kUsage, "is no name of a file");
  }
  CHECK(std::filesystem::exists(folder.path("b.log")));
  CHECK_FALSE(remove_files(folder.path(), {"sub"}).ok());
  CHECK(std::filesystem::exists(folder.path("sub")));
  CHECK_OK(remove_files(folder.path("none"), {"x"}));
}

}  // namespace
}  // namespace convergence
