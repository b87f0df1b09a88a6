// Logs of ended deployments, shipped to a folder, without the secrets that they were told. F29, W-A11, W-A18, W-A28,
// W-A29.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "convergence/error.h"
#include "convergence/executor.h"
#include "convergence/linux_hands.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}
std::string text_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

struct LogScene {
  LogScene() { fs::create_directory(directory.path("shipped")); }

  absl::Status open(LinuxHandsOptions options) {
    hands.reset();
    options.folder = directory.path("state");
    auto made = new_linux_hands(*executor, options);
    if (made.ok()) hands = *std::move(made);
    return made.status();
  }
  absl::Status open() {
    LinuxHandsOptions options;
    options.ship_logs = directory.path("shipped");
    return open(options);
  }
  absl::StatusOr<std::string> ship(const EndedLog& log) {
    std::optional<absl::StatusOr<std::string>> out;
    hands->ship_log(log, [&](absl::StatusOr<std::string> place) { out = std::move(place); });
    REQUIRE_OK(executor->wait_until([&] { return out.has_value(); }, kNever));
    return *out;
  }
  fs::path log() const { return directory.path("state/deployments/shop/1.0@1/logs/deployment.log"); }
  fs::path place() const { return directory.path("shipped/web/shop/deployment-n1-1.0@1.log"); }

  test::TemporaryDirectory directory{};
  std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  std::unique_ptr<NodeHands> hands;
};

const EndedLog kFirstEnd{"web", "n1", "shop", "1.0@1", Time{std::chrono::seconds(7)}};

TEST_CASE("F29, W-A18: a log lies in the folder once for each end, with what was rotated away of it") {
  LogScene scene;
  REQUIRE_OK(scene.open());
  write(scene.log(), "== start\n");
  write(scene.log().string() + ".1", "== fetch\n");
  auto place = scene.ship(kFirstEnd);
  REQUIRE_OK(place);
  CHECK(*place == scene.place().string());
  CHECK(text_of(scene.place()) == "== fetch\n== start\n");

  // Known by now: said again, to the next process too, and not done again.
  fs::remove(scene.place());
  REQUIRE_OK(scene.open());
  place = scene.ship(kFirstEnd);
  REQUIRE_OK(place);
  CHECK(*place == scene.place().string());
  CHECK(!fs::exists(scene.place()));
  scene.hands->log_told(kFirstEnd);
  place = scene.ship(kFirstEnd);
  REQUIRE_OK(place);
  CHECK(*place == "");

  // Deployed again it ends again, and the log has more.
  write(scene.log(), "== start\n== start\n");
  EndedLog second = kFirstEnd;
  second.ended += std::chrono::seconds(60);
  scene.hands->log_told(second);  // nothing of it was shipped
  place = scene.ship(second);
  REQUIRE_OK(place);
  CHECK(*place == scene.place().string());
  CHECK(text_of(scene.place()) == "== fetch\n== start\n== start\n");
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(scene.log().parent_path())) left.insert(entry.path().filename());
  CHECK(left == std::set<std::string>{"deployment.log", "deployment.log.1", "shipped.json"});
}

TEST_CASE("what cannot be shipped is told, and can be later") {
  LogScene scene;
  REQUIRE_OK(scene.open());
  auto place = scene.ship(kFirstEnd);
  REQUIRE_OK(place);
  CHECK(*place == "");  // there is no log
  write(scene.log(), "== start\n");
  fs::remove(scene.directory.path("shipped"));
  CHECK(error_kind(scene.ship(kFirstEnd).status()) == ErrorKind::kNotFound);
  CHECK(!fs::exists(scene.directory.path("shipped")));  // perhaps it is not mounted
  fs::create_directory(scene.directory.path("shipped"));
  REQUIRE_OK(scene.ship(kFirstEnd));
  CHECK(text_of(scene.place()) == "== start\n");
  REQUIRE_OK(scene.open({}));
  place = scene.ship(kFirstEnd);
  REQUIRE_OK(place);
  CHECK(*place == "");  // no place for them
}

TEST_CASE("W-A11: names that would lead out of their place are refused") {
  LogScene scene;
  REQUIRE_OK(scene.open());
  for (std::string EndedLog::*part :
       {&EndedLog::group, &EndedLog::instance, &EndedLog::service_id, &EndedLog::deployment}) {
    for (const char* name : {"", ".", "..", "../../pwn", "a/b"}) {
      CAPTURE(name);
      write(scene.log(), "== start\n");
      EndedLog log = kFirstEnd;
      log.*part = name;
      CHECK(error_kind(scene.ship(log).status()) == ErrorKind::kValidate);
    }
  }
  CHECK(fs::is_empty(scene.directory.path("shipped")));
  for (const char* target : {"logs", "/", "s3://", "s3:///prefix", "http://logs/a"}) {
    CAPTURE(target);
    LinuxHandsOptions options;
    options.ship_logs = target;
    CHECK(error_kind(scene.open(options)) == ErrorKind::kUsage);
  }
}

TEST_CASE("W-A29: secrets are in no log, no report and nothing that is shipped") {
  LogScene scene;
  const std::string file = scene.directory.path("secrets");
  LinuxHandsOptions options;
  options.ship_logs = scene.directory.path("shipped");
  options.secret_files = {file};
  options.secret_variables = {"PASSWORD", "UNSET"};
  options.http.s3.access_key = "AKID";
  options.http.s3.secret_key = "wJalrXUtnFEMI";
  CHECK(error_kind(scene.open(options)) == ErrorKind::kUsage);  // it is not there
  write(file, "\n  tellnobody \r\nsecond-one\n");
  REQUIRE_OK(scene.open(options));
  write(file, "rotated-one");

  Work work;
  work.id = 1;
  work.stage = Stage::kFetch;
  work.service_id = "shop";
  work.subject.deployment = "1.0@1";
  work.subject.release.environment = {{"PASSWORD", "hunter22"}, {"COLOUR", "blue"}};
  work.subject.release.package.source = "file:///tellnobody/second-one/rotated-one/hunter22/wJalrXUtnFEMI/blue.zip";
  std::optional<WorkDone> done;
  scene.hands->carry_out(work, [&](WorkDone answer) { done = std::move(answer); });
  REQUIRE_OK(scene.executor->wait_until([&] { return done.has_value(); }, kNever));
  CHECK(!done->ok);
  const std::string hidden = "/[secret]/[secret]/[secret]/[secret]/[secret]/blue.zip";
  CHECK(done->problem.find(hidden) != std::string::npos);
  REQUIRE_OK(scene.ship(kFirstEnd));
  const std::string log = text_of(scene.log());
  CHECK(text_of(scene.place()) == log);
  CHECK(log.find(hidden) != std::string::npos);
  std::string all = done->problem;
  for (const std::string& line : scene.hands->log_tail("shop", "1.0@1")) all += line + "\n";
  fs::remove(file);
  for (const auto& entry : fs::recursive_directory_iterator(scene.directory.path())) {
    if (entry.is_regular_file()) all += text_of(entry.path());
  }
  for (const char* secret : {"tellnobody", "second-one", "rotated-one", "hunter22", "wJalrXUtnFEMI"}) {
    CAPTURE(secret);
    CHECK(all.find(secret) == std::string::npos);
  }
}

}  // namespace
}  // namespace convergence
