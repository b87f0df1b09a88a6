#ifndef CONVERGENCE_LIB_HANDS_PACKAGE_FOLDER_H_
#define CONVERGENCE_LIB_HANDS_PACKAGE_FOLDER_H_

#include <string>

#include "absl/status/statusor.h"
#include "convergence/agent.h"
#include "convergence/appspec.h"
#include "convergence/linux_hands.h"

namespace convergence::hands {

// One deployment's folder: archive/, logs/deployment.log, and manifest.json, which tells the processes after this one
// what is in the archive.
struct PackageFolder {
  std::string path{};

  std::string archive() const { return path + "/archive"; }
  std::string logs() const { return path + "/logs"; }
  std::string log() const { return path + "/logs/deployment.log"; }
};

// Kind "validate" for a name that is no folder's.
absl::Status check_piece(const std::string& name);
std::string deployments_folder(const LinuxHandsOptions& options);
// Kind "validate" for names that are no folder's.
absl::StatusOr<PackageFolder> package_folder(const LinuxHandsOptions& options, const std::string& service_id,
                                             const std::string& deployment);

absl::Status make_folders(const std::string& path);  // with all above it, 0755
bool is_file(const std::string& path);
bool is_folder(const std::string& path);

absl::Status write_manifest(const PackageFolder& folder, const Manifest& manifest);
absl::StatusOr<Manifest> read_manifest(const PackageFolder& folder);

// The package's appspec.yml alone; empty where there is none.
absl::StatusOr<AppSpec> read_appspec(const PackageFolder& folder, const PackageContext& context);
// Reads and holds against each other all documents of the unpacked package.
absl::StatusOr<AppSpec> read_package(const LinuxHandsOptions& options, const PackageFolder& folder,
                                     const std::string& service_id, const Installed& subject);

// Where the package's files go.
absl::StatusOr<InstallPlan> plan_of(const LinuxHandsOptions& options, const PackageFolder& folder, const AppSpec& spec,
                                    const std::string& deployment);

}  // namespace convergence::hands

#endif  // CONVERGENCE_LIB_HANDS_PACKAGE_FOLDER_H_
