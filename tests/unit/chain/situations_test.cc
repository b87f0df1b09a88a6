#include "tests/unit/chain/situations.h"

#include <doctest/doctest.h>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

void check_chains(const absl::StatusOr<std::vector<test::Situation>>& situations) {
  REQUIRE_OK(situations);
  for (const test::Situation& situation : *situations) {
    SUBCASE(situation.name.c_str()) {
      EntryMap entries;
      for (const Json& json : situation.entries) {
        const auto entry = from_json<ConfigEntry>(json, "entry");
        REQUIRE_OK(entry);
        auto normal = normalise_entry(*entry, situation.request.cluster.dialect);
        REQUIRE_OK(normal);
        entries.insert_or_assign(entry_key(*normal), *normal);
      }
      const auto chain = compile_chain(entries, situation.request);
      if (situation.chain.is_null()) {
        CHECK(to_string(error_kind(chain.status())) == "graph");
        CHECK(std::string(chain.status().message()) == situation.error);
      } else {
        REQUIRE_OK(chain);
        CHECK(to_pretty_text(to_json(*chain)) == to_pretty_text(situation.chain));
      }
    }
  }
}

TEST_CASE("the chain of each situation is the server's") { check_chains(test::read_situations()); }

TEST_CASE("the chain of each situation that later Consuls have more") { check_chains(test::read_current_situations()); }

// Whoever puts the entries one by one is told what the server told: at the last one where there is an error.
TEST_CASE("each situation is taken or refused entry by entry") {
  const auto situations = test::read_situations();
  REQUIRE_OK(situations);
  for (const test::Situation& situation : *situations) {
    SUBCASE(situation.name.c_str()) {
      ConfigEntries entries;
      for (std::size_t i = 0; i < situation.entries.size(); ++i) {
        const auto entry = from_json<ConfigEntry>(situation.entries[i], "entry");
        REQUIRE_OK(entry);
        const ConfigEntries before = entries;
        const absl::Status status = entries.put(*entry, i + 1);
        const bool refused = !situation.error.empty() && !situation.read_only && i + 1 == situation.entries.size();
        CAPTURE(i);
        CHECK(to_string(error_kind(status)) == (refused ? "graph" : ""));
        if (refused) CHECK(entries == before);
      }
    }
  }
}

}  // namespace
}  // namespace convergence
