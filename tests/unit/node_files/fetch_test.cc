#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "convergence/node_files.h"
#include "lib/node/sha256.h"
#include "tests/support/http_test_server.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/node_files/archive_builder.h"

namespace convergence {
namespace {

using test::http_answer;
using test::HttpTestServer;
using Received = HttpTestServer::Received;
using Answer = HttpTestServer::Answer;

const std::string kBytes = [] {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  return bytes;
}();
const std::string kDigest = sha256_text(kBytes);

struct FetchPlace {
  test::TemporaryDirectory folder;
  StopSignal stop;
  FetchOptions options{};

  FetchPlace() {
    options.cache = folder.path("cache/packages");
    options.http.pause = Duration{0};
  }
  absl::StatusOr<FetchedPackage> fetch(const Package& package, const FetchProgress& progress = {}) {
    return fetch_package(package, options, progress, stop);
  }
  std::string whole(const std::string& digest = kDigest) const { return options.cache + "/sha256/" + digest; }
  std::string partial(const std::string& digest = kDigest) const { return options.cache + "/partial/" + digest; }
  void leave_partial(std::string_view bytes) const {
    std::filesystem::create_directories(options.cache + "/partial");
    test::write_file(partial(), bytes);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& [path, what] : test::tree_of(options.cache)) {
      if (what.rfind("file", 0) == 0) names.push_back(path);
    }
    return names;
  }
};

// Serves kBytes with ranges, as far as a request asks for them.
Answer with_ranges(const Received& request) {
  const std::string range = request.header("range");
  if (range.empty()) return http_answer(200, kBytes);
  const std::size_t from = std::stoul(range.substr(6));
  if (from >= kBytes.size()) return http_answer(416, "");
  Answer answer = http_answer(206, kBytes.substr(from),
                              "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(kBytes.size() - 1) +
                                  "/" + std::to_string(kBytes.size()) + "\r\n");
  return answer;
}

std::string url_of(const HttpTestServer& server) { return "http://" + server.address() + "/dir/app.zip"; }

TEST_CASE("sha256_file has the digests of FIPS 180-2, and takes nothing but files") {
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  test::write_file(folder.path("abc"), "abc");
  CHECK(*sha256_file(folder.path("abc"), stop) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  test::write_file(folder.path("many"), std::string(1'000'000, 'a'));
  CHECK(*sha256_file(folder.path("many"), stop) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK_ERROR(sha256_file(folder.path("absent"), stop), ErrorKind::kNotFound, "absent");
  CHECK_ERROR(sha256_file(folder.path(), stop), ErrorKind::kUsage, "no regular file");
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK_ERROR(sha256_file(folder.path("fifo"), stop), ErrorKind::kUsage, "no regular file");
}

TEST_CASE("a package is fetched once, checked, and then comes from the cache") {
  FetchPlace place;
  HttpTestServer server(with_ranges);
  std::vector<std::uint64_t> done;
  const Package package{url_of(server), kDigest, kBytes.size()};
  const FetchedPackage expected{place.whole(), kDigest, kBytes.size(), false};
  const auto fetched = place.fetch(package, [&](std::uint64_t so_far, std::uint64_t total) {
    done.push_back(so_far);
    CHECK(total == kBytes.size());
  });
  REQUIRE_OK(fetched);
  CHECK(*fetched == expected);
  CHECK(test::read_file(place.whole()) == kBytes);
  CHECK(done.back() == kBytes.size());
  CHECK(place.files() == std::vector<std::string>{"sha256/" + kDigest});

  const auto again = place.fetch(package);
  REQUIRE_OK(again);
  CHECK(again->from_cache);
  CHECK(server.received().size() == 1);
  CHECK_ERROR(place.fetch({url_of(server), kDigest, 5}), ErrorKind::kValidate, "its size is 100000 and has to be 5");

  // What is not any more what its name says is fetched again.
  test::write_file(place.whole(), "spoilt");
  const auto mended = place.fetch(package);
  REQUIRE_OK(mended);
  CHECK_FALSE(mended->from_cache);
  CHECK(test::read_file(place.whole()) == kBytes);
}

TEST_CASE("a package without digest is kept under the one that it has, and never resumed") {
  FetchPlace place;
  HttpTestServer server(with_ranges);
  for (std::size_t i = 1; i <= 2; ++i) {
    const auto fetched = place.fetch({url_of(server), "", 0});
    REQUIRE_OK(fetched);
    CHECK(*fetched == FetchedPackage{place.whole(), kDigest, kBytes.size(), false});
    CHECK(server.received().size() == i);
    CHECK(server.received().back().header("range").empty());
  }
}

TEST_CASE("file:// is copied, with escapes in its path") {
  FetchPlace place;
  test::write_file(place.folder.path("a b.zip"), kBytes);
  for (const std::string& source :
       {"file://" + place.folder.path("a%20b.zip"), "file://localhost" + place.folder.path("a b.zip")}) {
    const auto fetched = place.fetch({source, "", kBytes.size()});
    REQUIRE_OK(fetched);
    CHECK(*fetched == FetchedPackage{place.whole(), kDigest, kBytes.size(), false});
  }
  CHECK_ERROR(place.fetch({"file://" + place.folder.path("absent"), "", 0}), ErrorKind::kNotFound, "absent");
  CHECK_ERROR(place.fetch({"file://" + place.folder.path(), "", 0}), ErrorKind::kValidate, "no regular file");
  CHECK_ERROR(place.fetch({"file://etc/passwd", "", 0}), ErrorKind::kValidate, "no absolute path");
  CHECK_ERROR(place.fetch({"file:///a/../b", "", 0}), ErrorKind::kValidate, "no absolute path");
  CHECK_ERROR(place.fetch({"ftp://a/b", "", 0}), ErrorKind::kValidate, "of no known kind");
  CHECK_ERROR(place.fetch({"file:///a", "12", 0}), ErrorKind::kValidate, "is no SHA-256");

  // Too much of it is found before anything is copied.
  std::filesystem::resize_file(place.folder.path("a b.zip"), 1 << 20);
  place.options.max_size = (1 << 20) - 1;
  bool copied = false;
  const std::string source = "file://" + place.folder.path("a b.zip");
  const FetchProgress progress = [&](std::uint64_t, std::uint64_t) { copied = true; };
  CHECK_ERROR(place.fetch({source, "", 0}, progress), ErrorKind::kTooLarge, "more than the 1048575 bytes");
  CHECK_ERROR(place.fetch({source, "", 200'000}, progress), ErrorKind::kValidate, "has to be 200000;");
  CHECK_FALSE(copied);
}

TEST_CASE("a transfer that breaks off is gone on with, in the same call and in the next") {
  FetchPlace place;
  int answers = 0;
  HttpTestServer server([&](const Received& request) {
    Answer answer = with_ranges(request);
    if (++answers <= 2) {  // half of what is left, and the end
      answer.bytes.resize(answer.bytes.size() - (answer.bytes.size() - answer.bytes.find("\r\n\r\n")) / 2);
      answer.close = true;
    }
    return answer;
  });
  place.options.http.attempts = 1;
  const Package package{url_of(server), kDigest, kBytes.size()};
  CHECK_ERROR(place.fetch(package), ErrorKind::kUnreachable, "fetching " + url_of(server));
  const std::string first = test::read_file(place.partial());
  CHECK(first.size() > 40'000);
  CHECK(first == kBytes.substr(0, first.size()));
  place.options.http.attempts = 2;
  REQUIRE_OK(place.fetch(package));
  CHECK(test::read_file(place.whole()) == kBytes);
  const auto received = server.received();
  REQUIRE(received.size() == 3);
  CHECK(received[1].header("range") == "bytes=" + std::to_string(first.size()) + "-");
  CHECK(received[2].header("range") != "");
}

TEST_CASE("a server without ranges sends all again; one that sends other bytes than asked for is told") {
  FetchPlace place;
  place.leave_partial("what was here");
  HttpTestServer plain([](const Received&) { return http_answer(200, kBytes); });
  REQUIRE_OK(place.fetch({url_of(plain), kDigest, kBytes.size()}));
  CHECK(plain.received()[0].header("range") == "bytes=13-");
  CHECK(test::read_file(place.whole()) == kBytes);

  FetchPlace other;
  other.leave_partial("what was here");
  HttpTestServer wrong([](const Received&) { return http_answer(206, "abc", "Content-Range: bytes 5-7/8\r\n"); });
  CHECK_ERROR(other.fetch({url_of(wrong), kDigest, 0}), ErrorKind::kProtocol, "asked for bytes 13-");
}

TEST_CASE("a part nobody asked for is no package") {
  FetchPlace place;
  HttpTestServer server([](const Received&) { return http_answer(206, "abc", "Content-Range: bytes 5-7/8\r\n"); });
  CHECK_ERROR(place.fetch({url_of(server), "", 0}), ErrorKind::kProtocol,
              "asked for all of it the server sends a part");
  CHECK(place.files().empty());
}

TEST_CASE("parts of two packages, joined because one was replaced in between, are fetched once more from the start") {
  FetchPlace place;
  int answers = 0;
  HttpTestServer server([&](const Received& request) {
    Answer answer = with_ranges(request);
    if (++answers == 1) {  // the older package, half of it
      answer = http_answer(200, std::string(kBytes.size(), 'o'));
      answer.bytes.resize(answer.bytes.size() / 2);
      answer.close = true;
    }
    return answer;
  });
  REQUIRE_OK(place.fetch({url_of(server), kDigest, kBytes.size()}));
  CHECK(test::read_file(place.whole()) == kBytes);
  const auto received = server.received();
  REQUIRE(received.size() == 3);
  CHECK(received[1].header("range") != "");
  CHECK(received[2].header("range").empty());
}

TEST_CASE("what was here from before and does not fit is fetched once more from the start, and only once") {
  for (const std::string& before : {std::string(50'000, 'x'), std::string(kBytes.size(), 'x'), kBytes + "more"}) {
    for (const std::uint64_t size : {std::uint64_t{kBytes.size()}, std::uint64_t{0}}) {
      FetchPlace place;
      place.leave_partial(before);
      HttpTestServer server(with_ranges);
      REQUIRE_OK(place.fetch({url_of(server), kDigest, size}));
      CHECK(test::read_file(place.whole()) == kBytes);
      CHECK(server.received().back().header("range").empty());
    }
  }
  FetchPlace place;
  place.leave_partial("abc");
  HttpTestServer server(with_ranges);
  const std::string digest(64, 'a');
  std::filesystem::rename(place.partial(), place.partial(digest));
  CHECK_ERROR(place.fetch({url_of(server), digest, 0}), ErrorKind::kValidate,
              "its SHA-256 is " + sha256_text(kBytes) + " and has to be " + digest);
  CHECK(server.received().size() == 2);
  CHECK(place.files().empty());
}

TEST_CASE("a whole file that only lacks its name is not asked for again") {
  FetchPlace place;
  place.leave_partial(kBytes);
  HttpTestServer server(with_ranges);
  REQUIRE_OK(place.fetch({url_of(server), kDigest, kBytes.size()}));
  CHECK(server.received().empty());
}

TEST_CASE("wrong sizes are told, and nothing of them is kept") {
  FetchPlace place;
  HttpTestServer server(with_ranges);
  CHECK_ERROR(place.fetch({url_of(server), "", kBytes.size() + 1}), ErrorKind::kValidate, "has to be 100001");
  CHECK_ERROR(place.fetch({url_of(server), kDigest, 10}), ErrorKind::kValidate, "100000 or more and has to be 10");
  place.options.max_size = kBytes.size() - 1;
  CHECK_ERROR(place.fetch({url_of(server), kDigest, 0}), ErrorKind::kTooLarge, "more than the 99999 bytes");
  HttpTestServer endless([](const Received&) {
    return Answer{"HTTP/1.1 200 OK\r\n\r\n", false, false, std::string(10'000, 'a')};
  });
  CHECK_ERROR(place.fetch({url_of(endless), kDigest, 0}), ErrorKind::kTooLarge, "more than the 99999 bytes");
  CHECK(place.files().empty());
  place.options.max_size = kBytes.size();
  CHECK_OK(place.fetch({url_of(server), kDigest, 0}));
}

TEST_CASE("each answer of a server has its kind, and only what may pass is tried again") {
  struct Row {
    int status;
    ErrorKind kind;
    std::size_t requests;
  };
  for (const Row& row : {Row{401, ErrorKind::kDenied, 1},
                         {403, ErrorKind::kDenied, 1},
                         {404, ErrorKind::kNotFound, 1},
                         {410, ErrorKind::kNotFound, 1},
                         {400, ErrorKind::kRefused, 1},
                         {429, ErrorKind::kRefused, 3},
                         {500, ErrorKind::kServer, 3},
                         {503, ErrorKind::kServer, 3},
                         {304, ErrorKind::kProtocol, 1}}) {
    CAPTURE(row.status);
    FetchPlace place;
    HttpTestServer server([&](const Received&) { return http_answer(row.status, row.status == 304 ? "" : "secret"); });
    const auto fetched = place.fetch({url_of(server), kDigest, 0});
    CHECK_ERROR(fetched, row.kind, "the server answers " + std::to_string(row.status));
    CHECK(std::string(fetched.status().message()).find("secret") == std::string::npos);
    CHECK(server.received().size() == row.requests);
  }
  FetchPlace place;
  HttpTestServer garbage([](const Received&) { return test::raw_answer("no HTTP"); });
  CHECK_ERROR(place.fetch({url_of(garbage), kDigest, 0}), ErrorKind::kProtocol, "see what serves there");
  std::string gone;
  {
    gone = url_of(HttpTestServer([](const Received&) { return http_answer(200, ""); }));
  }
  CHECK_ERROR(place.fetch({gone, kDigest, 0}), ErrorKind::kUnreachable, "fetching " + gone);
  HttpTestServer silent([](const Received&) { return test::http_hold(); });
  place.options.http.timeout = std::chrono::milliseconds(20);
  CHECK_ERROR(place.fetch({url_of(silent), kDigest, 0}), ErrorKind::kTimeout, "fetching " + url_of(silent));
}

TEST_CASE("redirects are followed, a few of them; user, password and query are never shown") {
  FetchPlace place;
  HttpTestServer server([&](const Received& request) {
    if (request.target == "/dir/app.zip") return http_answer(200, kBytes);
    if (request.target.rfind("/round", 0) == 0) return http_answer(302, "", "Location: /round\r\n");
    return http_answer(302, "moved", "Location: /dir/app.zip\r\n");
  });
  REQUIRE_OK(place.fetch({"http://" + server.address() + "/old", kDigest, 0}));
  const auto round =
      place.fetch({"http://user:hidden@" + server.address() + "/round?token=hidden", std::string(64, 'b'), 0});
  CHECK_ERROR(round, ErrorKind::kProtocol, "fetching http://" + server.address() + "/round: ");
  CHECK(round.status().ToString().find("hidden") == std::string::npos);
  for (const char* source : {"http://user:hidden@127.0.0.1:1/x?hidden", "http://user:hidden/hidden@127.0.0.1:1/x",
                             "http://127.0.0.1:1/x#hidden", "https://hidden@127.0.0.1:1"}) {
    CAPTURE(source);
    const auto fetched = place.fetch({source, std::string(64, 'b'), 0});
    CHECK_FALSE(fetched.ok());
    CHECK(fetched.status().ToString().find("hidden") == std::string::npos);
    CHECK(to_text(error_detail(fetched.status())).find("hidden") == std::string::npos);
  }
}

TEST_CASE("a stop ends a fetch that waits for a server, and what came is kept") {
  FetchPlace place;
  place.leave_partial(kBytes.substr(0, 10));
  HttpTestServer server([](const Received&) { return test::http_hold(); });
  std::thread other([&] {
    server.wait_for_requests(1);
    place.stop.set();
  });
  CHECK_ERROR(place.fetch({url_of(server), kDigest, 0}), ErrorKind::kCancelled, "stopped");
  other.join();
  CHECK(test::read_file(place.partial()) == kBytes.substr(0, 10));
}

TEST_CASE("one process fetches a package at a time") {
  FetchPlace place;
  HttpTestServer server([](const Received&) { return test::http_hold(); });
  std::thread other([&] { CHECK_ERROR(place.fetch({url_of(server), kDigest, 0}), ErrorKind::kCancelled, ""); });
  CHECK(server.wait_for_requests(1));
  const StopSignal running;
  CHECK_ERROR(fetch_package({url_of(server), kDigest, 0}, place.options, {}, running), ErrorKind::kConflict,
              "another process fetches it now");
  CHECK_OK(prune_cache(place.options.cache, {}));
  CHECK(std::filesystem::exists(place.partial()));
  place.stop.set();
  other.join();
}

TEST_CASE("pruning takes what has a digest for a name and is not to be kept, and nothing else") {
  FetchPlace place;
  const auto file = [&](const std::string& name) { test::write_file(place.options.cache + "/" + name, "1"); };
  std::filesystem::create_directories(place.options.cache + "/sha256");
  std::filesystem::create_directories(place.options.cache + "/partial");
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  const std::string c(64, 'c');
  for (const std::string& name :
       std::vector<std::string>{"sha256/" + a, "sha256/" + b, "sha256/" + b + ".old", "sha256/" + std::string(64, 'B'),
                                "sha256/notes", "partial/" + a, "partial/of-" + c, "partial/" + c, b}) {
    file(name);
  }
  std::filesystem::create_symlink("notes", place.options.cache + "/sha256/" + c);
  const auto gone = prune_cache(place.options.cache, {a});
  REQUIRE_OK(gone);
  CHECK(*gone == std::vector<std::string>{b, c});
  CHECK(place.files() == std::vector<std::string>{b, "partial/" + a, "sha256/" + std::string(64, 'B'), "sha256/" + a,
                                                  "sha256/" + b + ".old", "sha256/notes"});
  CHECK(std::filesystem::is_symlink(place.options.cache + "/sha256/" + c));
  CHECK_ERROR(prune_cache(place.folder.path("absent"), {}), ErrorKind::kNotFound, "absent");
}

}  // namespace
}  // namespace convergence
