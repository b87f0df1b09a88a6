// simulate: a canary policy tried on a made-up service before it is let near users.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/simulate.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

struct Situation {
  std::string name;
  Scenario scenario;
};
struct NamedPolicy {
  std::string name;
  SimulatedPolicy policy;
};

// What is asked most often about a policy; the summary speaks of these two.
constexpr std::size_t kHealthy = 0;
constexpr std::size_t kFivefold = 4;
std::vector<Situation> usual_situations(const Scenario& service) {
  std::vector<Situation> out = {{"a healthy canary", service}};
  const auto add = [&](std::string name, auto change) {
    Scenario scenario = service;
    change(scenario);
    out.push_back({std::move(name), std::move(scenario)});
  };
  add("healthy, and an incident", [](Scenario& s) { s.incident = {std::chrono::minutes(2), std::chrono::minutes(6)}; });
  add("healthy, errors in bursts", [](Scenario& s) { s.burst = 8; });
  add("errors twofold", [](Scenario& s) { s.canary.error_times = 2; });
  add("errors fivefold", [](Scenario& s) { s.canary.error_times = 5; });
  add("one percent more errors", [](Scenario& s) { s.canary.error_add = 0.01; });
  add("ten percent more errors", [](Scenario& s) { s.canary.error_add = 0.1; });
  add("half as slow again", [](Scenario& s) { s.canary.latency_times = 1.5; });
  add("three percent take 2 s", [](Scenario& s) { s.canary.tail_share = 0.03; });
  return out;
}

std::string seconds_text(double seconds) {
  const auto all = static_cast<long>(std::lround(seconds));
  if (all < 60) return fmt::format("{}s", all);
  return all % 60 == 0 ? fmt::format("{}m", all / 60) : fmt::format("{}m{:02}s", all / 60, all % 60);
}

std::string spread_text(const std::optional<Spread>& spread) {
  if (!spread) return "-";
  if (spread->p10 == spread->p90) return seconds_text(spread->p50);
  return fmt::format("{} ({}-{})", seconds_text(spread->p50), seconds_text(spread->p10), seconds_text(spread->p90));
}

// The weights of a run, one character for each thirtieth of its time.
std::string sparkline(const SimulatedRun& run) {
  static const char* const kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr int kColumns = 30;
  std::string line;
  for (int column = 0; column < kColumns; ++column) {
    const Duration at = run.took * column / kColumns;
    std::int32_t weight = 0;
    for (const auto& [since, value] : run.weights) {
      if (since <= at) weight = value;
    }
    line += kBars[weight == 0 ? 0 : std::clamp(1 + weight * 7 / 10000, 1, 8)];
  }
  return line + (run.promoted ? "█" : "▁");
}

