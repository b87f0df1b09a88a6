// Entries in any of the languages: whatever is imported can be written and read again, and every row of the report
// names a line of the text. The first byte chooses the format.
#include <algorithm>
#include <iterator>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/import.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  static constexpr std::string_view kFormats[] = {"auto", "json", "hcl", "yaml"};
  const std::string_view text = text_of(data + 1, size - 1);
  const auto imported = import_entries(text, "text", kFormats[data[0] % std::size(kFormats)]);
  if (!imported.ok()) {
    must(error_kind(imported.status()) == ErrorKind::kDecode, "kind", std::string(imported.status().message()));
    return 0;
  }
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const ImportRow& row : imported->report) must(row.line >= 1 && row.line <= lines, "line", row.field);
  for (const ConfigEntry& entry : imported->entries) {
    const auto again = from_json<ConfigEntry>(to_json(entry), "entry");
    must(again.ok() && to_json(*again) == to_json(entry), "written and read again", to_text(to_json(entry)));
  }
  return 0;
}
