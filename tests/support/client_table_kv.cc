#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Keys = Answer<std::vector<std::string>>;

void put_get_delete(Backend& b) {
  const std::string key = b.key("a");
  const OnePair absent = get(b, key);
  CHECK_FALSE(absent.value.has_value());
  CHECK(absent.index > 0);
  CHECK(absent.known_leader);
  CHECK(put(b, key, "one"));
  const OnePair one = get(b, key);
  REQUIRE(one.value);
  CHECK(one.value->key == key);
  CHECK(one.value->value == "one");
  CHECK(one.value->create_index == one.value->modify_index);
  CHECK(one.value->create_index > 0);
  CHECK(one.index == one.value->modify_index);
  CHECK(put(b, key, "two"));
  const OnePair two = get(b, key);
  REQUIRE(two.value);
  CHECK(two.value->value == "two");
  CHECK(two.value->create_index == one.value->create_index);
  CHECK(two.value->modify_index > one.value->modify_index);
  CHECK(remove(b, key));
  CHECK_FALSE(get(b, key).value.has_value());
  CHECK(remove(b, key));  // what is absent is deleted already
}

void bytes_and_flags(Backend& b) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const ConsulClient::KvPut bytes{b.key("bytes"), all, 18446744073709551615U, {}, "", ""};
  CHECK(must<bool>(b, [&](auto done) { b.client.kv_put(bytes, {}, done); }));
  const OnePair read = get(b, bytes.key);
  REQUIRE(read.value);
  CHECK(read.value->value == all);
  CHECK(read.value->flags == 18446744073709551615U);
  CHECK(put(b, b.key("empty"), ""));
  CHECK(get(b, b.key("empty")).value->value.empty());
}

void odd_keys(Backend& b) {
  const char* const names[] = {"with space", "hash#mark", "what?", "50%", "a+b",   "a&b=c", "\u00e9t\u00e9/\u2603",
                               "..dots..",   "a;b,c",     "(x)!",  "~",   "\"q\"", "x\\y",  "colon:at@"};
  for (const char* name : names) {
    CAPTURE(name);
    CHECK(put(b, b.key(name), name));
    const OnePair read = get(b, b.key(name));
    REQUIRE(read.value);
    CHECK(read.value->key == b.key(name));
    CHECK(read.value->value == name);
  }
  CHECK(recurse(b, b.key("")).value.size() == std::size(names));
}

void compare_and_set(Backend& b) {
  const std::string key = b.key("cas");
  CHECK_FALSE(put(b, key, "x", 77));  // absent, but an index was named
  CHECK_FALSE(get(b, key).value.has_value());
  CHECK(put(b, key, "one", 0));
  CHECK_FALSE(put(b, key, "two", 0));
  const std::uint64_t index = get(b, key).value->modify_index;
  CHECK_FALSE(put(b, key, "two", index + 1000));
  CHECK(get(b, key).value->value == "one");
  CHECK(put(b, key, "two", index));
  CHECK_FALSE(put(b, key, "three", index));
  CHECK(get(b, key).value->value == "two");
  CHECK_FALSE(remove(b, key, index));
  CHECK(get(b, key).value.has_value());
  CHECK(remove(b, key, get(b, key).value->modify_index));
  CHECK_FALSE(get(b, key).value.has_value());
  CHECK(remove(b, key, index));
}

void rewriting_the_same(Backend& b) {
  const std::string key = b.key("same");
  CHECK(put(b, key, "v"));
  const OnePair before = get(b, key);
  CHECK(put(b, key, "v"));
  const OnePair after = get(b, key);
  CHECK(after.value == before.value);
  CHECK(after.index == before.index);
  CHECK(recurse(b, b.key("")).index == before.index);
}

