#ifndef CONVERGENCE_ROLLOUT_REPLAY_H_
#define CONVERGENCE_ROLLOUT_REPLAY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/canary.h"

namespace convergence {

// What led a rollout where it is goes through canary_step() again. A journal is a sequence of records, JSON objects, as
// RolloutOptions::on_record gives them:
//   {"begin": state}                               a driver takes the rollout up, or what another has written
//   {"policy": policy, "event": event, "state": digest}   a step of its own that stands in KV; the policy with a start
class RolloutReplay {
 public:
  // `name`: of the journal, in errors.
  explicit RolloutReplay(std::string name) : name_(std::move(name)) {}

  // The next record. Kind "decode" where it is none; kind "conflict" where its step gives another state than it gave
  // then.
  absl::Status take(std::string_view record);

  const CanaryState& state() const { return state_; }  // after the last record
  const std::vector<CanaryEvent>& events() const { return events_; }

 private:
  std::string name_;
  std::size_t number_ = 0;
  CanaryState state_{};
  std::vector<CanaryEvent> events_{};
};

// The records, without the end of a line.
std::string begin_record(const CanaryState& state);
std::string step_record(const CanaryPolicy& policy, const CanaryEvent& event, const CanaryState& after);

// Where the same evidence would have led under another policy: the measurements of `events` in their order, each as the
// answer to the next window; every write is done at once and every gate is open. Ends with the rollout or the evidence.
// INVALID_ARGUMENT for a policy that cannot be, or events that do not begin with a start.
absl::StatusOr<CanaryState> what_if(const CanaryPolicy& policy, const std::vector<CanaryEvent>& events);

}  // namespace convergence

#endif  // CONVERGENCE_ROLLOUT_REPLAY_H_
