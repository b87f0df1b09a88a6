#ifndef CONVERGENCE_LIB_CODEC_FLEET_READ_H_
#define CONVERGENCE_LIB_CODEC_FLEET_READ_H_

#include <string_view>

#include "absl/status/status.h"
#include "convergence/fleet_view.h"

namespace convergence::codec {

// The two halves of read_health() and read_agent_services(): the scanner that may give up in the middle, rows and names
// of which are left behind, and the strict reader.
bool scan_health(std::string_view answer, FleetView& view);
absl::Status read_health_strictly(std::string_view answer, std::string_view document, FleetView& view);

bool scan_agent_services(std::string_view answer, std::string_view node, FleetView& view);
absl::Status read_agent_services_strictly(std::string_view answer, std::string_view document, std::string_view node,
                                          FleetView& view);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_FLEET_READ_H_
