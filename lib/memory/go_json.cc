#include "lib/memory/go_json.h"

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lib/base/string_bridge.h"

namespace convergence::memory {
namespace {

// Length of the UTF-8 sequence at `at`, 0 when it is none that Go would take for a rune.
std::size_t rune_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(at + i < text.size() ? text[at + i] : 0); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)) return 0;
  if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

void write_character(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
    out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  } else {
    out += c;
  }
}

void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = rune_length(text, at);
    const std::string_view rune = text.substr(at, std::max<std::size_t>(length, 1));
    if (length == 0) {
      out += "\\ufffd";
    } else if (length == 1) {
      write_character(out, rune[0]);
    } else if (rune == "\u2028") {
      out += "\\u2028";
    } else if (rune == "\u2029") {
      out += "\\u2029";
    } else {
      out += rune;
    }
    at += rune.size();
  }
  out += '"';
}

class GoWriter {
 public:
  explicit GoWriter(bool pretty) : pretty_(pretty) {}

  void value(const Json& json) {
    switch (json.type()) {
      case Json::Type::kNull:
        out += "null";
        break;
      case Json::Type::kBool:
        out += *json.as_bool() ? "true" : "false";
        break;
      case Json::Type::kNumber:
        out += json.as_number()->text;
        break;
      case Json::Type::kString:
        write_string(out, *json.as_string());
        break;
      case Json::Type::kArray:
        array(*json.as_array());
        break;
      case Json::Type::kObject:
        object(*json.as_object());
        break;
    }
  }

  std::string out;

 private:
  void array(const Json::Array& items) {
    list('[', ']', items.size(), [&](std::size_t i) { value(items[i]); });
  }

  void object(const Json::Object& members) {
    list('{', '}', members.size(), [&](std::size_t i) {
      write_string(out, members[i].name);
      out += pretty_ ? ": " : ":";
      value(members[i].value);
    });
  }

  template <typename One>
  void list(char open, char close, std::size_t size, const One& one) {
    out += open;
    ++depth_;
    for (std::size_t i = 0; i < size; ++i) {
      if (i > 0) out += ',';
      line();
      one(i);
    }
    --depth_;
    if (size > 0) line();
    out += close;
  }

  void line() {
    if (!pretty_) return;
    out += '\n';
    out.append(4 * depth_, ' ');
  }

  bool pretty_;
  std::size_t depth_ = 0;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What Go says of a literal that goes wrong; empty when `rest` does not begin one or begins it well.
std::string literal_mistake(std::string_view rest) {
  for (const std::string_view literal : {"null", "true", "false"}) {
    if (rest[0] != literal[0]) continue;
    for (std::size_t i = 1; i < literal.size(); ++i) {
      if (i >= rest.size()) return "unexpected EOF";
      if (rest[i] == literal[i]) continue;
      return fmt::format("invalid character '{}' in literal {} (expecting '{}')", rest[i], literal, literal[i]);
    }
  }
  return "";
}

std::string go_mistake(std::string_view body, const absl::Status& ours) {
  std::size_t at = 0;
  while (at < body.size() && is_space(body[at])) ++at;
  if (at == body.size()) return "EOF";
  const std::string_view rest = body.substr(at);
  if (std::string text = literal_mistake(rest); !text.empty()) return text;
  constexpr std::string_view kStarts = "{[\"-0123456789tfn";
  if (kStarts.find(rest[0]) == std::string_view::npos) {
    return fmt::format("invalid character '{}' looking for beginning of value", rest[0]);
  }
  const Json detail = error_detail(ours);
  const Json* offset = detail.find("offset");
  const std::optional<std::uint64_t> place = offset == nullptr ? std::nullopt : offset->to_uint64();
  if (place.has_value() && *place >= body.size()) return "unexpected EOF";
  return std::string(to_std(ours.message()));
}

std::string_view go_kind(const Json& json) {
  switch (json.type()) {
    case Json::Type::kBool:
      return "bool";
    case Json::Type::kNumber:
      return "number";
    case Json::Type::kString:
      return "string";
    case Json::Type::kArray:
      return "array";
    default:
      return "object";
  }
}

}  // namespace

std::string go_text(const Json& json, bool pretty) {
  GoWriter writer(pretty);
  writer.value(json);
  if (pretty) writer.out += '\n';
  return std::move(writer.out);
}

