#include "lib/chain/unknown_members.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <variant>

#include "lib/base/ascii.h"

namespace convergence {
namespace {

using Names = std::vector<std::string>;

std::string join(std::string_view where, std::string_view member) {
  return where.empty() ? std::string(member) : fmt::format("{}.{}", where, member);
}

void add_names(Names& out, std::string_view where, const Json::Object& unknown) {
  for (const Json::Member& member : unknown) out.push_back(join(where, member.name));
}

template <typename Item>
void add_items(Names& out, std::string_view where, const std::vector<Item>& items) {
  for (std::size_t i = 0; i < items.size(); ++i) add_names(out, fmt::format("{}[{}]", where, i), items[i].unknown);
}

template <typename Item>
void add_items(Names& out, std::string_view where, const std::map<std::string, Item>& items) {
  for (const auto& [key, item] : items) add_names(out, fmt::format("{}[{}]", where, key), item.unknown);
}

// Expose is kept as the JSON it came as, so its members are told apart here. Spelling as the reader of entries leaves
// it: any letter case, or with underscores.
bool is_field(std::string_view member, std::initializer_list<std::string_view> fields) {
  std::string plain = ascii_lower(member);
  std::erase(plain, '_');
  for (std::string_view field : fields) {
    if (plain == field) return true;
  }
  return false;
}

void add_expose(Names& out, const Json& expose) {
  const Json::Object* members = expose.as_object();
  if (members == nullptr) return;
  for (const Json::Member& member : *members) {
    const Json::Array* paths = is_field(member.name, {"paths"}) ? member.value.as_array() : nullptr;
    for (std::size_t i = 0; paths != nullptr && i < paths->size(); ++i) {
      const Json::Object* path = (*paths)[i].as_object();
      if (path == nullptr) continue;
      for (const Json::Member& field : *path) {
        if (!is_field(field.name, {"listenerport", "path", "localpathport", "protocol", "parsedfromcheck"})) {
          out.push_back(fmt::format("Expose.Paths[{}].{}", i, field.name));
        }
      }
    }
  }
  for (const Json::Member& member : *members) {
    if (!is_field(member.name, {"checks", "paths"})) out.push_back(join("Expose", member.name));
  }
}

void add_route(Names& out, const std::string& where, const Route& route) {
  if (route.match && route.match->http) {
    const HttpMatch& http = *route.match->http;
    const std::string inner = where + ".Match.HTTP";
    add_items(out, inner + ".Header", http.header);
    add_items(out, inner + ".QueryParam", http.query_param);
    add_names(out, inner, http.unknown);
  }
  if (route.match) add_names(out, where + ".Match", route.match->unknown);
  if (route.destination) add_names(out, where + ".Destination", route.destination->unknown);
  add_names(out, where, route.unknown);
}

struct Adder {
  Names& out;

  void operator()(const OpaqueEntry&) const {}
  void operator()(const ProxyDefaults& body) const {
    add_expose(out, body.expose);
    add_names(out, "", body.unknown);
  }
  void operator()(const ServiceDefaults& body) const {
    add_expose(out, body.expose);
    add_names(out, "", body.unknown);
  }
  void operator()(const ServiceRouter& body) const {
    for (std::size_t i = 0; i < body.routes.size(); ++i) add_route(out, fmt::format("Routes[{}]", i), body.routes[i]);
    add_names(out, "", body.unknown);
  }
  void operator()(const ServiceSplitter& body) const {
    add_items(out, "Splits", body.splits);
    add_names(out, "", body.unknown);
  }
  void operator()(const ServiceResolver& body) const {
    add_items(out, "Subsets", body.subsets);
    if (body.redirect) add_names(out, "Redirect", body.redirect->unknown);
    add_items(out, "Failover", body.failover);
    add_names(out, "", body.unknown);
  }
};

}  // namespace

std::vector<std::string> unknown_members(const ConfigEntry& entry) {
  Names out;
  std::visit(Adder{out}, entry.body);
  return out;
}

}  // namespace convergence
