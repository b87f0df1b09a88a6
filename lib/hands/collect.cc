#include "lib/hands/collect.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "convergence/node_files.h"
#include "lib/hands/package_folder.h"

namespace convergence::hands {
namespace {

// Names of the folders in a folder; links are none.
std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code unknown;
    if (it->symlink_status(unknown).type() == std::filesystem::file_type::directory) {
      names.push_back(it->path().filename().string());
    }
  }
  return names;
}

// The trees that a deployment has put beside its destinations and that nothing links to.
void discard_trees(const LinuxHandsOptions& options, const PackageFolder& folder, const std::string& deployment) {
  PackageContext context;
  context.root = folder.archive();
  const absl::StatusOr<AppSpec> spec = read_appspec(folder, context);
  if (!spec.ok()) return;  // nothing of it was ever placed
  const absl::StatusOr<InstallPlan> plan = plan_of(options, folder, *spec, deployment);
  if (!plan.ok()) return;
  Json nothing;
  nothing.set("trees", Json(Json::Array())).set("made", Json(Json::Array()));
  (void)discard_staged(*plan, nothing);
}

}  // namespace

void collect(const LinuxHandsOptions& options, const Collect& stays) {
  const std::string root = deployments_folder(options);
  for (const std::string& service_id : folders_in(root)) {
    const auto kept = stays.folders.find(service_id);
    const auto installed = stays.installed.find(service_id);
    for (const std::string& deployment : folders_in(root + "/" + service_id)) {
      const absl::StatusOr<PackageFolder> folder = package_folder(options, service_id, deployment);
      if (!folder.ok()) continue;
      if (installed == stays.installed.end() || installed->second != deployment) {
        discard_trees(options, *folder, deployment);
      }
      if (kept == stays.folders.end() || !kept->second.contains(deployment)) (void)remove_tree(folder->path, root);
    }
    std::error_code not_empty;
    std::filesystem::remove(root + "/" + service_id, not_empty);
  }
  (void)prune_cache(options.folder + "/cache", std::vector<std::string>(stays.packages.begin(), stays.packages.end()));
}

}  // namespace convergence::hands
