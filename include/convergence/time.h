#ifndef CONVERGENCE_TIME_H_
#define CONVERGENCE_TIME_H_

#include <chrono>

namespace convergence {

// Integer nanoseconds, as Consul's durations and our documents have them: exact, ordered, printable. The standard
// types, because every host has them. A pure function takes a Time as an argument; none asks a clock.
using Duration = std::chrono::nanoseconds;
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline constexpr Time kNever = Time::max();

}  // namespace convergence

#endif  // CONVERGENCE_TIME_H_
