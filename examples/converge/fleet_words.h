#ifndef CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/fleet_driver.h"
#include "convergence/node_files.h"
#include "convergence/package_search.h"

namespace cli {

// What the verbs about deployments have in common.

absl::StatusOr<convergence::FleetsSeen> fleets_of(Session& session);

// The one service that the word names: "shop", "shop/blue", "web/shop" or "web/shop/blue". NOT_FOUND, or "usage" naming
// the several that it could be.
absl::StatusOr<convergence::DesiredService> service_named(const convergence::FleetsSeen& seen, const std::string& word);
bool is_named(const convergence::DesiredService& service, const std::string& word);

// "web/shop", "web/shop/blue"
std::string full_name(const convergence::DesiredService& service);

// Who asks, why, and when it is now.
convergence::Asked asked_by(const Arguments& arguments, const Session& session);

// What a package is, by flags: the one that -package names - of a file that can be read here, digest and size are found
// - or the first that lies in the places of -packages. Nothing without these.
enum class DigestOf { kHasToBeKnown, kMayBeUnknown };
absl::Status take_package(const Arguments& arguments, DigestOf digest, const convergence::PackageName& name,
                          convergence::Package& package);
// Of -s3-endpoint and the AWS_* variables.
convergence::S3Options s3_options(const Arguments& arguments);

// Reads, decides and writes; again where another was faster. `round` gives the exit status.
inline constexpr int kTries = 5;  // agents write the same documents
template <typename Read, typename Round>
int until_written(Output& output, Read read, Round round) {
  for (int tries = 1;; ++tries) {
    auto seen = read();
    if (!seen.ok()) return output.fail(seen.status());
    absl::StatusOr<int> code = round(*seen);
    if (code.ok()) return *code;
    if (!absl::IsAborted(code.status()) || tries == kTries) return output.fail(code.status());
  }
}

// What is told while a deployment goes on, and kept in the record at the key (environment-manager.md F36).
class DeploymentLog {
 public:
  DeploymentLog(Session& session, Output& output, std::string record_key)
      : session_(session), output_(output), key_(std::move(record_key)) {}

  // A line about something, when it is another one than the last about it.
  void tell(const std::string& what, const std::string& line);
  void note(const std::string& line);  // without being told
  void keep();                         // what could not be written comes with the next

 private:
  Session& session_;
  Output& output_;
  const std::string key_;
  std::map<std::string, std::string> told_;
  std::vector<std::string> lines_;
};

std::string toggle_line(const convergence::DesiredService& service, bool on);
std::string undeploy_line(const convergence::DesiredService& service, bool forget);
std::string status_line(const convergence::ServiceStatus& status);
std::string node_line(const convergence::NodeLine& line);
std::string time_text(convergence::Time time);  // UTC, whole seconds

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_
