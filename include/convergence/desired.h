#ifndef CONVERGENCE_DESIRED_H_
#define CONVERGENCE_DESIRED_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/config_entry.h"
#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence {

// What is wanted. In Consul KV below a prefix P ("convergence" unless the host says otherwise):
//   P/desired/<role>/<service>/<slice>   one DesiredService
//   P/config/<kind>/<name>               one config entry, Consul's JSON
// docs/documents.md shows both. Reading them together gives a DesiredState.

// Two slices let two versions of a service stand side by side on one node (environment-manager.md 1.1).
enum class Slice { kNone, kBlue, kGreen };
std::string_view to_string(Slice slice);

// A health check that an agent runs. Exactly one of http, tcp, ttl is set.
struct CheckDefinition {
  std::string id{};  // unique on the node; empty: "<service id>:<name>"
  std::string name{};
  std::string http{};  // URL
  std::string tcp{};   // host:port
  Duration ttl{0};
  Duration interval{0};
  Duration timeout{0};
  Duration deregister_critical_service_after{0};
  Json::Object unknown{};
  friend bool operator==(const CheckDefinition&, const CheckDefinition&) = default;
};

// Where a service should run: on every node whose Meta has role = `role` and all of `node_meta`, and whose name is
// in `nodes` unless that is empty.
struct Placement {
  std::string role{};
  std::map<std::string, std::string> node_meta{};
  std::vector<std::string> nodes{};
  friend bool operator==(const Placement&, const Placement&) = default;
};

struct DesiredService {
  std::string name{};
  std::string version{};  // opaque; becomes Meta.version of the instances
  Slice slice = Slice::kNone;
  Placement placement{};
  std::int32_t port = 0;
  std::vector<std::string> tags{};
  std::map<std::string, std::string> meta{};
  std::vector<CheckDefinition> checks{};
  std::uint64_t modify_index = 0;  // of the KV key it was read from; not part of the document
  Json::Object unknown{};
  friend bool operator==(const DesiredService&, const DesiredService&) = default;
};

struct DesiredState {
  std::vector<DesiredService> services{};  // by (role, name, slice), each at most once
  std::vector<ConfigEntry> entries{};      // by entry_key, each at most once
  friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

// The service id of its instances: "<name>" or "<name>-<slice>" (environment-manager.md section 1, without the
// environment).
std::string service_id(const DesiredService& service);

// INVALID_ARGUMENT kind "validate" naming the service and field that cannot be: empty or too long names, a slash in a
// name, ports out of range, a check with two kinds, one service twice, two services with one id on a role.
absl::Status validate(const DesiredState& desired);

// Sorted, duplicates refused: the form that validate() and converge() expect.
absl::StatusOr<DesiredState> normalise(DesiredState desired);

}  // namespace convergence

#endif  // CONVERGENCE_DESIRED_H_
