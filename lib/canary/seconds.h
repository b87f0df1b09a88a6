#ifndef CONVERGENCE_LIB_CANARY_SECONDS_H_
#define CONVERGENCE_LIB_CANARY_SECONDS_H_

#include "convergence/time.h"

namespace convergence {

inline double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_SECONDS_H_
