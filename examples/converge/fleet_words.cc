#include "fleet_words.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
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
  return text;
}

}  // namespace cli
