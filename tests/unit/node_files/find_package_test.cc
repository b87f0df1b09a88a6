// Finding the archive of a version: in folders and behind http, with a digest beside it or without.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "convergence/node_files.h"
#include "tests/support/http_test_server.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

using test::http_answer;
using test::HttpTestServer;

// Of "package", by sha256sum.
const std::string kDigestOfIt = "bc4a71180870f7945155fbb02f4b0a2e3faa2a62d6d31b7039013055ed19869a";

void put_file(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

HttpOptions quick() {
  HttpOptions options;
  options.attempts = 2;
  options.pause = std::chrono::milliseconds(1);
  return options;
}

TEST_CASE("F33: the first that lies there, with its size and digest") {
  const test::TemporaryDirectory folder;
  const std::string below = "file://" + folder.path();
  put_file(folder.path() + "/b/2.zip", "package");
  put_file(folder.path() + "/c/3.zip", "another");
  const auto found =
      find_package({below + "/a/1.zip", below + "/b", below + "/b/2.zip", below + "/c/3.zip"}, quick(), {});
  REQUIRE_OK(found);
  CHECK(*found == Package{below + "/b/2.zip", kDigestOfIt, 7});
  put_file(folder.path() + "/b/2.zip.sha256", kDigestOfIt + "  2.zip\n");
  CHECK(find_package({below + "/b/2.zip"}, quick(), {}).value() == *found);
  put_file(folder.path() + "/b/2.zip.sha256", std::string(64, '0'));
  CHECK_ERROR(
      find_package({below + "/b/2.zip"}, quick(), {}), ErrorKind::kValidate,
      fmt::format("{0}/b/2.zip: its SHA-256 is {1}, and {0}/b/2.zip.sha256 says 0000", folder.path(), kDigestOfIt));
  CHECK_ERROR(find_package({below + "/a/1.zip", below + "/d"}, quick(), {}), ErrorKind::kNotFound,
              fmt::format("no package lies at {0}/a/1.zip, {0}/d; publish it, or name it", below));
  CHECK_ERROR(find_package({}, quick(), {}), ErrorKind::kNotFound, "no package lies at any place");
}

TEST_CASE("F33: over http the digest beside it is believed, and without one all is read") {
  std::map<std::string, std::string> files = {{"/b.zip", "package"},
                                              {"/c.zip", "package"},
                                              {"/c.zip.sha256", std::string(64, 'C') + "  c.zip\n"},
                                              {"/d.zip", "package"},
                                              {"/d.zip.sha256", "<html>"}};
  int failures = 1;
  const HttpTestServer server([&](const HttpTestServer::Received& request) {
    if (request.target.starts_with("/down")) return http_answer(500, "no");
    if (request.target == "/b.zip" && failures-- > 0) return http_answer(503, "later");
    if (request.target.starts_with("/closed")) return http_answer(403, "no");
    const auto found = files.find(request.target);
    return found == files.end() ? http_answer(404, "no") : http_answer(200, found->second);
  });
  const std::string base = "http://" + server.address();
  CHECK(find_package({base + "/a.zip", base + "/b.zip"}, quick(), {}).value() ==
        Package{base + "/b.zip", kDigestOfIt, 7});
  CHECK(find_package({base + "/c.zip"}, quick(), {}).value() == Package{base + "/c.zip", std::string(64, 'c'), 7});
  CHECK_ERROR(find_package({base + "/d.zip"}, quick(), {}), ErrorKind::kDecode, "/d.zip.sha256: does not begin");
  CHECK_ERROR(find_package({base + "/a.zip", base + "/closed.zip"}, quick(), {}), ErrorKind::kNotFound,
              fmt::format("no package lies at {0}/a.zip, {0}/closed.zip (403: not there, or not to be seen)", base));
  // A server that fails does not mean that the package is elsewhere.
  CHECK_ERROR(find_package({base + "/down.zip", base + "/b.zip"}, quick(), {}), ErrorKind::kServer, "/down.zip");
  CHECK_ERROR(find_package({"ftp://h/x"}, quick(), {}), ErrorKind::kValidate, "of no known kind");
}

}  // namespace
}  // namespace convergence
