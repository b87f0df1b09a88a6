#include "lib/plan/opaque.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "lib/chain/opaque.h"

namespace convergence::plan {
namespace {

// What an absent member is to the server.
bool is_nothing(const Json& value) {
  if (value.is_null()) return true;
  if (const bool* flag = value.as_bool()) return !*flag;
  if (const std::string* text = value.as_string()) return text->empty();
  if (const Json::Array* items = value.as_array()) return items->empty();
  if (const Json::Object* members = value.as_object()) return members->empty();
  return value.to_double() == 0.0;
}

// What the server writes where nobody has: not told apart from a writer who says the same.
bool is_filled_in(std::string_view name, const Json& value) {
  constexpr std::string_view kOwn[] = {"precedence", "legacyid", "legacymeta", "legacycreatetime", "legacyupdatetime"};
  constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
      {"protocol", "tcp"}, {"type", "consul"}, {"namespace", "default"}, {"partition", "default"}};
  if (std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn)) return true;
  const std::string* text = value.as_string();
  return text != nullptr && std::any_of(std::begin(kDefaults), std::end(kDefaults),
                                        [&](const auto& one) { return one.first == name && one.second == *text; });
}

Json plain(const Json& value);

Json plain_object(const Json::Object& members) {
  Json::Object out;
  for (const Json::Member& member : members) {
    std::string name = plain_name(member.name);
    Json inner = plain(member.value);
    if (!is_nothing(inner) && !is_filled_in(name, inner)) out.push_back({std::move(name), std::move(inner)});
  }
  return Json(std::move(out));
}

Json plain(const Json& value) {
  if (const Json::Object* members = value.as_object()) return plain_object(*members);
  const Json::Array* items = value.as_array();
  if (items == nullptr) return value;
  Json::Array out;
  for (const Json& item : *items) out.push_back(plain(item));
  return Json(std::move(out));
}

}  // namespace

bool same_meaning(const OpaqueEntry& wanted, const OpaqueEntry& there) {
  return plain_object(wanted.members) == plain_object(there.members);
}

}  // namespace convergence::plan
