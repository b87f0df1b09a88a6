#include "measure.h"

#include <utility>

namespace demo {

using namespace convergence;  // NOLINT: a program's own source

namespace {

Measurement broken(std::int64_t epoch, const absl::Status& status) {
  Measurement measurement;
  measurement.epoch = epoch;
  measurement.kind = EvidenceKind::kBrokenSource;
  measurement.problem = std::string(status.message());
  return measurement;
}

// The share of requests that the chain gives the subset, in percent.
double weight_of(const DiscoveryChain& chain, const std::string& subset) {
  absl::StatusOr<RouteResult> routed = route(chain, {.path = "/orders"});
  if (!routed.ok()) return 0;
  double weight = 0;
  for (const RouteLeg& leg : routed->legs) {
    const auto* target = find_target(chain, leg.target);
    if (target != nullptr && target->service_subset == subset) weight += leg.weight / 100.0;
  }
  return weight;
}

}  // namespace

void TrafficMeter::measure(const MeasureRequest& request, std::function<void(Measurement)> done) {
  client_.discovery_chain(request.service, {}, [this, request, done](absl::StatusOr<Answer<DiscoveryChain>> chain) {
    if (!chain.ok()) return done(broken(request.window.epoch, chain.status()));
    client_.health_service(
        request.service, {},
        [this, request, done, chain = std::move(chain->value)](absl::StatusOr<Answer<std::vector<HealthRow>>> rows) {
          if (!rows.ok()) return done(broken(request.window.epoch, rows.status()));
          absl::StatusOr<Traffic> traffic = send_traffic(chain, rows->value, error_rates_, requests_, random_);
          if (!traffic.ok()) return done(broken(request.window.epoch, traffic.status()));
          Sample sample;
          sample.candidate_weight = weight_of(chain, request.candidate_subset);
          sample.stable = traffic->by_subset[request.stable_subset];
          sample.candidate = traffic->by_subset[request.candidate_subset];
          sample.user = traffic->user;
          Measurement measurement;
          measurement.epoch = request.window.epoch;
          measurement.stable = sample.stable;
          measurement.candidate = sample.candidate;
          if (on_sample) on_sample(std::move(sample), request.window.to);
          done(std::move(measurement));
        });
  });
}

double success_percent(const RequestCount& count) {
  if (count.requests == 0) return 100;
  return 100.0 * static_cast<double>(count.requests - count.errors) / static_cast<double>(count.requests);
}

}  // namespace demo
