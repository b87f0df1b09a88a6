#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/error.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

constexpr std::string_view kKv = "/v1/kv";

absl::StatusOr<std::optional<KvPair>> read_one_pair(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(std::vector<KvPair> pairs, read_values<KvPair>(answer));
  if (pairs.size() != 1) return make_error(ErrorKind::kDecode, "answer: not one key");
  return std::move(pairs.front());
}

}  // namespace

void ConsulClient::kv_get(std::string_view key, const ReadOptions& options,
                          Callback<Answer<std::optional<KvPair>>> done) {
  start_read<std::optional<KvPair>>(*impl_, Target(kKv).key(key).options(options), options, read_one_pair,
                                    std::move(done), std::optional<KvPair>());
}

void ConsulClient::kv_recurse(std::string_view prefix, const ReadOptions& options,
                              Callback<Answer<std::vector<KvPair>>> done) {
  start_read<std::vector<KvPair>>(*impl_, Target(kKv).prefix(prefix).query("recurse", "").options(options), options,
                                  read_values<KvPair>, std::move(done), std::vector<KvPair>());
}

void ConsulClient::kv_keys(std::string_view prefix, const ReadOptions& options,
                           Callback<Answer<std::vector<std::string>>> done) {
  start_read<std::vector<std::string>>(*impl_, Target(kKv).prefix(prefix).query("keys", "").options(options), options,
                                       read_strings, std::move(done), std::vector<std::string>());
}

void ConsulClient::kv_put(const KvPut& put, const WriteOptions& options, Callback<bool> done) {
  Target target = Target(kKv).key(put.key);
  if (put.flags != 0) target.query("flags", put.flags);
  if (put.cas) target.query("cas", *put.cas);
  target.query_unless_empty("acquire", put.acquire).query_unless_empty("release", put.release).options(options);
  start<bool>(*impl_, write_call("PUT", target, put.value, options), read_bool, std::move(done));
}

void ConsulClient::kv_delete(std::string_view key, std::optional<std::uint64_t> cas, const WriteOptions& options,
                             Callback<bool> done) {
  Target target = Target(kKv).key(key);
  if (cas) target.query("cas", *cas);
  start<bool>(*impl_, write_call("DELETE", target.options(options), "", options), read_bool, std::move(done));
}

void ConsulClient::kv_delete_tree(std::string_view prefix, const WriteOptions& options, Callback<bool> done) {
  const Target target = Target(kKv).prefix(prefix).query("recurse", "").options(options);
  start<bool>(*impl_, write_call("DELETE", target, "", options), read_bool, std::move(done));
}

}  // namespace convergence
