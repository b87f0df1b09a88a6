#include "scenarios.h"

#include "fmt/format.h"

namespace {

using convergence::Drift;
using convergence::Duration;
using convergence::Incident;
using convergence::Scenario;
using convergence::Stall;
using std::chrono::minutes;
using std::chrono::seconds;

Scenario service(double base, double rps) {
  Scenario scenario;
  scenario.rps = rps;
  scenario.error_rate = base;
  return scenario;
}

void put(std::vector<NamedScenario>& out, std::string_view what, Scenario scenario, std::string_view suffix = "") {
  std::string name = fmt::format("{}/b{}/r{}{}", what, scenario.error_rate, scenario.rps, suffix);
  out.push_back({std::move(name), std::move(scenario)});
}

constexpr double kBases[] = {0.001, 0.005, 0.02};
constexpr double kRates[] = {1, 50, 1000};

}  // namespace

std::vector<NamedScenario> healthy_scenarios() {
  std::vector<NamedScenario> out;
  for (double base : kBases) {
    for (double rps : kRates) put(out, "null/same", service(base, rps));
  }
  put(out, "null/same", service(0.001, 0.05));
  return out;
}

std::vector<NamedScenario> incident_scenarios() {
  std::vector<NamedScenario> out;
  for (const auto& [what, length] : {std::pair{"incident/short", minutes(6)}, {"incident/long", minutes(30)}}) {
    for (double rps : kRates) {
      Scenario scenario = service(0.001, rps);
      scenario.incident = Incident{minutes(2), length};
      put(out, what, scenario);
    }
  }
  for (double rps : kRates) {
    Scenario scenario = service(0.001, rps);
    scenario.drift = Drift{0.016, minutes(10)};
    put(out, "drift/sin", scenario);
  }
  return out;
}

std::vector<NamedScenario> violation_scenarios() {
  std::vector<NamedScenario> out;
  for (double rps : {50.0, 1000.0}) {
    Scenario burst = service(0.005, rps);
    burst.burst = 8;
    put(out, "burst/same", burst);
    Scenario skew = service(0.001, rps);
    skew.incident = Incident{minutes(2), minutes(6)};
    skew.scrape_offset = seconds(5);
    put(out, "skew/5s", skew);
    Scenario stall = service(0.001, rps);
    stall.stall = Stall{0.05, 0.3};
    put(out, "gc/stall", stall);
    Scenario extrapolated = service(0.005, rps);
    extrapolated.extrapolation = 4.0 / 3;
    put(out, "extrap/1.333", extrapolated);
  }
  return out;
}

std::vector<NamedScenario> error_scenarios() {
  std::vector<NamedScenario> out;
  const auto each = [&](std::string_view what, auto spoil) {
    for (double base : kBases) {
      for (double rps : kRates) {
        Scenario scenario = service(base, rps);
        spoil(scenario.canary);
        put(out, what, scenario);
      }
    }
  };
  each("err/x2", [](auto& canary) { canary.error_times = 2; });
  each("err/x5", [](auto& canary) { canary.error_times = 5; });
  each("err/1pp", [](auto& canary) { canary.error_add = 0.01; });
  each("err/10pp", [](auto& canary) { canary.error_add = 0.1; });
  return out;
}

std::vector<NamedScenario> latency_scenarios() {
  std::vector<NamedScenario> out;
  const auto each = [&](std::string_view what, auto spoil) {
    for (double rps : kRates) {
      Scenario scenario = service(0.001, rps);
      spoil(scenario);
      put(out, what, scenario);
    }
  };
  each("lat/p10", [](Scenario& scenario) { scenario.canary.latency_times = 1.1; });
  each("lat/p50", [](Scenario& scenario) { scenario.canary.latency_times = 1.5; });
  each("lat/tail", [](Scenario& scenario) { scenario.canary.tail_share = 0.03; });
  for (double rps : {50.0, 1000.0}) {
    Scenario scenario = service(0.001, rps);
    scenario.canary.tail_share = 0.03;
    scenario.stall = Stall{0.05, 0.3};
    put(out, "gc/tail", scenario);
  }
  return out;
}

std::vector<NamedScenario> retry_scenarios() {
  std::vector<NamedScenario> out;
  for (bool attempts : {false, true}) {
    for (double rps : kRates) {
      Scenario scenario = service(0.001, rps);
      scenario.canary.error_add = 0.1;
      scenario.retries = 2;
      scenario.counts_attempts = attempts;
      put(out, "retry/10pp", scenario, attempts ? "/va" : "/ve");
    }
  }
  return out;
}

std::vector<NamedScenario> late_scenarios() {
  std::vector<NamedScenario> out;
  for (double rps : {50.0, 1000.0}) {
    Scenario scenario = service(0.001, rps);
    scenario.canary.start = seconds(200);
    scenario.canary.error_times = 5;
    put(out, "late/x5", scenario);
    scenario.canary.error_times = 1;
    scenario.canary.error_add = 0.1;
    put(out, "late/10pp", scenario);
  }
  return out;
}
