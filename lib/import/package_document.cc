#include "lib/import/package_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"

namespace convergence::package_document {
namespace {

std::string_view type_name(const Json& json) {
  switch (json.type()) {
    case Json::Type::kNull:
      return "empty";
    case Json::Type::kBool:
      return "true or false";
    case Json::Type::kNumber:
      return "a number";
    case Json::Type::kString:
      return "text";
    case Json::Type::kArray:
      return "a list";
    case Json::Type::kObject:
      return "an object";
  }
  return "";
}

absl::Status fail(std::string_view document, std::int64_t line, std::string_view field, std::string_view problem) {
  Json detail;
  detail.set("document", document).set("line", line).set("field", field);
  return make_error(ErrorKind::kDecode,
                    fmt::format("{}: line {}: {}{}{}", document, line, field, field.empty() ? "" : ": ", problem),
                    std::move(detail));
}

// The line of a value that begins with two braces outside quotes: to YAML an object within an object. 0: none.
std::int64_t line_of_template(std::string_view text) {
  std::int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, std::min(line.find(" #"), line.size()));
    const std::size_t first = std::min(line.find_first_not_of(" \t"), line.size());
    if (line.substr(first).starts_with('#')) continue;
    const std::size_t braces = line.find("{{");
    if (braces == std::string_view::npos) continue;
    const std::size_t before = line.find_last_not_of(" \t", braces == 0 ? 0 : braces - 1);
    if (braces == 0 || before == std::string_view::npos || line[before] == ':' || line[before] == '-') return number;
  }
  return 0;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Pieces between slashes, and on Windows between backslashes, without empty ones and ".". Nothing where one is "..".
std::optional<std::vector<std::string_view>> pieces_of(std::string_view path, std::string_view separators) {
  std::vector<std::string_view> pieces;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find_first_of(separators), path.size());
    const std::string_view piece = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (piece == "..") return std::nullopt;
    if (!piece.empty() && piece != ".") pieces.push_back(piece);
  }
  return pieces;
}

}  // namespace

Field Field::member(const Json::Member& member) const {
  return {member.value, path_.empty() ? member.name : fmt::format("{}.{}", path_, member.name), *source_};
}

Field Field::item(std::size_t index) const {
  return {(*json_->as_array())[index], fmt::format("{}[{}]", path_, index), *source_};
}

absl::Status Field::error(std::string_view problem) const {
  return fail(source_->document, source_->lines.line_of(json_->offset), path_, problem);
}

absl::Status Field::wrong_type(std::string_view wanted) const {
  return error(fmt::format("must be {}, is {}", wanted, type_name(*json_)));
}

void Field::note(ImportOutcome outcome, std::string_view why) const {
  source_->report.push_back({source_->lines.line_of(json_->offset), path_, outcome, std::string(why)});
}

absl::StatusOr<Members> Members::of(const Field& field) {
  if (!field.json().is_object()) return field.wrong_type("an object");
  return Members(field);
}

std::optional<Field> Members::take(std::string_view name) {
  const Json::Object& members = *field_.json().as_object();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].name != name) continue;
    taken_[i] = true;
    if (members[i].value.is_null()) return std::nullopt;
    return field_.member(members[i]);
  }
  return std::nullopt;
}

absl::StatusOr<Field> Members::require(std::string_view name, std::string_view why) {
  std::optional<Field> field = take(name);
  if (!field) return field_.error(fmt::format("needs {}: {}", name, why));
  return *std::move(field);
}

void Members::note_rest() {
  const Json::Object& members = *field_.json().as_object();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!taken_[i]) field_.member(members[i]).note(ImportOutcome::kIgnored, "nothing here is known by this name");
  }
}

absl::StatusOr<Json> read_document(std::string_view text, std::string_view document) {
  absl::StatusOr<std::vector<Json>> documents = parse_yaml(text, document);
  if (!documents.ok()) {
    const std::int64_t line = line_of_template(text);
    if (line == 0) return documents.status();
    return fail(
        document, line, "",
        "a {{...}} without quotes: a template that nobody has filled in, or a text that has to stand in quotes");
  }
  if (documents->empty()) return fail(document, 1, "", "is empty");
  if (documents->size() > 1) return fail(document, 1, "", "holds several documents; one is wanted");
  if (!documents->front().is_object()) {
    return fail(document, 1, "", fmt::format("must be an object, is {}", type_name(documents->front())));
  }
  return std::move(documents->front());
}

absl::StatusOr<std::string> text_of(const Field& field) {
  if (const std::string* text = field.json().as_string()) return *text;
  if (const Json::Number* number = field.json().as_number()) return number->text;
  if (const bool* flag = field.json().as_bool()) return std::string(*flag ? "true" : "false");
  return field.wrong_type("text");
}

absl::StatusOr<std::string> filled_text_of(const Field& field) {
  CVG_ASSIGN_OR_RETURN(std::string text, text_of(field));
  if (text.empty()) return field.error("is empty");
  if (has_control(text)) return field.error("holds a control character");
  return text;
}

