// deploy, cancel, toggle, undeploy on Environment Manager's keys.

#include "environment_command.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "convergence/codec.h"
#include "convergence/deployment.h"
#include "convergence/error.h"
#include "documents.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// What Environment Manager writes into every installation (environment-manager.md 1.4).
constexpr Duration kTheirDeadline = std::chrono::minutes(20);

EnvironmentRole role_of(const std::string& environment, const DesiredService& service) {
  return {environment, service.placement.role};
}

EnvironmentRecord wanted_record(const DesiredService& service) {
  return {service.name, service.slice, service.release.deployment};
}

const PastDeployment* deployment_wanted(const FleetsSeen& seen, const DesiredService& service) {
  for (const PastDeployment& one : seen.deployments) {
    if (one.deployment == service.release.deployment) return &one;
  }
  return nullptr;
}

// Reads, decides and writes; again where another was faster.
int read_and_write_keys(Session& session, const std::string& environment, DeploymentScope scope, Output& output,
                        const std::function<absl::StatusOr<int>(const EnvironmentSeen&)>& round) {
  return until_written(
      output, [&] { return environment_seen(session, environment, scope); }, round);
}

absl::Status write_keys(Session& session, const EnvironmentWrite& write, const EnvironmentRole& role, HeldByLocks held,
                        const Arguments& arguments) {
  if (arguments.has("dry-run")) return absl::OkStatus();
  return await_done(*session.executor, [&](auto done) {
    write_environment(*session.client, write, role, session.prefix, held, std::move(done));
  });
}

// A service's record in another form: what the verbs but deploy come to.
struct Change {
  DesiredService next{};
  EnvironmentWrite write{};
  std::string line{};
};

int change_record(const Arguments& arguments, const std::string& environment, Output& output,
                  const std::function<absl::StatusOr<Change>(const DesiredService&, const EnvironmentSeen&)>& change) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  return read_and_write_keys(
      *session, environment, DeploymentScope::kAll, output, [&](const EnvironmentSeen& seen) -> absl::StatusOr<int> {
        absl::StatusOr<DesiredService> service = service_named(seen.fleets, arguments.words.front());
        if (!service.ok()) return service.status();
        absl::StatusOr<Change> wanted = change(*service, seen);
        if (!wanted.ok()) return wanted.status();
        const bool already = wanted->write.operations.empty();
        const absl::Status written =
            write_keys(*session, wanted->write, role_of(environment, *service), HeldByLocks::kNo, arguments);
        if (!written.ok()) return written;
        if (output.json()) output.document(to_json(wanted->next));
        output.say(already                    ? wanted->line + " already"
                   : arguments.has("dry-run") ? "would be: " + wanted->line
                                              : wanted->line);
        return kDone;
      });
}

// ---- deploy ------------------------------------------------------------------------------------------------------

bool is_wanted_already(const DesiredService& there, const FleetsSeen& seen, const Arguments& arguments) {
  if (there.release.version != arguments.words[1] || there.action != DesiredAction::kInstall) return false;
  if (arguments.has("again") || arguments.has("file") || arguments.has("package") || arguments.has("packages"))
    return false;
  const PastDeployment* past = deployment_wanted(seen, there);
  return !past || past->overall.empty() || past->overall == to_string(OverallStatus::kInProgress) ||
         past->overall == to_string(OverallStatus::kSuccess);
}

// The service of a file, which need not say what an environment's services have in common.
absl::StatusOr<DesiredService> service_of_file(const Arguments& arguments) {
  absl::StatusOr<DesiredState> state = read_desired_files({arguments.get("file")});
  if (!state.ok()) return state.status();
  for (const DesiredService& given : state->services) {
    if (is_named(given, arguments.words[0])) return given;
  }
  return make_error(ErrorKind::kNotFound,
                    fmt::format("{}: has no service {}", arguments.get("file"), arguments.words[0]));
}

absl::StatusOr<DesiredService> service_to_deploy(const Arguments& arguments, const std::string& environment,
                                                 const EnvironmentSeen& seen, const std::string& deployment) {
  const std::string& version = arguments.words[1];
  absl::StatusOr<DesiredService> next =
      arguments.has("file") ? service_of_file(arguments) : service_named(seen.fleets, arguments.words[0]);
  if (!next.ok()) {
    if (error_kind(next.status()) != ErrorKind::kNotFound || arguments.has("file")) return next.status();
    return make_error(ErrorKind::kNotFound,
                      fmt::format("{}: no such service is wanted; give its document with -file", arguments.words[0]));
  }
  if (arguments.has("file")) {
    next->release.version = version;
    next->release.deployment = deployment;
    next->action = DesiredAction::kInstall;
  } else {
    next = environment_release(seen.kv, role_of(environment, *next), *next, version, deployment);
    if (!next.ok()) return next.status();
  }
  const PackageName name = {next->name, version, environment};
  if (absl::Status status = take_package(arguments, DigestOf::kMayBeUnknown, name, next->release.package);
      !status.ok()) {
    return status;
  }
  if (next->release.package.source.empty()) {
    return make_error(
        ErrorKind::kUsage,
        fmt::format("deploy: no package of {} {} is known; name it with -package or -packages", next->name, version));
  }
  if (next->release.deadline == Duration::zero()) next->release.deadline = kTheirDeadline;
  return next;
}

