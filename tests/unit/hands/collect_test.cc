// What ended deployments leave on the disk: what is named stays, what is ours goes, what is not is not touched. F28,
// W-A11, W-S15.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "convergence/executor.h"
#include "convergence/linux_hands.h"
#include "lib/hands/package_folder.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

namespace fs = std::filesystem;

struct CollectScene {
  CollectScene() {
    fs::create_directory(directory.path("opt"));
    options.folder = directory.path("state");
    options.allowed_roots = {directory.path("opt")};
    options.min_free_disk = 0;
    auto made = new_linux_hands(*executor, options);
    REQUIRE_OK(made);
    hands = *std::move(made);
  }

  // A deployment that is unpacked, and placed beside /opt/shop.
  InstallPlan deployment(const std::string& service_id, const std::string& name) {
    const auto folder = hands::package_folder(options, service_id, name);
    REQUIRE_OK(folder);
    file(folder->archive() + "/app/version", name);
    file(folder->archive() + "/appspec.yml",
         fmt::format("version: 0.0\nos: linux\nfiles:\n  - source: app\n    destination: {}\n",
                     directory.path("opt/" + service_id)));
    file(folder->log(), "== fetch\n");
    Manifest manifest;
    manifest.entries = {{"app", EntryType::kDirectory, 0755, 0, ""},
                        {"app/version", EntryType::kFile, 0644, name.size(), ""},
                        {"appspec.yml", EntryType::kFile, 0644, 0, ""}};
    REQUIRE_OK(hands::write_manifest(*folder, manifest));
    const auto spec = hands::read_appspec(*folder, {});
    REQUIRE_OK(spec);
    const auto plan = hands::plan_of(options, *folder, *spec, name);
    REQUIRE_OK(plan);
    REQUIRE_OK(stage_install(*plan, folder->archive(), StopSignal()));
    return *plan;
  }
  void file(const fs::path& path, const std::string& text = "") {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  // Works of the node are done one after the other: when this one is, so is what came before.
  void collect(const Collect& stays) {
    hands->collect(stays);
    Work work;
    work.id = ++works;
    work.stage = Stage::kCheckNode;
    work.service_id = "last";
    work.subject.deployment = "last";
    bool done = false;
    hands->carry_out(work, [&](const WorkDone&) { done = true; });
    REQUIRE_OK(executor->wait_until([&] { return done; }, kNever));
    fs::remove_all(directory.path("state/deployments/last"));
  }
  std::set<std::string> names(const std::string& folder) const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(directory.path(folder))) out.insert(entry.path().filename());
    return out;
  }

  test::TemporaryDirectory directory{};
  LinuxHandsOptions options{};
  std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  std::unique_ptr<NodeHands> hands;
  std::uint64_t works = 0;
};

using Names = std::set<std::string>;

TEST_CASE("F28, W-S15: folders, trees and packages that nothing needs go, others of the same service stay") {
  CollectScene scene;
  for (const char* name : {"1", "2", "3", "4"}) {
    const InstallPlan plan = scene.deployment("shop", name);
    if (std::string(name) == "3") REQUIRE_OK(swap_in(plan));
  }
  scene.deployment("shop-blue", "1");
  scene.deployment("shopping", "1");
  const std::string kept(64, 'a');
  const std::string gone(64, 'b');
  for (const std::string& name : {kept, gone, std::string("notes")}) {
    scene.file(scene.directory.path("state/cache/sha256/" + name));
  }
  Collect stays;
  stays.folders = {{"shop", {"3", "4"}}, {"shop-blue", {"1"}}};
  stays.installed = {{"shop", "3"}, {"shop-blue", "1"}};
  stays.packages = {kept};
  scene.collect(stays);
  CHECK(scene.names("state/deployments") == Names{"shop", "shop-blue"});
  CHECK(scene.names("state/deployments/shop") == Names{"3", "4"});
  CHECK(scene.names("state/deployments/shop/4") == Names{"archive", "logs", "manifest.json"});
  CHECK(scene.names("state/cache/sha256") == Names{kept, "notes"});
  // Of the trees those that are installed; 4 has ended and is not.
  CHECK(scene.names("opt") == Names{"shop", ".convergence-3", ".convergence-1"});
  CHECK(scene.names("opt/shop") == Names{"version"});
  scene.collect(stays);
  CHECK(scene.names("state/deployments/shop") == Names{"3", "4"});
}

TEST_CASE("a tree to which something links stays, whatever is thought to be installed") {
  CollectScene scene;
  REQUIRE_OK(swap_in(scene.deployment("shop", "1")));
  scene.collect({});
  CHECK(scene.names("state/deployments") == Names{});
  CHECK(scene.names("opt/shop") == Names{"version"});
}

TEST_CASE("W-A11: what is not ours is not touched, nor what links lead to") {
  CollectScene scene;
  scene.file(scene.directory.path("theirs/1/archive/data"));
  scene.file(scene.directory.path("state/deployments/notes.txt"));
  scene.file(scene.directory.path("state/deployments/shop/notes.txt"));
  scene.deployment("shop", "1");
  fs::create_directory_symlink(scene.directory.path("theirs"), scene.directory.path("state/deployments/link"));
  fs::create_directory_symlink(scene.directory.path("theirs"), scene.directory.path("state/deployments/shop/2"));
  fs::create_directory_symlink(scene.directory.path("theirs"),
                               scene.directory.path("state/deployments/shop/1/logs/up"));
  scene.collect({});
  CHECK(scene.names("state/deployments") == Names{"notes.txt", "shop", "link"});
  CHECK(scene.names("state/deployments/shop") == Names{"notes.txt", "2"});
  CHECK(scene.names("theirs/1/archive") == Names{"data"});
}

TEST_CASE("what a collecting that was killed has left goes with the next") {
  CollectScene scene;
  scene.deployment("shop", "1");
  scene.deployment("shop", "2");
  scene.deployment("shop", "3");
  fs::remove_all(scene.directory.path("state/deployments/shop/1/archive"));
  fs::remove(scene.directory.path("state/deployments/shop/2/manifest.json"));
  fs::remove_all(scene.directory.path("opt/.convergence-2"));  // before the folder, always
  fs::remove_all(scene.directory.path("opt/.convergence-1"));
  scene.collect({});
  CHECK(scene.names("state/deployments") == Names{});
  CHECK(scene.names("opt") == Names{});
}

}  // namespace
}  // namespace convergence
