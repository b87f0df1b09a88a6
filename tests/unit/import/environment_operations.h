#ifndef CONVERGENCE_TESTS_UNIT_IMPORT_ENVIRONMENT_OPERATIONS_H_
#define CONVERGENCE_TESTS_UNIT_IMPORT_ENVIRONMENT_OPERATIONS_H_

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <string>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"

// What a transaction of Environment Manager's keys says, and what it does.
namespace convergence::test {

using Pairs = std::map<std::string, KvPair>;

inline std::string operations_of(const EnvironmentWrite& write) {
  std::string out;
  for (const Json& operation : write.operations) {
    const Json& kv = *operation.find("KV");
    const Json* value = kv.find("Value");
    out += fmt::format("{} {} {}", *kv.find("Verb")->as_string(), *kv.find("Key")->as_string(),
                       to_text(*kv.find("Index")));
    if (value) out += "\n  " + *base64_decode(*value->as_string());
    out += "\n";
  }
  return out;
}

// What Consul would make of it; false when one comparison is lost, and nothing is done.
inline bool do_write(const EnvironmentWrite& write, Pairs& kv) {
  Pairs next = kv;
  static std::uint64_t raft = 1000;
  ++raft;
  for (const Json& operation : write.operations) {
    const Json& fields = *operation.find("KV");
    const std::string& verb = *fields.find("Verb")->as_string();
    const std::string& key = *fields.find("Key")->as_string();
    const auto there = next.find(key);
    const std::uint64_t index = there == next.end() ? 0 : there->second.modify_index;
    if (index != fields.find("Index")->to_uint64()) return false;
    if (verb == "cas") {
      next[key] = {.key = key, .value = *base64_decode(*fields.find("Value")->as_string()), .modify_index = raft};
    } else if (verb == "delete-cas") {
      next.erase(key);
    } else {
      REQUIRE(verb == "check-index");
    }
  }
  kv = std::move(next);
  return true;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_IMPORT_ENVIRONMENT_OPERATIONS_H_