std::string end_line(const DesiredService& service, const ServiceStatus& status, const std::string& end) {
  std::string line = fmt::format("{} {}: {}", service.name, service.release.version, end);
  for (const NodeLine& node : status.nodes) {
    if (node.standing == NodeStanding::kFailed) line += fmt::format("; {}: {}", node.node, node.why);
  }
  return line;
}

// Tells what changes until the deployment has ended, and has K4 say that it has.
int wait_for_end(Session& session, const EnvironmentRole& role, const DesiredService& service,
                 const Arguments& arguments, Output& output) {
  const absl::StatusOr<std::optional<Duration>> limit = duration_flag(arguments, "timeout");
  if (!limit.ok()) return output.fail(limit.status(), kBadInput);
  const Time until = session.executor->now() + limit->value_or(std::chrono::hours(1));
  const std::string name = fmt::format("{}/{}/{}", role.role, service.name, to_string(service.slice));
  DeploymentLog log(session, output, deployment_record_key(service.release.deployment));
  std::uint64_t index = 0;
  for (;;) {
    absl::StatusOr<std::string> end = await<std::string>(*session.executor, [&](auto done) {
      settle_overall_status(*session.client, role, service.release.deployment, std::move(done));
    });
    if (!end.ok()) return output.fail(end.status());
    absl::StatusOr<EnvironmentSeen> seen = environment_seen(session, role.environment, DeploymentScope::kWanted);
    if (!seen.ok()) return output.fail(seen.status());
    absl::StatusOr<ServiceStatus> status = status_of(service, seen->fleets.catalog, reports_of(seen->fleets, service));
    if (!status.ok()) return output.fail(status.status());
    status->phase = end->empty() ? "forgotten" : *end;
    log.tell("", status_line(*status));
    for (const NodeLine& line : status->nodes) log.tell(line.node, node_line(line));
    log.keep();
    if (*end != to_string(OverallStatus::kInProgress)) {
      const bool good = *end == to_string(OverallStatus::kSuccess);
      if (output.json()) output.document(to_json(*status).set("end", status->phase));
      if (good || output.json()) return good ? kDone : kFailed;
      return output.fail(make_error(ErrorKind::kRefused, end_line(service, *status, status->phase)), kFailed);
    }
    if (session.executor->now() >= until || stop_requested()) {
      return output.fail(make_error(ErrorKind::kTimeout, fmt::format("{} {}: has not ended yet; it goes on without us",
                                                                     service.name, service.release.version)),
                         kFailed);
    }
    // A report changes, or a second passes: the catalog is looked at that often.
    ReadOptions change = session.read;
    change.wait_index = index;
    change.wait = std::chrono::seconds(1);
    const std::string folder = fmt::format("deployments/{}/", service.release.deployment);
    const auto changed = await<Answer<std::vector<KvPair>>>(
        *session.executor, [&](auto done) { session.client->kv_recurse(folder, change, std::move(done)); });
    if (changed.ok()) index = changed->index;
  }
}

}  // namespace

absl::StatusOr<std::string> environment_of(const Arguments& arguments) {
  std::string name = arguments.get("environment");
  if (arguments.has("environment") && name.empty()) return make_error(ErrorKind::kUsage, "-environment has no name");
  return name;
}

absl::StatusOr<EnvironmentSeen> environment_seen(Session& session, const std::string& environment,
                                                 DeploymentScope scope) {
  return await<EnvironmentSeen>(*session.executor, [&](auto done) {
    read_environment(*session.client, environment, session.prefix, scope, session.read, std::move(done));
  });
}

