#include <algorithm>
#include <set>

#include "convergence/codec.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

constexpr std::size_t kMaximalValue = 512 * 1024;

// Go writes the flags in conflict as it would the query: sorted, with values.
std::optional<HttpResponse> conflict(const Call& call, std::initializer_list<std::string_view> flags) {
  std::vector<std::string> given;
  for (const std::string_view flag : flags) {
    if (call.query.has(flag)) given.push_back(fmt::format("{}={}", flag, call.query.get(flag)));
  }
  if (given.size() < 2) return std::nullopt;
  std::sort(given.begin(), given.end());
  return bad_request(fmt::format("Conflicting flags: {}", fmt::join(given, "&")));
}

template <typename One>
void each_below(const State& state, const std::string& prefix, const One& one) {
  for (auto it = state.kv.lower_bound(prefix); it != state.kv.end() && it->first.starts_with(prefix); ++it) {
    one(it->second);
  }
}

// The newest change or deletion below the prefix; 0 when there is nothing to go by.
std::uint64_t prefix_index(const State& state, const std::string& prefix) {
  std::uint64_t index = 0;
  each_below(state, prefix, [&](const KvPair& pair) { index = std::max(index, pair.modify_index); });
  for (auto it = state.kv_tombstones.lower_bound(prefix);
       it != state.kv_tombstones.end() && it->first.starts_with(prefix); ++it) {
    index = std::max(index, it->second);
  }
  return index;
}

Json::Array keys_below(const State& state, const std::string& prefix, const std::string& separator) {
  Json::Array keys;
  std::string last;
  each_below(state, prefix, [&](const KvPair& pair) {
    const std::size_t cut = separator.empty() ? std::string::npos : pair.key.find(separator, prefix.size());
    const std::string key = cut == std::string::npos ? pair.key : pair.key.substr(0, cut + separator.size());
    if (keys.empty() || key != last) keys.emplace_back(key);
    last = key;
  });
  return keys;
}

Read read_below(const State& state, const Call& call) {
  Read read;
  const std::string& prefix = call.rest;
  const std::uint64_t own = prefix.empty() ? 0 : prefix_index(state, prefix);
  read.index = own != 0 ? own : max_index(state, {kKvTable, kTombstoneTable});
  read.names = {own != 0 ? below(prefix) : std::string(kKvTable)};
  if (call.query.has("keys")) {
    read.answer = [&state, &call] {
      Json::Array keys = keys_below(state, call.rest, call.query.get("separator"));
      // Only the root has an empty list; elsewhere it is not found.
      return keys.empty() && !call.rest.empty() ? empty_answer(404) : json_answer(call, std::move(keys));
    };
    return read;
  }
  read.answer = [&state, &call] {
    Json::Array rows;
    each_below(state, call.rest, [&](const KvPair& pair) { rows.push_back(kv_row(pair, true)); });
    return rows.empty() ? empty_answer(404) : json_answer(call, std::move(rows));
  };
  return read;
}

HttpResponse raw_value(const KvPair& pair) {
  return {
      200,
      {{"content-security-policy", "sandbox"}, {"content-type", "text/plain"}, {"x-content-type-options", "nosniff"}},
      pair.value};
}

}  // namespace

Read read_kv(const State& state, const Call& call) {
  if (call.query.has("recurse") || call.query.has("keys")) return read_below(state, call);
  if (call.rest.empty()) return refuse(bad_request("Missing key name"));
  Read read;
  const auto found = state.kv.find(call.rest);
  if (found == state.kv.end()) {
    read.index = max_index(state, {kKvTable, kTombstoneTable});
    read.names = {std::string(kKvTable)};
    read.answer = [] { return empty_answer(404); };
    return read;
  }
  read.index = found->second.modify_index;
  read.names = {"kv/" + call.rest};
  read.answer = [&pair = found->second, &call] {
    return call.query.has("raw") ? raw_value(pair) : json_answer(call, Json::Array{kv_row(pair, true)});
  };
  return read;
}

HttpResponse put_kv(Store& store, const Call& call) {
  if (call.rest.empty()) return bad_request("Missing key name");
  if (auto answer = conflict(call, {"cas", "acquire", "release"})) return *answer;
  KvPair pair;
  pair.key = call.rest;
  pair.value = std::string(call.body);
  std::uint64_t cas = 0;
  if (auto answer = read_number(call, "flags", pair.flags)) return *answer;
  if (auto answer = read_number(call, "cas", cas)) return *answer;
  if (pair.value.size() > kMaximalValue) {
    return text_answer(413, fmt::format("Request body({} bytes) too large, max size: {} bytes. See "
                                        "https://www.consul.io/docs/agent/options.html#kv_max_value_size.",
                                        pair.value.size(), kMaximalValue));
  }
  const bool acquire = call.query.has("acquire");
  const bool release = call.query.has("release");
  if (acquire && kv_lock_delayed(store.state(), pair.key, store.now())) return json_answer(call, false);
  if (acquire || release) pair.session = call.query.get(acquire ? "acquire" : "release");
  store.begin();
  if (acquire) {
    if (std::string mistake = session_mistake(store.state(), pair.session); !mistake.empty()) {
      return server_error(std::move(mistake));
    }
    return json_answer(call, kv_lock(store, std::move(pair)));
  }
  if (release) {
    if (pair.session.empty()) return server_error("missing session");
    return json_answer(call, kv_unlock(store, std::move(pair)));
  }
  if (call.query.has("cas")) return json_answer(call, kv_set_cas(store, std::move(pair), cas));
  return json_answer(call, kv_set(store, std::move(pair), false));
}

HttpResponse delete_kv(Store& store, const Call& call) {
  if (auto answer = conflict(call, {"recurse", "cas"})) return *answer;
  if (call.query.has("recurse")) {
    store.begin();
    kv_delete_tree(store, call.rest);
    return json_answer(call, true);
  }
  if (call.rest.empty()) return bad_request("Missing key name");
  std::uint64_t cas = 0;
  if (call.query.has("cas")) {
    if (auto answer = read_number(call, "cas", cas)) return *answer;
    store.begin();
    return json_answer(call, kv_delete_cas(store, call.rest, cas));
  }
  store.begin();
  return json_answer(call, kv_delete(store, call.rest));
}

}  // namespace convergence::memory
