#include "tests/unit/chain/situations.h"

#include <doctest/doctest.h>

#include <set>

#include "convergence/codec.h"
#include "tests/support/status_check.h"
#include "tests/support/test_json.h"

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

// discovery-chain.md (e), row by row; "pins" names the rows. 15 is also in normalise_test.cc.
TEST_CASE("every surprise of the server's is pinned by a case of its own") {
  std::set<int> pinned = {12};  // flatten_test.cc: the server itself answers now this, now that
  for (const char* file : {"unit/chain/situations.json", "unit/chain/writes.json"}) {
    const auto document = test::read_test_json(file);
    REQUIRE_OK(document);
    for (const Json& one : *document->as_array()) {
      const Json* pins = one.find("pins");
      if (pins == nullptr) continue;
      const std::string& text = *pins->as_string();
      if (const std::size_t at = text.find("(e) "); at != std::string::npos)
        pinned.insert(std::stoi(text.substr(at + 4)));
    }
  }
  std::set<int> rows;
  for (int row = 1; row <= 17; ++row) rows.insert(row);
  CHECK(pinned == rows);
}

}  // namespace
}  // namespace convergence
