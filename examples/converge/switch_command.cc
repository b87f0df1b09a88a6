// switch and upstreams: which slice has a service's traffic, and where that is.

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/slices.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// The slice that the word names, or the way back; without a word the slice that is not live.
absl::StatusOr<SwitchRequest> request_of(const Arguments& arguments, const Session& session) {
  SwitchRequest request;
  request.asked = asked_by(arguments, session);
  request.force = arguments.has("force");
  const std::string what = arguments.words.size() == 2 ? arguments.words[1] : "";
  request.back = what == "back";
  if (what == "blue") request.to = Slice::kBlue;
  if (what == "green") request.to = Slice::kGreen;
  if (arguments.words.empty() || (!request.back && request.to == Slice::kNone && !what.empty()) ||
      arguments.words.size() > 2) {
    return make_error(ErrorKind::kUsage,
                      "converge switch: needs a service, and perhaps blue, green or back; see --help");
  }
  request.service = arguments.words[0];
  return request;
}

// Without a word: the other one.
absl::Status choose(const FleetsSeen& seen, SwitchRequest& request) {
  if (request.back || request.to != Slice::kNone) return absl::OkStatus();
  std::string name = request.service;
  for (const DesiredService& service : seen.services) {
    if (service.slice != Slice::kNone && service.name == request.service) name = service_name(service);
  }
  const LiveSlice live = live_slice(name, seen.catalog.entries);
  if (live.slice == Slice::kNone) {
    return make_error(ErrorKind::kUsage, fmt::format("{}: no slice of it is live; say blue or green", request.service));
  }
  request.to = live.slice == Slice::kBlue ? Slice::kGreen : Slice::kBlue;
  return absl::OkStatus();
}

absl::StatusOr<SwitchPlan> decide(Session& session, const Arguments& arguments, SwitchRequest& request) {
  absl::StatusOr<FleetsSeen> seen = fleets_of(session);
  if (!seen.ok()) return seen.status();
  if (absl::Status chosen = choose(*seen, request); !chosen.ok()) return chosen;
  for (const absl::Status& broken : seen->broken) {
    // What cannot be read may be a node more on which the slice is wanted.
    if (!request.force) return broken;
  }
  PlanOptions options;
  options.owner = session.prefix;
  options.take_foreign = arguments.has("take-foreign");
  return plan_switch(request, seen->services, seen->catalog, options);
}

// The write; ABORTED where somebody else has moved the resolver since it was read.
absl::Status carry_out_switch(Session& session, const Plan& plan) {
  const absl::StatusOr<ApplyReport> report =
      await<ApplyReport>(*session.executor, [&](auto done) { apply_plan(*session.client, plan, {}, std::move(done)); });
  if (!report.ok()) return report.status();
  for (const StepReport& step : report->steps) {
    if (step.outcome != StepOutcome::kDone) return step.status;
  }
  return absl::OkStatus();
}

// What refuses it now may pass in a while.
bool may_pass(const SwitchPlan& plan) {
  for (const SwitchProblem& problem : plan.problems) {
    if (problem.kind == SwitchProblemKind::kNames || problem.kind == SwitchProblemKind::kEntries ||
        problem.kind == SwitchProblemKind::kNoWayBack || problem.kind == SwitchProblemKind::kTakenBack) {
      return false;
    }
  }
  return true;
}

constexpr Duration kPause = std::chrono::seconds(1);

// Decides anew, once a second, until the switch may be or waiting does not help.
absl::StatusOr<SwitchPlan> await_decision(Session& session, const Arguments& arguments, SwitchRequest& request,
                                          Output& output) {
  const absl::StatusOr<std::optional<Duration>> limit = duration_flag(arguments, "timeout");
  if (!limit.ok()) return limit.status();
  const Time until = session.executor->now() + limit->value_or(std::chrono::minutes(10));
  std::string told;
  for (;;) {
    absl::StatusOr<SwitchPlan> plan = decide(session, arguments, request);
    if (!plan.ok() || plan->problems.empty() || !arguments.has("wait") || !may_pass(*plan)) return plan;
    if (session.executor->now() >= until || stop_requested()) return plan;
    const std::string line = std::string(refusal_of(*plan).message());
    if (std::exchange(told, line) != line) output.progress(line);
    (void)await_done(*session.executor, [&](auto done) {
      session.executor->post_at(session.executor->now() + kPause, [done] { done(absl::OkStatus()); });
    });
  }
}

void tell(const SwitchPlan& plan, const Arguments& arguments, Output& output) {
  if (output.json()) return output.document(to_json(plan));
  const bool changes = !plan.plan.steps.empty();
  output.say((changes && arguments.has("dry-run") ? "would be: " : "") + describe(plan));
  for (const SwitchProblem& problem : plan.set_aside) {
    output.say(fmt::format("  all the same: {}{}", problem.node.empty() ? "" : problem.node + ": ", problem.why));
  }
  if (changes && plan.live.slice != Slice::kNone && !arguments.has("dry-run")) {
    output.say(fmt::format("to take it back: converge switch {} {}", plan.live.service, to_string(plan.live.slice)));
  }
}

}  // namespace

int run_switch(const Arguments& arguments, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  absl::StatusOr<SwitchRequest> request = request_of(arguments, *session);
  if (!request.ok()) return output.fail(request.status(), kBadInput);
  catch_stop_signals();
  const absl::StatusOr<SwitchPlan> plan = await_decision(*session, arguments, *request, output);
  if (!plan.ok()) return output.fail(plan.status());
  if (absl::Status refused = refusal_of(*plan); !refused.ok()) return output.fail(refused, kFailed);
  if (!arguments.has("dry-run")) {
    if (absl::Status done = carry_out_switch(*session, plan->plan); !done.ok()) return output.fail(done);
  }
  tell(*plan, arguments, output);
  return kDone;
}

int run_upstreams(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 1) {
    return output.fail(make_error(ErrorKind::kUsage, "converge upstreams: needs the name of a service; see --help"),
                       kBadInput);
  }
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  const std::string& name = arguments.words.front();
  const absl::StatusOr<CatalogState> catalog = await<CatalogState>(
      *session->executor, [&](auto done) { read_catalog(*session->client, {name}, session->read, std::move(done)); });
  if (!catalog.ok()) return output.fail(catalog.status());
  const absl::StatusOr<Upstream> upstream = upstream_of(name, *catalog);
  if (!upstream.ok()) return output.fail(upstream.status());
  if (output.json()) {
    output.document(to_json(*upstream));
    return kDone;
  }
  for (const UpstreamHost& host : upstream->hosts) {
    if (!host.up && !arguments.has("all")) continue;
    std::string line = fmt::format("{}:{}", host.address, host.port);
    if (arguments.has("all")) {
      line = fmt::format("{:22} {:4} {:5} {:10} {} on {}, {}", line, host.up ? "up" : "down", to_string(host.slice),
                         host.version, host.service_id, host.node, to_string(host.status));
    }
    output.say(line);
  }
  return kDone;
}

}  // namespace cli
