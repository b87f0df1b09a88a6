#ifndef CONVERGENCE_EXAMPLES_DEMO_STORY_H_
#define CONVERGENCE_EXAMPLES_DEMO_STORY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/consul_client.h"
#include "traffic.h"

namespace demo {

// How the story is told on one back end.
struct Setting {
  std::string backend;               // for the page: "embedded Consul, simulated clock"
  std::string prefix;                // of every name it makes: nodes, services, KV
  convergence::Duration interval{};  // of one measurement
  convergence::Duration settle{};
  int requests_per_interval = 0;
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> say;       // one line for the person who watches
  std::function<void(const std::string&)> progress;  // a line that the next one may replace
};

// One measuring window, as the page draws it.
struct Sample {
  double seconds = 0;           // since the story began, on the back end's clock
  double candidate_weight = 0;  // percent, as the chain read back from the server says
  std::string stable_version;
  std::string candidate_version;
  convergence::RequestCount stable;
  convergence::RequestCount candidate;
  convergence::RequestCount user;
};

struct Decision {
  double seconds = 0;
  std::string phase;
  double candidate_weight = 0;
  std::string why;
};

struct RolloutStory {
  std::string title;
  std::string outcome;
  std::vector<Sample> samples;
  std::vector<Decision> decisions;
};

struct Story {
  std::string backend;
  std::uint64_t seed = 0;
  int nodes = 0;
  std::size_t converge_steps = 0;  // that brought the empty Consul to the desired state
  std::vector<RolloutStory> rollouts;
};

// Tells the main job from an empty prefix to the end, and removes what it made, also when something went wrong in
// between. Refuses, ALREADY_EXISTS, to touch a Consul where one of its names exists.
absl::StatusOr<Story> tell(convergence::ConsulClient& client, const Setting& setting);

}  // namespace demo

#endif  // CONVERGENCE_EXAMPLES_DEMO_STORY_H_
