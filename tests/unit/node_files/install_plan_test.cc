#include <string>
#include <vector>

#include "convergence/node_files.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

const Manifest kPackage = {{{"app", EntryType::kDirectory, 0750, 0, ""},
                            {"app/bin", EntryType::kDirectory, 0755, 0, ""},
                            {"app/bin/run", EntryType::kFile, 0755, 10, ""},
                            {"app/current", EntryType::kLink, 0, 0, "bin/run"},
                            {"conf", EntryType::kDirectory, 0755, 0, ""},
                            {"conf/a.conf", EntryType::kFile, 0644, 3, ""},
                            {"conf/b.conf", EntryType::kFile, 0644, 4, ""},
                            {"conf/up", EntryType::kLink, 0, 0, "../app"},
                            {"run", EntryType::kFile, 0700, 5, ""}}};

InstallRequest request_of(std::vector<AppFile> files, std::vector<AppPermission> permissions = {}) {
  return {std::move(files), std::move(permissions), {"/opt", "/srv/www"}, "/opt/agent", "d-1"};
}

PlannedEntry made_folder(std::string path) { return {std::move(path), "", EntryType::kDirectory, 0755, 0, "", "", ""}; }

TEST_CASE("a folder's content and a file under its own name go to the destination") {
  const auto plan = plan_install(kPackage, request_of({{"app/", "/opt/web"}, {"/run", "/opt/web/sbin"}}));
  REQUIRE_OK(plan);
  const PlannedTree expected{"/opt/web",
                             "/opt",
                             "/opt/.convergence-d-1",
                             {{"", "app", EntryType::kDirectory, 0750, 0, "", "", ""},
                              {"bin", "app/bin", EntryType::kDirectory, 0755, 0, "", "", ""},
                              {"bin/run", "app/bin/run", EntryType::kFile, 0755, 10, "", "", ""},
                              {"current", "app/current", EntryType::kLink, 0, 0, "bin/run", "", ""},
                              made_folder("sbin"),
                              {"sbin/run", "run", EntryType::kFile, 0700, 5, "", "", ""}}};
  CHECK(plan->trees == std::vector<PlannedTree>{expected});
}

TEST_CASE("the whole archive is \"/\", and destinations apart become trees apart") {
  const auto plan = plan_install(kPackage, request_of({{"/", "/srv/www/site"}, {"conf/a.conf", "/opt/etc"}}));
  REQUIRE_OK(plan);
  REQUIRE(plan->trees.size() == 2);
  CHECK(plan->trees[0].entries ==
        std::vector<PlannedEntry>{made_folder(""), {"a.conf", "conf/a.conf", EntryType::kFile, 0644, 3, "", "", ""}});
  CHECK(plan->trees[1].root == "/srv/www");
  CHECK(plan->trees[1].folder == "/srv/www/.convergence-d-1");
  CHECK(plan->trees[1].entries.size() == kPackage.entries.size() + 1);
}

TEST_CASE("two entries into one destination are merged; what would be two things is told with both") {
  CHECK_OK(plan_install(kPackage, request_of({{"app", "/opt/web"}, {"conf/a.conf", "/opt/web"}, {"run", "/opt/web"}})));
  CHECK_OK(plan_install(kPackage, request_of({{"run", "/opt/web"}, {"run", "/opt/web"}})));
  CHECK_ERROR(plan_install(kPackage, request_of({{"app/bin", "/opt/web"}, {"run", "/opt/web"}})), ErrorKind::kValidate,
              "/opt/web/run: would be both app/bin/run and run of the archive");
  CHECK_ERROR(plan_install(kPackage, request_of({{"app/bin", "/opt/web"}, {"conf/a.conf", "/opt/web/run"}})),
              ErrorKind::kValidate, "\"run/a.conf\" lies below \"run\", which is a file");
}

