#ifndef CONVERGENCE_LIB_CODEC_DESIRED_CODEC_H_
#define CONVERGENCE_LIB_CODEC_DESIRED_CODEC_H_

#include "absl/status/status.h"
#include "convergence/desired.h"
#include "lib/codec/place.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, CheckDefinition& out);
absl::Status decode(const Json& json, const Place& place, Hooks& out);
absl::Status decode(const Json& json, const Place& place, Strategy& out);
absl::Status decode(const Json& json, const Place& place, Release& out);
absl::Status decode(const Json& json, const Place& place, DesiredService& out);
absl::Status decode(const Json& json, const Place& place, DesiredState& out);

Json encode(const CheckDefinition& check);
Json encode(const Hooks& hooks);
Json encode(const Release& release);
Json encode(const Strategy& strategy);
Json encode(const DesiredService& service);
Json encode(const DesiredState& desired);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_DESIRED_CODEC_H_
