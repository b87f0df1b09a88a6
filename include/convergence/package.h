#ifndef CONVERGENCE_PACKAGE_H_
#define CONVERGENCE_PACKAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence {

// What a version of a service is made of: an archive, what lies in it, and the checks and hooks that go with it.

// Where the archive is and what it has to be. Everything here is known before a byte is fetched.
struct Package {
  std::string source{};    // file:///path, http(s)://..., s3://bucket/key
  std::string sha256{};    // of the archive, in hex; empty: taken as it comes, and said so
  std::uint64_t size = 0;  // bytes; 0: not known
  friend bool operator==(const Package&, const Package&) = default;
};

// The points at which a package's own programs run, named as CodeDeploy names them (environment-manager.md 2.6).
enum class HookEvent { kApplicationStop, kBeforeInstall, kAfterInstall, kApplicationStart, kValidateService };
std::string_view to_string(HookEvent event);

struct Hook {
  std::string location{};  // of a program below the archive's root
  Duration timeout{0};     // of this run; 0: what is left of the deployment's deadline
  std::string run_as{};    // user; empty: the release's, else the agent's own
  friend bool operator==(const Hook&, const Hook&) = default;
};

// In the order in which they run.
using Hooks = std::map<HookEvent, std::vector<Hook>>;

// A health check that an agent runs. Exactly one of http, tcp, grpc, args, ttl is set.
struct CheckDefinition {
  std::string id{};  // unique on the node; empty: "<service id>:<name>"
  std::string name{};
  std::string http{};               // URL
  std::string method{};             // of http; empty: GET
  bool tls_skip_verify = false;     // of http and grpc
  std::string tcp{};                // host:port
  std::string grpc{};               // host:port, or host:port/service
  bool grpc_use_tls = false;        // of grpc
  std::vector<std::string> args{};  // a program and its arguments; a relative one lies below the archive's root
  Duration ttl{0};
  Duration interval{0};
  Duration timeout{0};
  Duration deregister_critical_service_after{0};
  Json::Object unknown{};
  friend bool operator==(const CheckDefinition&, const CheckDefinition&) = default;
};

// The id of a check of an instance: its own, or "<service id>:<name>".
std::string check_id(std::string_view service_id, const CheckDefinition& check);

// "${PORT}" replaced, in all that may hold it.
CheckDefinition with_port(CheckDefinition check, std::int32_t port);

// ---- an appspec.yml (environment-manager.md 6.2) ------------------------------------------------------------------

// `source` below the archive's root ("/": all of it) goes to the folder `destination`: a folder's content is merged
// into it, a file is put there under its own name.
struct AppFile {
  std::string source{};
  std::string destination{};  // an absolute path
  friend bool operator==(const AppFile&, const AppFile&) = default;
};

// Owner and mode of what is at or below `object` and has a name that matches `pattern` and none of `except`.
struct AppPermission {
  std::string object{};        // an absolute path
  std::string pattern = "**";  // "**": all
  std::vector<std::string> except{};
  std::vector<std::string> types{};  // of file, directory; empty: both
  std::string owner{};               // empty: stays
  std::string group{};
  std::optional<std::uint32_t> mode{};
  friend bool operator==(const AppPermission&, const AppPermission&) = default;
};

// A Sensu check as the file it becomes (environment-manager.md 6.6); `json` is that file's content.
struct SensuCheck {
  std::string id{};
  std::string script{};  // below the archive's root, that its command runs; empty: none of the package's
  Json json{};
  friend bool operator==(const SensuCheck&, const SensuCheck&) = default;
};

struct AppSpec {
  std::string os{};  // linux or windows
  std::vector<AppFile> files{};
  std::vector<AppPermission> permissions{};
  Hooks hooks{};
  std::vector<CheckDefinition> checks{};  // with "${PORT}" where the port of the slice goes
  std::vector<SensuCheck> sensu{};
  friend bool operator==(const AppSpec&, const AppSpec&) = default;
};

}  // namespace convergence

#endif  // CONVERGENCE_PACKAGE_H_
