// collect: what deployments that ended have left in KV goes.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/error.h"
#include "convergence/fleet_driver.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// As other durations, and in days: 30d.
absl::StatusOr<Duration> retention_flag(const Arguments& arguments) {
  Arguments hours = arguments;
  const std::string given = arguments.get("older-than", "30d");
  std::string text = given;
  if (text.ends_with('d')) {
    Arguments days;
    days.flags["older-than"] = text.substr(0, text.size() - 1);
    const absl::StatusOr<std::optional<long>> count = integer_flag(days, "older-than", 1, 36500);
    if (!count.ok()) return absl::InvalidArgumentError(fmt::format("--older-than={}: is no number of days", given));
    text = fmt::format("{}h", 24 * **count);
  }
  hours.flags["older-than"] = text;
  const absl::StatusOr<std::optional<Duration>> retention = duration_flag(hours, "older-than");
  if (!retention.ok()) return retention.status();
  return **retention;
}

std::string line_of(const CollectUnit& unit, bool dry_run) {
  return fmt::format("{} {} {}: {} keys, last sign {}", to_string(unit.kind), unit.name, dry_run ? "would go" : "goes",
                     unit.keys.size(), time_text(unit.last_sign));
}

Json json_of(const Collected& collected) {
  Json::Array changed;
  for (const std::string& name : collected.changed) changed.push_back(Json(name));
  return to_json(collected.plan)
      .set("keys", static_cast<std::int64_t>(collected.keys))
      .set("changed", Json(std::move(changed)));
}

}  // namespace

int run_collect(const Arguments& arguments, Output& output) {
  if (!arguments.words.empty()) {
    return output.fail(make_error(ErrorKind::kUsage, "converge collect: takes no words; see --help"), kBadInput);
  }
  const absl::StatusOr<Duration> retention = retention_flag(arguments);
  if (!retention.ok()) return output.fail(retention.status(), kBadInput);
  CollectOptions options;
  options.rules.retention = *retention;
  options.environment = arguments.get("environment");
  options.dry_run = arguments.has("dry-run");
  if (arguments.has("environment") && options.environment.empty()) {
    return output.fail(make_error(ErrorKind::kUsage, "converge collect: --environment has no name"), kBadInput);
  }
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  const absl::StatusOr<Collected> collected = await<Collected>(*session->executor, [&](auto done) {
    collect_ended(*session->client, session->prefix, options, session->executor->now(), std::move(done));
  });
  if (!collected.ok()) return output.fail(collected.status());
  for (const CollectUnit& unit : collected->plan.goes) output.say(line_of(unit, options.dry_run));
  for (const std::string& name : collected->changed) output.say(name + " has changed meanwhile: not all of it went");
  if (output.json()) output.document(json_of(*collected));
  output.say(fmt::format("{} keys went; {} deployments and versions stay", collected->keys,
                         collected->plan.stays.size() + collected->changed.size()));
  return kDone;
}

}  // namespace cli
