#include "tests/support/client_table.h"

namespace convergence::test {

ReadOptions waiting(std::uint64_t index, Duration wait) {
  ReadOptions options;
  options.wait_index = index;
  options.wait = wait;
  return options;
}

OnePair get(const Backend& backend, const std::string& key) {
  return must<OnePair>(backend, [&](auto done) { backend.client.kv_get(key, {}, done); });
}

Pairs recurse(const Backend& backend, const std::string& prefix) {
  return must<Pairs>(backend, [&](auto done) { backend.client.kv_recurse(prefix, {}, done); });
}

UnderWay<OnePair> start_get(const Backend& backend, const std::string& key, const ReadOptions& options) {
  return UnderWay<OnePair>(backend,
                           [&client = backend.client, key, options](auto done) { client.kv_get(key, options, done); });
}

UnderWay<Pairs> start_recurse(const Backend& backend, const std::string& prefix, const ReadOptions& options) {
  return UnderWay<Pairs>(
      backend, [&client = backend.client, prefix, options](auto done) { client.kv_recurse(prefix, options, done); });
}

bool put(const Backend& backend, const std::string& key, const std::string& value, std::optional<std::uint64_t> cas) {
  return must<bool>(backend, [&](auto done) { backend.client.kv_put({key, value, 0, cas, "", ""}, {}, done); });
}

bool remove(const Backend& backend, const std::string& key, std::optional<std::uint64_t> cas) {
  return must<bool>(backend, [&](auto done) { backend.client.kv_delete(key, cas, {}, done); });
}

Rows health_when(const Backend& backend, const std::string& service, const std::function<bool(const Rows&)>& enough) {
  Rows rows;
  for (int tries = 0; tries < 20; ++tries) {
    rows = must<Rows>(backend, [&](auto done) {
      backend.client.health_service(service, waiting(rows.index, std::chrono::seconds(5)), done);
    });
    if (enough(rows)) return rows;
  }
  FAIL("health of " << service << " never became what was waited for");
  return rows;
}

Json json(std::string_view text) {
  const absl::StatusOr<Json> parsed = parse_json(text, "test");
  REQUIRE_OK(parsed);
  return *parsed;
}

void pause(const Backend& backend, Duration duration) {
  must_be_done(backend, [&](auto done) {
    backend.executor.post_at(backend.executor.now() + duration, [done] { done(absl::OkStatus()); });
  });
}

}  // namespace convergence::test