void recurse_and_keys(Backend& b) {
  for (const char* name : {"t/b", "t/a", "t/sub/c", "t2"}) CHECK(put(b, b.key(name), name));
  const auto names = [&](const std::string& prefix) {
    return must<Keys>(b, [&](auto done) { b.client.kv_keys(prefix, {}, done); }).value;
  };
  CHECK(names(b.key("t/")) == std::vector<std::string>{b.key("t/a"), b.key("t/b"), b.key("t/sub/c")});
  CHECK(names(b.key("t")).size() == 4);
  CHECK(names(b.key("none")).empty());
  const Pairs pairs = recurse(b, b.key("t/"));
  REQUIRE(pairs.value.size() == 3);
  CHECK(pairs.value[0].key == b.key("t/a"));
  CHECK(pairs.value[0].value == "t/a");
  CHECK(pairs.value[2].key == b.key("t/sub/c"));
  CHECK(recurse(b, b.key("none")).value.empty());
  CHECK(must<bool>(b, [&](auto done) { b.client.kv_delete_tree(b.key("t/"), {}, done); }));
  CHECK(names(b.key("")) == std::vector<std::string>{b.key("t2")});
}

void the_index_of_a_prefix(Backend& b) {
  CHECK(put(b, b.key("p/a"), "1"));
  CHECK(put(b, b.key("p/b"), "1"));
  const Pairs before = recurse(b, b.key("p/"));
  CHECK(before.index == before.value[1].modify_index);
  CHECK(put(b, b.key("elsewhere"), "1"));
  CHECK(recurse(b, b.key("p/")).index == before.index);
  CHECK(remove(b, b.key("p/a")));
  const Pairs after = recurse(b, b.key("p/"));
  CHECK(after.value.size() == 1);
  CHECK(after.index > before.value[1].modify_index);
}

void too_long_a_value(Backend& b) {
  const std::string value(512 * 1024, 'x');
  CHECK(put(b, b.key("full"), value));
  CHECK(get(b, b.key("full")).value->value == value);
  const auto more = call<bool>(b, [&](auto done) {
    b.client.kv_put({b.key("more"), value + "x", 0, {}, "", ""}, {}, done);
  });
  CHECK_ERROR(more, ErrorKind::kRefused, "status 413");
  CHECK_FALSE(get(b, b.key("more")).value.has_value());
}

// ---- blocking queries

void woken_by_its_own_write(Backend& b) {
  CHECK(put(b, b.key("k"), "1"));
  const OnePair before = get(b, b.key("k"));
  auto waiting_get = start_get(b, b.key("k"), waiting(before.index));
  CHECK(put(b, b.key("k"), "2"));
  const OnePair after = waiting_get.value();
  REQUIRE(after.value);
  CHECK(after.value->value == "2");
  CHECK(after.index > before.index);
}

void answered_at_once_when_behind(Backend& b) {
  CHECK(put(b, b.key("k"), "1"));
  const std::uint64_t index = get(b, b.key("k")).index;
  CHECK(put(b, b.key("k"), "2"));
  CHECK(start_get(b, b.key("k"), waiting(index)).value().value->value == "2");
}

void ends_with_its_wait(Backend& b) {
  CHECK(put(b, b.key("k"), "1"));
  const OnePair before = get(b, b.key("k"));
  CHECK(start_get(b, b.key("k"), waiting(before.index, milliseconds(100))).value() == before);
}

// An absent key's read wakes at every write of its table, so that its end proves that the other one slept on.
void unrelated_writes(Backend& b) {
  CHECK(put(b, b.key("mine"), "1"));
  CHECK(put(b, b.key("tree/a"), "1"));
  const OnePair mine = get(b, b.key("mine"));
  const Pairs tree = recurse(b, b.key("tree/"));
  auto existing = start_get(b, b.key("mine"), waiting(mine.index));
  auto prefix = start_recurse(b, b.key("tree/"), waiting(tree.index));
  for (int round = 0; round < 3; ++round) {
    auto absent = start_get(b, b.key("absent"), waiting(get(b, b.key("absent")).index));
    CHECK(put(b, b.key("other"), std::to_string(round)));
    const OnePair woken = absent.value();
    CHECK_FALSE(woken.value.has_value());
    CHECK(woken.index == get(b, b.key("other")).value->modify_index);
  }
  CHECK_FALSE(existing.ended());
  CHECK_FALSE(prefix.ended());
  CHECK(put(b, b.key("mine"), "2"));
  CHECK(put(b, b.key("tree/b"), "2"));
  CHECK(existing.value().value->value == "2");
  CHECK(prefix.value().value.size() == 2);
}

