#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "convergence/node_state.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

using Lines = std::vector<std::string>;

std::string redacted(const std::vector<std::string>& secrets, const std::vector<std::string>& pieces) {
  Redactor redactor(secrets);
  std::string out;
  for (const std::string& piece : pieces) out += redactor.add(piece);
  return out + redactor.finish();
}

TEST_CASE("secrets are taken out, the longest first") {
  struct Case {
    const char* name;
    std::vector<std::string> secrets;
    std::string text;
    std::string shown;
  };
  const std::vector<Case> cases = {
      {"none", {}, "all of it", "all of it"},
      {"an empty one is none", {""}, "all of it", "all of it"},
      {"twice", {"hunter2"}, "a hunter2 b hunter2hunter2", "a [secret] b [secret][secret]"},
      {"the longer of two", {"abc", "abcdef"}, "abcdef abcxef", "[secret] [secret]xef"},
      {"one within another", {"b", "abc"}, "abc b a", "[secret] [secret] a"},
      {"over lines", {"one\ntwo"}, "x one\ntwo y", "x [secret] y"},
      {"one that almost is", {"aab"}, "aaab", "a[secret]"},
      {"cut off at the end", {"password"}, "the passwo", "the [secret]"},
      {"only begun at the end", {"password"}, "the pas", "the pas"},
      {"a shorter one at the end of a longer one's beginning", {"cd", "abcdef"}, "abcd", "[secret]"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(redacted(c.secrets, {c.text}) == c.shown);
    // Cut everywhere, and into single bytes.
    for (std::size_t cut = 0; cut <= c.text.size(); ++cut) {
      CAPTURE(cut);
      CHECK(redacted(c.secrets, {c.text.substr(0, cut), c.text.substr(cut)}) == c.shown);
    }
    std::vector<std::string> bytes;
    for (const char byte : c.text) bytes.emplace_back(1, byte);
    CHECK(redacted(c.secrets, bytes) == c.shown);
  }
}

TEST_CASE("only what may be the beginning of a secret is held back") {
  Redactor redactor({"secret"});
  CHECK(redactor.add("a line\nand se") == "a line\nand ");
  CHECK(redactor.add("t\n") == "set\n");
  CHECK(redactor.add("sec") == "");
  CHECK(redactor.add("ret!") == "[secret]!");
}

TEST_CASE("a log has what was written as soon as it is written, and goes on") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("d.log");
  {
    auto log = DeploymentLog::open(path, {.secrets = {"hunter2"}});
    REQUIRE_OK(log);
    REQUIRE_OK((*log)->write("password: hun"));
    CHECK(read_file(path).value_or("") == "password: ");
    REQUIRE_OK((*log)->write("ter2\n"));
    CHECK(read_file(path).value_or("") == "password: [secret]\n");
    REQUIRE_OK((*log)->write("h"));
  }
  CHECK(read_file(path).value_or("") == "password: [secret]\nh");
  auto log = DeploymentLog::open(path);
  REQUIRE_OK(log);
  REQUIRE_OK((*log)->write("ello\n"));
  CHECK(tail_of_log(path, 1).value_or(Lines{}) == Lines{"hello"});
  CHECK_ERROR(DeploymentLog::open(folder.path("none/d.log")), ErrorKind::kNotFound, "none/d.log: No such file");
  CHECK_ERROR(DeploymentLog::open(path, {.max_size = 0}), ErrorKind::kUsage, "max_size");
}

TEST_CASE("a log that is full begins a new file at the end of a line, and keeps so many") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("d.log");
  const LogOptions options{.max_size = 20, .kept = 2};
  auto log = DeploymentLog::open(path, options);
  REQUIRE_OK(log);
  for (int i = 0; i < 10; ++i) REQUIRE_OK((*log)->write("line " + std::to_string(i) + " abc\n"));
  CHECK(read_file(path).value_or("") == "line 8 abc\nline 9 abc\n");
  CHECK(read_file(path + ".1").value_or("") == "line 6 abc\nline 7 abc\n");
  CHECK(read_file(path + ".2").value_or("") == "line 4 abc\nline 5 abc\n");
  CHECK_FALSE(std::filesystem::exists(path + ".3"));
  CHECK(tail_of_log(path, 3).value_or(Lines{}) == Lines{"line 7 abc", "line 8 abc", "line 9 abc"});
  CHECK(tail_of_log(path, 100).value_or(Lines{}).size() == 6);
  CHECK(log_files(path, options) == std::vector<std::string>{path, path + ".1", path + ".2"});
}

TEST_CASE("one write of many lines is spread over files, and a line without end is cut") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("d.log");
  auto log = DeploymentLog::open(path, {.max_size = 100, .kept = 1});
  REQUIRE_OK(log);
  std::string text;
  for (int i = 0; i < 50; ++i) text += "0123456789\n";
  REQUIRE_OK((*log)->write(text));
  CHECK(std::filesystem::file_size(path) <= 111);
  CHECK(std::filesystem::file_size(path + ".1") == 110);
  REQUIRE_OK((*log)->write(std::string(100000, 'x')));
  CHECK(std::filesystem::file_size(path) <= 200);
  CHECK(std::filesystem::file_size(path + ".1") <= 200);
  auto none = DeploymentLog::open(folder.path("e.log"), {.max_size = 5, .kept = 0});
  REQUIRE_OK(none);
  REQUIRE_OK((*none)->write("one\ntwo\nthree\n"));
  CHECK(read_file(folder.path("e.log")).value_or("") == "three\n");
}

TEST_CASE("the tail of a log") {
  test::TemporaryDirectory folder;
  const std::string path = folder.path("d.log");
  CHECK(tail_of_log(path, 5).value_or(Lines{"x"}).empty());
  struct Case {
    const char* name;
    std::string text;
    std::size_t lines;
    Lines tail;
  };
  const std::vector<Case> cases = {
      {"empty", "", 5, {}},
      {"no line asked for", "a\n", 0, {}},
      {"fewer than asked for", "a\nb\n", 5, {"a", "b"}},
      {"without an end", "a\nb\nc", 2, {"b", "c"}},
      {"empty lines", "a\n\n\nb\n\n", 4, {"", "", "b", ""}},
      {"not UTF-8", "\xff\n", 1, {"\xef\xbf\xbd"}},
      {"a long line", "a\n" + std::string(100000, 'x') + "\n", 2, {"a", std::string(2000, 'x')}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    std::ofstream(path, std::ios::trunc) << c.text;
    CHECK(tail_of_log(path, c.lines).value_or(Lines{"(error)"}) == c.tail);
  }
}

}  // namespace
}  // namespace convergence
