#ifndef CONVERGENCE_LIB_CODEC_ROW_SCAN_H_
#define CONVERGENCE_LIB_CODEC_ROW_SCAN_H_

#include "convergence/fleet_view.h"
#include "lib/codec/cursor.h"

namespace convergence::codec {

// Takes a row of /v1/health/service, from its brace to its brace; `row` refers to the text. As Cursor: false means that
// the strict reader has to say what this is.
bool take_health_row(Cursor& cursor, FleetRow& row);

// The same for rows whose members come as Consul 1.8 writes them, and quicker. After a false the cursor stands
// anywhere, and another reader may begin again.
bool take_usual_health_row(Cursor& cursor, FleetRow& row);

// A service as a health row and /v1/agent/services have it.
bool take_service(Cursor& cursor, FleetRow& row);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_ROW_SCAN_H_
