#ifndef CONVERGENCE_LIB_CANARY_WORDS_H_
#define CONVERGENCE_LIB_CANARY_WORDS_H_

#include <cstdint>
#include <string>

#include "convergence/time.h"

namespace convergence {

// Numbers as a verdict's sentence has them: as many digits as a person compares.

std::string share_text(double share);             // "3.9%", "0.11%"
std::string points_text(double share);            // "3.6 pp", "0.10 pp"
std::string percent_text(std::int32_t weight);    // of hundredths of a percent: "10%", "2.5%"
std::string count_text(double count);             // "12", "3.5"
std::string ratio_text(double part, double all);  // "3.9% (12/310)"
std::string times_text(double log);               // e to the log: "1.2", "199", "3e+12"
std::string elapsed_text(Duration elapsed);       // "50s", "1m10s", "30m"

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_WORDS_H_
