#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "convergence/node_files.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/node_files/archive_builder.h"

namespace convergence {
namespace {

using Files = std::map<std::string, std::string>;

// A package unpacked beside a root with three destinations to be: one where nothing is, below a folder that is not
// there; one where what `before` makes is; and another of those.
struct InstallWorld {
  test::TemporaryDirectory folder;
  StopSignal stop;
  InstallPlan plan;
  Json undo;

  explicit InstallWorld(const std::string& before, const std::vector<AppPermission>& permissions = {}) {
    std::filesystem::create_directories(root());
    for (const char* name : {"one", "two"}) stand(before, root() + "/" + name);
    test::write_file(
        folder.path("package"),
        test::build_tar(
            {{"app/run", "new", '0', 0755}, {"app/data/x", "1"}, {"app/current", "run", '2'}, {"conf/a.conf", "a"}}));
    const auto manifest = unpack_archive(folder.path("package"), folder.path("unpacked"), {}, stop);
    REQUIRE_OK(manifest);
    auto made = plan_install(
        *manifest, {{{"app", root() + "/one"}, {"conf", root() + "/two"}, {"conf", root() + "/new/deep/three"}},
                    permissions,
                    {root()},
                    folder.path("agent"),
                    "d-1"});
    REQUIRE_OK(made);
    plan = *std::move(made);
    auto described = describe_undo(plan);
    REQUIRE_OK(described);
    undo = *std::move(described);
  }
  static void stand(const std::string& what, const std::string& path) {
    if (what == "file") test::write_file(path, "old");
    if (what == "link") std::filesystem::create_symlink("elsewhere", path);
    if (what != "directory") return;
    std::filesystem::create_directories(path + "/kept");
    test::write_file(path + "/kept/file", "old");
  }
  std::string root() const { return folder.path("root"); }
  absl::Status stage() const { return stage_install(plan, folder.path("unpacked"), stop); }
  // Without what lies beside.
  Files seen() const {
    Files files;
    for (const auto& [path, what] : test::tree_of(root())) {
      if (path.find(".convergence-") == std::string::npos) files[path] = what;
    }
    return files;
  }
};

const std::vector<std::string> kBefore = {"nothing", "link", "file", "directory"};

TEST_CASE("what stands at the destinations is described, and so are the folders that will be made") {
  const InstallWorld world("link");
  const std::string root = world.root();
  const auto expected = parse_json(fmt::format(R"({{"trees":[{{"destination":"{0}/new/deep/three","was":"nothing"}},
                   {{"destination":"{0}/one","was":"link","target":"elsewhere"}},
                   {{"destination":"{0}/two","was":"link","target":"elsewhere"}}],
                   "made":["{0}/new","{0}/new/deep"]}})",
                                               root),
                                   "undo");
  REQUIRE_OK(expected);
  CHECK(world.undo == *expected);
  CHECK((*describe_undo(InstallWorld("file").plan).value().find("trees")->as_array())[1].find("was")->as_string()[0] ==
        "file");
}

TEST_CASE("staging touches no destination; swapping shows the new files; swapping back shows the old") {
  for (const std::string& before : kBefore) {
    CAPTURE(before);
    const InstallWorld world(before);
    const Files old = test::tree_of(world.root());
    Files with_made = old;
    with_made["new"] = with_made["new/deep"] = "directory 755";
    CHECK_ERROR(installed_as_planned(world.plan), ErrorKind::kValidate, "");
    REQUIRE_OK(world.stage());
    CHECK(world.seen() == with_made);
    REQUIRE_OK(swap_in(world.plan));
    CHECK(test::read_file(world.root() + "/one/current") == "new");
    CHECK(test::read_file(world.root() + "/two/a.conf") == "a");
    CHECK(test::read_file(world.root() + "/new/deep/three/a.conf") == "a");
    CHECK(std::filesystem::is_symlink(world.root() + "/one"));
    if (before == "directory") CHECK(test::read_file(world.root() + "/.convergence-d-1/one.aside/kept/file") == "old");
    if (before == "file") CHECK(test::read_file(world.root() + "/.convergence-d-1/one.aside") == "old");
    REQUIRE_OK(installed_as_planned(world.plan));

    // Done already is found done, and what runs is not discarded.
    const Files whole = test::tree_of(world.root());
    REQUIRE_OK(world.stage());
    REQUIRE_OK(swap_in(world.plan));
    REQUIRE_OK(discard_staged(world.plan, world.undo));
    CHECK(test::tree_of(world.root()) == whole);

    REQUIRE_OK(swap_back(world.plan, world.undo));
    CHECK(world.seen() == with_made);
    REQUIRE_OK(swap_back(world.plan, world.undo));
    REQUIRE_OK(discard_staged(world.plan, world.undo));
    CHECK(test::tree_of(world.root()) == old);
    REQUIRE_OK(swap_back(world.plan, world.undo));
    CHECK(test::tree_of(world.root()) == old);
  }
}

