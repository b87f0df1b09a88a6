#ifndef CONVERGENCE_LIB_CODEC_OBJECT_READER_H_
#define CONVERGENCE_LIB_CODEC_OBJECT_READER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convergence/json.h"
#include "convergence/time.h"
#include "lib/base/status_macros.h"
#include "lib/codec/place.h"
#include "lib/model/names.h"

namespace convergence::codec {

// decode(json, place, out): one overload a type, found through the Place argument, so that lists and maps of a value
// follow from the value's own.
absl::Status decode(const Json& json, const Place& place, bool& out);
absl::Status decode(const Json& json, const Place& place, std::int32_t& out);
absl::Status decode(const Json& json, const Place& place, std::int64_t& out);
absl::Status decode(const Json& json, const Place& place, std::uint32_t& out);
absl::Status decode(const Json& json, const Place& place, std::uint64_t& out);
absl::Status decode(const Json& json, const Place& place, double& out);
absl::Status decode(const Json& json, const Place& place, std::string& out);
absl::Status decode(const Json& json, const Place& place, Json& out);
absl::Status decode(const Json& json, const Place& place, Duration& out);  // whole nanoseconds, or text as "1m30s"
absl::Status decode(const Json& json, const Place& place, Time& out);      // whole nanoseconds since 1970

// "must be text, is a number"
absl::Status wrong_type(const Json& json, const Place& place, std::string_view wanted);

// Percent with at most two decimals, as hundredths of a percent.
absl::Status decode_percent(const Json& json, const Place& place, std::int32_t& out);

template <typename E>
absl::Status decode_name(const Json& json, const Place& place, E& out) {
  const std::string* name = json.as_string();
  if (!name) return wrong_type(json, place, "text");
  const std::optional<E> value = parse_name<E>(*name);
  if (!value) return place.error(json, "\"" + *name + "\" is none of " + all_names<E>());
  out = *value;
  return absl::OkStatus();
}

template <typename T>
absl::Status decode(const Json& json, const Place& place, std::optional<T>& out) {
  return decode(json, place, out.emplace());
}

template <typename T>
absl::Status decode(const Json& json, const Place& place, std::vector<T>& out) {
  const Json::Array* items = json.as_array();
  if (!items) return wrong_type(json, place, "a list");
  out.clear();
  out.reserve(items->size());
  for (std::size_t i = 0; i < items->size(); ++i) {
    CVG_RETURN_IF_ERROR(decode((*items)[i], place.item(i), out.emplace_back()));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status decode(const Json& json, const Place& place, std::map<std::string, T>& out) {
  const Json::Object* members = json.as_object();
  if (!members) return wrong_type(json, place, "an object");
  out.clear();
  for (const Json::Member& member : *members) {
    CVG_RETURN_IF_ERROR(decode(member.value, place.member(member.name), out[member.name]));
  }
  return absl::OkStatus();
}

struct Decode {
  template <typename T>
  absl::Status operator()(const Json& json, const Place& place, T& out) const {
    return decode(json, place, out);
  }
};

// Reads an object member by member. The first error sticks and the rest is skipped, so that a decoder is one chain of
// calls that ends with finish(). A null member is an absent one.
class ObjectReader {
 public:
  enum class Keys {
    kExact,
    kLoose,  // any case, or the snake_case of the name; an exact spelling wins (discovery-chain.md (a2))
  };
  ObjectReader(const Json& json, const Place& place, Keys keys = Keys::kExact);

  template <typename T, typename Decoder = Decode>
  ObjectReader& required(std::string_view name, T& out, Decoder decoder = {}) {
    const Json::Member* member = take(name);
    if (!status_.ok()) return *this;
    if (!member) {
      status_ = place_.error(json_, "needs a member \"" + std::string(name) + "\"");
    } else {
      status_ = decoder(member->value, place_.member(member->name), out);
    }
    return *this;
  }

  // Leaves `out` as it is when the member is absent.
  template <typename T, typename Decoder = Decode>
  ObjectReader& optional(std::string_view name, T& out, Decoder decoder = {}) {
    const Json::Member* member = take(name);
    if (status_.ok() && member && !member->value.is_null()) {
      status_ = decoder(member->value, place_.member(member->name), out);
    }
    return *this;
  }

  // A member of config entries that came after Consul 1.8. One that says nothing (its default, or null) is left to
  // finish() as a null, so that dialect 1.8 can refuse it by name, and normal form can forget it.
  template <typename T, typename Decoder>
  ObjectReader& newer(std::string_view name, T& out, Decoder decoder) {
    const Json::Member* member = take(name);
    if (!status_.ok() || !member) return *this;
    if (!member->value.is_null()) status_ = decoder(member->value, place_.member(member->name), out);
    if (out == T()) said_nothing_.push_back(member->name);
    return *this;
  }

  // "schema": the version of a document of ours. People leave it out of what they write by hand; machines do not.
  ObjectReader& schema(bool may_be_absent);

  // Takes a member and forgets it.
  ObjectReader& skip(std::string_view name) {
    take(name);
    return *this;
  }

  // Members nobody asked for are kept in their order, ignored, or refused.
  absl::Status finish(Json::Object& unknown);
  absl::Status finish_ignoring() { return status_; }
  absl::Status finish();

 private:
  const Json::Member* take(std::string_view name);

  const Json& json_;
  const Place& place_;
  Keys keys_;
  absl::Status status_;
  std::vector<bool> taken_;
  std::vector<std::string> said_nothing_;
};

// True when `key` is a way to write the field `name` ("PathExact", "pathexact", "path_exact").
bool is_loose_spelling(std::string_view key, std::string_view name);

// decode() of a whole document.
template <typename T>
absl::StatusOr<T> decode_document(const Json& json, std::string_view document) {
  T value{};
  CVG_RETURN_IF_ERROR(decode(json, Place(document), value));
  return value;
}

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_OBJECT_READER_H_
