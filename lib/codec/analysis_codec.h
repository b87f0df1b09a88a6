#ifndef CONVERGENCE_LIB_CODEC_ANALYSIS_CODEC_H_
#define CONVERGENCE_LIB_CODEC_ANALYSIS_CODEC_H_

#include "convergence/analysis.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

absl::Status decode(const Json& json, const Place& place, ArmCount& out);
absl::Status decode(const Json& json, const Place& place, AnalysisState& out);
Json encode(const ArmCount& count);
Json encode(const AnalysisState& state);

// A count that is none is a null; see analysis_codec.cc.
absl::Status decode_counts(const Json& json, const Place& place, std::vector<double>& out);
Json encode_numbers(const std::vector<double>& values);

// Options of an analysis but for the interval.
ObjectReader& read_analysis(ObjectReader& in, AnalysisOptions& out);
ObjectWriter& write_analysis(ObjectWriter& out, const AnalysisOptions& options);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_ANALYSIS_CODEC_H_
