#ifndef CONVERGENCE_JSON_H_
#define CONVERGENCE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace convergence {

// A JSON value. It is what the library keeps of fields it does not know, and the form in which documents cross to
// C and Python. Numbers keep the text they were read with, so nothing is lost on the way through (an index above
// 2^53, a weight of 33.30). Objects keep the order of their members; equality does not depend on it.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  struct Number {
    std::string text;  // a valid JSON number
    friend bool operator==(const Number&, const Number&) = default;
  };
  enum class Type { kNull, kBool, kNumber, kString, kArray, kObject };

  Json();
  Json(bool value);              // NOLINT: a JSON text is made of these
  Json(std::int64_t value);      // NOLINT
  Json(std::uint64_t value);     // NOLINT
  Json(int value);               // NOLINT
  Json(double value);            // NOLINT: shortest text that reads back to the same double; not finite becomes null
  Json(Number value);            // NOLINT
  Json(std::string value);       // NOLINT
  Json(std::string_view value);  // NOLINT
  Json(const char* value);       // NOLINT
  Json(Array value);             // NOLINT
  Json(Object value);            // NOLINT

  Type type() const { return static_cast<Type>(value_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_number() const { return type() == Type::kNumber; }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // Null pointer when the value is of another type.
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const Number* as_number() const { return std::get_if<Number>(&value_); }
  const std::string* as_string() const { return std::get_if<std::string>(&value_); }
  const Array* as_array() const { return std::get_if<Array>(&value_); }
  const Object* as_object() const { return std::get_if<Object>(&value_); }
  Array* as_array() { return std::get_if<Array>(&value_); }
  Object* as_object() { return std::get_if<Object>(&value_); }

  // Empty when the value is no number, or one that the type cannot hold exactly (1.5, 1e30 or -1 as unsigned).
  std::optional<std::int64_t> to_int64() const;
  std::optional<std::uint64_t> to_uint64() const;
  std::optional<double> to_double() const;

  // Member of an object by its exact name; null pointer when absent or when this is no object.
  const Json* find(std::string_view name) const;
  // Sets or appends a member; turns a null into an object. Only for null and objects.
  Json& set(std::string name, Json value);

  // Byte offset where the value began in the text it was read from. For messages; not part of the value.
  std::size_t offset = 0;

  friend bool operator==(const Json& a, const Json& b);

 private:
  std::variant<std::monostate, bool, Number, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string name{};
  Json value{};
  friend bool operator==(const Member&, const Member&) = default;
};

// Here, where Member is complete: clang looks at the whole variant already in a constructor's body.
inline Json::Json() = default;
inline Json::Json(bool value) : value_(value) {}
inline Json::Json(int value) : Json(static_cast<std::int64_t>(value)) {}
inline Json::Json(Number value) : value_(std::move(value)) {}
inline Json::Json(std::string value) : value_(std::move(value)) {}
inline Json::Json(std::string_view value) : value_(std::string(value)) {}
inline Json::Json(const char* value) : value_(std::string(value)) {}
inline Json::Json(Array value) : value_(std::move(value)) {}

// Reads one JSON text, strictly: UTF-8, no duplicate keys, depth at most 64, nothing after the value. `document`
// names the text in the one error it may return: INVALID_ARGUMENT, kind "decode", with "pointer" and "offset".
absl::StatusOr<Json> parse_json(std::string_view text, std::string_view document);

// Compact, members in their order; the same value written twice gives the same bytes.
std::string to_text(const Json& json);
// Indented by two spaces, for people.
std::string to_pretty_text(const Json& json);

}  // namespace convergence

#endif  // CONVERGENCE_JSON_H_
