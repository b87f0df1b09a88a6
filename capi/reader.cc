#include "capi/reader.h"

#include <algorithm>

#include "convergence/codec.h"
#include "convergence/error.h"

namespace convergence::capi {
namespace {

std::string_view name_of(Shape shape) {
  switch (shape) {
    case Shape::kText:
      return "a text";
    case Shape::kTextList:
      return "a list of texts";
    case Shape::kInteger:
      return "an integer";
    case Shape::kBool:
      return "true or false";
    case Shape::kDuration:
      return "a duration (\"10s\" or integer nanoseconds)";
    case Shape::kObject:
      return "an object";
    case Shape::kArray:
      return "an array";
  }
  return "";
}

std::optional<Duration> as_duration(const Json& json) {
  if (auto nanoseconds = json.to_int64()) return Duration(*nanoseconds);
  if (const std::string* text = json.as_string()) {
    absl::StatusOr<Duration> parsed = duration_from_text(*text);
    if (parsed.ok()) return *parsed;
  }
  return std::nullopt;
}

bool has_shape(const Json& json, Shape shape) {
  switch (shape) {
    case Shape::kText:
      return json.is_string();
    case Shape::kTextList:
      return json.is_array() && std::all_of(json.as_array()->begin(), json.as_array()->end(),
                                            [](const Json& item) { return item.is_string(); });
    case Shape::kInteger:
      return json.to_int64().has_value();
    case Shape::kBool:
      return json.is_bool();
    case Shape::kDuration:
      return as_duration(json).has_value();
    case Shape::kObject:
      return json.is_object();
    case Shape::kArray:
      return json.is_array();
  }
  return false;
}

absl::Status at(ErrorKind kind, std::string_view document, const std::string& pointer, std::size_t offset,
                const std::string& problem) {
  return make_error(kind,
                    std::string(document) + ": " + pointer + " (offset " + std::to_string(offset) + "): " + problem,
                    Json().set("document", document).set("pointer", pointer).set("offset", std::uint64_t{offset}));
}

const Json* member_of(const Json& json, std::string_view name) {
  const Json* member = json.find(name);
  return member == nullptr || member->is_null() ? nullptr : member;
}

}  // namespace

absl::Status check_members(const Json& json, std::span<const Parameter> parameters, std::string_view document) {
  if (!json.is_object()) return at(ErrorKind::kDecode, document, "", json.offset, "is no object");
  for (const Json::Member& member : *json.as_object()) {
    const std::string pointer = "/" + member.name;
    auto parameter =
        std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == member.name; });
    if (parameter == parameters.end()) {
      std::string known;
      for (const Parameter& p : parameters) known += (known.empty() ? "" : ", ") + std::string(p.name);
      return at(ErrorKind::kUsage, document, pointer, member.value.offset, "is unknown; known are: " + known);
    }
    if (!member.value.is_null() && !has_shape(member.value, parameter->shape)) {
      return at(ErrorKind::kDecode, document, pointer, member.value.offset,
                "is not " + std::string(name_of(parameter->shape)));
    }
  }
  for (const Parameter& parameter : parameters) {
    if (parameter.required && member_of(json, parameter.name) == nullptr) {
      return at(ErrorKind::kUsage, document, "/" + std::string(parameter.name), json.offset, "is missing");
    }
  }
  return absl::OkStatus();
}

std::string text_of(const Json& json, std::string_view name) {
  const Json* member = member_of(json, name);
  return member && member->is_string() ? *member->as_string() : std::string();
}

std::vector<std::string> texts_of(const Json& json, std::string_view name) {
  std::vector<std::string> texts;
  if (const Json* member = member_of(json, name); member && member->is_array()) {
    for (const Json& item : *member->as_array()) texts.push_back(item.is_string() ? *item.as_string() : std::string());
  }
  return texts;
}

std::optional<std::int64_t> integer_of(const Json& json, std::string_view name) {
  const Json* member = member_of(json, name);
  return member ? member->to_int64() : std::nullopt;
}

bool flag_of(const Json& json, std::string_view name, bool otherwise) {
  const Json* member = member_of(json, name);
  return member && member->is_bool() ? *member->as_bool() : otherwise;
}

std::optional<Duration> duration_of(const Json& json, std::string_view name) {
  const Json* member = member_of(json, name);
  return member ? as_duration(*member) : std::nullopt;
}

}  // namespace convergence::capi
