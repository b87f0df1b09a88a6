#ifndef CONVERGENCE_LIB_IMPORT_ENVIRONMENT_H_
#define CONVERGENCE_LIB_IMPORT_ENVIRONMENT_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/environment_manager.h"
#include "convergence/time.h"

// What the reader and the writer of Environment Manager's keys share.
namespace convergence::environment {

using Kv = std::map<std::string, KvPair>;

// The tags that its agent puts on what it registers, each in place of those with the same beginning (1.3).
inline constexpr std::array<std::string_view, 3> kAgentTags = {"deployment_id:", "server_role:", "slice:"};

std::string definition_key(std::string_view environment, std::string_view service, std::string_view version);
std::string installation_key(std::string_view environment, std::string_view service, std::string_view version);

// A record K1 as it stands, and what its key says.
struct Record {
  std::string key{};
  std::string service{};
  Slice slice = Slice::kNone;
  bool has_slice_in_key = true;
  std::string version{};
  std::string deployment{};
  DesiredAction action = DesiredAction::kInstall;
  std::uint64_t modify_index = 0;
};

// "environments/E/roles/R/services/S/slice" without its prefix; empty for a folder. An error for a key that can be none
// of theirs.
struct RecordName {
  std::string_view service{};
  std::optional<Slice> slice{};
};
absl::StatusOr<RecordName> record_name(std::string_view key, std::string_view prefix);
absl::StatusOr<Record> read_record(const KvPair& pair, const RecordName& name);

// Pairs whose keys begin with `prefix`, folders left out.
std::vector<const KvPair*> pairs_below(const Kv& kv, std::string_view prefix);

// A name that can be one piece of a key and one folder on a node (W-A11, W-S24); empty: it can. Else what is wrong.
std::string piece_problem(std::string_view piece);

// Ports of K2 by slice, zero where there is none.
struct Ports {
  std::int32_t blue = 0;
  std::int32_t green = 0;
};
absl::StatusOr<Ports> read_ports(const KvPair& definition);

// What K5 says, as far as it can be read.
struct Begun {
  std::string service{};
  std::string version{};
  std::string role{};
  std::optional<std::string> environment{};
};
Begun read_begun(const KvPair& pair);
std::string begun_key(std::string_view deployment);

// When a UUID of version 1 was made.
std::optional<Time> time_in_uuid(std::string_view id);

// Roles of which something stands below environments/<environment>/roles/.
std::vector<std::string> roles_of(const Kv& kv, std::string_view environment);

// ---- writing ------------------------------------------------------------------------------------------------------

// K1, or K1' where only that is there and speaks of this slice.
std::string pointing_key(const EnvironmentRecord& record, const EnvironmentRole& role, const Kv& kv);
// The value, or where it is there already only a look whether it still is; true when something is written.
bool put(std::string_view value, const std::string& key, const Kv& kv, EnvironmentWrite& out);
// The record, when it is there and still what was seen.
absl::StatusOr<Record> seen_record(const std::string& key, const EnvironmentRecord& seen, const EnvironmentRole& role,
                                   const Kv& kv);
Json delete_operation(const KvPair& pair);
std::string_view action_text(DesiredAction action);

}  // namespace convergence::environment

#endif  // CONVERGENCE_LIB_IMPORT_ENVIRONMENT_H_
