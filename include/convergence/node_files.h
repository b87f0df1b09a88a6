#ifndef CONVERGENCE_NODE_FILES_H_
#define CONVERGENCE_NODE_FILES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/json.h"
#include "convergence/node.h"
#include "convergence/package.h"
#include "convergence/time.h"

namespace convergence {

// A package on its way to where it runs: fetched, unpacked, copied beside its place, put in place, taken back. Every
// function blocks; those that may last end soon after their StopSignal with kind "cancelled". What the system refuses
// is told with its path: "not-found", "denied", "too-large" (no space left), "conflict" (something is in the way).

// Lower-case hex.
absl::StatusOr<std::string> sha256_file(const std::string& path, const StopSignal& stop);

// ---- fetching ----------------------------------------------------------------------------------------------------

// Secrets among these are never part of an error. Proxies that the environment names are not used.
struct S3Options {
  std::string access_key{};  // empty: requests are not signed
  std::string secret_key{};
  std::string session_token{};
  std::string region = "us-east-1";
  std::string endpoint{};  // "http(s)://host:port", asked as /bucket/key; empty: Amazon's of the region
  friend bool operator==(const S3Options&, const S3Options&) = default;
};

struct HttpOptions {
  Duration connect_timeout = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(60);  // without a byte; 0: never
  Duration timeout{0};                                // of one attempt; 0: none
  std::int32_t attempts = 3;                          // of what may pass: no connection, 5xx, 429, timeouts
  Duration pause = std::chrono::seconds(2);           // between them
  std::string ca_file{};                              // PEM; empty: the system's
  S3Options s3{};
  friend bool operator==(const HttpOptions&, const HttpOptions&) = default;
};

struct FetchOptions {
  std::string cache{};  // a folder; made when it is not there
  std::uint64_t max_size = std::uint64_t{4} << 30;
  HttpOptions http{};
  friend bool operator==(const FetchOptions&, const FetchOptions&) = default;
};

struct FetchedPackage {
  std::string path{};  // <cache>/sha256/<hex>
  std::string sha256{};
  std::uint64_t size = 0;
  bool from_cache = false;
  friend bool operator==(const FetchedPackage&, const FetchedPackage&) = default;
};

// Bytes that are here, and how many it will be; 0: not known.
using FetchProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// A file has its name in the cache only after its size and digest were found right. What of it is here when the
// connection breaks is kept and gone on with, now or by the next call; only with a digest, which says whether the parts
// belong together. Kind "validate" for a wrong size or digest, "conflict" while another process fetches the same.
// https leads to nothing but https.
absl::StatusOr<FetchedPackage> fetch_package(const Package& package, const FetchOptions& options,
                                             const FetchProgress& progress, const StopSignal& stop);

// The first of the addresses (package_search.h) at which something lies, with its size and digest: the digest that lies
// beside it as <address>.sha256, else of what was read there. One beside a file has to be right. Kind "not-found"
// naming every place that was looked at; any other trouble at one of them ends the search.
absl::StatusOr<Package> find_package(const std::vector<std::string>& addresses, const HttpOptions& options,
                                     const StopSignal& stop);

// Removes packages, whole or in part, whose digest is not in `keep`; returns the digests that went. Files in the cache
// that have other names, and those being fetched, stay.
absl::StatusOr<std::vector<std::string>> prune_cache(const std::string& cache, const std::vector<std::string>& keep);

// Where a file was shipped to, as it can be written down anywhere: "/folder/name" or "s3://bucket/key". No signature.
// `target` is a folder, or s3://bucket/key; of a key that is empty or ends in "/" the file's own name is the end. Seen
// there whole or not at all.
absl::StatusOr<std::string> ship_file(const std::string& path, const std::string& target, const HttpOptions& options,
                                      const StopSignal& stop);

// ---- unpacking ---------------------------------------------------------------------------------------------------

enum class EntryType { kFile, kDirectory, kLink };
std::string_view to_string(EntryType type);

struct ManifestEntry {
  std::string path{};  // relative, normal
  EntryType type = EntryType::kFile;
  std::uint32_t mode = 0;  // of a file or folder
  std::uint64_t size = 0;  // of a file
  std::string target{};    // of a link
  friend bool operator==(const ManifestEntry&, const ManifestEntry&) = default;
};

// All that is in an archive, folders that it only implies too, by path.
struct Manifest {
  std::vector<ManifestEntry> entries{};
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

struct UnpackLimits {
  std::uint64_t total_size = std::uint64_t{8} << 30;
  std::uint64_t file_size = std::uint64_t{4} << 30;
  std::uint64_t ratio = 200;                          // of what comes out to what went in ...
  std::uint64_t ratio_from = std::uint64_t{8} << 20;  // ... once so much came out
  std::size_t entries = 200'000;
  std::size_t path_length = 1024;
  std::size_t depth = 40;
  friend bool operator==(const UnpackLimits&, const UnpackLimits&) = default;
};

// zip, tar, tar.gz or tar.zst into a folder that must not be there yet, and is not there after a failure. Modes are
// kept but for setuid, setgid and sticky. Kind "validate" for entries that a package must not have - whatever leads out
// of the folder, names one thing twice or is no file, folder or link - and for damage; "too-large" over a limit. Both
// name the entry.
absl::StatusOr<Manifest> unpack_archive(const std::string& archive, const std::string& fresh_directory,
                                        const UnpackLimits& limits, const StopSignal& stop);

// ---- files in place ----------------------------------------------------------------------------------------------

struct InstallRequest {
  std::vector<AppFile> files{};
  std::vector<AppPermission> permissions{};
  std::vector<std::string> allowed_roots{};  // absolute; destinations lie below one of them
  std::string own_folder{};                  // the agent's, where nothing is installed
  std::string deployment{};                  // its id, as part of a file's name
  friend bool operator==(const InstallRequest&, const InstallRequest&) = default;
};

struct PlannedEntry {
  std::string path{};    // below the destination; empty: itself
  std::string source{};  // below the unpacked archive; empty: a folder that the plan makes
  EntryType type = EntryType::kFile;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  std::string target{};
  std::string owner{};  // empty: whoever the agent runs as
  std::string group{};
  friend bool operator==(const PlannedEntry&, const PlannedEntry&) = default;
};

// One destination. In `folder`, which lies beside it and so on its file system, are <name>.tree, what is installed;
// <name>.link, on its way; and <name>.aside, the folder or file that stood at the destination.
struct PlannedTree {
  std::string destination{};
  std::string root{};                   // the allowed root that it is below
  std::string folder{};                 // <parent>/.convergence-<deployment>
  std::vector<PlannedEntry> entries{};  // by path, folders before what is in them
  friend bool operator==(const PlannedTree&, const PlannedTree&) = default;
};

struct InstallPlan {
  std::vector<PlannedTree> trees{};  // by destination
  friend bool operator==(const InstallPlan&, const InstallPlan&) = default;
};

// Pure. A destination below another is merged into that one's tree.
absl::StatusOr<InstallPlan> plan_install(const Manifest& manifest, const InstallRequest& request);

// Copies the trees out of the unpacked archive, owners and modes and all, and touches no destination. Trees that are in
// place as planned stay; others of the same names begin afresh.
absl::Status stage_install(const InstallPlan& plan, const std::string& unpacked, const StopSignal& stop);

// What stands at the destinations, before swap_in: {"trees": [{"destination", "was": "nothing" | "link" | "directory" |
// "file", "target"}], "made": [folders on the way that are not there]}. To be asked before stage_install, which makes
// those.
absl::StatusOr<Json> describe_undo(const InstallPlan& plan);

// Told before each step that changes something; what it returns other than OK ends the function there, as a kill would.
using StepHook = std::function<absl::Status(std::string_view step)>;

// Each destination becomes a link to its tree, in one rename each. A folder or file that stands there changes places
// with the link and is kept as it is. Done again after an end at any point, it goes on.
absl::Status swap_in(const InstallPlan& plan, const StepHook& hook = {});

// Puts back what `undo` says, from any point of swap_in and of its own. Kind "conflict", and nothing is touched there,
// where by now stands what neither of them put there.
absl::Status swap_back(const InstallPlan& plan, const Json& undo, const StepHook& hook = {});

// Takes away the trees that no destination links to any more, and the folders that were made for them and are empty.
// Whatever was kept aside stays.
absl::Status discard_staged(const InstallPlan& plan, const Json& undo);

// OK: the destinations link to their trees, and these have all entries with their type, size, mode and target. Kind
// "validate" names the first difference.
absl::Status installed_as_planned(const InstallPlan& plan);

// Removes what is at `path`, strictly below `root`: it and all below it, never what a link leads to or what is mounted
// there. Gone already is good.
absl::Status remove_tree(const std::string& path, const std::string& root);

}  // namespace convergence

#endif  // CONVERGENCE_NODE_FILES_H_
