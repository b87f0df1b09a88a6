#include <fmt/format.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/json.h"
#include "lib/base/utf8.h"
#include "lib/codec/place.h"

namespace convergence {
namespace {

constexpr std::size_t kMaxDepth = 64;
// Up to here a search among an object's keys beats an index of them.
constexpr std::size_t kFewMembers = 16;

struct Problem {
  std::string pointer;
  std::size_t offset = 0;
  std::string text;
};

bool hex_value(std::string_view digits, unsigned& value) {
  if (digits.size() < 4) return false;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return error == std::errc() && end == digits.data() + 4;
}

// The escape in `token` (a string with its quotes) that names a low surrogate without its high one.
std::optional<std::size_t> lone_surrogate(std::string_view token) {
  for (std::size_t i = 0; i + 1 < token.size();) {
    unsigned code = 0;
    if (token[i] != '\\') {
      ++i;
    } else if (token[i + 1] != 'u' || !hex_value(token.substr(i + 2), code)) {
      i += 2;
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return i;
    } else {
      i += code >= 0xD800 && code <= 0xDBFF ? 12 : 6;
    }
  }
  return std::nullopt;
}

// RapidJSON's events become a Json. The stream is asked for the offset of each value: the events do not tell.
class TreeBuilder {
 public:
  TreeBuilder(std::string_view text, const rapidjson::MemoryStream& stream)
      : text_(text), stream_(stream), has_escapes_(text.find("\\u") != std::string_view::npos) {
    // Enough for most documents.
    frames_.reserve(6);
    members_.reserve(10);
  }

  bool Null() { return add(Json(), stream_.Tell() - 4); }
  bool Bool(bool value) { return add(Json(value), stream_.Tell() - (value ? 4 : 5)); }
  bool RawNumber(const char*, rapidjson::SizeType length, bool) {
    const std::size_t start = stream_.Tell() - length;
    std::string number(text_.substr(start, length));
    double value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc()) {
      return stop(pointer(), start, "number out of range");
    }
    return add(Json(Json::Number{std::move(number)}), start);
  }
  bool String(const char* value, rapidjson::SizeType length, bool) {
    std::string decoded(value, length);
    const std::size_t start = string_start(length);
    return check_surrogates(decoded, start) && add(Json(std::move(decoded)), start);
  }
  bool Key(const char* value, rapidjson::SizeType length, bool) {
    Frame& frame = frames_.back();
    frame.key.assign(value, length);
    const std::size_t start = string_start(length);
    if (!check_surrogates(frame.key, start)) return false;  // before it may become part of a pointer
    frame.has_key = true;
    if (seen(frame)) return stop(pointer(), start, fmt::format("the key \"{}\" is there twice", frame.key));
    return true;
  }
  bool StartObject() { return open(false, members_.size()); }
  bool StartArray() { return open(true, items_.size()); }
  bool EndObject(rapidjson::SizeType) { return close<Json::Object>(members_); }
  bool EndArray(rapidjson::SizeType) { return close<Json::Array>(items_); }