// Ends at the step of this number, as a kill would. What it says of `killed` counts only in a later statement: which
// side of a comparison comes first is the compiler's choice.
StepHook killed_at(int number, bool& killed) {
  auto left = std::make_shared<int>(number);
  killed = false;
  return [left, &killed](std::string_view step) -> absl::Status {
    if ((*left)-- > 0) return absl::OkStatus();
    killed = true;
    return absl::AbortedError(std::string(step));
  };
}

TEST_CASE(
    "killed before any step of swap_in, it goes on or goes back to exactly what was, killed on the way back too") {
  for (const std::string& before : kBefore) {
    const InstallWorld reference(before);
    const Files old = test::tree_of(reference.root());
    REQUIRE_OK(reference.stage());
    REQUIRE_OK(swap_in(reference.plan));
    const Files whole = test::tree_of(reference.root());
    bool killed = true;
    int steps = 0;
    for (int at = 0; killed; ++at) {
      CAPTURE(before);
      CAPTURE(at);
      steps = at;
      {
        const InstallWorld on(before);
        REQUIRE_OK(on.stage());
        const bool went_on = swap_in(on.plan, killed_at(at, killed)).ok();
        CHECK(went_on == !killed);
        REQUIRE_OK(swap_in(on.plan));
        CHECK(test::tree_of(on.root()) == whole);
        REQUIRE_OK(installed_as_planned(on.plan));
      }
      bool killed_back = true;
      for (int back_at = 0; killed_back; ++back_at) {
        CAPTURE(back_at);
        const InstallWorld back(before);
        REQUIRE_OK(back.stage());
        bool ignored = false;
        const bool went_on = swap_in(back.plan, killed_at(at, ignored)).ok();
        CHECK(went_on == !killed);
        const bool came_back = swap_back(back.plan, back.undo, killed_at(back_at, killed_back)).ok();
        CHECK(came_back == !killed_back);
        REQUIRE_OK(swap_back(back.plan, back.undo));
        REQUIRE_OK(discard_staged(back.plan, back.undo));
        CHECK(test::tree_of(back.root()) == old);
      }
    }
    CHECK(steps >= 6);  // at least two of each destination
  }
}

TEST_CASE("killed in the middle of swap_back, swap_in can still go forward") {
  for (const std::string& before : kBefore) {
    bool killed = true;
    for (int at = 0; killed; ++at) {
      CAPTURE(before);
      CAPTURE(at);
      const InstallWorld world(before);
      REQUIRE_OK(world.stage());
      REQUIRE_OK(swap_in(world.plan));
      const Files whole = test::tree_of(world.root());
      const bool went_on = swap_back(world.plan, world.undo, killed_at(at, killed)).ok();
      CHECK(went_on == !killed);
      REQUIRE_OK(swap_in(world.plan));
      CHECK(test::tree_of(world.root()) == whole);
    }
  }
}

TEST_CASE("what neither of the two put there is left alone") {
  const InstallWorld world("nothing");
  REQUIRE_OK(world.stage());
  REQUIRE_OK(swap_in(world.plan));
  std::filesystem::remove(world.root() + "/one");
  test::write_file(world.root() + "/one", "of somebody");
  CHECK_ERROR(swap_back(world.plan, world.undo), ErrorKind::kConflict, "/one: something else stands where nothing was");
  CHECK(test::read_file(world.root() + "/one") == "of somebody");

  const InstallWorld lost("directory");
  REQUIRE_OK(lost.stage());
  REQUIRE_OK(swap_in(lost.plan));
  std::filesystem::remove_all(lost.root() + "/.convergence-d-1/two.aside");
  CHECK_ERROR(swap_back(lost.plan, lost.undo), ErrorKind::kConflict, "is not kept in");
  CHECK(std::filesystem::is_symlink(lost.root() + "/two"));

  const InstallWorld unstaged("directory");
  CHECK_ERROR(swap_in(unstaged.plan), ErrorKind::kNotFound, "");
  CHECK_ERROR(swap_back(unstaged.plan, Json()), ErrorKind::kUsage, "undo: it has no trees");
  REQUIRE_OK(swap_back(unstaged.plan, unstaged.undo));
}

