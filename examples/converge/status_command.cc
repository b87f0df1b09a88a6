// status, diff, logs, history: how deployments stand and stood.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/slices.h"
#include "environment_command.h"
#include "fleet_words.h"
#include "plan_command.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// Environment Manager's word for how a deployment stands, where its keys are looked at.
std::string told_phase(const FleetsSeen& seen, const ServiceStatus& status) {
  for (const PastDeployment& one : seen.deployments) {
    if (one.role == status.role && one.deployment == status.deployment) return one.overall;
  }
  return "";
}

// The services that the words name, all without any; each with how it stands.
absl::StatusOr<std::vector<ServiceStatus>> statuses(const FleetsSeen& seen, const std::vector<std::string>& words) {
  std::vector<ServiceStatus> out;
  std::map<std::string, bool> used;
  for (const DesiredService& service : seen.services) {
    bool named = words.empty();
    for (const std::string& word : words) {
      if (is_named(service, word)) named = used[word] = true;
    }
    if (!named) continue;
    absl::StatusOr<ServiceStatus> status = status_of(service, seen.catalog, reports_of(seen, service));
    if (!status.ok()) return status.status();
    if (std::string phase = told_phase(seen, *status); !phase.empty()) status->phase = std::move(phase);
    out.push_back(*std::move(status));
  }
  for (const std::string& word : words) {
    if (!used[word]) return service_named(seen, word).status();
  }
  return out;
}

absl::StatusOr<FleetsSeen> look(const Arguments& arguments, DeploymentScope scope) {
  const absl::StatusOr<std::string> environment = environment_of(arguments);
  if (!environment.ok()) return environment.status();
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return session.status();
  if (environment->empty()) return fleets_of(*session);
  absl::StatusOr<EnvironmentSeen> seen = environment_seen(*session, *environment, scope);
  if (!seen.ok()) return seen.status();
  return std::move(seen->fleets);
}

SliceTraffic traffic_of(const ServiceStatus& status, const FleetsSeen& seen) {
  for (const DesiredService& service : seen.services) {
    if (service_id(service) != status.service_id || service.placement.role != status.role) continue;
    return slice_traffic(live_slice(service_name(service), seen.catalog.entries), service.slice);
  }
  return SliceTraffic::kNoSlice;
}

bool right(const NodeLine& line) { return line.standing == NodeStanding::kAsWanted; }

Json json_of(const UnexpectedInstance& instance) {
  return Json()
      .set("node", instance.node)
      .set("service", instance.service)
      .set("service_id", instance.service_id)
      .set("version", instance.version);
}

// "shop", "web/shop", "web/shop/blue"; and the id, with its role or without.
bool is_word_for(std::string word, const PastDeployment& one, const std::string& environment) {
  if (word.starts_with(one.role + "/")) word = word.substr(one.role.size() + 1);
  if (word == one.service_id) return true;
  std::ranges::replace(word, '/', '-');
  const std::string id = environment.empty() ? word : fmt::format("{}-{}", environment, word);
  return one.service_id == id || one.service_id == id + "-blue" || one.service_id == id + "-green";
}

bool speaks_of(const std::vector<std::string>& words, const PastDeployment& one, const Arguments& arguments) {
  return words.empty() || std::ranges::any_of(words, [&](const std::string& word) {
           return is_word_for(word, one, arguments.get("environment"));
         });
}

// The report of a node, by its name or by that of its instance.
const NodeReport* report_of(const PastDeployment& one, const std::string& node) {
  for (const auto& [name, report] : one.reports) {
    if (name == node || report.node == node) return &report;
  }
  return nullptr;
}

std::string tally(const PastDeployment& one) {
  std::map<NodeStatus, int> count;
  for (const auto& [node, report] : one.reports) ++count[report.status];
  std::string text = fmt::format("{} of {} nodes done", count[NodeStatus::kSuccess], one.reports.size());
  if (int failed = count[NodeStatus::kFailed]) text += fmt::format(", {} failed", failed);
  if (int open = count[NodeStatus::kInProgress]) text += fmt::format(", {} at it", open);
  return text;
}

}  // namespace

int run_status(const Arguments& arguments, Output& output) {
  const absl::StatusOr<FleetsSeen> seen = look(arguments, DeploymentScope::kWanted);
  if (!seen.ok()) return output.fail(seen.status());
  absl::StatusOr<std::vector<ServiceStatus>> all = statuses(*seen, arguments.words);
  if (!all.ok()) return output.fail(all.status());
  if (output.json()) {
    Json::Array services;
    for (const ServiceStatus& status : *all) {
      Json& one = services.emplace_back(to_json(status));
      if (status.slice != Slice::kNone) one.set("traffic", to_string(traffic_of(status, *seen)));
    }
    Json::Array locks;
    for (const DeployLock& lock : seen->locks) locks.push_back(to_json(lock).set("scope", lock.scope));
    output.document(Json()
                        .set("services", Json(std::move(services)))
                        .set("locks", Json(std::move(locks)))
                        .set("broken", broken_json(seen->broken)));
    return kDone;
  }
  for (const DeployLock& lock : seen->locks) {
    output.say(fmt::format("locked: {} by {}", lock.scope, describe(lock.asked)));
  }
  for (const ServiceStatus& status : *all) {
    std::string head = status_line(status);
    if (status.slice != Slice::kNone) head += fmt::format(", traffic: {}", to_string(traffic_of(status, *seen)));
    output.say(head);
    for (const NodeLine& line : status.nodes) output.say(node_line(line));
  }
  if (all->empty()) output.say("no service is wanted");
  say_broken(seen->broken, output);
  return kDone;
}

