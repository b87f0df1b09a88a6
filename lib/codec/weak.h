#ifndef CONVERGENCE_LIB_CODEC_WEAK_H_
#define CONVERGENCE_LIB_CODEC_WEAK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "convergence/json.h"
#include "convergence/time.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/place.h"

namespace convergence::codec {

// Decoders for what people send to PUT /v1/config, as forgiving as Consul's (discovery-chain.md (a2)): text, numbers
// and booleans stand for each other, one value for a list of it, a list of one for the value, null for nothing.

absl::Status weak_text(const Json& json, const Place& place, std::string& out);
absl::Status weak_bool(const Json& json, const Place& place, bool& out);
absl::Status weak_int64(const Json& json, const Place& place, std::int64_t& out);
absl::Status weak_uint32(const Json& json, const Place& place, std::uint32_t& out);  // -1 is 4294967295
absl::Status weak_index(const Json& json, const Place& place, std::uint64_t& out);
absl::Status weak_duration(const Json& json, const Place& place, Duration& out);
// Percent in float32, rounded half away from zero to hundredths of a percent, as the server does on writing.
absl::Status weak_weight(const Json& json, const Place& place, std::int32_t& out);

// `json`, or its only item when it is a list of one.
const Json& unwrap(const Json& json);

// Lists: one value stands for a list of it, an empty object for an empty list.
template <typename Decoder>
auto weak_list(Decoder decoder) {
  return [decoder](const Json& json, const Place& place, auto& out) -> absl::Status {
    out.clear();
    if (json.is_object() && json.as_object()->empty()) return absl::OkStatus();
    const Json::Array* items = json.as_array();
    if (!items) return decoder(json, place, out.emplace_back());
    for (std::size_t i = 0; i < items->size(); ++i) {
      auto& item = out.emplace_back();
      if (!(*items)[i].is_null()) CVG_RETURN_IF_ERROR(decoder((*items)[i], place.item(i), item));
    }
    return absl::OkStatus();
  };
}

// Maps: a list of objects stands for one object with the members of all.
template <typename Decoder>
auto weak_map(Decoder decoder) {
  const auto one = [decoder](const Json& json, const Place& place, auto& out) -> absl::Status {
    const Json::Object* members = json.as_object();
    if (!members) return wrong_type(json, place, "an object");
    for (const Json::Member& member : *members) {
      auto& value = out[member.name];
      if (!member.value.is_null()) CVG_RETURN_IF_ERROR(decoder(member.value, place.member(member.name), value));
    }
    return absl::OkStatus();
  };
  return [one](const Json& json, const Place& place, auto& out) -> absl::Status {
    out.clear();
    const Json::Array* items = json.as_array();
    if (!items) return one(json, place, out);
    for (std::size_t i = 0; i < items->size(); ++i) CVG_RETURN_IF_ERROR(one((*items)[i], place.item(i), out));
    return absl::OkStatus();
  };
}

// Structs: decode() of the object, or of the one in a list of one.
struct WeakObject {
  template <typename T>
  absl::Status operator()(const Json& json, const Place& place, T& out) const {
    return decode(unwrap(json), place, out);
  }
};
inline constexpr WeakObject weak_object;

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_WEAK_H_
