#ifndef CONVERGENCE_TESTS_SUPPORT_MEMORY_REQUESTS_H_
#define CONVERGENCE_TESTS_SUPPORT_MEMORY_REQUESTS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "fmt/format.h"

namespace convergence::test {

// Requests drawn from few names, so that they meet.
class MemoryRequests {
 public:
  explicit MemoryRequests(std::uint64_t seed) : random_(seed) {}

  // For servers whose clock cannot be held: nothing that they do by themselves would come up within a test.
  void without_time() { timed_ = false; }

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  std::string write() {
    switch (draw(14)) {
      case 0:
        return fmt::format("PUT /v1/kv/{} v{}", key(), draw(3));
      case 1:
        return fmt::format("PUT /v1/kv/{}?cas={} v{}", key(), draw(60), draw(3));
      case 2:
        return fmt::format("DELETE /v1/kv/{}{}", key(), draw(2) == 0 ? "" : "?recurse");
      case 3:
        return fmt::format("PUT /v1/kv/{}?{}={} v", key(), draw(2) == 0 ? "acquire" : "release", session());
      case 4:
        return timed_ ? R"(PUT /v1/session/create {"TTL":"10s","LockDelay":"3s"})"
                      : R"(PUT /v1/session/create {"LockDelay":"0s"})";
      case 5:
        return "PUT /v1/session/destroy/" + session();
      case 6:
        return transaction();
      case 7:
      case 8:
        return registration();
      case 9:
        return deregistration();
      case 10:
        return fmt::format(R"(PUT /v1/agent/service/register {{"Name":"{}","Check":{{"TTL":"{}"}}}})", service(),
                           timed_ ? "7s" : "24h");
      case 11:
        return fmt::format("PUT /v1/agent/check/{}/service:{}", draw(2) == 0 ? "pass" : "fail", service());
      case 12:
        return fmt::format(R"(PUT /v1/config {{"Kind":"service-defaults","Name":"{}","Protocol":"http"}})", service());
      default:
        return fmt::format("DELETE /v1/config/service-defaults/{}", service());
    }
  }

  std::string read() {
    const std::vector<std::string> targets = {"kv/" + key(),
                                              fmt::format("kv/{}?recurse", key()),
                                              "kv/?keys",
                                              "session/list",
                                              "catalog/nodes",
                                              "catalog/services",
                                              "catalog/node/memory",
                                              "health/state/any",
                                              "health/checks/" + service(),
                                              "config/service-defaults"};
    return "GET /v1/" + targets[draw(targets.size())];
  }

  std::string service() { return fmt::format("s{}", draw(3)); }

 private:
  std::string key() {
    static const char* const kKeys[] = {"a", "a/b", "a/b/c", "b", "c"};
    return kKeys[draw(5)];
  }
  std::string session() { return fmt::format("c0de0000-0000-4000-8000-{:012x}", 1 + draw(4)); }
  std::string node() { return fmt::format("n{}", draw(3)); }

  std::string transaction() {
    return fmt::format(R"(PUT /v1/txn [{{"KV":{{"Verb":"set","Key":"{}","Value":"dA=="}}}},)"
                       R"({{"KV":{{"Verb":"delete","Key":"{}"}}}},{{"KV":{{"Verb":"{}","Key":"{}"}}}},)"
                       R"({{"Node":{{"Verb":"{}","Node":{{"Node":"{}","Address":"1"}}}}}}])",
                       key(), key(), draw(2) == 0 ? "check-not-exists" : "get", key(), draw(2) == 0 ? "set" : "delete",
                       node());
  }
  std::string registration() {
    const std::string name = service();
    return fmt::format(
        R"(PUT /v1/catalog/register {{"Node":"{}","Address":"{}","Service":{{"Service":"{}","Port":{}}},)"
        R"("Checks":[{{"Name":"c","Status":"{}","ServiceID":"{}"}},{{"Name":"n","Status":"passing"}}]}})",
        node(), draw(2), name, draw(2), draw(2) == 0 ? "passing" : "critical", name);
  }
  std::string deregistration() {
    return fmt::format(R"(PUT /v1/catalog/deregister {{"Node":"{}"{}}})", node(),
                       draw(2) == 0 ? "" : fmt::format(R"(,"ServiceID":"{}")", service()));
  }

  std::mt19937_64 random_;
  bool timed_ = true;
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_MEMORY_REQUESTS_H_
