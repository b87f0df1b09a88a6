#include "lib/codec/row_scan.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

namespace convergence::codec {
namespace {

bool take_text(Cursor& cursor, std::string_view& out) { return cursor.take('"') && cursor.text(out); }
bool take_null_or_text(Cursor& cursor) { return cursor.take('"') ? cursor.skip_text() : cursor.take("null"); }

bool take_index(Cursor& cursor, std::uint64_t& out) { return cursor.take("null") || cursor.number(out); }
bool skip_index(Cursor& cursor) {
  std::uint64_t ignored = 0;
  return take_index(cursor, ignored);
}

bool skip_int32(Cursor& cursor) {
  if (cursor.take("null")) return true;
  const std::uint64_t most = std::uint64_t{std::numeric_limits<std::int32_t>::max()} + (cursor.take('-') ? 1 : 0);
  std::uint64_t value = 0;
  return cursor.number(value) && value <= most;
}

bool skip_bool(Cursor& cursor) { return cursor.take("false") || cursor.take("true") || cursor.take("null"); }

bool skip_texts(Cursor& cursor) {
  return cursor.take("null") || take_items(cursor, [&] { return cursor.take('"') && cursor.skip_text(); });
}

bool skip_text_map(Cursor& cursor) {
  return cursor.take("null") ||
         take_members(cursor, [&](std::string_view) { return cursor.take('"') && cursor.skip_text(); });
}

// What of Meta a row has; null for the others.
std::string_view* meta_member(FleetRow& row, std::string_view key) {
  if (key == "version") return &row.version;
  if (key == "deployment") return &row.deployment;
  if (key == "managed-by") return &row.owner;
  return nullptr;
}

bool take_meta(Cursor& cursor, FleetRow& row) {
  return cursor.take("null") || take_members(cursor, [&](std::string_view key) {
           std::string_view* const wanted = meta_member(row, key);
           return cursor.take('"') && (wanted ? cursor.text(*wanted) : cursor.skip_text());
         });
}

bool skip_weights(Cursor& cursor) {
  return cursor.take("null") || take_members(cursor, [&](std::string_view key) {
           return key == "Passing" || key == "Warning" ? skip_int32(cursor) : cursor.skip_value(3);
         });
}

bool take_status(Cursor& cursor, CheckStatus& worst) {
  if (cursor.take("\"passing\"")) return true;
  if (cursor.take("\"warning\"")) {
    worst = std::max(worst, CheckStatus::kWarning);
    return true;
  }
  worst = CheckStatus::kCritical;
  return cursor.take("\"critical\"");
}

bool take_node(Cursor& cursor, FleetRow& row) {
  bool named = false;
  return take_members(cursor,
                      [&](std::string_view key) {
                        if (key == "Node") return named = take_text(cursor, row.node);
                        if (key == "ID" || key == "Address" || key == "Datacenter") return take_null_or_text(cursor);
                        if (key == "TaggedAddresses" || key == "Meta") return skip_text_map(cursor);
                        if (key == "CreateIndex" || key == "ModifyIndex") return skip_index(cursor);
                        return cursor.skip_value(3);
                      }) &&
         named;
}

bool take_check(Cursor& cursor, CheckStatus& worst) {
  bool named = false;
  bool has_status = false;
  return take_members(cursor,
                      [&](std::string_view key) {
                        if (key == "CheckID") return named = cursor.take('"') && cursor.skip_text();
                        if (key == "Status") return has_status = take_status(cursor, worst);
                        if (key == "ServiceTags") return skip_texts(cursor);
                        if (key == "CreateIndex" || key == "ModifyIndex") return skip_index(cursor);
                        if (key == "Definition") {
                          return cursor.take("null") || (cursor.next_is('{') && cursor.skip_value(4));
                        }
                        if (key == "Node" || key == "Name" || key == "Notes" || key == "Output" || key == "ServiceID" ||
                            key == "ServiceName" || key == "Type") {
                          return take_null_or_text(cursor);
                        }
                        return cursor.skip_value(4);
                      }) &&
         named && has_status;
}

// ---- as Consul 1.8 writes it

// A map of texts in the order of its keys.
template <typename TakeText>
bool take_usual_map(Cursor& cursor, TakeText take_text_of) {
  if (cursor.take("{\"")) {
    std::string_view last;
    bool first = true;
    do {
      std::string_view key;
      if (!cursor.text(key) || !cursor.take(":\"") || !(first || last < key) || !take_text_of(key)) return false;
      last = key;
      first = false;
    } while (cursor.take(",\""));
    return cursor.take('}');
  }
  return cursor.take("null") || cursor.take("{}");
}

bool skip_usual_map(Cursor& cursor) {
  return take_usual_map(cursor, [&](std::string_view) { return cursor.skip_text(); });
}

bool skip_usual_texts(Cursor& cursor) {
  if (cursor.take("[\"")) {
    do {
      if (!cursor.skip_text()) return false;
    } while (cursor.take(",\""));
    return cursor.take(']');
  }
  return cursor.take("[]") || cursor.take("null");
}

bool take_usual_node(Cursor& c, FleetRow& row) {
  return c.take("{\"ID\":\"") && c.skip_text() &&                 //
         c.take(",\"Node\":\"") && c.text(row.node) &&            //
         c.take(",\"Address\":\"") && c.skip_text() &&            //
         c.take(",\"Datacenter\":\"") && c.skip_text() &&         //
         c.take(",\"TaggedAddresses\":") && skip_usual_map(c) &&  //
         c.take(",\"Meta\":") && skip_usual_map(c) &&             //
         c.take(",\"CreateIndex\":") && c.skip_number() &&        //
         c.take(",\"ModifyIndex\":") && c.skip_number() && c.take('}');
}

bool take_usual_meta(Cursor& c, FleetRow& row) {
  return take_usual_map(c, [&](std::string_view key) {
    std::string_view* const wanted = meta_member(row, key);
    return wanted ? c.text(*wanted) : c.skip_text();
  });
}

bool skip_small_number(Cursor& c) {
  std::uint64_t value = 0;
  return c.number(value) && value <= std::uint64_t{std::numeric_limits<std::int32_t>::max()};
}

bool take_usual_service(Cursor& c, FleetRow& row) {
  if (!c.take("{\"ID\":\"") && !(c.take("{\"Kind\":\"") && c.skip_text() && c.take(",\"ID\":\""))) return false;
  if (!(c.text(row.service_id) &&                            //
        c.take(",\"Service\":\"") && c.text(row.service) &&  //
        c.take(",\"Tags\":") && skip_usual_texts(c) &&       //
        c.take(",\"Address\":\"") && c.skip_text())) {
    return false;
  }
  if (c.take(",\"TaggedAddresses\":") && !c.skip_value(3)) return false;
  return c.take(",\"Meta\":") && take_usual_meta(c, row) &&                    //
         c.take(",\"Port\":") && skip_small_number(c) &&                       //
         c.take(",\"Weights\":{\"Passing\":") && skip_small_number(c) &&       //
         c.take(",\"Warning\":") && skip_small_number(c) && c.take('}') &&     //
         c.take(",\"EnableTagOverride\":") && skip_bool(c) &&                  //
         c.take(",\"Proxy\":") &&                                              //
         (c.take("{\"MeshGateway\":{},\"Expose\":{}}") || c.skip_value(3)) &&  //
         c.take(",\"Connect\":") && (c.take("{}") || c.skip_value(3)) &&       //
         c.take(",\"CreateIndex\":") && c.skip_number() &&                     //
         c.take(",\"ModifyIndex\":") && c.number(row.modify_index) && c.take('}');
}

bool take_usual_check(Cursor& c, CheckStatus& worst) {
  return c.take("{\"Node\":\"") && c.skip_text() &&             //
         c.take(",\"CheckID\":\"") && c.skip_text() &&          //
         c.take(",\"Name\":\"") && c.skip_text() &&             //
         c.take(",\"Status\":") && take_status(c, worst) &&     //
         c.take(",\"Notes\":\"") && c.skip_text() &&            //
         c.take(",\"Output\":\"") && c.skip_text() &&           //
         c.take(",\"ServiceID\":\"") && c.skip_text() &&        //
         c.take(",\"ServiceName\":\"") && c.skip_text() &&      //
         c.take(",\"ServiceTags\":") && skip_usual_texts(c) &&  //
         c.take(",\"Type\":\"") && c.skip_text() &&             //
         c.take(",\"Definition\":") && (c.take("{}") || (c.next_is('{') && c.skip_value(4))) &&
         c.take(",\"CreateIndex\":") && c.skip_number() &&  //
         c.take(",\"ModifyIndex\":") && c.skip_number() && c.take('}');
}

bool take_usual_checks(Cursor& c, CheckStatus& worst) {
  if (!c.take('[')) return false;
  if (c.take(']')) return true;
  do {
    if (!take_usual_check(c, worst)) return false;
  } while (c.take(','));
  return c.take(']');
}

}  // namespace

bool take_usual_health_row(Cursor& cursor, FleetRow& row) {
  row = FleetRow();
  return cursor.take("{\"Node\":") && take_usual_node(cursor, row) &&        //
         cursor.take(",\"Service\":") && take_usual_service(cursor, row) &&  //
         cursor.take(",\"Checks\":") && take_usual_checks(cursor, row.status) && cursor.take('}');
}

bool take_service(Cursor& cursor, FleetRow& row) {
  bool has_id = false;
  bool named = false;
  return take_members(cursor,
                      [&](std::string_view key) {
                        if (key == "ID") return has_id = take_text(cursor, row.service_id);
                        if (key == "Service") return named = take_text(cursor, row.service);
                        if (key == "Meta") return take_meta(cursor, row);
                        if (key == "ModifyIndex") return take_index(cursor, row.modify_index);
                        if (key == "CreateIndex") return skip_index(cursor);
                        if (key == "Kind" || key == "Address") return take_null_or_text(cursor);
                        if (key == "Tags") return skip_texts(cursor);
                        if (key == "Port") return skip_int32(cursor);
                        if (key == "Weights") return skip_weights(cursor);
                        if (key == "EnableTagOverride") return skip_bool(cursor);
                        return cursor.skip_value(3);
                      }) &&
         has_id && named;
}

bool take_health_row(Cursor& cursor, FleetRow& row) {
  row = FleetRow();
  bool has_node = false;
  bool has_service = false;
  return take_members(cursor,
                      [&](std::string_view key) {
                        if (key == "Node") return has_node = take_node(cursor, row);
                        if (key == "Service") return has_service = take_service(cursor, row);
                        if (key == "Checks") {
                          return cursor.take("null") ||
                                 take_items(cursor, [&] { return take_check(cursor, row.status); });
                        }
                        return cursor.skip_value(2);
                      }) &&
         has_node && has_service;
}

}  // namespace convergence::codec