int run_diff(const Arguments& arguments, Output& output) {
  const absl::StatusOr<FleetsSeen> seen = look(arguments, DeploymentScope::kWanted);
  if (!seen.ok()) return output.fail(seen.status());
  absl::StatusOr<std::vector<ServiceStatus>> all = statuses(*seen, arguments.words);
  if (!all.ok()) return output.fail(all.status());
  // What is not named here may be wanted there: instances are unexpected only where all is looked at.
  std::vector<UnexpectedInstance> unexpected;
  if (arguments.words.empty() && seen->broken.empty()) {
    const std::string environment = arguments.get("environment");
    auto found = environment.empty() ? unexpected_instances(seen->services, seen->catalog, prefix_of(arguments))
                                     : unexpected_in_environment(seen->services, seen->catalog, environment);
    if (!found.ok()) return output.fail(found.status());
    unexpected = *std::move(found);
  }
  Json::Array differences;
  std::size_t same = 0;
  for (const ServiceStatus& status : *all) {
    for (const NodeLine& line : status.nodes) {
      if (right(line)) {
        ++same;
        continue;
      }
      differences.push_back(Json()
                                .set("node", line.node)
                                .set("service_id", status.service_id)
                                .set("standing", to_string(line.standing))
                                .set("version", line.version)
                                .set("wanted", line.wanted)
                                .set("why", line.why));
      output.say(fmt::format("{:10} {} on {}: {}", to_string(line.standing), status.service_id, line.node, line.why));
    }
  }
  Json::Array extra;
  for (const UnexpectedInstance& one : unexpected) {
    extra.push_back(json_of(one));
    output.say(fmt::format("unexpected {} on {}: {} is wanted by nobody", one.service_id, one.node,
                           one.version.empty() ? "it" : one.version));
  }
  const bool equal = differences.empty() && extra.empty();
  if (output.json()) {
    output.document(Json()
                        .set("same", static_cast<std::int64_t>(same))
                        .set("differences", Json(std::move(differences)))
                        .set("unexpected", Json(std::move(extra)))
                        .set("broken", broken_json(seen->broken)));
  }
  if (equal) output.say(fmt::format("no difference: {} instances as wanted", same));
  say_broken(seen->broken, output);
  return equal || !arguments.has("detailed-exitcode") ? kDone : kChanges;
}

int run_logs(const Arguments& arguments, Output& output) {
  if (arguments.words.empty()) {
    return output.fail(make_error(ErrorKind::kUsage, "converge logs: needs the name of a node; see --help"), kBadInput);
  }
  const std::string node = arguments.words.front();
  const std::vector<std::string> services(arguments.words.begin() + 1, arguments.words.end());
  const absl::StatusOr<FleetsSeen> seen = look(arguments, DeploymentScope::kAll);
  if (!seen.ok()) return output.fail(seen.status());
  Json::Array documents;
  std::map<std::string, bool> told;  // of each service its latest deployment, unless all are asked for
  for (const PastDeployment& one : seen->deployments) {
    const NodeReport* found = report_of(one, node);
    if (!found || !speaks_of(services, one, arguments)) continue;
    if (std::exchange(told[one.role + "/" + one.service_id], true) && !arguments.has("all")) continue;
    const NodeReport& report = *found;
    documents.push_back(
        Json().set("service_id", one.service_id).set("deployment", one.deployment).set("report", to_json(report)));
    output.say(fmt::format("{} {} ({}) since {}: {}{}{}", one.service_id, report.version, one.deployment,
                           time_text(report.start), to_string(report.status), report.reason.empty() ? "" : ": ",
                           report.reason));
    for (const std::string& line : report.log_tail) output.say("  " + line);
    if (!report.log.empty()) output.say("  the whole log: " + report.log);
    if (!report.log_problem.empty()) output.say("  the log is not shipped yet: " + report.log_problem);
  }
  const bool none = documents.empty();
  if (output.json()) output.document(Json(std::move(documents)));
  if (none) {
    return output.fail(make_error(ErrorKind::kNotFound, fmt::format("{}: has reported no deployment", node)), kFailed);
  }
  return kDone;
}

int run_history(const Arguments& arguments, Output& output) {
  const absl::StatusOr<FleetsSeen> seen = look(arguments, DeploymentScope::kAll);
  if (!seen.ok()) return output.fail(seen.status());
  const absl::StatusOr<std::optional<long>> most = integer_flag(arguments, "most", 1, 100000);
  if (!most.ok()) return output.fail(most.status(), kBadInput);
  Json::Array documents;
  for (const PastDeployment& one : seen->deployments) {
    if (!speaks_of(arguments.words, one, arguments)) continue;
    if (documents.size() == static_cast<std::size_t>(most->value_or(20))) break;
    documents.push_back(to_json(one));
    // Their ids say nothing of the version; ours are made of it.
    const bool theirs = arguments.has("environment") && one.record;
    const std::string name = theirs ? fmt::format("{} ({})", one.record->version, one.deployment) : one.deployment;
    std::string text =
        fmt::format("{}  {}/{} {}: {}", time_text(began(one)), one.role, one.service_id, name, tally(one));
    if (!one.overall.empty()) text += ", " + one.overall;
    if (one.record) text += ", asked for by " + describe(one.record->asked);
    output.say(text);
    if (one.record && arguments.has("log")) {
      for (const std::string& line : one.record->log) output.say("  " + line);
    }
    for (const auto& [node, report] : one.reports) {
      if (report.status == NodeStatus::kFailed) output.say(fmt::format("  {} failed: {}", node, report.reason));
    }
  }
  if (documents.empty()) output.say("no deployment");
  if (output.json()) output.document(Json(std::move(documents)));
  return kDone;
}

}  // namespace cli
