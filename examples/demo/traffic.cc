#include "traffic.h"

#include <algorithm>
#include <utility>

#include "convergence/error.h"
#include "convergence/filter.h"

namespace demo {

using convergence::ChainTarget;
using convergence::CheckStatus;
using convergence::DiscoveryChain;
using convergence::Filter;
using convergence::HealthRow;
using convergence::RouteLeg;
using convergence::RouteResult;

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

namespace {

// The versions of the instances behind one target, one entry an instance that passes.
absl::StatusOr<std::vector<std::string>> versions_behind(const ChainTarget& target,
                                                         const std::vector<HealthRow>& rows) {
  absl::StatusOr<Filter> filter = Filter::parse(target.subset->filter);
  if (!filter.ok()) return filter.status();
  std::vector<std::string> versions;
  for (const HealthRow& row : rows) {
    const bool passing = std::all_of(row.checks.begin(), row.checks.end(),
                                     [](const auto& check) { return check.status == CheckStatus::kPassing; });
    if (!passing) continue;
    absl::StatusOr<bool> matches = filter->matches({row.instance, row.checks}, {row.node, {}});
    if (!matches.ok()) return matches.status();
    if (!*matches) continue;
    auto version = row.instance.meta.find("version");
    versions.push_back(version == row.instance.meta.end() ? "unversioned" : version->second);
  }
  return versions;
}

struct Target {
  std::string subset;
  std::vector<std::string> versions;
};

const RouteLeg* draw_leg(const std::vector<RouteLeg>& legs, Random& random) {
  std::int64_t total = 0;
  for (const RouteLeg& leg : legs) total += leg.weight;
  if (total <= 0) return nullptr;
  auto drawn = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(total)));
  for (const RouteLeg& leg : legs) {
    if (drawn < leg.weight) return &leg;
    drawn -= leg.weight;
  }
  return nullptr;
}

bool retries_500(const RouteResult& routed) {
  const auto& codes = routed.retry.on_status_codes;
  return std::find(codes.begin(), codes.end(), 500u) != codes.end();
}

// One user's request; true when it succeeded in the end.
bool send_one(const RouteResult& routed, const std::map<std::string, Target>& targets, const ErrorRates& error_rates,
              Random& random, Traffic& traffic) {
  const RouteLeg* leg = draw_leg(routed.legs, random);
  if (leg == nullptr) return false;
  const Target& target = targets.at(leg->target);
  if (target.versions.empty()) return false;  // nobody there: a 503 without an attempt
  const std::uint32_t attempts = 1 + (retries_500(routed) ? routed.retry.num_retries : 0);
  for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
    const std::string& version = target.versions[random.below(target.versions.size())];
    auto rate = error_rates.find(version);
    const bool failed = rate != error_rates.end() && random.happens(rate->second);
    for (convergence::RequestCount* count : {&traffic.by_subset[target.subset], &traffic.by_version[version]}) {
      count->requests += 1;
      count->errors += failed ? 1 : 0;
    }
    if (!failed) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Traffic> send_traffic(const DiscoveryChain& chain, const std::vector<HealthRow>& rows,
                                     const ErrorRates& error_rates, int requests, Random& random) {
  absl::StatusOr<RouteResult> routed = convergence::route(chain, {.path = "/orders"});
  if (!routed.ok()) return routed.status();
  std::map<std::string, Target> targets;
  for (const RouteLeg& leg : routed->legs) {
    const ChainTarget* found = find_target(chain, leg.target);
    if (found == nullptr) {
      return convergence::make_error(convergence::ErrorKind::kProtocol, "chain: has no target " + leg.target);
    }
    absl::StatusOr<std::vector<std::string>> versions = versions_behind(*found, rows);
    if (!versions.ok()) return versions.status();
    targets[leg.target] = Target{found->service_subset, *std::move(versions)};
  }
  Traffic traffic;
  for (int i = 0; i < requests; ++i) {
    const bool ok = send_one(*routed, targets, error_rates, random, traffic);
    traffic.user.requests += 1;
    traffic.user.errors += ok ? 0 : 1;
  }
  return traffic;
}

}  // namespace demo
