#include "lib/hands/ship_log.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/node_files.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/hands/package_folder.h"

namespace convergence::hands {
namespace {

constexpr std::string_view kShipS3 = "s3://";

std::string without_slash(std::string target) {
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();
  return target;
}

// What of a deployment's log was shipped.
struct Shipment {
  std::string ended{};  // a number of nanoseconds, as text
  std::string place{};
  bool told = false;
};

std::string shipment_path(const PackageFolder& folder) { return folder.logs() + "/shipped.json"; }

Shipment read_shipment(const PackageFolder& folder) {
  Shipment out;
  const absl::StatusOr<std::string> text = read_file(shipment_path(folder));
  if (!text.ok()) return out;
  const absl::StatusOr<Json> json = parse_json(*text, shipment_path(folder));
  if (!json.ok()) return out;
  const Json* ended = json->find("ended");
  const Json* place = json->find("place");
  const Json* told = json->find("told");
  if (!ended || !ended->as_string() || !place || !place->as_string()) return out;
  out.ended = *ended->as_string();
  out.place = *place->as_string();
  out.told = told && told->as_bool() && *told->as_bool();
  return out;
}

absl::Status write_shipment(const PackageFolder& folder, const Shipment& shipment) {
  const Json json = Json().set("ended", shipment.ended).set("place", shipment.place).set("told", shipment.told);
  return write_file_atomically(shipment_path(folder), to_text(json) + "\n", 0640);
}

std::string ended_at(const EndedLog& log) { return fmt::format("{}", log.ended.time_since_epoch().count()); }

// The log and what was rotated away of it, in the order in which it was written.
absl::StatusOr<std::string> whole_log(const PackageFolder& folder, const LogOptions& options) {
  std::string text;
  const std::vector<std::string> files = log_files(folder.log(), options);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (!is_file(*file)) continue;
    CVG_ASSIGN_OR_RETURN(const std::string part, read_file(*file));
    text += part;
  }
  return text;
}

// Where the file goes: a folder that is there, or a key that takes the file's name.
absl::StatusOr<std::string> target_of(const LinuxHandsOptions& options, const EndedLog& log) {
  const std::string base = without_slash(options.ship_logs);
  const std::string below = fmt::format("{}/{}/{}", base, log.group, log.service_id);
  if (base.starts_with(kShipS3)) return below + "/";
  // Made by nobody here: it may be a file system that is not mounted.
  if (!is_folder(base)) return make_error(ErrorKind::kNotFound, fmt::format("folder of logs {}: is not there", base));
  CVG_RETURN_IF_ERROR(make_folders(below));
  return below;
}

}  // namespace

absl::Status check_ship_logs(const std::string& target) {
  if (target.starts_with(kShipS3) && target.size() > kShipS3.size() && target[kShipS3.size()] != '/') {
    return absl::OkStatus();
  }
  if (target.size() > 1 && target.starts_with('/')) return absl::OkStatus();
  return make_error(ErrorKind::kUsage,
                    fmt::format("logs to \"{}\": must be an absolute path or s3://bucket/prefix", target));
}

absl::StatusOr<std::string> ship_log(const LinuxHandsOptions& options, const EndedLog& log, const StopSignal& stop) {
  CVG_ASSIGN_OR_RETURN(const PackageFolder folder, package_folder(options, log.service_id, log.deployment));
  CVG_RETURN_IF_ERROR(check_piece(log.group));
  CVG_RETURN_IF_ERROR(check_piece(log.instance));
  if (!is_file(folder.log())) return std::string();  // nothing was ever said, or it is collected
  const Shipment before = read_shipment(folder);
  if (!before.place.empty() && before.ended == ended_at(log)) return before.told ? std::string() : before.place;
  CVG_ASSIGN_OR_RETURN(const std::string target, target_of(options, log));
  CVG_ASSIGN_OR_RETURN(const std::string text, whole_log(folder, options.log));
  const std::string copy = fmt::format("{}/deployment-{}-{}.log", folder.logs(), log.instance, log.deployment);
  CVG_RETURN_IF_ERROR(write_file_atomically(copy, text, 0640));
  const absl::StatusOr<std::string> place = ship_file(copy, target, options.http, stop);
  std::remove(copy.c_str());
  CVG_RETURN_IF_ERROR(place.status());
  CVG_RETURN_IF_ERROR(write_shipment(folder, {ended_at(log), *place, false}));
  return place;
}

void log_told(const LinuxHandsOptions& options, const EndedLog& log) {
  const absl::StatusOr<PackageFolder> folder = package_folder(options, log.service_id, log.deployment);
  if (!folder.ok()) return;
  Shipment shipment = read_shipment(*folder);
  if (shipment.place.empty() || shipment.ended != ended_at(log)) return;
  shipment.told = true;
  (void)write_shipment(*folder, shipment);  // else it is told again
}

}  // namespace convergence::hands
