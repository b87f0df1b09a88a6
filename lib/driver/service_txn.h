#ifndef CONVERGENCE_LIB_DRIVER_SERVICE_TXN_H_
#define CONVERGENCE_LIB_DRIVER_SERVICE_TXN_H_

#include <cstdint>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/plan.h"

namespace convergence {

// A service step as one transaction: the instance by compare-and-set on `cas` (0: create only), and its checks. All of
// it happens or nothing.
std::vector<TxnOperation> service_operations(const Step& step, std::uint64_t cas);

// Whether the failures say that somebody else was faster, and not that the write cannot be.
bool lost_race(const std::vector<TxnFailure>& failures);

// Whether the row is what the registration asked for. What the server adds (defaults of Connect, indexes) and what
// changes by itself (the status of a check) is not looked at.
bool same_registration(const ServiceRegistration& wanted, const HealthRow& row);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_SERVICE_TXN_H_
