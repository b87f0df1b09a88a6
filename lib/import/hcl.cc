#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "convergence/import.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace convergence {
namespace {

constexpr int kMaxDepth = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool goes_on_in_name(char c) { return begins_name(c) || is_digit(c) || c == '-' || c == '.'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// What is said more than once becomes a list of all of it.
void add_member(Json& object, std::string name, Json value) {
  for (Json::Member& member : *object.as_object()) {
    if (member.name != name) continue;
    if (!member.value.is_array()) {
      Json first = std::move(member.value);
      member.value = Json::Array{std::move(first)};
    }
    if (Json::Array* more = value.as_array()) {
      for (Json& item : *more) member.value.as_array()->push_back(std::move(item));
    } else {
      member.value.as_array()->push_back(std::move(value));
    }
    return;
  }
  object.as_object()->push_back({std::move(name), std::move(value)});
}

// Reads by recursive descent; each function leaves `at_` behind what it has read.
class Reader {
 public:
  Reader(std::string_view text, std::string_view document) : text_(text), document_(document) {}

  absl::StatusOr<Json> run() {
    if (const auto bad = invalid_utf8(text_)) {
      return make_error(ErrorKind::kDecode, fmt::format("{}: byte {} is no UTF-8", document_, *bad),
                        Json().set("document", document_).set("offset", static_cast<std::uint64_t>(*bad)));
    }
    CVG_RETURN_IF_ERROR(skip());
    Json out = Json::Object{};
    CVG_RETURN_IF_ERROR(items(out, 1));
    if (at_ < text_.size()) return fail("stands where a name has to");
    return out;
  }

 private:
  bool ended() const { return at_ >= text_.size(); }
  char here() const { return ended() ? '\0' : text_[at_]; }
  bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  absl::Status fail(std::string_view problem) const { return fail_at(at_, problem); }

  absl::Status fail_at(std::size_t at, std::string_view problem) const {
    const std::string_view before = text_.substr(0, at);
    std::int64_t line = 1;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] != '\n') continue;
      ++line;
      begin = i + 1;
    }
    const auto column = static_cast<std::int64_t>(at - begin + 1);
    const std::string what = at < text_.size() ? fmt::format("'{}' ", text_.substr(at, 1)) : "the end of the text ";
    Json detail;
    detail.set("document", document_).set("line", line).set("column", column);
    return make_error(ErrorKind::kDecode,
                      fmt::format("{}: line {}, column {}: {}{}", document_, line, column, what, problem),
                      std::move(detail));
  }

  // White space and comments.
  absl::Status skip() {
    for (;;) {
      if (is_space(here()) && !ended()) {
        ++at_;
      } else if (here() == '#' || sees("//")) {
        while (!ended() && here() != '\n') ++at_;
      } else if (sees("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return fail("begins a comment that never ends");
        at_ = end + 2;
      } else {
        return absl::OkStatus();
      }
    }
  }

  bool at_key() const { return begins_name(here()) || here() == '"'; }

  // Items up to a closing brace or the end; commas between them are let pass.
  absl::Status items(Json& out, int depth) {
    while (!ended() && at_key()) {
      CVG_RETURN_IF_ERROR(item(out, depth));
      CVG_RETURN_IF_ERROR(skip());
      if (here() != ',') continue;
      ++at_;
      CVG_RETURN_IF_ERROR(skip());
    }
    return absl::OkStatus();
  }

  // name = value, or a block: name "label" ... { ... }
  absl::Status item(Json& out, int depth) {
    const std::size_t begin = at_;
    std::vector<std::string> names;
    while (at_key()) {
      CVG_ASSIGN_OR_RETURN(std::string name, key());
      names.push_back(std::move(name));
      CVG_RETURN_IF_ERROR(skip());
    }
    Json value;
    if (here() == '=') {
      if (names.size() > 1) return fail("stands behind two names; only blocks have labels");
      ++at_;
      CVG_RETURN_IF_ERROR(skip());
      CVG_ASSIGN_OR_RETURN(value, this->value(depth));
    } else if (here() == '{') {
      CVG_ASSIGN_OR_RETURN(value, object(depth + static_cast<int>(names.size()) - 1));
    } else {
      return fail("stands where = or { has to");
    }
    value.offset = begin;  // where it is named
    while (names.size() > 1) {
      Json outer = Json::Object{};
      outer.offset = begin;
      outer.set(std::move(names.back()), std::move(value));
      names.pop_back();
      value = std::move(outer);
    }
    add_member(out, std::move(names.front()), std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> key() {
    if (here() == '"') return string();
    const std::size_t begin = at_;
    while (!ended() && goes_on_in_name(here())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  absl::StatusOr<Json> value(int depth) {
    if (here() == '{') return object(depth);
    if (here() == '[') return list(depth);
    if (here() == '"') {
      CVG_ASSIGN_OR_RETURN(std::string text, string());
      return Json(std::move(text));
    }
    if (sees("<<")) {
      CVG_ASSIGN_OR_RETURN(std::string text, heredoc());
      return Json(std::move(text));
    }
    if (is_digit(here()) || here() == '-') return number();
    return word();
  }

  absl::StatusOr<Json> object(int depth) {
    if (depth >= kMaxDepth) return fail(fmt::format("stands deeper than {} levels", kMaxDepth));
    ++at_;
    CVG_RETURN_IF_ERROR(skip());
    Json out = Json::Object{};
    CVG_RETURN_IF_ERROR(items(out, depth + 1));
    if (here() != '}' || ended()) return fail("stands where a name or } has to");
    ++at_;
    return out;
  }

  absl::StatusOr<Json> list(int depth) {
    if (depth >= kMaxDepth) return fail(fmt::format("stands deeper than {} levels", kMaxDepth));
    ++at_;
    Json::Array out;
    for (;;) {
      CVG_RETURN_IF_ERROR(skip());
      if (here() == ']') break;
      CVG_ASSIGN_OR_RETURN(Json item, value(depth + 1));
      out.push_back(std::move(item));
      CVG_RETURN_IF_ERROR(skip());
      if (here() == ']') break;
      if (here() != ',') return fail("stands where , or ] has to");
      ++at_;
    }
    ++at_;
    return Json(std::move(out));
  }

  absl::StatusOr<Json> word() {
    const std::size_t begin = at_;
    while (!ended() && goes_on_in_name(here())) ++at_;
    const std::string_view said = text_.substr(begin, at_ - begin);
    if (said == "true") return Json(true);
    if (said == "false") return Json(false);
    return fail_at(begin, "begins no value; texts stand in quotes");
  }

  // Decimal, hexadecimal and, with a leading zero, octal whole numbers; fractions and exponents.
  absl::StatusOr<Json> number() {
    const std::size_t begin = at_;
    if (here() == '-') ++at_;
    const std::size_t digits = at_;
    while (!ended() && (is_digit(here()) || hex_digit(here()) >= 0 ||
                        std::string_view(".xX+-").find(here()) < std::string_view::npos)) {
      const bool sign = here() == '+' || here() == '-';
      if (sign && text_[at_ - 1] != 'e' && text_[at_ - 1] != 'E') break;
      ++at_;
    }
    std::string said(text_.substr(begin, at_ - begin));
    const std::string_view unsigned_part = text_.substr(digits, at_ - digits);
    if (unsigned_part.size() > 1 && unsigned_part[0] == '0' && unsigned_part.find('.') == std::string_view::npos) {
      const bool hexadecimal = unsigned_part[1] == 'x' || unsigned_part[1] == 'X';
      return whole(begin, unsigned_part.substr(hexadecimal ? 2 : 1), hexadecimal ? 16 : 8, said[0] == '-');
    }
    Json out(Json::Number{std::move(said)});
    if (!out.to_double()) return fail_at(begin, "begins no number");
    return out;
  }

  absl::StatusOr<Json> whole(std::size_t begin, std::string_view digits, int base, bool negative) const {
    std::uint64_t value = 0;
    for (char c : digits) {
      const int digit = hex_digit(c);
      if (digit < 0 || digit >= base || value > (std::uint64_t{1} << 58)) return fail_at(begin, "begins no number");
      value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(digit);
    }
    if (digits.empty()) return fail_at(begin, "begins no number");
    const auto number = static_cast<std::int64_t>(value);
    return Json(negative ? -number : number);
  }

  absl::StatusOr<std::string> string() {
    const std::size_t begin = at_++;
    std::string out;
    int braces = 0;  // of an interpolation, whose inside is kept as it is
    for (;;) {
      if (ended()) return fail_at(begin, "begins a text that never ends");
      const char c = text_[at_];
      if (braces == 0 && c == '"') break;
      if (braces == 0 && c == '\n') return fail_at(begin, "begins a text that does not end on its line");
      if (c == '$' && sees("${")) {
        ++braces;
        out += "${";
        at_ += 2;
        continue;
      }
      if (braces > 0 && c == '{') ++braces;
      if (braces > 0 && c == '}') --braces;
      if (braces == 0 && c == '\\') {
        CVG_RETURN_IF_ERROR(escape(out));
        continue;
      }
      out += c;
      ++at_;
    }
    ++at_;
    return out;
  }

  absl::Status escape(std::string& out) {
    const std::size_t begin = at_++;
    const char c = here();
    constexpr std::string_view kLetters = "abfnrtv\\\"";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
    if (const std::size_t known = kLetters.find(c); known != std::string_view::npos && !ended()) {
      out += kMeanings[known];
      ++at_;
      return absl::OkStatus();
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) return fail_at(begin, "begins an escape that there is not");
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      ++at_;
      const int digit = ended() ? -1 : hex_digit(here());
      if (digit < 0) return fail_at(begin, fmt::format("begins an escape of {} digits", digits));
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    ++at_;
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return fail_at(begin, "begins no character");
    append_utf8(code, out);
    return absl::OkStatus();
  }

  // <<NAME to a line that is NAME. With <<- the white space before that last line is taken from every line, if every
  // line begins with it.
  absl::StatusOr<std::string> heredoc() {
    const std::size_t begin = at_;
    at_ += 2;
    const bool indented = here() == '-';
    if (indented) ++at_;
    const std::size_t name_begin = at_;
    while (!ended() && goes_on_in_name(here())) ++at_;
    const std::string_view name = text_.substr(name_begin, at_ - name_begin);
    if (here() == '\r') ++at_;
    if (name.empty() || here() != '\n')
      return fail_at(begin, "begins no heredoc; a name and the end of the line follow");
    ++at_;
    std::vector<std::string_view> lines;
    std::string_view indent;
    for (;;) {
      if (ended()) return fail_at(begin, fmt::format("begins a heredoc that no line {} ends", name));
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view line = text_.substr(at_, end - at_);
      std::string_view bare = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
      if (bare.ends_with('\r')) bare.remove_suffix(1);
      at_ = std::min(end + 1, text_.size());
      if (bare == name) {
        indent = line.substr(0, line.find_first_not_of(" \t"));
        break;
      }
      lines.push_back(line);
      if (end == text_.size()) at_ = text_.size();
    }
    const bool all =
        std::all_of(lines.begin(), lines.end(), [&](std::string_view line) { return line.starts_with(indent); });
    std::string out;
    for (std::string_view line : lines) {
      out.append(indented && all ? line.substr(indent.size()) : line);
      out += '\n';
    }
    return out;
  }

  const std::string_view text_;
  const std::string_view document_;
  std::size_t at_ = 0;
};

}  // namespace

absl::StatusOr<Json> parse_hcl(std::string_view text, std::string_view document) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return parse_json(text, document);
  return Reader(text, document).run();
}

}  // namespace convergence