absl::StatusOr<bool> bool_of(const Field& field) {
  if (const bool* flag = field.json().as_bool()) return *flag;
  if (const std::string* text = field.json().as_string()) {
    if (ascii_equal_fold(*text, "true")) return true;
    if (ascii_equal_fold(*text, "false")) return false;
  }
  return field.wrong_type("true or false");
}

absl::StatusOr<std::int64_t> whole_of(const Field& field, std::int64_t least, std::int64_t most) {
  std::optional<std::int64_t> value = field.json().to_int64();
  if (const std::string* text = field.json().as_string()) {
    std::int64_t read = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), read);
    if (error == std::errc() && end == text->data() + text->size()) value = read;
  }
  if (!value) return field.error(fmt::format("must be a whole number from {} to {}", least, most));
  if (*value < least || *value > most) return field.error(fmt::format("{} is not in {}..{}", *value, least, most));
  return *value;
}

absl::StatusOr<Duration> duration_of(const Field& field) {
  if (!field.json().is_string() && !field.json().is_number()) return field.wrong_type("a time like 10s");
  CVG_ASSIGN_OR_RETURN(const std::string text, text_of(field));
  const bool has_unit = !text.empty() && text.find_first_not_of("0123456789.") != std::string::npos;
  const absl::StatusOr<Duration> duration = duration_from_text(has_unit ? text : text + "s");
  if (!duration.ok() || *duration <= Duration::zero()) {
    return field.error(fmt::format("\"{}\" is no time like 10s; a number alone is seconds", text));
  }
  return *duration;
}

absl::StatusOr<std::vector<Field>> items_of(const Field& field) {
  const Json::Array* items = field.json().as_array();
  if (!items) return field.wrong_type("a list");
  std::vector<Field> out;
  for (std::size_t i = 0; i < items->size(); ++i) out.push_back(field.item(i));
  return out;
}

absl::StatusOr<std::vector<std::string>> texts_of(const Field& field) {
  CVG_ASSIGN_OR_RETURN(const std::vector<Field> items, items_of(field));
  std::vector<std::string> out;
  for (const Field& item : items) {
    CVG_ASSIGN_OR_RETURN(out.emplace_back(), filled_text_of(item));
  }
  return out;
}

absl::StatusOr<std::string> packed_path_of(const Field& field) {
  CVG_ASSIGN_OR_RETURN(const std::string text, filled_text_of(field));
  // Archives have slashes alone; a backslash may come from a package for Windows.
  const auto pieces = pieces_of(text, "/\\");
  if (!pieces) return field.error(fmt::format("\"{}\" leads out of the package by \"..\"", text));
  if (pieces->empty()) return std::string("/");
  return fmt::format("{}", fmt::join(*pieces, "/"));
}

absl::StatusOr<std::string> program_of(const Field& field) {
  CVG_ASSIGN_OR_RETURN(std::string path, packed_path_of(field));
  if (path.size() == 1 && path[0] == '/') return field.error("names the package itself, not a program in it");
  return path;
}

absl::StatusOr<std::string> node_path_of(const Field& field, std::string_view platform) {
  CVG_ASSIGN_OR_RETURN(std::string text, filled_text_of(field));
  const bool windows = platform == "windows";
  const auto is_letter = [](char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; };
  const bool absolute =
      windows ? text.size() > 2 && is_letter(text[0]) && text[1] == ':' && (text[2] == '\\' || text[2] == '/')
              : text[0] == '/';
  if (!absolute) return field.error(fmt::format("\"{}\" is no absolute path", text));
  if (!pieces_of(text, windows ? "/\\" : "/")) return field.error(fmt::format("\"{}\" goes up by \"..\"", text));
  return text;
}

std::string name_problem(std::string_view name) {
  constexpr std::size_t kMost = 128;
  if (name.empty()) return "is empty";
  if (name.size() > kMost) return fmt::format("has {} bytes; {} is the most", name.size(), kMost);
  if (name.find('/') != std::string_view::npos) return "holds a slash";
  return has_control(name) ? "holds a control character" : "";
}

absl::StatusOr<std::vector<std::string>> arguments_of(const Field& field, bool& odd) {
  CVG_ASSIGN_OR_RETURN(const std::string text, text_of(field));
  if (text.find('\0') != std::string::npos) return field.error("holds a zero byte");
  std::vector<std::string> out;
  bool open = false;  // in an argument
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != '\'' && (c == '$' || c == '`')) odd = true;
    if (quote == 0 && std::string_view("|&;<>()*?[~#").find(c) != std::string_view::npos) odd = true;
    if (quote == 0 && std::string_view(" \t\r\n").find(c) != std::string_view::npos) {
      open = false;
      continue;
    }
    if (!open) out.emplace_back();
    open = true;
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size() &&
               (quote == 0 || std::string_view("\\\"$`").find(text[i + 1]) != std::string_view::npos)) {
      out.back() += text[++i];
    } else {
      out.back() += c;
    }
  }
  if (quote != 0) return field.error(fmt::format("{} begins a quotation that never ends", quote));
  return out;
}

void sort_report(std::vector<ImportRow>& report) { std::ranges::stable_sort(report, {}, &ImportRow::line); }

}  // namespace convergence::package_document
