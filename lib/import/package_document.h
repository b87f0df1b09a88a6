#ifndef CONVERGENCE_LIB_IMPORT_PACKAGE_DOCUMENT_H_
#define CONVERGENCE_LIB_IMPORT_PACKAGE_DOCUMENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/appspec.h"
#include "convergence/import.h"
#include "lib/import/documents.h"

// The reader of the documents of packages: values with the way to them and their lines.
namespace convergence::package_document {

// A text and what there is to say of it.
struct Source {
  Source(std::string_view text, std::string_view name) : document(name), lines(text) {}
  std::string_view document;
  importing::Lines lines;
  std::vector<ImportRow> report{};
};

// A value in a document. Refers to the value and the source.
class Field {
 public:
  Field(const Json& json, std::string path, Source& source) : json_(&json), path_(std::move(path)), source_(&source) {}

  const Json& json() const { return *json_; }
  const std::string& path() const { return path_; }
  Source& source() const { return *source_; }

  Field member(const Json::Member& member) const;
  Field item(std::size_t index) const;

  absl::Status error(std::string_view problem) const;
  absl::Status wrong_type(std::string_view wanted) const;  // "must be text, is a list"
  void note(ImportOutcome outcome, std::string_view why) const;

 private:
  const Json* json_;
  std::string path_;
  Source* source_;
};

// The members of an object, each taken once. A null is an absent one.
class Members {
 public:
  static absl::StatusOr<Members> of(const Field& field);

  std::optional<Field> take(std::string_view name);
  absl::StatusOr<Field> require(std::string_view name, std::string_view why);
  // A row for each that nobody took.
  void note_rest();
  const Field& field() const { return field_; }

 private:
  explicit Members(const Field& field) : field_(field), taken_(field.json().as_object()->size(), false) {}
  Field field_;
  std::vector<bool> taken_;
};

// The one YAML document of a text, an object.
absl::StatusOr<Json> read_document(std::string_view text, std::string_view document);

absl::StatusOr<std::string> text_of(const Field& field);  // a number or a truth as it was written
absl::StatusOr<std::string> filled_text_of(const Field& field);
absl::StatusOr<bool> bool_of(const Field& field);                                                  // also in text
absl::StatusOr<std::int64_t> whole_of(const Field& field, std::int64_t least, std::int64_t most);  // also in text
absl::StatusOr<Duration> duration_of(const Field& field);  // "10s", "10" and 10 are ten seconds
absl::StatusOr<std::vector<Field>> items_of(const Field& field);
absl::StatusOr<std::vector<std::string>> texts_of(const Field& field);

// A path below the archive's root without what makes no difference, leading slashes too. `..` is refused. "/" for the
// root itself.
absl::StatusOr<std::string> packed_path_of(const Field& field);
absl::StatusOr<std::string> program_of(const Field& field);  // the same, and not the root
// An absolute path of the platform without `..`.
absl::StatusOr<std::string> node_path_of(const Field& field, std::string_view platform);

// An id or a name that may stand in the id of a check.
std::string name_problem(std::string_view name);

// A command's arguments as a shell would split them, but for what only a shell can do; `odd` when there is such.
absl::StatusOr<std::vector<std::string>> arguments_of(const Field& field, bool& odd);

// The checks of a `consul_healthchecks` or `sensu_healthchecks`; scripts lie in `folder` ("" or ending in a slash).
absl::StatusOr<std::vector<CheckDefinition>> read_checks(const Field& field, std::string_view folder);
absl::StatusOr<std::vector<SensuCheck>> read_sensu_checks(const Field& field, std::string_view folder,
                                                          const PackageContext& context);

void sort_report(std::vector<ImportRow>& report);

}  // namespace convergence::package_document

#endif  // CONVERGENCE_LIB_IMPORT_PACKAGE_DOCUMENT_H_
