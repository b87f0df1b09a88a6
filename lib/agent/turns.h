#ifndef CONVERGENCE_LIB_AGENT_TURNS_H_
#define CONVERGENCE_LIB_AGENT_TURNS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/agent.h"
#include "convergence/desired.h"
#include "convergence/time.h"

namespace convergence::agent {

// Who of a fleet asks the server about it, and when. An answer about a fleet costs the server the more the larger the
// fleet is; if each node asked as often as it would alone, a fleet of ten thousand would cost ten thousand times that
// again. So the whole fleet together asks about as often as a few nodes would: each node has times of its own that
// follow from its name and from how many there are, which the document says. Nobody is needed for it: a node that is
// gone leaves a gap that the next one fills.

// When `node` next looks how the roll-out stands; never at `after` itself unless it is alone with a new release.
// Of a release of which nothing is known yet the first look leads to a write that all others see: the times are spread
// over one `poll` so that few come before most, however many there are, as in RFC 5401. Later ones are spread evenly:
// two looks a `poll` of all nodes together. `nodes`: of the fleet, as far as is known; 0: not at all.
Time next_look(const DesiredService& service, std::string_view node, std::int32_t nodes, Duration poll, Time after);

// When `node`, whose instance runs, may next try for a slot: `after` where no more nodes want one than four for each
// slot, or where it has its own reason to go now; else at times that spread four tries a slot over each `retry`.
Time next_turn(const DesiredService& service, std::string_view node, Duration retry, Time after);

// ---- the same, kept in an agent's state; its last_event_at is now

// These are wanted from now on. Looks planned for another phase or release of one are planned anew.
void want(AgentState& state, std::vector<DesiredService> services);
// The ids of services whose fleets are to be read now; the next looks are planned.
std::vector<std::string> looks_due(AgentState& state);
// A fleet was seen.
void looked(AgentState& state, const DesiredService& service, const ServiceFleet& fleet);
// For how long this node has seen the release in the phase that it is in.
Duration watched(const AgentState& state, const DesiredService& service);
// Of a large fleet not all try at once to take down what runs: parks the service until the node's turn.
void await_turn(AgentState& state, const NodeDecision& decision);
// When a task that has to wait is begun again.
Time try_again_at(const AgentState& state, const Task& task);
// Marks those whose time has come; false when there are none.
bool unpark(AgentState& state);
// The first of all these times.
Time next_of(const AgentState& state);

}  // namespace convergence::agent

#endif  // CONVERGENCE_LIB_AGENT_TURNS_H_
