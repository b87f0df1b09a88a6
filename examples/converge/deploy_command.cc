// deploy, cancel, toggle, undeploy, lock, maintenance, policy: what people change.

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "documents.h"
#include "environment_command.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

absl::Status usage(const std::string& problem) { return make_error(ErrorKind::kUsage, problem); }

// The last word, behind `before` others; nothing for another one or another number of them.
std::optional<bool> on_or_off(const Arguments& arguments, std::size_t before) {
  if (arguments.words.size() != before + 1) return std::nullopt;
  if (arguments.words.back() == "on") return true;
  return arguments.words.back() == "off" ? std::optional(false) : std::nullopt;
}

// The service as the file has it, with what the document that is there knows.
absl::StatusOr<DesiredService> from_file(const Arguments& arguments, const FleetsSeen& seen, const std::string& word) {
  absl::StatusOr<DesiredState> state = read_desired_files({arguments.get("file")});
  if (!state.ok()) return state.status();
  for (const DesiredService& given : state->services) {
    if (!is_named(given, word)) continue;
    for (const DesiredService& there : seen.services) {
      if (full_name(there) != full_name(given)) continue;
      DesiredService merged = given;
      merged.generation = there.generation;
      merged.progress = there.progress;
      merged.last_good = there.last_good;
      merged.modify_index = there.modify_index;
      merged.action = there.action;
      return merged;
    }
    return given;
  }
  return make_error(ErrorKind::kNotFound, fmt::format("{}: has no service {}", arguments.get("file"), word));
}

struct Intent {
  DesiredService before{};
  DesiredService after{};
};

absl::StatusOr<Intent> intent_of(const Arguments& arguments, const FleetsSeen& seen) {
  const std::string& word = arguments.words[0];
  absl::StatusOr<DesiredService> there = service_named(seen, word);
  absl::StatusOr<DesiredService> base = arguments.has("file") ? from_file(arguments, seen, word) : there;
  if (!base.ok()) {
    if (error_kind(base.status()) != ErrorKind::kNotFound || arguments.has("file")) return base.status();
    return make_error(ErrorKind::kNotFound,
                      fmt::format("{}: no such service is wanted; give its document with -file", word));
  }
  Intent intent;
  if (there.ok()) intent.before = *there;
  Release release = base->release;
  release.version = arguments.words[1];
  release.deployment = arguments.get("deployment");
  if (absl::Status status =
          take_package(arguments, DigestOf::kHasToBeKnown, {base->name, release.version, ""}, release.package);
      !status.ok()) {
    return status;
  }
  const bool other = there.ok() && there->release.version != release.version;
  if (other && !release.package.source.empty() && release.package == there->release.package) {
    return usage(
        fmt::format("deploy: the package that is there is that of {}; name the one of {} with -package or -file",
                    there->release.version, release.version));
  }
  // Compared with what is wanted now; whatever else the file says comes with it.
  DesiredService now = there.ok() ? *there : *base;
  if (!there.ok()) now.generation = 0;
  DesiredService next = deploy(now, release, arguments.has("again"));
  if (!there.ok() || !(next == *there)) {
    const std::uint64_t generation = next.generation;
    next = *base;
    next.release = release;
    next.generation = generation;
    next.action = DesiredAction::kInstall;
  }
  intent.after = std::move(next);
  return intent;
}

Json json_of(const ServiceStatus& status, RolloutEnd end) { return to_json(status).set("end", to_string(end)); }

