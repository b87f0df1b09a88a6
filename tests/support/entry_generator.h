#ifndef CONVERGENCE_TESTS_SUPPORT_ENTRY_GENERATOR_H_
#define CONVERGENCE_TESTS_SUPPORT_ENTRY_GENERATOR_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/json.h"

namespace convergence::test {

// A write of a config entry, or a deletion.
struct EntryWrite {
  Json put;                  // as typed; null: delete
  std::string removed_kind;  // of what is deleted
  std::string removed_name;
};

// Sets of writes of config entries for a handful of services that refer to one another: nested splitters, redirects,
// failovers, routes; most of them right, some refused for one reason or another, some names in other letter case. The
// same seed gives the same writes on every machine.
class EntryGenerator {
 public:
  explicit EntryGenerator(std::uint64_t seed) : random_(seed) {}
  // The bytes choose, one a choice, and when they are used up a seed does.
  explicit EntryGenerator(std::string_view choices) : choices_(choices) {}

  std::vector<EntryWrite> writes();

  // The services that a set of writes is about, in all the spellings that may occur, and one that has no entries.
  static std::vector<std::string> services();
  // A body for POST /v1/discovery-chain.
  Json overrides();
  std::string datacenter() { return pick({"dc1", "dc2", "dc3"}); }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

 private:
  std::uint64_t below(std::uint64_t limit);
  std::string pick(const std::vector<std::string>& choices) { return choices[below(choices.size())]; }

  std::string own_name();  // of an entry
  std::string service();   // a reference to one
  std::string subset();
  std::string duration();
  std::string protocol();
  void maybe(Json& object, int percent, const char* name, Json value);

  Json entry();
  Json proxy_defaults();
  Json service_defaults();
  Json router();
  Json route();
  Json http_match();
  Json splitter();
  std::vector<std::int64_t> weights(std::size_t count);
  Json resolver();
  Json redirect();
  Json failover();
  Json spoilt(Json entry);

  std::mt19937_64 random_;
  std::string_view choices_;
  std::string usual_protocol_ = "http";
  int case_percent_ = 0;  // how often a name is spelled in other letters
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_ENTRY_GENERATOR_H_
