#ifndef CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "command.h"
#include "convergence/fleet_driver.h"

namespace cli {

// What the verbs about deployments have in common.

absl::StatusOr<convergence::FleetsSeen> fleets_of(Session& session);

// The one service that the word names: "shop", "shop/blue", "web/shop" or "web/shop/blue". NOT_FOUND, or "usage" naming
// the several that it could be.
absl::StatusOr<convergence::DesiredService> service_named(const convergence::FleetsSeen& seen, const std::string& word);
bool is_named(const convergence::DesiredService& service, const std::string& word);

// "web/shop", "web/shop/blue"
std::string full_name(const convergence::DesiredService& service);

// Who asks, why, and when it is now.
convergence::Asked asked_by(const Arguments& arguments, const Session& session);

std::string status_line(const convergence::ServiceStatus& status);
std::string node_line(const convergence::NodeLine& line);
std::string time_text(convergence::Time time);  // UTC, whole seconds

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_FLEET_WORDS_H_