std::string share(std::int64_t part, std::int64_t all) {
  return fmt::format("{:.1f}", 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

std::string row(const std::string& name, const Simulation& simulation) {
  return fmt::format("  {:26} {:>6} {:>6} {:>6}  {:22} {:22} {:>8.0f}  {}", name,
                     share(simulation.promoted, simulation.runs), share(simulation.rolled_back, simulation.runs),
                     share(simulation.inconclusive, simulation.runs), spread_text(simulation.seconds_to_promotion),
                     spread_text(simulation.seconds_to_rollback), simulation.harmed_mean, sparkline(simulation.first));
}

std::string summary(const NamedPolicy& named, const Scenario& service, const Simulation& healthy,
                    const Simulation& fivefold) {
  std::string text = fmt::format("{}: with {:g} requests a second", named.name, service.rps);
  text += healthy.seconds_to_promotion ? fmt::format(" promoted in {}", spread_text(healthy.seconds_to_promotion))
                                       : ", never promoted";
  const bool caught = fivefold.rolled_back * 2 > fivefold.runs;
  text += caught ? fmt::format("; five times the errors are caught in {} with {:.0f} requests harmed",
                               seconds_text(fivefold.seconds_to_rollback->p50), fivefold.harmed_mean)
                 : fmt::format("; five times the errors are caught in {} % of the rollouts",
                               share(fivefold.rolled_back, fivefold.runs));
  if (named.policy.rule != SimulatedRule::kEvidence) return text;
  return text + fmt::format("; the smallest regression that is excluded is {:.2g} percentage points",
                            100 * smallest_excluded(named.policy, service));
}

absl::StatusOr<double> number_flag(const Arguments& arguments, std::string_view name, double otherwise) {
  if (!arguments.has(name)) return otherwise;
  const std::string text = arguments.get(name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0') return value;
  return make_error(ErrorKind::kUsage, fmt::format("-{}: \"{}\" is no number", name, text));
}

absl::StatusOr<Scenario> service_of(const Arguments& arguments) {
  Scenario scenario;
  if (arguments.has("scenario")) {
    const std::string path = arguments.get("scenario");
    absl::StatusOr<std::string> text = read_file(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<Scenario> read = parse<Scenario>(*text, path);
    if (!read.ok()) return read.status();
    scenario = *std::move(read);
  }
  absl::StatusOr<double> rps = number_flag(arguments, "rps", scenario.rps);
  if (!rps.ok()) return rps.status();
  absl::StatusOr<double> error_rate = number_flag(arguments, "error-rate", scenario.error_rate);
  if (!error_rate.ok()) return error_rate.status();
  scenario.rps = *rps;
  scenario.error_rate = *error_rate;
  if (absl::Status valid = validate(scenario); !valid.ok()) return valid;
  return scenario;
}

absl::StatusOr<std::vector<NamedPolicy>> policies_of(const Arguments& arguments) {
  std::vector<NamedPolicy> out;
  if (arguments.words.empty()) {
    out.push_back({"the default policy", simulated_policy(SimulatedRule::kEvidence)});
  } else {
    const std::string& path = arguments.words.front();
    absl::StatusOr<std::string> text = read_file(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<SimulatedPolicy> read = parse<SimulatedPolicy>(*text, path);
    if (!read.ok()) return read.status();
    if (absl::Status valid = validate(*read); !valid.ok()) return valid;
    out.push_back({path, *std::move(read)});
  }
  if (arguments.has("peers")) {
    for (SimulatedRule rule : {SimulatedRule::kFlagger, SimulatedRule::kConsecutive, SimulatedRule::kArgo}) {
      out.push_back({std::string(to_string(rule)), simulated_policy(rule)});
    }
  }
  return out;
}

// Runs a policy through every situation; empty when the user has had enough.
std::optional<std::vector<Simulation>> run_all(const NamedPolicy& named, const std::vector<Situation>& situations,
                                               std::int64_t runs, std::uint64_t seed, Output& output) {
  std::vector<Simulation> out;
  for (const Situation& situation : situations) {
    if (stop_requested()) return std::nullopt;
    output.progress(fmt::format("{}: {} of {}, {}", named.name, out.size() + 1, situations.size(), situation.name));
    out.push_back(*simulate(named.policy, situation.scenario, runs, seed));
  }
  return out;
}

void tell(const NamedPolicy& named, const std::vector<Situation>& situations, const std::vector<Simulation>& found,
          Output& output) {
  const Scenario& service = situations.front().scenario;
  if (situations.size() > 1) {
    output.say(summary(named, service, found[kHealthy], found[kFivefold]));
  } else {
    output.say(fmt::format("{}:", named.name));
  }
  for (const std::string& warning : warnings(named.policy, service)) output.say("  warning: " + warning);
  output.say(fmt::format("  {:26} {:>6} {:>6} {:>6}  {:22} {:22} {:>8}  {}", "canary", "prom.%", "back%", "open%",
                         "promoted after", "rolled back after", "harmed", "weight in the first run"));
  for (std::size_t i = 0; i < situations.size(); ++i) output.say(row(situations[i].name, found[i]));
}

Json document_of(const NamedPolicy& named, const std::vector<Situation>& situations,
                 const std::vector<Simulation>& found) {
  Json::Array rows;
  for (std::size_t i = 0; i < situations.size(); ++i) {
    Json row_document = to_json(found[i]);
    row_document.set("situation", situations[i].name);
    rows.push_back(std::move(row_document));
  }
  Json::Array told;
  for (const std::string& warning : warnings(named.policy, situations.front().scenario)) told.emplace_back(warning);
  return Json().set("policy", named.name).set("warnings", std::move(told)).set("situations", std::move(rows));
}

}  // namespace

int run_simulate(const Arguments& arguments, Output& output) {
  if (arguments.words.size() > 1) {
    return output.fail(make_error(ErrorKind::kUsage, "simulate: one policy file at most"), kBadInput);
  }
  const absl::StatusOr<Scenario> service = service_of(arguments);
  if (!service.ok()) return output.fail(service.status(), kBadInput);
  const absl::StatusOr<std::vector<NamedPolicy>> policies = policies_of(arguments);
  if (!policies.ok()) return output.fail(policies.status(), kBadInput);
  const absl::StatusOr<std::optional<long>> runs = integer_flag(arguments, "runs", 1, 1'000'000);
  if (!runs.ok()) return output.fail(runs.status(), kBadInput);
  const absl::StatusOr<std::optional<long>> seed = integer_flag(arguments, "seed", 0, 1'000'000'000);
  if (!seed.ok()) return output.fail(seed.status(), kBadInput);
  const bool own = arguments.has("scenario");
  const std::vector<Situation> situations =
      own ? std::vector<Situation>{{arguments.get("scenario"), *service}} : usual_situations(*service);

  Json::Array documents;
  for (const NamedPolicy& named : *policies) {
    const std::optional<std::vector<Simulation>> found =
        run_all(named, situations, runs->value_or(500), static_cast<std::uint64_t>(seed->value_or(1)), output);
    if (!found) return output.fail(make_error(ErrorKind::kCancelled, "simulate: interrupted"));
    tell(named, situations, *found, output);
    documents.push_back(document_of(named, situations, *found));
  }
  if (output.json()) output.document(Json(std::move(documents)));
  return kDone;
}

}  // namespace cli
