#ifndef CONVERGENCE_LIB_CODEC_FLEET_READ_H_
#define CONVERGENCE_LIB_CODEC_FLEET_READ_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convergence/fleet_view.h"

namespace convergence::codec {

// The two halves of read_health() and read_agent_services(): the scanner that may give up in the middle, rows and names
// of which are left behind, and the strict reader.
// `begins`, unless null, gets the offset of each row that is scanned.
bool scan_health(std::string_view answer, FleetView& view, std::vector<std::uint32_t>* begins = nullptr);
absl::Status read_health_strictly(std::string_view answer, std::string_view document, FleetView& view);

bool scan_agent_services(std::string_view answer, std::string_view node, FleetView& view);
absl::Status read_agent_services_strictly(std::string_view answer, std::string_view document, std::string_view node,
                                          FleetView& view);

// read_health() into an empty view; `begins` stays empty when the strict reader had to read it.
absl::Status read_health_noting(std::string_view answer, std::string_view document, FleetView& view,
                                std::vector<std::uint32_t>& begins);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_FLEET_READ_H_
