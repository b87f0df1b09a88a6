#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "convergence/error.h"
#include "convergence/import.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace convergence {
namespace {

constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxValues = 200'000;  // that aliases make of a text, all together

absl::Status fail(std::string_view document, const YAML::Mark& mark, std::string_view problem) {
  Json detail;
  detail.set("document", document).set("line", mark.line + 1).set("column", mark.column + 1);
  return make_error(ErrorKind::kDecode,
                    fmt::format("{}: line {}, column {}: {}", document, mark.line + 1, mark.column + 1, problem),
                    std::move(detail));
}

bool is_number(std::string_view text) {
  if (text.empty()) return false;
  const std::string_view digits = text.substr(text[0] == '-' ? 1 : 0);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return false;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
    return false;  // JSON has none such
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && text.back() != '.';
}

// What a scalar without quotes means (YAML's core schema, as far as Consul's documents use it).
Json plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Json();
  if (text == "true" || text == "True" || text == "TRUE") return Json(true);
  if (text == "false" || text == "False" || text == "FALSE") return Json(false);
  if (is_number(text)) return Json(Json::Number{text});
  return Json(text);
}

class Converter {
 public:
  explicit Converter(std::string_view document) : document_(document) {}

  absl::StatusOr<Json> convert(const YAML::Node& node, int depth) {
    if (depth > kMaxNesting) return fail(document_, node.Mark(), fmt::format("deeper than {} levels", kMaxNesting));
    if (++values_ > kMaxValues) return fail(document_, node.Mark(), "too many values; do aliases multiply?");
    CVG_ASSIGN_OR_RETURN(Json out, value(node, depth));
    if (!node.Mark().is_null()) out.offset = static_cast<std::size_t>(node.Mark().pos);
    return out;
  }

 private:
  absl::StatusOr<Json> value(const YAML::Node& node, int depth) {
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Json();
      case YAML::NodeType::Scalar:
        return node.Tag() == "!" ? Json(node.Scalar()) : plain(node.Scalar());
      case YAML::NodeType::Sequence: {
        Json::Array out;
        for (const YAML::Node& item : node) {
          CVG_ASSIGN_OR_RETURN(Json converted, convert(item, depth + 1));
          out.push_back(std::move(converted));
        }
        return Json(std::move(out));
      }
      case YAML::NodeType::Map:
        return object(node, depth);
    }
    return Json();
  }

  absl::StatusOr<Json> object(const YAML::Node& node, int depth) {
    Json::Object out;
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return fail(document_, member.first.Mark(), "a key that is no text");
      const std::string& name = member.first.Scalar();
      if (!seen.insert(name).second) {
        return fail(document_, member.first.Mark(), fmt::format("the key \"{}\" is there twice", name));
      }
      CVG_ASSIGN_OR_RETURN(Json converted, convert(member.second, depth + 1));
      // Where the member is named: an empty value has no place of its own.
      converted.offset = static_cast<std::size_t>(member.first.Mark().pos);
      out.push_back({name, std::move(converted)});
    }
    return Json(std::move(out));
  }

  const std::string_view document_;
  std::size_t values_ = 0;
};

// The library that reads YAML recurses as deep as the text nests, so what could overflow its stack is refused before.
absl::Status check_nesting(std::string_view text, std::string_view document) {
  int open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[' || c == '{') ++open;
    if (c == ']' || c == '}') open = open > 0 ? open - 1 : 0;
    // "- - - -" nests too.
    std::size_t dashes = 0;
    while (i + 1 < text.size() && text[i] == '-' && text[i + 1] == ' ') {
      ++dashes;
      i += 2;
    }
    if (open <= 4 * kMaxNesting && dashes <= std::size_t{4} * kMaxNesting) continue;
    return make_error(ErrorKind::kDecode, fmt::format("{}: nests deeper than {} levels", document, kMaxNesting),
                      Json().set("document", document));
  }
  return absl::OkStatus();
}

// Where documents begin; of all else nothing is wanted.
struct DocumentStart : YAML::EventHandler {
  YAML::Mark mark;
  void OnDocumentStart(const YAML::Mark& at) override { mark = at; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// The library takes a text such as "," for documents without end, of which none takes a byte.
absl::Status check_documents(const std::string& text, std::string_view document) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStart start;
  for (int previous = -1; parser.HandleNextDocument(start); previous = start.mark.pos) {
    if (start.mark.pos == previous) return fail(document, start.mark, "no value can begin here");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Json>> parse_yaml(std::string_view text, std::string_view document) {
  if (const auto bad = invalid_utf8(text)) {
    return make_error(ErrorKind::kDecode, fmt::format("{}: byte {} is no UTF-8", document, *bad),
                      Json().set("document", document).set("offset", static_cast<std::uint64_t>(*bad)));
  }
  CVG_RETURN_IF_ERROR(check_nesting(text, document));
  std::vector<Json> out;
  try {
    const std::string whole(text);
    CVG_RETURN_IF_ERROR(check_documents(whole, document));
    Converter converter(document);
    for (const YAML::Node& node : YAML::LoadAll(whole)) {
      if (node.IsNull()) continue;
      CVG_ASSIGN_OR_RETURN(Json json, converter.convert(node, 1));
      out.push_back(std::move(json));
    }
  } catch (const YAML::Exception& problem) {
    return fail(document, problem.mark, problem.msg);
  }
  return out;
}

}  // namespace convergence
