#ifndef CONVERGENCE_PACKAGE_SEARCH_H_
#define CONVERGENCE_PACKAGE_SEARCH_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace convergence {

// Where the archive of a version may lie. find_package() of node_files.h looks there.

struct PackageName {
  std::string service{};
  std::string version{};
  std::string environment{};  // empty: none
  friend bool operator==(const PackageName&, const PackageName&) = default;
};

// The addresses below `base` - a folder, file://, http(s)://, s3://bucket/prefix - in the order in which they count,
// laid out as Environment Manager has them (environment-manager.md 3.1): the environment's own, then everybody's.
//   <base>/<service>/<version>/<environment>/<service>-<version>-<environment>.zip, .tar.gz, .tar.zst
//   <base>/<service>/<version>/<service>-<version>.zip, .tar.gz, .tar.zst
// A base that names {version} is a pattern, with {service} and {environment}, and the only address; none where it asks
// for an environment and there is none. Kind "validate" for names that could lead elsewhere (W-S24).
absl::StatusOr<std::vector<std::string>> package_addresses(std::string_view base, const PackageName& name);

// Beside an archive there may lie one with its digest, as sha256sum writes it.
std::string digest_address(std::string_view address);
// The first word of such a file, in lower case. Kind "decode" for what is no SHA-256.
absl::StatusOr<std::string> digest_in(std::string_view text, std::string_view address);

}  // namespace convergence

#endif  // CONVERGENCE_PACKAGE_SEARCH_H_