void an_identical_write_wakes_nobody(Backend& b) {
  CHECK(put(b, b.key("k"), "1"));
  auto waiting_get = start_get(b, b.key("k"), waiting(get(b, b.key("k")).index));
  auto absent = start_get(b, b.key("absent"), waiting(get(b, b.key("absent")).index));
  CHECK(put(b, b.key("k"), "1"));
  CHECK(put(b, b.key("other"), "1"));
  CHECK(absent.value().index == get(b, b.key("other")).index);
  CHECK_FALSE(waiting_get.ended());
  CHECK(put(b, b.key("k"), "2"));
  CHECK(waiting_get.value().value->value == "2");
}

void deletion_wakes(Backend& b) {
  CHECK(put(b, b.key("p/a"), "1"));
  CHECK(put(b, b.key("p/b"), "1"));
  const OnePair one = get(b, b.key("p/a"));
  const Pairs all = recurse(b, b.key("p/"));
  auto key = start_get(b, b.key("p/a"), waiting(one.index));
  auto prefix = start_recurse(b, b.key("p/"), waiting(all.index));
  CHECK(remove(b, b.key("p/a")));
  const OnePair gone = key.value();
  CHECK_FALSE(gone.value.has_value());
  CHECK(gone.index > one.index);
  const Pairs rest = prefix.value();
  CHECK(rest.value.size() == 1);
  CHECK(rest.index > all.index);
}

void watch_of_a_prefix(Backend& b) {
  std::vector<std::string> told;
  const std::string prefix = b.key("w/");
  const auto watch = Watch::start<std::vector<KvPair>>(
      b.executor, [&](std::uint64_t index, auto done) { b.client.kv_recurse(prefix, waiting(index), done); },
      [&](const absl::StatusOr<Pairs>& answer) {
        std::string text = answer.ok() ? "" : std::string(answer.status().message());
        if (answer.ok()) {
          for (const KvPair& pair : answer->value) text += pair.key.substr(prefix.size()) + "=" + pair.value + " ";
        }
        told.push_back(text);
      });
  const auto wait_for = [&](std::size_t count) {
    REQUIRE_OK(b.executor.wait_until([&] { return told.size() >= count; }, b.executor.now() + kPatience));
  };
  wait_for(1);
  CHECK(put(b, b.key("w/a"), "1"));
  wait_for(2);
  CHECK(put(b, b.key("w/a"), "1"));
  CHECK(put(b, b.key("unrelated"), "1"));
  CHECK(put(b, b.key("w/b"), "2"));
  wait_for(3);
  CHECK(remove(b, b.key("w/a")));
  wait_for(4);
  CHECK(told == std::vector<std::string>{"", "a=1 ", "a=1 b=2 ", "b=2 "});
}

}  // namespace

std::vector<ClientCase> kv_cases() {
  return {
      {"put, get, change, delete", put_get_delete},
      {"all bytes, all flags, no bytes", bytes_and_flags},
      {"keys that need encoding", odd_keys},
      {"compare-and-set", compare_and_set},
      {"an identical rewrite changes no index", rewriting_the_same},
      {"recurse, keys, delete a tree", recurse_and_keys},
      {"the index of a prefix moves with its keys, deletion too", the_index_of_a_prefix},
      {"a value may have 512 KiB", too_long_a_value},
  };
}

std::vector<ClientCase> blocking_cases() {
  return {
      {"a read is woken by a write of its key", woken_by_its_own_write},
      {"a read that is behind is answered at once", answered_at_once_when_behind},
      {"a read ends with its wait", ends_with_its_wait},
      {"unrelated writes wake absent keys only", unrelated_writes},
      {"an identical write wakes nobody", an_identical_write_wakes_nobody},
      {"deletion wakes key and prefix", deletion_wakes},
      {"a watch of a prefix", watch_of_a_prefix},
  };
}

}  // namespace convergence::test
