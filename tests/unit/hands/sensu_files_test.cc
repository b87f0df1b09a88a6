#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "convergence/error.h"
#include "convergence/linux_hands.h"
#include "convergence/testing/simulated_executor.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

namespace fs = std::filesystem;

Installed with_checks(const std::vector<std::string>& ids, const std::string& command = "true") {
  Installed installed;
  installed.deployment = "1.0";
  for (const std::string& id : ids) {
    SensuCheck check;
    check.id = id;
    check.json.set("checks", Json().set("shop-" + id, Json().set("command", command)));
    installed.spec.sensu.push_back(check);
  }
  return installed;
}

std::string content(const std::string& id, const std::string& command = "true") {
  return fmt::format("{{\"checks\":{{\"shop-{}\":{{\"command\":\"{}\"}}}}}}\n", id, command);
}

// The hands of a node with a folder of Sensu's.
struct SensuScene {
  SensuScene() {
    fs::create_directory(directory.path("checks"));
    open(directory.path("checks"));
  }
  void open(const std::string& sensu_folder) {
    hands.reset();
    LinuxHandsOptions options;
    options.folder = directory.path("state");
    options.sensu_folder = sensu_folder;
    auto made = new_linux_hands(executor, options);
    REQUIRE_OK(made);
    hands = *std::move(made);
  }
  absl::Status announce(Stage stage, const Installed& subject, const std::string& service_id = "shop") {
    Work work;
    work.stage = stage;
    work.service_id = service_id;
    work.subject = subject;
    return hands->announce(work);
  }
  std::map<std::string, std::string> files(const std::string& folder = "checks") const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(directory.path(folder))) {
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      out[entry.path().filename().string()] = text.str();
    }
    return out;
  }

  test::TemporaryDirectory directory;
  SimulatedExecutor executor;
  std::unique_ptr<NodeHands> hands;
};

using Files = std::map<std::string, std::string>;

TEST_CASE("a version's Sensu files come with its registration, and go with it") {
  SensuScene scene;
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page", "queue"})));
  CHECK(scene.files() == Files{{"shop-page-none.json", content("page")}, {"shop-queue-none.json", content("queue")}});
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page", "disk"}, "false")));
  const Files second{{"shop-disk-none.json", content("disk", "false")},
                     {"shop-page-none.json", content("page", "false")}};
  CHECK(scene.files() == second);
  CHECK_OK(scene.announce(Stage::kBackRegister, with_checks({"queue"})));
  CHECK(scene.files() == Files{{"shop-queue-none.json", content("queue")}});
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({})));
  CHECK(scene.files() == Files{});
  for (const Stage gone : {Stage::kDeregister, Stage::kBackDeregister}) {
    CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page"})));
    CHECK_OK(scene.announce(gone, with_checks({"page"})));
    CHECK(scene.files() == Files{});
    CHECK_FALSE(fs::exists(scene.directory.path("state/sensu/shop.json")));
  }
}

TEST_CASE("W-A23: files of others stay, however alike their names are") {
  SensuScene scene;
  std::ofstream(scene.directory.path("checks/shop-old-none.json")) << "theirs";
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"a-b"}), "shop"));
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"b"}), "shop-a-x"));
  CHECK_OK(scene.announce(Stage::kDeregister, with_checks({"a-b"}), "shop"));
  CHECK(scene.files() == Files{{"shop-a-x-b-none.json", content("b")}, {"shop-old-none.json", "theirs"}});
}

TEST_CASE("without a folder nothing is written, and what was there goes") {
  SensuScene scene;
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page"})));
  fs::create_directory(scene.directory.path("other"));
  scene.open(scene.directory.path("other"));
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page"})));
  CHECK(scene.files() == Files{});
  CHECK(scene.files("other") == Files{{"shop-page-none.json", content("page")}});
  scene.open("");
  CHECK_OK(scene.announce(Stage::kRegister, with_checks({"page"})));
  CHECK(scene.files("other") == Files{});
}

TEST_CASE("a file that cannot be written fails the registration, but not the way back") {
  SensuScene scene;
  fs::remove(scene.directory.path("checks"));
  CHECK_ERROR(scene.announce(Stage::kRegister, with_checks({"page"})), ErrorKind::kNotFound, "shop-page-none.json");
  CHECK_OK(scene.announce(Stage::kBackRegister, with_checks({"page"})));
  // The record of what may be there comes first: the next look finds it missing, and writes it.
  fs::create_directory(scene.directory.path("checks"));
  AgentMemory memory;
  memory.installed["shop"] = with_checks({"page"});
  CHECK(scene.hands->damaged(memory).empty());
  CHECK(scene.files() == Files{{"shop-page-none.json", content("page")}});
}

TEST_CASE("what is lost, changed, or left behind is put right with the next look, and no task is disturbed") {
  SensuScene scene;
  AgentMemory memory;
  memory.installed["shop"] = with_checks({"page", "queue"});
  const Files whole{{"shop-page-none.json", content("page")}, {"shop-queue-none.json", content("queue")}};
  CHECK(scene.hands->damaged(memory).empty());
  CHECK(scene.files() == whole);  // installed before there was a folder
  std::ofstream(scene.directory.path("checks/shop-page-none.json")) << "half";
  fs::remove(scene.directory.path("checks/shop-queue-none.json"));
  memory.task = Task();
  memory.task->service_id = "shop";
  CHECK(scene.hands->damaged(memory).empty());
  CHECK(scene.files() == Files{{"shop-page-none.json", "half"}});
  memory.task.reset();
  CHECK(scene.hands->damaged(memory).empty());
  CHECK(scene.files() == whole);
  memory.installed.clear();
  CHECK(scene.hands->damaged(memory).empty());
  CHECK(scene.files() == Files{});
}

TEST_CASE("a folder that is not there is refused at the start") {
  test::TemporaryDirectory directory;
  SimulatedExecutor executor;
  LinuxHandsOptions options;
  options.folder = directory.path("state");
  options.sensu_folder = directory.path("none");
  CHECK_ERROR(new_linux_hands(executor, options), ErrorKind::kUsage, "is not there");
}

}  // namespace
}  // namespace convergence
