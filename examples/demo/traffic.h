#ifndef CONVERGENCE_EXAMPLES_DEMO_TRAFFIC_H_
#define CONVERGENCE_EXAMPLES_DEMO_TRAFFIC_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/chain.h"
#include "convergence/consul_client.h"

namespace demo {

// A small random generator of our own, so that a seed means the same everywhere (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool happens(double probability) { return static_cast<double>(next() >> 11) * 0x1p-53 < probability; }

 private:
  std::uint64_t state_;
};

// How often an attempt at an instance of a version fails with a 500.
using ErrorRates = std::map<std::string, double>;

// What one window of traffic did.
struct Traffic {
  std::map<std::string, convergence::RequestCount> by_subset;   // attempts, retries included
  std::map<std::string, convergence::RequestCount> by_version;  // the same attempts
  convergence::RequestCount user;                               // requests, after the retries
};

// Sends `requests` GET requests through the chain as a proxy would that was given it: route() decides, the weights are
// drawn, an instance of the target is drawn, and a failed attempt is repeated as the route's retry policy says - in the
// same target, since a proxy's retry does not draw the split again. `rows` are the service's health rows.
absl::StatusOr<Traffic> send_traffic(const convergence::DiscoveryChain& chain,
                                     const std::vector<convergence::HealthRow>& rows, const ErrorRates& error_rates,
                                     int requests, Random& random);

}  // namespace demo

#endif  // CONVERGENCE_EXAMPLES_DEMO_TRAFFIC_H_