// Tells what changes until the deployment has ended.
int wait_for(Session& session, const DesiredService& service, const Arguments& arguments, Output& output) {
  const absl::StatusOr<std::optional<Duration>> limit = duration_flag(arguments, "timeout");
  if (!limit.ok()) return output.fail(limit.status(), kBadInput);
  const Time until = session.executor->now() + limit->value_or(std::chrono::hours(1));
  DesiredState one;
  one.services = {service};
  const std::string key = desired_to_kv(one, session.prefix).front().key;
  DeploymentLog log(session, output, deployment_folder(session.prefix, service) + "record");
  for (;;) {
    absl::StatusOr<FleetsSeen> seen = fleets_of(session);
    if (!seen.ok()) return output.fail(seen.status());
    absl::StatusOr<DesiredService> now =
        service_named(*seen, fmt::format("{}/{}/{}", service.placement.role, service.name, to_string(service.slice)));
    if (!now.ok()) return output.fail(now.status());
    absl::StatusOr<ServiceStatus> status = status_of(*now, seen->catalog, reports_of(*seen, *now));
    if (!status.ok()) return output.fail(status.status());
    log.tell("", status_line(*status));
    for (const NodeLine& line : status->nodes) log.tell(line.node, node_line(line));
    log.keep();
    const RolloutEnd end = end_of(*now, service.generation, *status);
    if (end != RolloutEnd::kUnderWay) {
      if (output.json()) output.document(json_of(*status, end));
      if (end == RolloutEnd::kGood) return kDone;
      return output.json()
                 ? kFailed
                 : output.fail(make_error(ErrorKind::kRefused,
                                          fmt::format("{} {}: {}{}{}", service.name, service.release.version,
                                                      end == RolloutEnd::kSuperseded ? "superseded" : "taken back",
                                                      status->why.empty() ? "" : ": ", status->why)),
                               kFailed);
    }
    if (session.executor->now() >= until || stop_requested()) {
      return output.fail(make_error(ErrorKind::kTimeout, fmt::format("{} {}: has not ended yet; it goes on without us",
                                                                     service.name, service.release.version)),
                         kFailed);
    }
    // The document changes, or a second passes: reports of nodes are looked at that often.
    ReadOptions change = session.read;
    change.wait_index = now->modify_index;
    change.wait = std::chrono::seconds(1);
    (void)await<Answer<std::optional<KvPair>>>(
        *session.executor, [&](auto done) { session.client->kv_get(key, change, std::move(done)); });
  }
}

int read_and_write(Session& session, Output& output,
                   const std::function<absl::StatusOr<int>(const FleetsSeen& seen)>& round) {
  return until_written(
      output, [&] { return fleets_of(session); }, round);
}

// Writes a changed document and tells of it.
absl::StatusOr<int> write(Session& session, const DesiredChange& change, const std::string& line,
                          const Arguments& arguments, Output& output) {
  DesiredState one;
  one.services = {change.service};
  if (absl::Status valid = validate(one); !valid.ok()) return valid;
  if (!arguments.has("dry-run")) {
    const absl::Status status = await_done(
        *session.executor, [&](auto done) { write_change(*session.client, session.prefix, change, std::move(done)); });
    if (!status.ok()) return status;
  }
  if (output.json() && !arguments.has("wait")) output.document(to_json(change.service));
  output.say(arguments.has("dry-run") ? "would be: " + line : line);
  return kDone;
}

absl::Status names_a_service(const Arguments& arguments, std::string_view verb) {
  if (!arguments.words.empty()) return absl::OkStatus();
  return usage(fmt::format("converge {}: needs the name of a service; see --help", verb));
}

// The service that a verb is about; `change` gives its document as it is to be.
int change_service(const Arguments& arguments, Output& output, std::string_view verb,
                   const std::function<absl::StatusOr<DesiredService>(const DesiredService&, const Asked&)>& change,
                   const std::function<std::string(const DesiredService&)>& line) {
  if (absl::Status named = names_a_service(arguments, verb); !named.ok()) return output.fail(named);
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  return read_and_write(*session, output, [&](const FleetsSeen& seen) -> absl::StatusOr<int> {
    absl::StatusOr<DesiredService> service = service_named(seen, arguments.words.front());
    if (!service.ok()) return service.status();
    absl::StatusOr<DesiredService> next = change(*service, asked_by(arguments, *session));
    if (!next.ok()) return next.status();
    if (!(*next == *service)) return write(*session, {*next, std::nullopt}, line(*next), arguments, output);
    if (output.json()) output.document(to_json(*next));
    output.say(line(*next) + " already");
    return kDone;
  });
}

