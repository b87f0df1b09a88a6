#ifndef CONVERGENCE_LIB_CODEC_CANARY_CODEC_H_
#define CONVERGENCE_LIB_CODEC_CANARY_CODEC_H_

#include "convergence/canary.h"
#include "lib/codec/place.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, CanaryPolicy& out);
// Members that came after the first release are left out while they have their default, so that a document that does
// not use them looks as it did.
Json encode(const CanaryPolicy& policy);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_CANARY_CODEC_H_
