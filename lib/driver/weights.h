#ifndef CONVERGENCE_LIB_DRIVER_WEIGHTS_H_
#define CONVERGENCE_LIB_DRIVER_WEIGHTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/config_entry.h"

namespace convergence {

// What writing an effect's weights into the splitter that was read comes to. Pure.
struct WeightEdit {
  enum class Kind {
    kWrite,     // put `entry`
    kDone,      // it has been put before: weights and stamp are this effect's
    kConflict,  // somebody else moved our legs
    kError,     // this splitter cannot carry the rollout
  };
  Kind kind = Kind::kError;
  ConfigEntry entry{};
  bool rises = false;  // the candidate gets more than it has
  std::string problem{};
};

// Changes the weights of the two legs and the stamps, nothing else. Weight 0 is written whoever moved the legs before:
// taking traffic back does not wait for an argument (I4). `state_index` is that of the state which the effect is from
// and which was read after the splitter, so that a stamp of a later state is none of this rollout's.
WeightEdit edit_weights(const CanaryState& state, std::uint64_t state_index, const std::string& effect,
                        const WriteWeights& write, const ConfigEntry& splitter);

// OK when the splitter has both legs, each once: what a rollout must find to begin.
absl::Status check_legs(const CanaryPolicy& policy, const ConfigEntry& splitter);

// OK while the candidate's leg is as the rollout wrote it: what is measured otherwise says nothing about this weight.
absl::Status check_weight(const CanaryState& state, const ConfigEntry& splitter);

// How many instances the candidate's subset selects, how many of those pass, and the revision of one that has another
// than the rollout's; while the stable subset is being replaced, how many of its own pass. Error: kinds not-found
// without such a subset, filter.
absl::StatusOr<CandidateHealth> candidate_health(const CanaryState& state, const CatalogState& catalog);

// I11: OK when no instance is of both subsets, in any of the rollout's services. Subsets that are not there are told of
// when they are needed.
absl::Status check_subsets(const CanaryPolicy& policy, const CatalogState& catalog);

// What to tell somebody whose service has no splitter.
absl::Status no_splitter(const CanaryPolicy& policy);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_WEIGHTS_H_