// The document goes, and with it all that is known of the service but its reports.
int forget(const Arguments& arguments, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  return read_and_write(*session, output, [&](const FleetsSeen& seen) -> absl::StatusOr<int> {
    absl::StatusOr<DesiredService> service = service_named(seen, arguments.words.front());
    if (!service.ok()) return service.status();
    DesiredState one;
    one.services = {*service};
    const std::string key = desired_to_kv(one, session->prefix).front().key;
    if (!arguments.has("dry-run")) {
      const absl::StatusOr<bool> gone = await<bool>(*session->executor, [&](auto done) {
        session->client->kv_delete(key, service->modify_index, {}, std::move(done));
      });
      if (!gone.ok()) return gone.status();
      if (!*gone) return make_error(ErrorKind::kConflict, fmt::format("{}: has changed meanwhile; look again", key));
    }
    if (output.json()) output.document(to_json(*service));
    output.say((arguments.has("dry-run") ? "would be: " : "") + undeploy_line(*service, true));
    return kDone;
  });
}

}  // namespace

int run_deploy(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 2) {
    return output.fail(usage("converge deploy: needs a service and a version; see --help"), kBadInput);
  }
  const absl::StatusOr<std::string> environment = environment_of(arguments);
  if (!environment.ok()) return output.fail(environment.status());
  if (!environment->empty()) return deploy_in_environment(arguments, *environment, output);
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  DesiredService after;
  const int code = read_and_write(*session, output, [&](const FleetsSeen& seen) -> absl::StatusOr<int> {
    absl::StatusOr<Intent> intent = intent_of(arguments, seen);
    if (!intent.ok()) return intent.status();
    after = intent->after;
    if (intent->before == after) {
      output.say(fmt::format("{} {} is wanted already", full_name(after), after.release.version));
      if (output.json() && !arguments.has("wait")) output.document(to_json(after));
      return kDone;
    }
    const DesiredChange change{
        after, DeploymentRecord{after.release.version, after.generation, asked_by(arguments, *session)}};
    const std::string before = intent->before.name.empty() ? "nothing" : intent->before.release.version;
    return write(
        *session, change,
        fmt::format("{}: {} -> {} ({})", full_name(after), before, after.release.version, deployment_key(after)),
        arguments, output);
  });
  if (code != kDone || !arguments.has("wait") || arguments.has("dry-run")) return code;
  catch_stop_signals();
  return wait_for(*session, after, arguments, output);
}

int run_cancel(const Arguments& arguments, Output& output) {
  if (absl::Status named = names_a_service(arguments, "cancel"); !named.ok()) return output.fail(named);
  const absl::StatusOr<std::string> environment = environment_of(arguments);
  if (!environment.ok()) return output.fail(environment.status());
  if (!environment->empty()) return cancel_in_environment(arguments, *environment, output);
  return change_service(arguments, output, "cancel", cancel, [](const DesiredService& next) {
    return fmt::format("{} {}: taken back ({}), {}", full_name(next), next.release.version, next.progress.why,
                       next.last_good ? "to " + next.last_good->version : "nodes keep what they run");
  });
}

int run_toggle(const Arguments& arguments, Output& output) {
  const std::optional<bool> asked_on = on_or_off(arguments, 1);
  if (!asked_on) {
    return output.fail(usage("converge toggle: needs a service, and on or off; see --help"), kBadInput);
  }
  const bool on = *asked_on;
  const absl::StatusOr<std::string> environment = environment_of(arguments);
  if (!environment.ok()) return output.fail(environment.status());
  if (!environment->empty()) return toggle_in_environment(arguments, *environment, on, output);
  return change_service(
      arguments, output, "toggle", [on](const DesiredService& service, const Asked&) { return toggle(service, on); },
      [on](const DesiredService& next) { return toggle_line(next, on); });
}

