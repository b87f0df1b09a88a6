#ifndef CONVERGENCE_LIB_FILTER_EVALUATE_H_
#define CONVERGENCE_LIB_FILTER_EVALUATE_H_

#include "convergence/catalog.h"
#include "convergence/json.h"
#include "lib/filter/bind.h"

namespace convergence::filter {

bool evaluate(const Bound& bound, const InstanceState& instance, const NodeState& node);
// A member that is absent or of another type counts as empty, as it does for a Go program that decodes the row.
bool evaluate(const Bound& bound, const Json& row);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_EVALUATE_H_
