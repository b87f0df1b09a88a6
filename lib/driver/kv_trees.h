#ifndef CONVERGENCE_LIB_DRIVER_KV_TREES_H_
#define CONVERGENCE_LIB_DRIVER_KV_TREES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "convergence/consul_client.h"

namespace convergence {

using KvByKey = std::map<std::string, KvPair>;

// Adds to `kv` what stands at the keys and below those that end in a slash, by one request for 64 of them. What is not
// there is no error.
void read_trees(ConsulClient& client, const std::vector<std::string>& keys, const std::shared_ptr<KvByKey>& kv,
                ConsulClient::Done done);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_KV_TREES_H_
