#ifndef CONVERGENCE_LIB_CANARY_INVARIANTS_H_
#define CONVERGENCE_LIB_CANARY_INVARIANTS_H_

#include <string>

#include "convergence/canary.h"

namespace convergence {

inline constexpr std::size_t kMaxHistory = 200;  // records; a KV value holds 512 KiB
inline constexpr std::size_t kMaxPast = 20;      // rollouts remembered by their ends
inline constexpr std::size_t kMaxWhy = 240;      // bytes of a record's text
inline constexpr std::size_t kMaxRollout = 128;  // bytes of a rollout's id: it goes into Meta, whose values hold 512

// What every state satisfies, whatever led to it; empty when it does, else what is broken. Of a state that was read it
// says that the document was tampered with, of one that we made that we are at fault.
std::string broken_rule(const CanaryState& state);

// What every transition satisfies; `event` led from `before` to `after`.
std::string broken_rule(const CanaryState& before, const CanaryEvent& event, const CanaryState& after);

// The number in an effect's id "<rollout>/<number>"; 0 when it has another form.
std::int64_t effect_number(const CanaryState& state, const Effect& effect);

// The effect of that kind in the outbox, or null: there is never more than one.
template <typename Body>
const Effect* pending_effect(const CanaryState& state) {
  for (const Effect& effect : state.outbox) {
    if (std::holds_alternative<Body>(effect.body)) return &effect;
  }
  return nullptr;
}
template <typename Body>
const Body* pending(const CanaryState& state) {
  const Effect* effect = pending_effect<Body>(state);
  return effect ? &std::get<Body>(effect->body) : nullptr;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_INVARIANTS_H_
