#include "lib/driver/state_document.h"

#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/driver/service_txn.h"

namespace convergence {
namespace {

// {"Results": [{"KV": {"ModifyIndex": n, ...}}]}
absl::StatusOr<std::optional<std::uint64_t>> index_of(const TxnResult& result) {
  const Json* pair = result.results.empty() ? nullptr : result.results.front().find("KV");
  const Json* index = pair ? pair->find("ModifyIndex") : nullptr;
  const std::optional<std::uint64_t> value = index ? index->to_uint64() : std::nullopt;
  if (!value) return make_error(ErrorKind::kProtocol, "transaction: the answer does not tell the index of the key");
  return value;
}

absl::StatusOr<std::optional<std::uint64_t>> outcome_of(const std::string& key, const TxnResult& result) {
  if (result.failures.empty()) return index_of(result);
  if (lost_race(result.failures)) return std::nullopt;
  return make_error(ErrorKind::kRefused, fmt::format("{}: {}", key, result.failures.front().what));
}

}  // namespace

std::string rollout_key(std::string_view prefix, std::string_view service) {
  return fmt::format("{}/rollouts/{}", prefix, service);
}

bool is_rollout_key(std::string_view key, std::string_view prefix) { return key.starts_with(rollout_key(prefix, "")); }

absl::StatusOr<StateDocument> state_from(const std::optional<KvPair>& pair) {
  if (!pair) return StateDocument{};
  CVG_ASSIGN_OR_RETURN(CanaryState state, parse<CanaryState>(pair->value, pair->key));
  return StateDocument{std::move(state), pair->modify_index};
}

ReadOptions latest() {
  ReadOptions options;
  options.consistency = Consistency::kConsistent;
  return options;
}

void read_state(ConsulClient& client, const std::string& key, ConsulClient::Callback<StateDocument> done) {
  client.kv_get(key, latest(), [done = std::move(done)](absl::StatusOr<Answer<std::optional<KvPair>>> answer) {
    if (!answer.ok()) return done(answer.status());
    done(state_from(answer->value));
  });
}

void write_state(ConsulClient& client, const std::string& key, const CanaryState& state, std::uint64_t cas,
                 ConsulClient::Callback<std::optional<std::uint64_t>> done) {
  const std::string value = to_text(to_json(state));
  // A transaction, because a plain write does not answer with the index that it gave.
  Json::Object operation = {
      {"Verb", Json("cas")}, {"Key", Json(key)}, {"Value", Json(base64_encode(value))}, {"Index", Json(cas)}};
  const std::vector<TxnOperation> operations = {{Json(Json::Object{{"KV", Json(std::move(operation))}})}};
  client.txn(operations, {}, [&client, key, value, cas, done = std::move(done)](absl::StatusOr<TxnResult> result) {
    absl::StatusOr<std::optional<std::uint64_t>> outcome =
        result.ok() ? outcome_of(key, *result) : absl::StatusOr<std::optional<std::uint64_t>>(result.status());
    if (outcome.ok() || outcome.status().code() == absl::StatusCode::kCancelled) return done(std::move(outcome));
    client.kv_get(key, latest(),
                  [value, cas, done, problem = outcome.status()](absl::StatusOr<Answer<std::optional<KvPair>>> answer) {
                    if (!answer.ok()) return done(problem);
                    const std::uint64_t index = answer->value ? answer->value->modify_index : 0;
                    if (index == cas) return done(problem);
                    if (answer->value && answer->value->value == value) return done(std::optional(index));
                    done(std::optional<std::uint64_t>());
                  });
  });
}

}  // namespace convergence
