#ifndef CONVERGENCE_LIB_CODEC_KV_READ_H_
#define CONVERGENCE_LIB_CODEC_KV_READ_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/kv_view.h"

namespace convergence::codec {

// The two halves of read_kv(). The scanner decodes in place what `view.bytes` has; when it gives up they are as before.
bool scan_kv(KvView& view);
absl::StatusOr<KvView> read_kv_strictly(std::string_view answer, std::string_view document);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_KV_READ_H_