TEST_CASE("a link on the way to a destination is not followed") {
  const InstallWorld world("nothing");
  std::filesystem::create_directory(world.folder.path("outside"));
  std::filesystem::create_symlink(world.folder.path("outside"), world.root() + "/new");
  CHECK_ERROR(world.stage(), ErrorKind::kConflict, "/new: ");
  CHECK_ERROR(describe_undo(world.plan), ErrorKind::kConflict, "/new: ");
  CHECK_ERROR(swap_in(world.plan), ErrorKind::kConflict, "/new: ");
  CHECK(std::filesystem::is_empty(world.folder.path("outside")));
  CHECK_FALSE(std::filesystem::exists(world.root() + "/.convergence-d-1"));
}

TEST_CASE("damage is found: other sizes, modes, types and targets, and what is missing") {
  struct Row {
    std::string fragment;
    std::function<void(const std::string&)> damage;  // given the root
  };
  const std::vector<Row> rows = {
      {"/one: is no link to what", [](const std::string& at) { std::filesystem::remove(at + "/one"); }},
      {"/one/run: has 4 bytes and should have 3",
       [](const std::string& at) { test::write_file(at + "/one/run", "more"); }},
      {"/one/run: is missing", [](const std::string& at) { std::filesystem::remove(at + "/one/run"); }},
      {"/one/run: has mode 600 and should have 755",
       [](const std::string& at) { chmod((at + "/one/run").c_str(), 0600); }},
      {"/one/data: is missing", [](const std::string& at) { std::filesystem::remove_all(at + "/one/data"); }},
      {"/one/data: is no directory any more",
       [](const std::string& at) {
         std::filesystem::remove_all(at + "/one/data");
         std::filesystem::create_symlink("/etc", at + "/one/data");
       }},
      {"/one/current: is a link to data",
       [](const std::string& at) {
         std::filesystem::remove(at + "/one/current");
         std::filesystem::create_symlink("data", at + "/one/current");
       }},
      {"/one.tree: is missing",
       [](const std::string& at) { std::filesystem::remove_all(at + "/.convergence-d-1/one.tree"); }},
  };
  for (const Row& row : rows) {
    const InstallWorld world("nothing");
    REQUIRE_OK(world.stage());
    REQUIRE_OK(swap_in(world.plan));
    test::write_file(world.root() + "/one/log", "what a program writes is no damage");
    REQUIRE_OK(installed_as_planned(world.plan));
    row.damage(world.root());
    CHECK_ERROR(installed_as_planned(world.plan), ErrorKind::kValidate, row.fragment);
  }
}

TEST_CASE("owners and modes are set where a permission says so") {
  if (geteuid() != 0) {
    MESSAGE("skipped: setting owners needs root");
    return;
  }
  InstallWorld world("nothing");
  world.plan.trees[1].entries[0].owner = "12345";
  for (PlannedEntry& entry : world.plan.trees[1].entries) {
    if (entry.path != "run") continue;
    entry.owner = "nobody";
    entry.group = "54321";
    entry.mode = 04711;
  }
  REQUIRE_OK(world.stage());
  REQUIRE_OK(swap_in(world.plan));
  struct stat info;
  REQUIRE(stat((world.root() + "/one/run").c_str(), &info) == 0);
  CHECK(info.st_uid == 65534);
  CHECK(info.st_gid == 54321);
  CHECK((info.st_mode & 07777) == 04711);
  REQUIRE(stat((world.root() + "/one").c_str(), &info) == 0);
  CHECK(info.st_uid == 12345);
  REQUIRE(stat((world.root() + "/one/data/x").c_str(), &info) == 0);
  CHECK(info.st_uid == geteuid());
  REQUIRE_OK(installed_as_planned(world.plan));

  InstallWorld unknown("nothing");
  unknown.plan.trees[2].entries[0].group = "no-such-group";
  CHECK_ERROR(unknown.stage(), ErrorKind::kNotFound, "there is no group \"no-such-group\" on this node");
  CHECK_FALSE(std::filesystem::exists(unknown.root() + "/.convergence-d-1"));  // the trees before it are gone too
}

