#ifndef CONVERGENCE_LIB_CHAIN_OPAQUE_H_
#define CONVERGENCE_LIB_CHAIN_OPAQUE_H_

#include <string>
#include <string_view>

#include "convergence/config_entry.h"
#include "convergence/json.h"
#include "lib/base/ascii.h"

// What entries of kinds that are only kept say of chains. Their members are spelled as their writer liked.
namespace convergence {

inline constexpr std::string_view kIngressGateway = "ingress-gateway";
inline constexpr std::string_view kServiceIntentions = "service-intentions";

// The member of that plain name; null when there is none.
inline const Json* plain_member(const Json& json, std::string_view name) {
  const Json::Object* members = json.as_object();
  for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
    if (plain_name((*members)[i].name) == name) return &(*members)[i].value;
  }
  return nullptr;
}

inline std::string text_of(const Json& json, std::string_view name) {
  const Json* value = plain_member(json, name);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

// Calls visit(item) for the items of a list, or for one that stands for a list of it. `list` may be null.
template <typename Visit>
void each_item(const Json* list, Visit visit) {
  if (list == nullptr) return;
  if (const Json::Array* items = list->as_array()) {
    for (const Json& item : *items) visit(item);
  } else if (list->is_object()) {
    visit(*list);
  }
}

// Calls visit(service, listener's protocol) for each service that an ingress gateway names, wildcards aside.
template <typename Visit>
void each_listener_service(const OpaqueEntry& gateway, Visit visit) {
  const Json body{Json::Object(gateway.members)};
  each_item(plain_member(body, "listeners"), [&](const Json& listener) {
    std::string protocol = ascii_lower(text_of(listener, "protocol"));
    if (protocol.empty()) protocol = "tcp";
    each_item(plain_member(listener, "services"), [&](const Json& service) {
      const std::string name = text_of(service, "name");
      if (!name.empty() && name != "*") visit(name, protocol);
    });
  });
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_OPAQUE_H_
