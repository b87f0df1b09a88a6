#ifndef CONVERGENCE_LIB_IMPORT_FIELD_REPORT_H_
#define CONVERGENCE_LIB_IMPORT_FIELD_REPORT_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/import.h"
#include "lib/import/documents.h"

namespace convergence::importing {

// Every field of one document, in the order of the text, and what became of it. All of them stand there from the
// beginning, so that none is lost by a reader that forgets it, and none is told twice.
class FieldReport {
 public:
  // `base` is before every path: "" or "items[3]".
  FieldReport(const Json& document, std::string base, const Lines& lines);

  // Of all fields at and below `path`; what is said last counts. `into` is the member of the policy that it became.
  void say(std::string_view path, ImportOutcome outcome, std::string_view why, std::string_view into = "");
  // What became a member that nothing acts upon is not translated.
  void take_back(std::string_view into, std::string_view why);
  // The rows; `rest` is why a field that nothing was said of is unsupported.
  std::vector<ImportRow> rows(std::string_view rest) &&;

 private:
  struct Leaf {
    ImportRow row{};
    std::string into{};
    bool said = false;
  };
  void add(const Json& json, const std::string& path, const Lines& lines);

  const std::string base_;
  std::vector<Leaf> leaves_;
  std::map<std::string, std::pair<std::size_t, std::size_t>, std::less<>> places_;  // path -> its leaves, [first, end)
};

// A value that may not be there, and the way to it. A null is not there.
struct At {
  const Json* json = nullptr;
  std::string path{};

  explicit operator bool() const { return json != nullptr; }
  At member(std::string_view name) const;
  // The same, of a name in any case and with or without underscores.
  At loose(std::string_view name) const;
  std::vector<At> items() const;                            // empty for what is no list
  std::vector<std::pair<std::string, At>> members() const;  // empty for what is no object
};

// Values as people write them; empty for what is not there and for another type.
std::optional<std::string> text_at(const At& at);  // also a number or a truth, as it is written
std::optional<double> number_at(const At& at);     // also in text
std::optional<bool> bool_at(const At& at);
std::optional<Duration> duration_at(const At& at);  // "1m"; a number is seconds

}  // namespace convergence::importing

#endif  // CONVERGENCE_LIB_IMPORT_FIELD_REPORT_H_
