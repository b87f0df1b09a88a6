#ifndef CONVERGENCE_LIB_CODEC_EVIDENCE_CODEC_H_
#define CONVERGENCE_LIB_CODEC_EVIDENCE_CODEC_H_

#include "convergence/canary.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

// The members of a policy by evidence, but for the weights and the interval, which stand beside it or among them.
ObjectReader& read_evidence(ObjectReader& in, EvidencePolicy& out);
ObjectWriter& write_evidence(ObjectWriter& out, const EvidencePolicy& evidence);

// A list of weights in percent.
absl::Status decode_weights(const Json& json, const Place& place, std::vector<std::int32_t>& out);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_EVIDENCE_CODEC_H_