absl::StatusOr<Json> parse_body(std::string_view body) {
  absl::StatusOr<Json> json = parse_json(body, "body");
  if (json.ok()) return json;
  return absl::InvalidArgumentError(go_mistake(body, json.status()));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

void GoDecoder::fail(std::string text) {
  if (error_.empty()) error_ = std::move(text);
}

void GoDecoder::mismatch(const Json& json, std::string_view wanted) {
  std::string kind(go_kind(json));
  // Go shows the digits where the number, not its kind, is the mistake.
  if (json.is_number() && wanted != "string" && wanted != "bool" && !wanted.starts_with("[]")) {
    kind += " " + json.as_number()->text;
  }
  fail(fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", kind, type_,
                   fmt::join(path_, "."), wanted));
}

void GoDecoder::object(const Json& json, std::string_view type, std::string_view value_type,
                       const std::vector<Field>& fields) {
  if (json.is_null()) return;
  const Json::Object* members = json.as_object();
  if (members == nullptr) {
    if (path_.empty()) {
      return fail(fmt::format("json: cannot unmarshal {} into Go value of type {}", go_kind(json), value_type));
    }
    return mismatch(json, value_type);
  }
  const std::string outer = std::exchange(type_, std::string(type));
  for (const Json::Member& member : *members) {
    std::string name = lower(member.name);
    if (snake_case_) std::erase(name, '_');
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const Field& one) { return lower(one.name) == name; });
    if (field == fields.end()) {
      if (unknown_refused_) fail(fmt::format("json: unknown field \"{}\"", member.name));
      continue;
    }
    if (member.value.is_null()) continue;
    path_.emplace_back(field->name);
    field->set(member.value);
    path_.pop_back();
  }
  type_ = outer;
}

GoDecoder::Setter GoDecoder::text(std::string& into) {
  return [this, &into](const Json& json) {
    if (const std::string* text = json.as_string()) {
      into = *text;
    } else {
      mismatch(json, "string");
    }
  };
}

GoDecoder::Setter GoDecoder::flag(bool& into) {
  return [this, &into](const Json& json) {
    if (const bool* value = json.as_bool()) {
      into = *value;
    } else {
      mismatch(json, "bool");
    }
  };
}

GoDecoder::Setter GoDecoder::number(std::int64_t& into, std::string_view type) {
  return [this, &into, type = std::string(type)](const Json& json) {
    if (const std::optional<std::int64_t> value = json.to_int64()) {
      into = *value;
    } else {
      mismatch(json, type);
    }
  };
}

GoDecoder::Setter GoDecoder::count(std::uint64_t& into) {
  return [this, &into](const Json& json) {
    if (const std::optional<std::uint64_t> value = json.to_uint64()) {
      into = *value;
    } else {
      mismatch(json, "uint64");
    }
  };
}

GoDecoder::Setter GoDecoder::texts(std::vector<std::string>& into) {
  return [this, &into](const Json& json) {
    const Json::Array* items = json.as_array();
    if (items == nullptr) return mismatch(json, "[]string");
    into.clear();
    for (const Json& item : *items) {
      if (!item.is_string() && !item.is_null()) return mismatch(item, "string");
      into.push_back(item.is_string() ? *item.as_string() : "");
    }
  };
}

GoDecoder::Setter GoDecoder::labels(std::optional<std::map<std::string, std::string>>& into) {
  return [this, &into](const Json& json) {
    const Json::Object* members = json.as_object();
    if (members == nullptr) return mismatch(json, "map[string]string");
    into.emplace();
    for (const Json::Member& member : *members) {
      if (!member.value.is_string() && !member.value.is_null()) return mismatch(member.value, "string");
      into->insert_or_assign(member.name, member.value.is_string() ? *member.value.as_string() : "");
    }
  };
}

GoDecoder::Setter GoDecoder::raw(Json& into) {
  return [&into](const Json& json) { into = json; };
}

GoDecoder::Setter GoDecoder::duration(Duration& into) {
  return [this, &into](const Json& json) {
    if (const std::string* text = json.as_string()) {
      const absl::StatusOr<Duration> value = duration_from_text(*text);
      if (!value.ok()) return fail(fmt::format("time: invalid duration \"{}\"", *text));
      into = *value;
    } else if (const std::optional<std::int64_t> nanoseconds = json.to_int64()) {
      into = Duration(*nanoseconds);
    } else {
      mismatch(json, "time.Duration");
    }
  };
}

GoDecoder::Setter GoDecoder::each(std::function<void(const Json&)> read, std::string_view type) {
  return [this, read = std::move(read), type = std::string(type)](const Json& json) {
    const Json::Array* items = json.as_array();
    if (items == nullptr) return mismatch(json, type);
    for (const Json& item : *items) read(item);
  };
}

GoDecoder::Setter GoDecoder::ignored() {
  return [](const Json&) {};
}

}  // namespace convergence::memory
