#ifndef CONVERGENCE_LIB_IMPORT_DOCUMENTS_H_
#define CONVERGENCE_LIB_IMPORT_DOCUMENTS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/import.h"

namespace convergence::importing {

// Lines of a text by the offset of what stands in it.
class Lines {
 public:
  explicit Lines(std::string_view text);
  std::int64_t line_of(std::size_t offset) const;

 private:
  std::vector<std::size_t> ends_;  // of lines
};

// What has one row in a report: a value that is no object and no list of objects or lists, or an empty one.
bool is_leaf(const Json& json);

// One row for each such value within `json`.
void add_rows(const Json& json, const std::string& field, ImportOutcome outcome, std::string_view why,
              const Lines& lines, std::vector<ImportRow>& out);

// Whether the document is a custom resource; and the entry that it is, with its rows.
bool is_custom_resource(const Json& json);
absl::StatusOr<ConfigEntry> entry_of_resource(const Json& json, std::string_view document, const Lines& lines,
                                              std::vector<ImportRow>& report);

// The rows of the members that the entry's structs have no field for say so.
void mark_unknown(const ConfigEntry& entry, std::vector<ImportRow>& report);

}  // namespace convergence::importing

#endif  // CONVERGENCE_LIB_IMPORT_DOCUMENTS_H_
