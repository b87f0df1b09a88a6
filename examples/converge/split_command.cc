// split and undo: one change by hand, checked like a plan.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/plan.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// "v2=12.5"
absl::Status add_weight(const std::string& word, SplitChange& change) {
  const std::size_t at = word.find('=');
  double percent = 0;
  const char* begin = word.data() + (at == std::string::npos ? 0 : at + 1);
  const char* end = word.data() + word.size();
  const auto result = std::from_chars(begin, end, percent);
  const double hundredths = percent * 100.0;
  const bool whole = std::abs(hundredths - std::round(hundredths)) < 1e-6;
  if (at == std::string::npos || at == 0 || result.ec != std::errc() || result.ptr != end || !whole ||
      std::abs(percent) > 1000) {
    return absl::InvalidArgumentError(word + ": write subset=weight, in percent with two decimals at most");
  }
  change.weights[word.substr(0, at)] = static_cast<std::int32_t>(std::round(hundredths));
  return absl::OkStatus();
}

// How the same is said to go back; empty where there was no splitter before.
std::string way_back(const SplitChange& change, const EntryMap& entries) {
  const auto there = entries.find(entry_key(kServiceSplitter, change.service));
  if (there == entries.end()) return "";
  std::string out = "converge split " + change.service;
  for (const Split& split : std::get<ServiceSplitter>(there->second->body).splits) {
    if (!split.service.empty() && split.service != there->second->name) continue;
    if (split.service_subset.empty()) continue;
    out += fmt::format(" {}={}", split.service_subset, split.weight / 100.0);
  }
  return out;
}

absl::StatusOr<ApplyReport> carry_out(Session& session, const Plan& plan, Output& output) {
  return await<ApplyReport>(*session.executor, [&](auto done) {
    apply_plan(
        *session.client, plan,
        [&](const StepReport& step) {
          output.progress(fmt::format("{} {}{}", step.step, to_string(step.outcome),
                                      step.status.ok() ? "" : ": " + std::string(step.status.message())));
        },
        std::move(done));
  });
}

absl::Status first_problem(const ApplyReport& report) {
  for (const StepReport& step : report.steps) {
    if (step.outcome != StepOutcome::kDone) return step.status;
  }
  return absl::OkStatus();
}

// Shows or carries out, and tells it.
int finish(Session& session, const Plan& plan, const Arguments& arguments, Output& output) {
  if (!arguments.has("dry-run")) {
    absl::StatusOr<ApplyReport> report = carry_out(session, plan, output);
    if (!report.ok()) return output.fail(report.status());
    if (absl::Status problem = first_problem(*report); !problem.ok()) return output.fail(problem);
  }
  if (output.json()) {
    output.document(to_json(plan));
  } else if (arguments.has("dry-run") || plan.steps.empty()) {
    std::string text = describe(plan);
    text.pop_back();
    output.say(text);
  }
  return kDone;
}

}  // namespace

int run_split(const Arguments& arguments, Output& output) {
  if (arguments.words.size() < 2) {
    return output.fail(absl::InvalidArgumentError("split: name the service and subset=weight ...; see --help"),
                       kBadInput);
  }
  SplitChange change;
  change.service = arguments.words[0];
  change.force = arguments.has("force");
  for (std::size_t i = 1; i < arguments.words.size(); ++i) {
    if (absl::Status added = add_weight(arguments.words[i], change); !added.ok()) return output.fail(added, kBadInput);
  }
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  absl::StatusOr<CatalogState> state = await<CatalogState>(*session->executor, [&](auto done) {
    read_catalog(*session->client, {change.service}, session->read, std::move(done));
  });
  if (!state.ok()) return output.fail(state.status());
  PlanOptions options;
  options.owner = session->prefix;
  options.take_foreign = arguments.has("take-foreign");
  absl::StatusOr<Plan> plan = plan_split(change, state->entries, &*state, options);
  if (!plan.ok()) return output.fail(plan.status());
  const int code = finish(*session, *plan, arguments, output);
  const std::string back = way_back(change, state->entries);
  const bool changed = code == kDone && !plan->steps.empty() && !arguments.has("dry-run");
  if (changed) output.say(back.empty() ? "it had no splitter before" : "to take it back: " + back);
  return code;
}

int run_undo(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 1) {
    return output.fail(absl::InvalidArgumentError("undo: name the file of a plan (from --json); see --help"),
                       kBadInput);
  }
  absl::StatusOr<std::string> text = read_file(arguments.words[0]);
  if (!text.ok()) return output.fail(text.status(), kBadInput);
  absl::StatusOr<Plan> applied = parse<Plan>(*text, arguments.words[0]);
  if (!applied.ok()) return output.fail(applied.status(), kBadInput);
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  absl::StatusOr<CatalogState> state = await<CatalogState>(
      *session->executor, [&](auto done) { read_catalog(*session->client, {}, session->read, std::move(done)); });
  if (!state.ok()) return output.fail(state.status());
  absl::StatusOr<Plan> back = undo(*applied, state->entries);
  if (!back.ok()) return output.fail(back.status());
  return finish(*session, *back, arguments, output);
}

}  // namespace cli