TEST_CASE("an appspec's permissions with patterns arrive on the disk") {
  if (geteuid() != 0) {
    MESSAGE("skipped: setting owners needs root");
    return;
  }
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  const std::string web = folder.path("root/web");
  std::filesystem::create_directory(folder.path("root"));
  test::write_file(folder.path("package"), test::build_tar({{"bin/run.sh", "1", '0', 0644},
                                                            {"bin/raw.sh", "1", '0', 0644},
                                                            {"bin/notes", "1", '0', 0644},
                                                            {"bin/link.sh", "run.sh", '2'},
                                                            {"log/", "", '5', 0755},
                                                            {"log/sub.sh/", "", '5', 0755}}));
  const auto manifest = unpack_archive(folder.path("package"), folder.path("unpacked"), {}, stop);
  REQUIRE_OK(manifest);
  const auto plan = plan_install(*manifest, {{{"/", web}},
                                             {{web, "*.sh", {"raw*"}, {"file"}, "12345", "54321", 0750},
                                              {web + "/log", "**", {}, {"directory"}, "", "54321", 02770}},
                                             {folder.path("root")},
                                             folder.path("agent"),
                                             "d-1"});
  REQUIRE_OK(plan);
  REQUIRE_OK(stage_install(*plan, folder.path("unpacked"), stop));
  REQUIRE_OK(swap_in(*plan));
  std::string found;
  for (const char* name : {"bin/run.sh", "bin/raw.sh", "bin/notes", "bin", "log", "log/sub.sh"}) {
    struct stat info {};
    REQUIRE(lstat((web + "/" + name).c_str(), &info) == 0);
    found += fmt::format("{} {}:{} {:o}\n", name, info.st_uid, info.st_gid, info.st_mode & 07777);
  }
  CHECK(found ==
        "bin/run.sh 12345:54321 750\nbin/raw.sh 0:0 644\nbin/notes 0:0 644\nbin 0:0 755\n"
        "log 0:54321 2770\nlog/sub.sh 0:54321 2770\n");
  struct stat link {};
  REQUIRE(lstat((web + "/bin/link.sh").c_str(), &link) == 0);
  CHECK(link.st_uid == 0);
  REQUIRE_OK(installed_as_planned(*plan));
}

TEST_CASE("what a killed staging left is begun afresh") {
  const InstallWorld world("directory");
  std::filesystem::create_directories(world.root() + "/.convergence-d-1/one.tree/stale");
  test::write_file(world.root() + "/.convergence-d-1/one.tree/run", "half");
  test::write_file(world.root() + "/.convergence-d-1/two.tree", "no folder");
  REQUIRE_OK(world.stage());
  REQUIRE_OK(swap_in(world.plan));
  REQUIRE_OK(installed_as_planned(world.plan));
  CHECK_FALSE(std::filesystem::exists(world.root() + "/one/stale"));
  REQUIRE_OK(swap_back(world.plan, world.undo));
  CHECK(test::read_file(world.root() + "/one/kept/file") == "old");
}

TEST_CASE("staging is stopped, and refuses files that are not as unpacked, leaving nothing") {
  InstallWorld world("nothing");
  test::write_file(world.folder.path("unpacked/app/run"), "changed");
  CHECK_ERROR(world.stage(), ErrorKind::kValidate, "it has 7 bytes and had 3");
  std::filesystem::remove(world.folder.path("unpacked/app/run"));
  std::filesystem::create_symlink("/etc/passwd", world.folder.path("unpacked/app/run"));
  CHECK_ERROR(world.stage(), ErrorKind::kConflict, "app/run");
  world.stop.set();
  CHECK_ERROR(world.stage(), ErrorKind::kCancelled, "stopped");
  CHECK_FALSE(std::filesystem::exists(world.root() + "/.convergence-d-1"));
}

