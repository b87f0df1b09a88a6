#include "fleet_words.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <vector>

#include "convergence/error.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

absl::StatusOr<FleetsSeen> fleets_of(Session& session) {
  return await<FleetsSeen>(*session.executor, [&](auto done) {
    read_fleets(*session.client, session.prefix, session.read, std::move(done));
  });
}

std::string full_name(const DesiredService& service) {
  const std::string name = fmt::format("{}/{}", service.placement.role, service.name);
  return service.slice == Slice::kNone ? name : fmt::format("{}/{}", name, to_string(service.slice));
}

bool is_named(const DesiredService& service, const std::string& word) {
  const std::string with_slice = fmt::format("{}/{}", service.name, to_string(service.slice));
  return word == service.name || word == with_slice ||
         word == fmt::format("{}/{}", service.placement.role, with_slice) ||
         word == fmt::format("{}/{}", service.placement.role, service.name);
}

absl::StatusOr<DesiredService> service_named(const FleetsSeen& seen, const std::string& word) {
  std::vector<const DesiredService*> found;
  for (const DesiredService& service : seen.services) {
    if (is_named(service, word)) found.push_back(&service);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty()) {
    return make_error(ErrorKind::kNotFound, fmt::format("{}: no such service is wanted; see converge status", word));
  }
  std::vector<std::string> names;
  for (const DesiredService* service : found) {
    names.push_back(fmt::format("{}/{}/{}", service->placement.role, service->name, to_string(service->slice)));
  }
  return make_error(ErrorKind::kUsage, fmt::format("{}: could be {}; name one", word, fmt::join(names, ", ")));
}

Asked asked_by(const Arguments& arguments, const Session& session) {
  return {actor_of(arguments), arguments.get("reason"), session.executor->now()};
}

S3Options s3_options(const Arguments& arguments) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  S3Options s3;
  s3.access_key = variable("AWS_ACCESS_KEY_ID");
  s3.secret_key = variable("AWS_SECRET_ACCESS_KEY");
  s3.session_token = variable("AWS_SESSION_TOKEN");
  if (std::string region = variable("AWS_REGION"); !region.empty()) s3.region = std::move(region);
  s3.endpoint = arguments.get("s3-endpoint");
  return s3;
}

absl::Status take_package(const Arguments& arguments, DigestOf digest, const PackageName& name, Package& package) {
  if (!arguments.has("package")) {
    std::vector<std::string> addresses;
    for (const std::string& base : arguments.all("packages")) {
      absl::StatusOr<std::vector<std::string>> below = package_addresses(base, name);
      if (!below.ok()) return below.status();
      std::ranges::move(*below, std::back_inserter(addresses));
    }
    if (addresses.empty()) return absl::OkStatus();
    HttpOptions http;
    http.s3 = s3_options(arguments);
    absl::StatusOr<Package> found = find_package(addresses, http, StopSignal());
    if (!found.ok()) return found.status();
    package = *std::move(found);
    return absl::OkStatus();
  }
  const std::string given = arguments.get("package");
  package = {};
  package.source = given.find("://") == std::string::npos ? "file://" + given : given;
  package.sha256 = arguments.get("sha256");
  const absl::StatusOr<std::optional<long>> size = integer_flag(arguments, "size", 1, 1L << 60);
  if (!size.ok()) return size.status();
  package.size = static_cast<std::uint64_t>(size->value_or(0));
  if (!package.sha256.empty()) return absl::OkStatus();
  constexpr std::string_view kFile = "file://";
  if (!package.source.starts_with(kFile)) {
    if (digest == DigestOf::kMayBeUnknown) return absl::OkStatus();
    return make_error(ErrorKind::kUsage, fmt::format("deploy: -package {}: needs -sha256, so that every node gets the "
                                                     "same bytes",
                                                     given));
  }
  absl::StatusOr<std::string> found = sha256_file(package.source.substr(kFile.size()), StopSignal());
  if (!found.ok()) return found.status();
  package.sha256 = *std::move(found);
  return absl::OkStatus();
}

void DeploymentLog::tell(const std::string& what, const std::string& line) {
  if (std::exchange(told_[what], line) == line) return;
  output_.say(line);
  note(line);
}

void DeploymentLog::note(const std::string& line) {
  lines_.push_back(fmt::format("{} {}", time_text(session_.executor->now()), line));
}

void DeploymentLog::keep() {
  if (lines_.empty()) return;
  const absl::Status kept = await_done(
      *session_.executor, [&](auto done) { add_log_lines(*session_.client, key_, lines_, std::move(done)); });
  if (kept.ok()) lines_.clear();
}

std::string toggle_line(const DesiredService& service, bool on) {
  return fmt::format("{} is switched {}", full_name(service), on ? "on" : "off: agents leave it as it is");
}

std::string undeploy_line(const DesiredService& service, bool forget) {
  return fmt::format("{} {}: {}", full_name(service), service.release.version,
                     forget ? "is not wanted any more; what runs is left as it is" : "is to be gone from its nodes");
}

std::string time_text(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

std::string status_line(const ServiceStatus& status) {
  std::size_t right = 0;
  for (const NodeLine& line : status.nodes) {
    if (line.standing == NodeStanding::kAsWanted || line.standing == NodeStanding::kIgnored) ++right;
  }
  const std::string slice = status.slice == Slice::kNone ? "" : fmt::format("/{}", to_string(status.slice));
  std::string text = fmt::format("{}/{}{} {}: ", status.role, status.name, slice, status.version);
  text += status.action == DesiredAction::kInstall  ? status.phase
          : status.action == DesiredAction::kIgnore ? std::string("switched off")
                                                    : std::string("to be gone");
  text += fmt::format(", {} of {} nodes as wanted", right, status.nodes.size());
  if (!status.last_good.empty() && status.last_good != status.version) {
    text += fmt::format(", last good {}", status.last_good);
  }
  return status.why.empty() ? text : fmt::format("{}: {}", text, status.why);
}

std::string node_line(const NodeLine& line) {
  std::string text =
      fmt::format("  {:20} {:10} {}", line.node, to_string(line.standing), line.version.empty() ? "-" : line.version);
  if (!line.why.empty()) text += "  " + line.why;
  if (line.standing == NodeStanding::kChanging && line.report && line.report->percent > 0) {
    text += fmt::format(" ({} %)", line.report->percent);
  }
  if (line.out_of_traffic) text += "  (in maintenance: no traffic)";
  return text;
}

}  // namespace cli