int deploy_in_environment(const Arguments& arguments, const std::string& environment, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  std::random_device random;
  const std::uint64_t own = std::uint64_t{random()} << 32 | random();
  const std::string deployment = arguments.get("deployment", deployment_uuid(session->executor->now(), own));
  // An id that is given may be spent already.
  const DeploymentScope scope = arguments.has("deployment") ? DeploymentScope::kAll : DeploymentScope::kWanted;
  DesiredService after;
  const int code = read_and_write_keys(
      *session, environment, scope, output, [&](const EnvironmentSeen& seen) -> absl::StatusOr<int> {
        const absl::StatusOr<DesiredService> there = service_named(seen.fleets, arguments.words[0]);
        if (there.ok() && is_wanted_already(*there, seen.fleets, arguments)) {
          after = *there;
          output.say(fmt::format("{} {} is wanted already", full_name(after), after.release.version));
          if (output.json() && !arguments.has("wait")) output.document(to_json(after));
          return kDone;
        }
        absl::StatusOr<DesiredService> next = service_to_deploy(arguments, environment, seen, deployment);
        if (!next.ok()) return next.status();
        after = *next;
        EnvironmentOrder order;
        order.service = after;
        order.role = role_of(environment, after);
        order.asked = asked_by(arguments, *session);
        if (there.ok()) order.before = there->release.deployment;
        after.placement.node_meta["environment"] = environment;
        after.id = after.registered_name = environment_service_id(order.role, after.name, after.slice);
        const absl::StatusOr<ServiceFleet> fleet = fleet_of(after, seen.fleets.catalog, {});
        if (!fleet.ok()) return fleet.status();
        order.nodes = static_cast<std::int32_t>(fleet->nodes.size());
        const absl::StatusOr<EnvironmentWrite> write = deploy_environment(order, seen.kv);
        if (!write.ok()) return write.status();
        const absl::Status written = write_keys(*session, *write, order.role, HeldByLocks::kYes, arguments);
        if (!written.ok()) return written;
        if (output.json() && !arguments.has("wait")) output.document(to_json(after));
        output.say(fmt::format("{}{}: {} -> {} ({})", arguments.has("dry-run") ? "would be: " : "", full_name(after),
                               there.ok() ? there->release.version : "nothing", after.release.version, deployment));
        for (const std::string& field : write->left_out) output.say("  has no place there: " + field);
        return kDone;
      });
  if (code != kDone || !arguments.has("wait") || arguments.has("dry-run")) return code;
  catch_stop_signals();
  return wait_for_end(*session, role_of(environment, after), after, arguments, output);
}

int cancel_in_environment(const Arguments& arguments, const std::string& environment, Output& output) {
  return change_record(
      arguments, environment, output,
      [&](const DesiredService& service, const EnvironmentSeen& seen) -> absl::StatusOr<Change> {
        const EnvironmentRole role = role_of(environment, service);
        const auto back = last_good_of(service, role, seen.fleets.deployments, seen.kv);
        absl::StatusOr<EnvironmentWrite> write = cancel_environment(wanted_record(service), back, role, seen.kv);
        if (!write.ok()) return write.status();
        Change change{service, *std::move(write), {}};
        if (back) {
          change.next.release.version = back->version;
          change.next.release.deployment = back->deployment;
        } else {
          change.next.action = DesiredAction::kIgnore;
        }
        change.line = fmt::format("{} {}: taken back, {}", full_name(service), service.release.version,
                                  back ? "to " + back->version : "and switched off: nodes keep what they run");
        return change;
      });
}

int toggle_in_environment(const Arguments& arguments, const std::string& environment, bool on, Output& output) {
  return change_record(arguments, environment, output,
                       [&](const DesiredService& service, const EnvironmentSeen& seen) -> absl::StatusOr<Change> {
                         Change change{toggle(service, on), {}, toggle_line(service, on)};
                         absl::StatusOr<EnvironmentWrite> write = toggle_environment(
                             wanted_record(service), change.next.action, role_of(environment, service), seen.kv);
                         if (!write.ok()) return write.status();
                         change.write = *std::move(write);
                         return change;
                       });
}

int undeploy_in_environment(const Arguments& arguments, const std::string& environment, Output& output) {
  const Undeploy how = arguments.has("forget") ? Undeploy::kForget : Undeploy::kUninstall;
  return change_record(arguments, environment, output,
                       [&](const DesiredService& service, const EnvironmentSeen& seen) -> absl::StatusOr<Change> {
                         Change change{service, {}, undeploy_line(service, how == Undeploy::kForget)};
                         if (how == Undeploy::kUninstall) change.next.action = DesiredAction::kUninstall;
                         absl::StatusOr<EnvironmentWrite> write =
                             undeploy_environment(wanted_record(service), how, role_of(environment, service), seen.kv);
                         if (!write.ok()) return write.status();
                         change.write = *std::move(write);
                         return change;
                       });
}

}  // namespace cli