TEST_CASE("remove_tree takes exactly one subtree and follows no link") {
  const test::TemporaryDirectory folder;
  const std::string root = folder.path("root");
  std::filesystem::create_directories(root + "/a/b/c");
  std::filesystem::create_directories(root + "/ab");
  std::filesystem::create_directories(folder.path("outside"));
  test::write_file(folder.path("outside/file"), "1");
  test::write_file(root + "/a/b/file", "1");
  std::filesystem::create_symlink(folder.path("outside"), root + "/a/b/link");
  std::filesystem::create_symlink(folder.path("outside"), root + "/link");
  chmod((root + "/a/b").c_str(), 0500);
  CHECK_ERROR(remove_tree(root + "/link/file", root), ErrorKind::kConflict, "/link: ");
  CHECK_OK(remove_tree(root + "/a/b", root));
  CHECK_OK(remove_tree(root + "/a/b", root));
  CHECK_OK(remove_tree(root + "/none/at/all", root));
  CHECK_OK(remove_tree(root + "/link", root));
  CHECK(test::tree_of(root) == Files{{"", "directory 755"}, {"a", "directory 755"}, {"ab", "directory 755"}});
  CHECK(test::read_file(folder.path("outside/file")) == "1");
  for (const std::string& path : {root, root + "/../outside", root + "/a/", folder.path("outside"), std::string("a"),
                                  std::string("/"), std::string(), root + "b"}) {
    CAPTURE(path);
    CHECK_ERROR(remove_tree(path, root), ErrorKind::kUsage, "it is not below");
  }
  CHECK_OK(remove_tree("/none/x", "/none"));
}

// A mount namespace of our own; who is not root becomes it, in a user namespace.
bool enter_namespaces() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (user != 0) {
    test::write_file("/proc/self/setgroups", "deny");
    test::write_file("/proc/self/uid_map", fmt::format("0 {} 1", user));
    test::write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
  }
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Runs in a process whose own mount of 256 KiB is at `folder`; its findings, or "skipped".
std::string on_small_disk(const std::string& folder, const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "skipped";
  const pid_t child = fork();
  if (child == 0) {
    std::string text = "skipped";
    try {
      if (enter_namespaces() && mount("none", folder.c_str(), "tmpfs", 0, "size=256k") == 0) text = body();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const bool good = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(good ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return text;
}

TEST_CASE("a full disk is told as such, and what was begun on it is gone") {
  const test::TemporaryDirectory folder;
  const std::string disk = folder.path("disk");
  std::filesystem::create_directory(disk);
  const std::string big(1 << 20, 'x');
  const std::string tar = test::build_tar({{"big", big}});
  test::write_file(folder.path("package"), tar);
  const std::string found = on_small_disk(disk, [&] {
    const StopSignal stop;
    std::string text;
    const auto told = [&](const absl::Status& status) {
      const std::string message(status.message());
      const bool clear = message.find("No space left on device; free some space there") != std::string::npos;
      text += fmt::format("{} {}{}\n", to_string(error_kind(status)), clear ? "clear" : message,
                          test::tree_of(disk).size() == 1 ? "" : " something left");
    };
    told(unpack_archive(folder.path("package"), disk + "/fresh", {}, stop).status());
    const auto manifest = unpack_archive(folder.path("package"), folder.path("unpacked"), {}, stop);
    const auto plan = plan_install(*manifest, {{{"/", disk + "/web"}}, {}, {disk}, "/agent", "d"});
    told(stage_install(*plan, folder.path("unpacked"), stop));
    told(ship_file(folder.path("package"), disk, {}, stop).status());
    FetchOptions options{disk};
    text +=
        to_string(error_kind(fetch_package({"file://" + folder.path("package"), "", 0}, options, {}, stop).status()));
    std::size_t files = 0;
    for (const auto& [path, what] : test::tree_of(disk)) files += what.rfind("file", 0) == 0 ? 1U : 0U;
    return text + fmt::format(" {} files", files);
  });
  if (found == "skipped") {
    MESSAGE("skipped: no mount namespace of our own can be made here");
    return;
  }
  CHECK(found == "too-large clear\ntoo-large clear\ntoo-large clear\ntoo-large 0 files");
}

TEST_CASE("what is mounted below a tree is not emptied") {
  const test::TemporaryDirectory folder;
  std::filesystem::create_directories(folder.path("root/a/disk"));
  const std::string found = on_small_disk(folder.path("root/a/disk"), [&] {
    test::write_file(folder.path("root/a/disk/file"), "1");
    const absl::Status status = remove_tree(folder.path("root/a"), folder.path("root"));
    return fmt::format("{} {}", to_string(error_kind(status)), test::read_file(folder.path("root/a/disk/file")));
  });
  if (found == "skipped") {
    MESSAGE("skipped: no mount namespace of our own can be made here");
    return;
  }
  CHECK(found == "conflict 1");
}

}  // namespace
}  // namespace convergence
