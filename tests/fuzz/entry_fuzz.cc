// A config entry in JSON: what is taken can be written and read again and is the same, and its normal form is its own.
// The first byte chooses the dialect.
#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  const Dialect dialect = data[0] % 2 == 0 ? Dialect::k1_8 : Dialect::kCurrent;
  const auto entry = parse<ConfigEntry>(text_of(data + 1, size - 1), "entry");
  if (!entry.ok()) {
    must(error_kind(entry.status()) == ErrorKind::kDecode, "kind", std::string(entry.status().message()));
    return 0;
  }
  const auto again = from_json<ConfigEntry>(to_json(*entry), "entry");
  must(again.ok() && to_json(*again) == to_json(*entry), "written and read again", to_text(to_json(*entry)));
  const auto normal = normalise_entry(*entry, dialect);
  if (!normal.ok()) return 0;
  const auto twice = normalise_entry(*normal, dialect);
  must(twice.ok() && *twice == *normal, "a normal form stays", to_text(to_json(*normal)));
  const auto read = from_json<ConfigEntry>(to_json(*normal), "entry");
  must(read.ok() && to_json(*read) == to_json(*normal), "a normal form written and read again",
       to_text(to_json(*normal)));
  return 0;
}