TEST_CASE("destinations, sources and links that lead elsewhere are refused") {
  struct Row {
    AppFile file;
    std::string fragment;
  };
  for (const Row& row :
       std::vector<Row>{{{"app", "/"}, "/: "},
                        {{"app", ""}, "no absolute path"},
                        {{"app", "opt/web"}, "opt/web: no absolute path"},
                        {{"app", "/opt/../etc"}, "/opt/../etc: no absolute path"},
                        {{"app", "/opt/web/"}, "no absolute path"},
                        {{"app", "/opt//web"}, "no absolute path"},
                        {{"app", "/opt/a\nb"}, "no absolute path"},
                        {{"app", "/opt"}, "/opt: holds, or is in, the agent's own"},
                        {{"app", "/srv/www"}, "/srv/www: lies below none"},
                        {{"app", "/etc/web"}, "/etc/web: lies below none"},
                        {{"app", "/optional/web"}, "/optional/web: lies below none"},
                        {{"app", "/opt/agent"}, "the agent's own /opt/agent"},
                        {{"app", "/opt/agent/x"}, "the agent's own /opt/agent"},
                        {{"app", "/opt/.convergence-d-2/web.tree"}, "where other deployments are kept"},
                        {{"app", "/opt/" + std::string(241, 'a')}, "has too long a name"},
                        {{"absent", "/opt/web"}, "absent: is not in the archive"},
                        {{"ap", "/opt/web"}, "ap: is not in the archive"},
                        {{"../app", "/opt/web"}, "../app: leads out of the archive"},
                        {{"conf", "/opt/web"}, "\"up\" is a link that leads out, to ../app"}}) {
    CAPTURE(row.file.destination);
    CHECK_ERROR(plan_install(kPackage, request_of({row.file})), ErrorKind::kValidate, row.fragment);
  }
  InstallRequest request = request_of({});
  request.deployment = "../x";
  CHECK_ERROR(plan_install(kPackage, request), ErrorKind::kUsage, "deployment");
  request = request_of({});
  request.allowed_roots.push_back("opt");
  CHECK_ERROR(plan_install(kPackage, request), ErrorKind::kUsage, "allowed_roots: opt");
}

TEST_CASE("permissions reach what is at or below their object and has a name that fits") {
  const auto modes = [](const AppPermission& permission) {
    const auto plan = plan_install(kPackage, request_of({{"/", "/opt/web"}}, {permission}));
    REQUIRE_OK(plan);
    std::vector<std::string> changed;
    for (const PlannedEntry& entry : plan->trees[0].entries) {
      if (entry.owner == "www") changed.push_back(entry.path);
      CHECK((entry.owner == "www") == (entry.group == "data"));
      if (entry.owner == "www") CHECK(entry.mode == 0600);
    }
    return changed;
  };
  using Names = std::vector<std::string>;
  AppPermission permission{"/opt/web/conf", "**", {}, {}, "www", "data", 0600};
  CHECK(modes(permission) == Names{"conf", "conf/a.conf", "conf/b.conf"});
  permission.types = {"file"};
  CHECK(modes(permission) == Names{"conf/a.conf", "conf/b.conf"});
  permission.types = {"directory"};
  CHECK(modes(permission) == Names{"conf"});
  permission.types = {};
  permission.pattern = "*.conf";
  permission.except = {"b.*"};
  CHECK(modes(permission) == Names{"conf/a.conf"});
  permission = {"/opt", "?un", {}, {}, "www", "data", 0600};
  CHECK(modes(permission) == Names{"app/bin/run", "run"});
  permission = {"/opt/web", "web", {}, {}, "www", "data", 0600};
  CHECK(modes(permission) == Names{""});

  const auto check = [](const AppPermission& bad, const char* fragment) {
    CHECK_ERROR(plan_install(kPackage, request_of({{"/", "/opt/web"}}, {bad})), ErrorKind::kValidate, fragment);
  };
  check({"/opt/other", "**", {}, {}, "www", "", {}}, "/opt/other: is nothing that this package installs");
  check({"web", "**", {}, {}, "www", "", {}}, "web: no absolute path");
  check({"/opt/web", "**", {}, {"link"}, "www", "", {}}, "\"link\" is no type");
  check({"/opt/web", "**", {}, {}, "", "", 010000}, "10000 is no mode");
}

}  // namespace
}  // namespace convergence
