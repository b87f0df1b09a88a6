#include "lib/driver/kv_trees.h"

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "lib/driver/gather.h"

namespace convergence {
namespace {

absl::Status add_pairs(const TxnResult& result, KvByKey& kv) {
  for (const Json& row : result.results) {
    const Json* json = row.find("KV");
    if (!json) continue;
    absl::StatusOr<KvPair> pair = from_json<KvPair>(*json, "the transaction's answer");
    if (!pair.ok()) return pair.status();
    kv[pair->key] = *std::move(pair);
  }
  return absl::OkStatus();
}

}  // namespace

void read_trees(ConsulClient& client, const std::vector<std::string>& keys, const std::shared_ptr<KvByKey>& kv,
                ConsulClient::Done done) {
  auto gather = std::make_shared<Gather>();
  for (std::size_t from = 0; from < keys.size(); from += kMaxTxnOperations) {
    std::vector<TxnOperation> operations;
    for (std::size_t i = from; i < std::min(keys.size(), from + kMaxTxnOperations); ++i) {
      // Unlike "get", it does not fail where there is no such key.
      operations.push_back({Json().set("KV", Json().set("Verb", "get-tree").set("Key", keys[i]))});
    }
    gather->add([&client, operations, kv](Gather::Done next) {
      client.txn(operations, {}, [kv, next = std::move(next)](const absl::StatusOr<TxnResult>& result) {
        if (!result.ok()) return next(result.status());
        next(add_pairs(*result, *kv));
      });
    });
  }
  gather->run([gather, done = std::move(done)](const absl::Status& status) { done(status); });
}

}  // namespace convergence
