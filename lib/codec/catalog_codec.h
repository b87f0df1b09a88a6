#ifndef CONVERGENCE_LIB_CODEC_CATALOG_CODEC_H_
#define CONVERGENCE_LIB_CODEC_CATALOG_CODEC_H_

#include <vector>

#include "absl/status/status.h"
#include "convergence/catalog.h"
#include "lib/codec/place.h"

namespace convergence::codec {

// A row of /v1/health/service. Its service and checks name the node only in part; decode() sets it everywhere.
struct HealthRow {
  Node node;
  ServiceInstance instance;
  std::vector<HealthCheck> checks;  // of the node and of the instance
};

absl::Status decode(const Json& json, const Place& place, Node& out);
absl::Status decode(const Json& json, const Place& place, HealthCheck& out);
absl::Status decode(const Json& json, const Place& place, ServiceInstance& out);
absl::Status decode(const Json& json, const Place& place, HealthRow& out);
absl::Status decode(const Json& json, const Place& place, KvPair& out);

Json encode(const Node& node);
Json encode(const HealthCheck& check);
Json encode(const ServiceInstance& instance);
Json encode(const KvPair& pair);

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_CATALOG_CODEC_H_