  // With kParseNumbersAsStringsFlag there are no events of these.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  // Of the value that is being read.
  std::string pointer() const {
    // An array's items end where those of the next array within it begin.
    std::vector<std::size_t> ends(frames_.size());
    std::size_t end = items_.size();
    for (std::size_t i = frames_.size(); i > 0; --i) {
      ends[i - 1] = end;
      if (frames_[i - 1].is_array) end = frames_[i - 1].first;
    }
    std::string pointer;
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_array) {
        codec::append_pointer_token(pointer, fmt::format("{}", ends[i] - frame.first));
      } else if (frame.has_key) {
        codec::append_pointer_token(pointer, frame.key);
      }
    }
    return pointer;
  }
  const std::optional<Problem>& problem() const { return problem_; }
  Json take() { return std::move(root_); }

 private:
  // A container that is being read. What it has so far lies at the end of members_ or items_, so that it is made once
  // it is known how large.
  struct Frame {
    bool is_array = false;
    std::size_t first = 0;
    std::size_t offset = 0;
    bool has_key = false;  // a key was read, its value not yet
    std::string key;
    std::unique_ptr<std::set<std::string, std::less<>>> keys;  // once there are more than a few
  };

  bool stop(std::string pointer, std::size_t offset, std::string text) {
    problem_ = Problem{std::move(pointer), offset, std::move(text)};
    return false;
  }

  bool add(Json&& value, std::size_t offset) {
    value.offset = offset;
    if (frames_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Frame& frame = frames_.back();
    if (frame.is_array) {
      items_.push_back(std::move(value));
    } else {
      Json::Member& member = members_.emplace_back();
      member.name.swap(frame.key);
      member.value = std::move(value);
      frame.has_key = false;
    }
    return true;
  }

  bool open(bool is_array, std::size_t first) {
    const std::size_t offset = stream_.Tell();
    if (frames_.size() == kMaxDepth) {
      return stop(pointer(), offset, fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    Frame& frame = frames_.emplace_back();
    frame.is_array = is_array;
    frame.first = first;
    frame.offset = offset;
    return true;
  }

  template <typename Container>
  bool close(Container& open_ones) {
    const auto first = open_ones.begin() + static_cast<std::ptrdiff_t>(frames_.back().first);
    Container whole(std::make_move_iterator(first), std::make_move_iterator(open_ones.end()));
    open_ones.erase(first, open_ones.end());
    const std::size_t offset = frames_.back().offset;
    frames_.pop_back();
    return add(Json(std::move(whole)), offset);
  }

  // Whether the frame's key was in its object before.
  bool seen(Frame& frame) const {
    const std::span<const Json::Member> members = std::span(members_).subspan(frame.first);
    if (members.size() < kFewMembers) {
      for (const Json::Member& member : members) {
        if (member.name == frame.key) return true;
      }
      return false;
    }
    if (!frame.keys) {
      frame.keys = std::make_unique<std::set<std::string, std::less<>>>();
      for (const Json::Member& member : members) frame.keys->insert(member.name);
    }
    return !frame.keys->insert(frame.key).second;
  }

  // The stream is past the closing quote. Without escapes the opening one is as far back as the text is long; within a
  // string no quote stands there without a backslash before it. Going back, the opening one is the first that is not
  // escaped, which is to say that an even number of backslashes stands before it.
  std::size_t string_start(std::size_t length) const {
    std::size_t quote = stream_.Tell() - 1;
    if (const std::size_t plain = quote - length - 1; text_[plain] == '"' && (plain == 0 || text_[plain - 1] != '\\')) {
      return plain;
    }
    for (;;) {
      quote = text_.rfind('"', quote - 1);
      std::size_t slash = quote;
      while (slash > 0 && text_[slash - 1] == '\\') --slash;
      if ((quote - slash) % 2 == 0) return quote;
    }
  }

  // RapidJSON 1.1.0 lets a lone \udc00 pass and encodes it; no other text brings these bytes.
  bool check_surrogates(std::string_view decoded, std::size_t start) {
    if (!has_escapes_) return true;
    for (std::size_t at = decoded.find('\xED'); at != std::string_view::npos; at = decoded.find('\xED', at + 1)) {
      if (at + 1 < decoded.size() && static_cast<unsigned char>(decoded[at + 1]) >= 0xA0) {
        const std::size_t within = lone_surrogate(text_.substr(start, stream_.Tell() - start)).value_or(0);
        return stop(pointer(), start + within, "half of a surrogate pair");
      }
    }
    return true;
  }

  std::string_view text_;
  const rapidjson::MemoryStream& stream_;
  const bool has_escapes_;
  std::vector<Frame> frames_;
  Json::Object members_;  // of all objects that are open, the outermost first
  Json::Array items_;     // of all arrays
  Json root_;
  std::optional<Problem> problem_;
};

std::string_view syntax_problem(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "no value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "text after the value";
    case rapidjson::kParseErrorObjectMissName:
      return "a key in quotes must be here";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon must follow the key";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or } must be here";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or ] must be here";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "\\u needs four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "half of a surrogate pair";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "a character that a string cannot hold like this";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a string without its closing quote";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "not UTF-8";
    case rapidjson::kParseErrorNumberTooBig:
      return "number out of range";
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent:
      return "digits are missing in a number";
    default:
      return "not a JSON value";
  }
}

}  // namespace

absl::StatusOr<Json> parse_json(std::string_view text, std::string_view document) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    return codec::decode_error(document, "", 0, "starts with a byte order mark");
  }
  // Iterative, so that hostile nesting meets our limit and not the end of the stack.
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  TreeBuilder builder(text, stream);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result =
      is_ascii(text) ? reader.Parse<kFlags>(stream, builder)
                     : reader.Parse<kFlags | rapidjson::kParseValidateEncodingFlag>(stream, builder);
  if (const std::optional<Problem>& problem = builder.problem()) {
    return codec::decode_error(document, problem->pointer, problem->offset, problem->text);
  }
  if (result.IsError()) {
    const bool cut = result.Offset() >= text.size() && result.Code() != rapidjson::kParseErrorDocumentEmpty;
    return codec::decode_error(document, builder.pointer(), result.Offset(),
                               cut ? "the text ends in the middle" : syntax_problem(result.Code()));
  }
  // To RapidJSON a zero byte is the end of its input.
  if (stream.Tell() != text.size()) return codec::decode_error(document, "", stream.Tell(), "text after the value");
  return builder.take();
}

}  // namespace convergence
