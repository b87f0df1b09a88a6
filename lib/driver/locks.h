#ifndef CONVERGENCE_LIB_DRIVER_LOCKS_H_
#define CONVERGENCE_LIB_DRIVER_LOCKS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convergence/consul_client.h"

namespace convergence {

std::string lock_key(std::string_view prefix, std::string_view scope);
// The scopes that hold a deployment of a role.
std::vector<std::string> locks_of_role(std::string_view role);
// Operations of a transaction that fail where one of them stands.
std::vector<TxnOperation> no_locks(const std::vector<std::string>& scopes, std::string_view prefix);
absl::Status held_by_lock(std::string_view what, std::string_view scope);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_LOCKS_H_
