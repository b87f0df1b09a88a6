#ifndef CONVERGENCE_APPSPEC_H_
#define CONVERGENCE_APPSPEC_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/desired.h"
#include "convergence/import.h"
#include "convergence/package.h"

namespace convergence {

// The documents of a package: appspec.yml and what lies below healthchecks/ (environment-manager.md 6.2, 6.3, 6.6;
// docs/environment-manager.md). All are read and checked before anything that runs is touched. Errors: kind "decode",
// "<document>: line L: <field>: <problem>", with document, line and field in the detail. Reports have a row for what
// was translated, is not known here, or says nothing; what is simply taken over has none.

// What a package is read for. Sensu files hold all of it; the other documents are the same on every node.
struct PackageContext {
  std::string platform = "linux";  // what `os` has to be
  Slice slice = Slice::kNone;
  std::int32_t port = 0;
  std::string root{};                            // where the archive lies unpacked: an absolute path
  std::string service{};                         // in the names of Sensu's checks
  std::string owning_cluster{};                  // the team where a check names none
  std::map<std::string, std::string> tags{};     // of the instance
  std::map<std::string, std::string> plugins{};  // name -> where the search paths have it
  friend bool operator==(const PackageContext&, const PackageContext&) = default;
};

struct AppSpecRead {
  AppSpec spec{};
  std::vector<ImportRow> report{};  // by line
  friend bool operator==(const AppSpecRead&, const AppSpecRead&) = default;
};
absl::StatusOr<AppSpecRead> parse_appspec(std::string_view text, std::string_view document,
                                          const PackageContext& context);

// healthchecks/consul/healthchecks.yml, whose scripts lie in its own folder. The checks have "${PORT}" where the port
// goes and the id that the document gives them: instance_check() makes them those of an instance.
inline constexpr std::string_view kHealthchecksFile = "healthchecks/consul/healthchecks.yml";
struct HealthchecksRead {
  std::vector<CheckDefinition> checks{};
  std::vector<ImportRow> report{};
  friend bool operator==(const HealthchecksRead&, const HealthchecksRead&) = default;
};
absl::StatusOr<HealthchecksRead> parse_healthchecks(std::string_view text, std::string_view document);

// healthchecks/sensu/healthchecks.yml, likewise.
inline constexpr std::string_view kSensuHealthchecksFile = "healthchecks/sensu/healthchecks.yml";
struct SensuRead {
  std::vector<SensuCheck> checks{};
  std::vector<ImportRow> report{};
  friend bool operator==(const SensuRead&, const SensuRead&) = default;
};
absl::StatusOr<SensuRead> parse_sensu_healthchecks(std::string_view text, std::string_view document,
                                                   const PackageContext& context);
// "<service id>-<check id>-<slice>.json"
std::string sensu_file_name(std::string_view service_id, std::string_view check_id, Slice slice);

// A script is told its slice by a last argument (2.7).
CheckDefinition with_slice(CheckDefinition check, Slice slice);
// A check of a package as one of an instance: with port, slice and the id "<service id>:<id>". Kind "validate" where it
// needs a port and there is none.
absl::StatusOr<CheckDefinition> instance_check(CheckDefinition check, std::string_view service_id, std::int32_t port,
                                               Slice slice);

// What an archive holds, without regard to its format.
struct PackedFile {
  std::string path{};  // relative, with slashes
  bool is_directory = false;
  bool is_executable = true;  // of a file; archives made on Windows cannot tell
  friend bool operator==(const PackedFile&, const PackedFile&) = default;
};

// Whether the documents of a package and its archive go together: every source, hook and script is there, and ids are
// used once. The first complaint, kind "validate", with the field in the text and in the detail. A program that is not
// executable is no fault, since the agent makes it so.
absl::Status check_package(const AppSpec& spec, const std::vector<PackedFile>& files);

}  // namespace convergence

#endif  // CONVERGENCE_APPSPEC_H_
