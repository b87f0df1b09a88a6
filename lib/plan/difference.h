#ifndef CONVERGENCE_LIB_PLAN_DIFFERENCE_H_
#define CONVERGENCE_LIB_PLAN_DIFFERENCE_H_

#include <string>

#include "convergence/config_entry.h"
#include "convergence/plan.h"

namespace convergence::plan {

// What differs between two entries of one kind, for a sentence: "Protocol tcp -> http", "v1 90%, v2 10% -> v1 50%, v2
// 50%", "Routes, Meta".
std::string difference(const ConfigEntry& now, const ConfigEntry& wanted);

// The same for an instance and its checks: "port 80 -> 81, tags, check web:http".
std::string difference(const ServiceRegistration& now, const ServiceRegistration& wanted);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_DIFFERENCE_H_
