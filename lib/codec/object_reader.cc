#include "lib/codec/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "convergence/codec.h"
#include "convergence/version.h"

namespace convergence::codec {
namespace {

std::string_view type_name(const Json& json) {
  switch (json.type()) {
    case Json::Type::kNull:
      return "null";
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
  return "?";
}

template <typename T>
absl::Status decode_integer(const Json& json, const Place& place, T& out) {
  if (!json.is_number()) return wrong_type(json, place, "a number");
  if constexpr (std::is_signed_v<T>) {
    const std::optional<std::int64_t> value = json.to_int64();
    if (value && *value >= std::numeric_limits<T>::min() && *value <= std::numeric_limits<T>::max()) {
      out = static_cast<T>(*value);
      return absl::OkStatus();
    }
  } else {
    const std::optional<std::uint64_t> value = json.to_uint64();
    if (value && *value <= std::numeric_limits<T>::max()) {
      out = static_cast<T>(*value);
      return absl::OkStatus();
    }
  }
  return place.error(json, fmt::format("must be a whole number from {} to {}, is {}", std::numeric_limits<T>::min(),
                                       std::numeric_limits<T>::max(), json.as_number()->text));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

bool same_but_case(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

}  // namespace

absl::Status wrong_type(const Json& json, const Place& place, std::string_view wanted) {
  return place.error(json, fmt::format("must be {}, is {}", wanted, type_name(json)));
}

absl::Status decode(const Json& json, const Place& place, bool& out) {
  if (!json.is_bool()) return wrong_type(json, place, "true or false");
  out = *json.as_bool();
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, std::int32_t& out) {
  return decode_integer(json, place, out);
}
absl::Status decode(const Json& json, const Place& place, std::int64_t& out) {
  return decode_integer(json, place, out);
}
absl::Status decode(const Json& json, const Place& place, std::uint32_t& out) {
  return decode_integer(json, place, out);
}
absl::Status decode(const Json& json, const Place& place, std::uint64_t& out) {
  return decode_integer(json, place, out);
}

absl::Status decode(const Json& json, const Place& place, double& out) {
  if (!json.is_number()) return wrong_type(json, place, "a number");
  const std::optional<double> value = json.to_double();
  if (!value) return place.error(json, "number out of range");
  out = *value;
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, std::string& out) {
  if (!json.is_string()) return wrong_type(json, place, "text");
  out = *json.as_string();
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place&, Json& out) {
  out = json;
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, Duration& out) {
  if (const std::string* text = json.as_string()) {
    const absl::StatusOr<Duration> duration = duration_from_text(*text);
    if (!duration.ok()) return place.error(json, std::string(duration.status().message()));
    out = *duration;
    return absl::OkStatus();
  }
  if (!json.is_number()) return wrong_type(json, place, "a duration");
  std::int64_t nanoseconds = 0;
  CVG_RETURN_IF_ERROR(decode_integer(json, place, nanoseconds));
  out = Duration(nanoseconds);
  return absl::OkStatus();
}

absl::Status decode(const Json& json, const Place& place, Time& out) {
  std::int64_t nanoseconds = 0;
  CVG_RETURN_IF_ERROR(decode_integer(json, place, nanoseconds));
  out = Time(Duration(nanoseconds));
  return absl::OkStatus();
}

absl::Status decode_percent(const Json& json, const Place& place, std::int32_t& out) {
  double percent = 0;
  CVG_RETURN_IF_ERROR(decode(json, place, percent));
  const double hundredths = std::round(percent * 100);
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  if (hundredths < -kMost || hundredths > kMost) return place.error(json, "number out of range");
  // 33.33 * 100 is not quite 3333; a third decimal is much farther off.
  if (std::abs(percent * 100 - hundredths) > 1e-6) {
    return place.error(json, fmt::format("percent has at most two decimals, is {}", json.as_number()->text));
  }
  out = static_cast<std::int32_t>(hundredths);
  return absl::OkStatus();
}

bool is_loose_spelling(std::string_view key, std::string_view name) {
  if (same_but_case(key, name)) return true;
  // The snake_case of "ExternalSNI" is "external_sni": an underscore where lower case ends.
  std::size_t at = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && is_upper(name[i]) && !is_upper(name[i - 1])) {
      if (at == key.size() || key[at++] != '_') return false;
    }
    if (at == key.size() || lower(key[at++]) != lower(name[i])) return false;
  }
  return at == key.size();
}

ObjectReader::ObjectReader(const Json& json, const Place& place, Keys keys) : json_(json), place_(place), keys_(keys) {
  if (const Json::Object* object = json.as_object()) {
    taken_.resize(object->size());
  } else {
    status_ = wrong_type(json, place, "an object");
  }
}

const Json::Member* ObjectReader::take(std::string_view name) {
  const Json::Object* object = json_.as_object();
  if (!object) return nullptr;
  std::size_t found = object->size();
  for (std::size_t i = 0; i < object->size(); ++i) {
    if ((*object)[i].name == name) {
      found = i;
      break;
    }
    if (keys_ == Keys::kLoose && found == object->size() && !taken_[i] && is_loose_spelling((*object)[i].name, name)) {
      found = i;
    }
  }
  if (found == object->size()) return nullptr;
  taken_[found] = true;
  return &(*object)[found];
}

ObjectReader& ObjectReader::schema(bool may_be_absent) {
  const Json::Member* member = take("schema");
  if (!status_.ok()) return *this;
  if (!member) {
    if (!may_be_absent) status_ = place_.error(json_, "needs a member \"schema\"");
    return *this;
  }
  std::int32_t version = 0;
  status_ = decode(member->value, place_.member("schema"), version);
  if (status_.ok() && (version < CVG_SCHEMA_OLDEST || version > CVG_SCHEMA_CURRENT)) {
    status_ = place_.member("schema").error(member->value, fmt::format("unknown schema {}; this library reads {} to {}",
                                                                       version, CVG_SCHEMA_OLDEST, CVG_SCHEMA_CURRENT));
  }
  return *this;
}

absl::Status ObjectReader::finish(Json::Object& unknown) {
  CVG_RETURN_IF_ERROR(status_);
  const Json::Object& object = *json_.as_object();
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (!taken_[i]) unknown.push_back(object[i]);
  }
  for (std::string& name : said_nothing_) unknown.push_back({std::move(name), Json()});
  return absl::OkStatus();
}

absl::Status ObjectReader::finish() {
  CVG_RETURN_IF_ERROR(status_);
  const Json::Object& object = *json_.as_object();
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (!taken_[i]) return place_.member(object[i].name).error(object[i].value, "unknown member");
  }
  return absl::OkStatus();
}

}  // namespace convergence::codec
