#ifndef CONVERGENCE_EXAMPLES_DEMO_MEASURE_H_
#define CONVERGENCE_EXAMPLES_DEMO_MEASURE_H_

#include <functional>

#include "convergence/consul_client.h"
#include "convergence/driver.h"
#include "story.h"
#include "traffic.h"

namespace demo {

// Evidence by sending the window's traffic: reads the chain and the instances back from the server, so that what is
// measured is what was really written, and never what the demo thinks it wrote.
class TrafficMeter : public convergence::MetricsSource {
 public:
  TrafficMeter(convergence::ConsulClient& client, const ErrorRates& error_rates, int requests, Random& random)
      : client_(client), error_rates_(error_rates), requests_(requests), random_(random) {}

  void measure(const convergence::MeasureRequest& request, std::function<void(convergence::Measurement)> done) override;

  std::function<void(Sample, convergence::Time at)> on_sample;

 private:
  convergence::ConsulClient& client_;
  const ErrorRates& error_rates_;
  int requests_;
  Random& random_;
};

double success_percent(const convergence::RequestCount& count);

}  // namespace demo

#endif  // CONVERGENCE_EXAMPLES_DEMO_MEASURE_H_
