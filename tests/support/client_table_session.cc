#include <fmt/format.h>

#include <algorithm>

#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string create(const Backend& b, const SessionRequest& request) {
  return must<std::string>(b, [&](auto done) { b.client.session_create(request, {}, done); });
}

SessionRequest without_delay() {
  SessionRequest request;
  request.name = "test";
  request.lock_delay = Duration(0);
  return request;
}

void destroy(const Backend& b, const std::string& id) {
  must_be_done(b, [&](auto done) { b.client.session_destroy(id, {}, done); });
}

bool acquire(const Backend& b, const std::string& key, const std::string& session) {
  return must<bool>(b, [&](auto done) { b.client.kv_put({key, "held", 0, {}, session, ""}, {}, done); });
}

bool release(const Backend& b, const std::string& key, const std::string& session) {
  return must<bool>(b, [&](auto done) { b.client.kv_put({key, "free", 0, {}, "", session}, {}, done); });
}

const Json* find_session(const Answer<Json::Array>& sessions, const std::string& id) {
  const auto found = std::find_if(sessions.value.begin(), sessions.value.end(),
                                  [&](const Json& session) { return *session.find("ID") == Json(id); });
  return found == sessions.value.end() ? nullptr : &*found;
}

Answer<Json::Array> list(const Backend& b) {
  return must<Answer<Json::Array>>(b, [&](auto done) { b.client.session_list({}, done); });
}

void create_list_destroy(Backend& b) {
  SessionRequest request;
  request.name = b.name("s");
  request.ttl = seconds(600);
  request.lock_delay = seconds(3);
  request.delete_on_release = true;
  const std::string id = create(b, request);
  CHECK(id.size() == 36);
  const Answer<Json::Array> sessions = list(b);
  CHECK(sessions.index > 0);
  const Json* session = find_session(sessions, id);
  REQUIRE(session != nullptr);
  CHECK(*session->find("Name") == Json(request.name));
  CHECK(*session->find("Behavior") == Json("delete"));
  CHECK(*session->find("LockDelay") == Json(3000000000));
  must_be_done(b, [&](auto done) { b.client.session_renew(id, {}, done); });
  destroy(b, id);
  CHECK(find_session(list(b), id) == nullptr);
  CHECK_ERROR(await_done(b.executor, [&](auto done) { b.client.session_renew(id, {}, done); }), ErrorKind::kNotFound,
              fmt::format("Session id '{}' not found", id));
  destroy(b, id);
}

void one_holder(Backend& b) {
  const std::string key = b.key("lock");
  const std::string one = create(b, without_delay());
  const std::string two = create(b, without_delay());
  CHECK(acquire(b, key, one));
  const KvPair held = *get(b, key).value;
  CHECK(held.session == one);
  CHECK(held.lock_index == 1);
  CHECK_FALSE(acquire(b, key, two));
  CHECK(get(b, key).value == held);
  CHECK(acquire(b, key, one));  // again: the value may change, the count does not
  CHECK(get(b, key).value->lock_index == 1);
  CHECK_FALSE(release(b, key, two));
  CHECK(release(b, key, one));
  const KvPair freed = *get(b, key).value;
  CHECK(freed.session.empty());
  CHECK(freed.value == "free");
  CHECK(freed.lock_index == 1);
  CHECK(acquire(b, key, two));
  CHECK(get(b, key).value->lock_index == 2);
  destroy(b, one);
  CHECK(get(b, key).value->session == two);
  destroy(b, two);
  CHECK(get(b, key).value->session.empty());
  CHECK(get(b, key).value->value == "held");
}

void a_session_that_is_none(Backend& b) {
  const auto result = call<bool>(b, [&](auto done) {
    b.client.kv_put({b.key("lock"), "v", 0, {}, "11111111-2222-3333-4444-555555555555", ""}, {}, done);
  });
  CHECK_ERROR(result, ErrorKind::kServer, "invalid session");
  CHECK_FALSE(get(b, b.key("lock")).value.has_value());
}

void its_keys_go_with_it(Backend& b) {
  SessionRequest request = without_delay();
  request.delete_on_release = true;
  const std::string id = create(b, request);
  CHECK(acquire(b, b.key("lock"), id));
  const OnePair held = get(b, b.key("lock"));
  auto waiting_get = start_get(b, b.key("lock"), waiting(held.index));
  destroy(b, id);
  CHECK_FALSE(waiting_get.value().value.has_value());
}

void destruction_wakes(Backend& b) {
  const std::string id = create(b, without_delay());
  CHECK(acquire(b, b.key("lock"), id));
  const OnePair held = get(b, b.key("lock"));
  auto waiting_get = start_get(b, b.key("lock"), waiting(held.index));
  destroy(b, id);
  const OnePair freed = waiting_get.value();
  REQUIRE(freed.value);
  CHECK(freed.value->session.empty());
  CHECK(freed.index > held.index);
}

void lock_delay(Backend& b) {
  const std::string key = b.key("lock");
  SessionRequest request;
  request.name = "delayed";
  request.lock_delay = seconds(1);
  const std::string one = create(b, request);
  const std::string two = create(b, without_delay());
  CHECK(acquire(b, key, one));
  destroy(b, one);
  CHECK_FALSE(acquire(b, key, two));
  CHECK(get(b, key).value->session.empty());
  CHECK(put(b, key, "others may write"));
  bool acquired = false;
  for (int tries = 0; tries < 200 && !acquired; ++tries) {
    pause(b, milliseconds(50));
    acquired = acquire(b, key, two);
  }
  CHECK(acquired);
  // A lock that is given back needs no delay.
  const std::string three = create(b, request);
  CHECK(release(b, key, two));
  CHECK(acquire(b, key, three));
  CHECK(release(b, key, three));
  CHECK(acquire(b, key, two));
  destroy(b, two);
  destroy(b, three);
}

// Consul lets a session live for up to twice its TTL, and no TTL is shorter than 10 s.
void expiry(Backend& b) {
  SessionRequest request = without_delay();
  request.ttl = seconds(10);
  const std::string id = create(b, request);
  CHECK(acquire(b, b.key("lock"), id));
  const OnePair held = get(b, b.key("lock"));
  const OnePair freed = start_get(b, b.key("lock"), waiting(held.index, seconds(55))).value();
  REQUIRE(freed.value);
  CHECK(freed.value->session.empty());
  CHECK(freed.value->value == "held");
  CHECK(freed.index > held.index);
  CHECK(find_session(list(b), id) == nullptr);
  CHECK_ERROR(await_done(b.executor, [&](auto done) { b.client.session_renew(id, {}, done); }), ErrorKind::kNotFound,
              "not found");
  const auto short_ttl = [&](Duration ttl) {
    SessionRequest bad = without_delay();
    bad.ttl = ttl;
    return call<std::string>(b, [&](auto done) { b.client.session_create(bad, {}, done); });
  };
  CHECK_ERROR(short_ttl(seconds(9)), ErrorKind::kServer, "Invalid Session TTL");
  CHECK_ERROR(short_ttl(seconds(86401)), ErrorKind::kServer, "Invalid Session TTL");
}

}  // namespace

std::vector<ClientCase> session_cases() {
  return {
      {"create, list, renew, destroy", create_list_destroy},
      {"a lock has one holder", one_holder},
      {"a session that is none", a_session_that_is_none},
      {"the keys of a session that deletes go with it", its_keys_go_with_it},
      {"destruction wakes those who wait for the lock", destruction_wakes},
      {"lock-delay", lock_delay},
      {"a session expires", expiry},
  };
}

}  // namespace convergence::test