int run_undeploy(const Arguments& arguments, Output& output) {
  if (absl::Status named = names_a_service(arguments, "undeploy"); !named.ok()) return output.fail(named);
  const absl::StatusOr<std::string> environment = environment_of(arguments);
  if (!environment.ok()) return output.fail(environment.status());
  if (!environment->empty()) return undeploy_in_environment(arguments, *environment, output);
  if (arguments.has("forget")) return forget(arguments, output);
  return change_service(
      arguments, output, "undeploy",
      [](const DesiredService& service, const Asked&) {
        DesiredService next = service;
        next.action = DesiredAction::kUninstall;
        return next;
      },
      [](const DesiredService& next) { return undeploy_line(next, false); });
}

int run_lock(const Arguments& arguments, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  DeployLock lock;
  lock.scope = arguments.has("role")   ? "roles/" + arguments.get("role")
               : arguments.has("node") ? "nodes/" + arguments.get("node")
                                       : "all";
  if (absl::Status valid = check_lock_scope(lock.scope); !valid.ok()) return output.fail(valid, kBadInput);
  const std::optional<bool> on = on_or_off(arguments, 0);
  if (!on) return output.fail(usage("converge lock: needs on or off; see --help"), kBadInput);
  const bool off = !*on;
  std::string line = fmt::format("{} {}", lock.scope, off ? "is not locked any more" : "is locked");
  if (!arguments.has("dry-run")) {
    if (off) {
      absl::StatusOr<bool> there = await<bool>(*session->executor, [&](auto done) {
        remove_lock(*session->client, session->prefix, lock.scope, std::move(done));
      });
      if (!there.ok()) return output.fail(there.status());
      if (!*there) line = lock.scope + " was not locked";
    } else {
      lock.asked = asked_by(arguments, *session);
      const absl::Status put = await_done(
          *session->executor, [&](auto done) { put_lock(*session->client, session->prefix, lock, std::move(done)); });
      if (!put.ok()) return output.fail(put);
    }
  }
  if (output.json()) output.document(to_json(lock).set("scope", lock.scope).set("locked", !off));
  output.say(line);
  return kDone;
}

int run_maintenance(const Arguments& arguments, Output& output) {
  const std::optional<bool> asked_on = on_or_off(arguments, 1);
  if (!asked_on) {
    return output.fail(usage("converge maintenance: needs a node, and on or off; see --help"), kBadInput);
  }
  const bool on = *asked_on;
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  const std::string& node = arguments.words[0];
  if (node.empty() || node.find('/') != std::string::npos) {
    return output.fail(usage(fmt::format("converge maintenance: \"{}\" is no name of a node", node)), kBadInput);
  }
  ConsulClient::KvPut put;
  // K7 of Environment Manager is cleared by writing nothing (environment-manager.md 1.1); so is ours.
  put.key = arguments.has("environment-manager") ? cold_standby_key(node) : maintenance_key(session->prefix, node);
  put.value = on ? arguments.get("reason", "In Maintenance") : "";
  if (!arguments.has("dry-run")) {
    absl::StatusOr<bool> written =
        await<bool>(*session->executor, [&](auto done) { session->client->kv_put(put, {}, std::move(done)); });
    if (!written.ok()) return output.fail(written.status());
  }
  if (output.json()) output.document(Json().set("node", node).set("maintenance", on).set("reason", put.value));
  output.say(fmt::format("{}: {}", node, on ? "in maintenance: no traffic goes there" : "out of maintenance"));
  return kDone;
}

int run_policy(const Arguments& arguments, Output& output) {
  const std::string who = arguments.words.size() == 1 ? arguments.words[0] : "";
  if (who != "agent" && who != "operator") {
    return output.fail(usage("converge policy: needs agent or operator; see --help"), kBadInput);
  }
  AclScope scope;
  scope.prefix = prefix_of(arguments);
  scope.environment = arguments.get("environment");
  scope.role = arguments.get("role");
  scope.node = arguments.get("node");
  scope.services = arguments.all("service");
  const std::string rules = who == "agent" ? agent_rules(scope) : operator_rules(scope);
  if (output.json()) {
    output.document(Json().set("rules", rules));
  } else {
    output.say(rules.substr(0, rules.size() - 1));
  }
  return kDone;
}

}  // namespace cli
