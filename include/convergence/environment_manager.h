#ifndef CONVERGENCE_ENVIRONMENT_MANAGER_H_
#define CONVERGENCE_ENVIRONMENT_MANAGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/json.h"

namespace convergence {

// What Environment Manager keeps in Consul KV, read and written key by key (environment-manager.md section 1;
// docs/environment-manager.md says what is taken, what is refused):
//   K1  environments/<environment>/roles/<role>/services/<service>/<slice>   points to a version; K1' has no slice
//   K2  environments/<environment>/services/<service>/<version>/definition
//   K3  environments/<environment>/services/<service>/<version>/installation
//   K4  deployments/<deployment>/overall_status
//   K5  deployments/<deployment>/service
//   K6  deployments/<deployment>/nodes/<instance>                            a NodeReport (report.h)
//   K7  nodes/<instance>/cold-standby                                        why it gets no traffic (standby.h)

// One role of one environment, in their own spelling: case counts (W-S17).
struct EnvironmentRole {
  std::string environment{};
  std::string role{};  // at run time: "Web", or "Web-blue" where a fleet has one slice
  friend bool operator==(const EnvironmentRole&, const EnvironmentRole&) = default;
};

// Below which all of a role's K1 stand: what is read with recurse and watched. Ends in a slash, so that neither
// "WebAdmin" nor "Web-blue" is read with "Web" (W-A24, W-S6).
std::string role_prefix(const EnvironmentRole& role);
std::string node_report_key(std::string_view deployment, std::string_view instance);  // K6
std::string overall_status_key(std::string_view deployment);                          // K4; its value is raw text
std::string cold_standby_key(std::string_view instance);                              // K7; its value is raw text
std::string environment_service_id(const EnvironmentRole& role, std::string_view service, Slice slice);

// A record that gives no service. What cannot be read is not known to be unwanted: nothing of `service_id` may be
// stopped or removed for it.
struct UnreadService {
  std::string key{};                 // of K1
  std::string service_id{};          // empty where the key does not tell it
  std::vector<std::string> needs{};  // K2 and K3 that are not there: a write that is under way, or one torn for good
  absl::Status status{};             // why; kind "not-found" where something is needed
  friend bool operator==(const UnreadService&, const UnreadService&) = default;
};

struct EnvironmentRead {
  std::vector<DesiredService> services{};  // by (name, slice)
  std::vector<UnreadService> waiting{};    // by key; for others' keys to come
  std::vector<UnreadService> broken{};     // by key; for somebody to mend
  friend bool operator==(const EnvironmentRead&, const EnvironmentRead&) = default;
};

// K2 and K3 of every record below role_prefix() that can be read: what to read next. Sorted, each once.
std::vector<std::string> environment_keys(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role);

// The services that a role is to run. One that is broken or torn leaves the others alone (W-A4). `kv` holds what was
// read of role_prefix() and environment_keys(); other keys are passed over.
EnvironmentRead import_environment(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role);

// ---- writing ------------------------------------------------------------------------------------------------------

// One transaction. Every operation compares the index of the key as `kv` has it (0 where it has none), so that nothing
// is written over what was not seen (W-S1, W-S2); keys that have their value already are only compared.
struct EnvironmentWrite {
  std::vector<Json> operations{};       // {"KV": {...}}, in order; none: nothing is to be done
  std::vector<std::string> left_out{};  // fields of the service that their documents have no place for
  friend bool operator==(const EnvironmentWrite&, const EnvironmentWrite&) = default;
};

// K2, K3, K5, K4, and K1 last, since it is the pointer. `kv` holds these keys as they are now (export_keys()): K2 keeps
// the port of the other slice of its version, and a K4 that is there stays. Kind "validate" for what would mean
// something else there, "conflict" for a deployment id that is another's.
absl::StatusOr<EnvironmentWrite> export_environment(const DesiredService& service, const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv,
                                                    std::int32_t expected_nodes = 0);
std::vector<std::string> export_keys(const DesiredService& service, const EnvironmentRole& role);

// A record as somebody saw it: an operation on it is refused, kind "conflict", when it carries another deployment by
// now (W-S2).
struct EnvironmentRecord {
  std::string service{};
  Slice slice = Slice::kNone;
  std::string deployment{};
  friend bool operator==(const EnvironmentRecord&, const EnvironmentRecord&) = default;
};

// K1 with another Action and all else as it is.
absl::StatusOr<EnvironmentWrite> toggle_environment(const EnvironmentRecord& record, DesiredAction action,
                                                    const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv);

// How much of Consul's KV `kv` holds.
enum class KvScope {
  kRole,         // role_prefix()
  kEnvironment,  // all below environments/<environment>/
};

// Deletes K1, and K1' of slice none with it (W-S16), by exact keys. With all of the environment in `kv` also K2 and K3
// of a version that no record of any role points to any more; else these stay for whoever collects.
absl::StatusOr<EnvironmentWrite> remove_from_environment(const EnvironmentRecord& record, const EnvironmentRole& role,
                                                         const std::map<std::string, KvPair>& kv,
                                                         KvScope scope = KvScope::kRole);

}  // namespace convergence

#endif  // CONVERGENCE_ENVIRONMENT_MANAGER_H_
