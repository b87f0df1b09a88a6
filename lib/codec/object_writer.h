#ifndef CONVERGENCE_LIB_CODEC_OBJECT_WRITER_H_
#define CONVERGENCE_LIB_CODEC_OBJECT_WRITER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence::codec {

inline Json encode(const std::vector<std::string>& list) { return Json(Json::Array(list.begin(), list.end())); }
inline Json encode(const std::map<std::string, std::string>& map) {
  Json::Object object;
  for (const auto& [key, value] : map) object.push_back({key, value});
  return Json(std::move(object));
}
inline Json encode(Time time) { return Json(std::int64_t{time.time_since_epoch().count()}); }
// Hundredths of a percent as the shortest percent number: 3333 is 33.33, 250 is 2.5, 10000 is 100.
Json encode_percent(std::int32_t hundredths);

// Builds an object in the order of the calls. Unlike Json::set() it does not look for names that are there already.
class ObjectWriter {
 public:
  ObjectWriter() { object_.reserve(8); }  // as many as most have

  ObjectWriter& put(std::string_view name, Json&& value) {
    Json::Member& member = object_.emplace_back();
    member.name = name;
    member.value = std::move(value);
    return *this;
  }
  ObjectWriter& put(std::string_view name, const Json& value) { return put(name, Json(value)); }

  // Nothing when the value is empty, zero or false: Go's omitempty.
  ObjectWriter& put_if(std::string_view name, const std::string& value) {
    return value.empty() ? *this : put(name, value);
  }
  ObjectWriter& put_if(std::string_view name, bool value) { return value ? put(name, value) : *this; }
  ObjectWriter& put_if(std::string_view name, std::uint32_t value) {
    return value == 0 ? *this : put(name, std::uint64_t{value});
  }
  ObjectWriter& put_if(std::string_view name, std::int64_t value) { return value == 0 ? *this : put(name, value); }
  ObjectWriter& put_if(std::string_view name, std::uint64_t value) { return value == 0 ? *this : put(name, value); }
  ObjectWriter& put_if(std::string_view name, Duration value);  // as Go text
  ObjectWriter& put_if(std::string_view name, const std::vector<std::string>& value) {
    return value.empty() ? *this : put(name, encode(value));
  }
  ObjectWriter& put_if(std::string_view name, const std::map<std::string, std::string>& value) {
    return value.empty() ? *this : put(name, encode(value));
  }

  // The members that a value keeps for others.
  ObjectWriter& rest(const Json::Object& unknown) {
    object_.insert(object_.end(), unknown.begin(), unknown.end());
    return *this;
  }

  Json take() { return Json(std::move(object_)); }

 private:
  Json::Object object_;
};

template <typename T, typename Encoder>
Json encode_each(const std::vector<T>& list, Encoder encoder) {
  Json::Array array;
  array.reserve(list.size());
  for (const T& item : list) array.push_back(encoder(item));
  return Json(std::move(array));
}
// encode_list(list, encode): the overload for the items is picked here.
template <typename T>
Json encode_list(const std::vector<T>& list, Json (*encoder)(const std::type_identity_t<T>&)) {
  return encode_each(list, encoder);
}
template <typename T>
Json encode_map(const std::map<std::string, T>& map, Json (*encoder)(const std::type_identity_t<T>&)) {
  Json::Object object;
  for (const auto& [key, value] : map) object.push_back({key, encoder(value)});
  return Json(std::move(object));
}

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_OBJECT_WRITER_H_
