// Bad input from the network: each ends as a typed error after a bounded number of tries, and what Consul holds stays.
#include <functional>

#include "convergence/transport_decorators.h"
#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct FaultCase {
  const char* name;
  Fault fault;
  ErrorKind kind;
  std::uint64_t read_tries;
  const char* fragment;
};

const std::vector<FaultCase>& fault_cases() {
  static const std::vector<FaultCase> cases = {
      {"unreachable", {Fault::Kind::kFailBefore, 0, "", {}}, ErrorKind::kUnreachable, 3, "(tried 3 times)"},
      {"cut off in the middle of the body", {Fault::Kind::kCutBody, 0, "", {}}, ErrorKind::kUnreachable, 3, "body"},
      {"garbage", {Fault::Kind::kGarbage, 0, "\x7F<html>", {}}, ErrorKind::kProtocol, 1, "check that this address"},
      {"half an answer", {Fault::Kind::kGarbage, 0, R"([{"LockIndex":0,"Ke)", {}}, ErrorKind::kProtocol, 1, "offset"},
      {"another's answer", {Fault::Kind::kGarbage, 0, R"({"ok":true})", {}}, ErrorKind::kProtocol, 1, "answer"},
      {"a token that is refused",
       {Fault::Kind::kStatus, 403, "Permission denied", {}},
       ErrorKind::kDenied,
       1,
       "status 403: Permission denied; use a token"},
      {"a token that is unknown",
       {Fault::Kind::kStatus, 403, "ACL not found", {}},
       ErrorKind::kDenied,
       1,
       "ACL not found"},
      {"no leader",
       {Fault::Kind::kStatus, 500, "No cluster leader", {}},
       ErrorKind::kServer,
       3,
       "No cluster leader (tried 3 times)"},
      {"no answer at all", {Fault::Kind::kStall, 0, "", {}}, ErrorKind::kTimeout, 1, "GET /v1/kv/"},
  };
  return cases;
}

// A client behind the same fault each time.
struct Faulty {
  Faulty(const Backend& b, const Fault& fault)
      : transport(new_fault_transport(b.executor, b.transport,
                                      [this, fault](std::uint64_t, const HttpRequest&) {
                                        ++sent;
                                        return fault;
                                      })),
        client(b.executor, *transport, {3, milliseconds(1), milliseconds(2)}) {}

  std::uint64_t sent = 0;
  std::unique_ptr<Transport> transport;
  ConsulClient client;
};

ReadOptions brief_read() {
  ReadOptions options;
  options.timeout = milliseconds(300);
  return options;
}

void reads(Backend& b) {
  CHECK(put(b, b.key("k"), "v"));
  const Pairs before = recurse(b, b.key(""));
  for (const FaultCase& c : fault_cases()) {
    CAPTURE(c.name);
    Faulty faulty(b, c.fault);
    const auto result = call<OnePair>(b, [&](auto done) { faulty.client.kv_get(b.key("k"), brief_read(), done); });
    CHECK_ERROR(result, c.kind, c.fragment);
    CHECK_ERROR(result, c.kind, "GET /v1/kv/" + b.key("k"));
    CHECK(faulty.sent == c.read_tries);
  }
  CHECK(recurse(b, b.key("")) == before);
}

// A write that was answered badly may have happened: it is sent once and never again.
void writes(Backend& b) {
  WriteOptions options;
  options.timeout = milliseconds(300);
  for (const FaultCase& c : fault_cases()) {
    CAPTURE(c.name);
    const bool reaches = c.fault.kind == Fault::Kind::kCutBody || c.fault.kind == Fault::Kind::kGarbage;
    Faulty faulty(b, c.fault);
    const auto result = call<bool>(b, [&](auto done) {
      faulty.client.kv_put({b.key("w"), c.name, 0, {}, "", ""}, options, done);
    });
    CHECK(to_string(error_kind(result.status())) == to_string(c.kind));
    CHECK(faulty.sent == 1);
    const OnePair after = get(b, b.key("w"));
    CHECK(after.value.has_value() == reaches);
    if (reaches) CHECK(after.value->value == c.name);
    remove(b, b.key("w"));
  }
}

void an_outage_that_ends(Backend& b) {
  CHECK(put(b, b.key("k"), "v"));
  const auto transport = new_fault_transport(b.executor, b.transport, [](std::uint64_t number, const HttpRequest&) {
    Fault fault;
    if (number == 0) fault.kind = Fault::Kind::kCutBody;
    if (number == 1) fault = {Fault::Kind::kStatus, 500, "No cluster leader", {}};
    return fault;
  });
  ConsulClient client(b.executor, *transport, {3, milliseconds(1), milliseconds(2)});
  CHECK(must<OnePair>(b, [&](auto done) { client.kv_get(b.key("k"), {}, done); }) == get(b, b.key("k")));
}

void a_watch_through_an_outage(Backend& b) {
  bool broken = false;
  const auto transport = new_fault_transport(b.executor, b.transport, [&](std::uint64_t, const HttpRequest&) {
    Fault fault;
    if (broken) fault.kind = Fault::Kind::kFailBefore;
    return fault;
  });
  std::vector<std::string> told;
  const RetryOptions quick{1, milliseconds(1), milliseconds(20)};
  ConsulClient client(b.executor, *transport, quick);
  CHECK(put(b, b.key("k"), "1"));
  const auto watch = Watch::start<std::optional<KvPair>>(
      b.executor,
      [&](std::uint64_t index, auto done) { client.kv_get(b.key("k"), waiting(index, milliseconds(50)), done); },
      [&](const absl::StatusOr<OnePair>& answer) {
        told.push_back(answer.ok() ? (answer->value ? answer->value->value : "absent")
                                   : std::string(to_string(error_kind(answer.status()))));
      },
      quick);
  const auto wait_for = [&](std::size_t count) {
    REQUIRE_OK(b.executor.wait_until([&] { return told.size() >= count; }, b.executor.now() + kPatience));
  };
  wait_for(1);
  broken = true;
  wait_for(2);
  CHECK(put(b, b.key("k"), "2"));
  pause(b, milliseconds(200));
  broken = false;
  wait_for(3);
  CHECK(remove(b, b.key("k")));
  wait_for(4);
  CHECK(told == std::vector<std::string>{"1", "unreachable", "2", "absent"});
}

}  // namespace

std::vector<ClientCase> failure_cases() {
  return {
      {"reads that go wrong", reads},
      {"writes that go wrong", writes},
      {"an outage shorter than the tries", an_outage_that_ends},
      {"a watch through an outage", a_watch_through_an_outage},
  };
}

}  // namespace convergence::test
