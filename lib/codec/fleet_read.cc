#include "lib/codec/fleet_read.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/row_scan.h"

namespace convergence {
namespace codec {
namespace {

// Rows that are not as usual come in crowds: another Consul wrote them.
constexpr int kUnusualRows = 8;
// Answers shorter than this are not worth a guess at how many rows they have.
constexpr std::size_t kFewBytes = 16384;

std::string_view meta_of(const ServiceInstance& instance, const char* key) {
  const auto found = instance.meta.find(key);
  return found == instance.meta.end() ? std::string_view() : std::string_view(found->second);
}

FleetRow row_of(const ServiceInstance& instance, std::string_view node, CheckStatus status) {
  FleetRow row;
  row.node = node;
  row.service = instance.service;
  row.service_id = instance.id;
  row.version = meta_of(instance, "version");
  row.deployment = meta_of(instance, "deployment");
  row.owner = meta_of(instance, "managed-by");
  row.status = status;
  row.modify_index = instance.modify_index;
  return row;
}

}  // namespace

bool scan_health(std::string_view answer, FleetView& view, std::vector<std::uint32_t>* begins) {
  Cursor cursor(answer);
  int unusual = 0;
  FleetRow row;
  cursor.skip_blanks();
  const bool whole = take_items(cursor, [&] {
    const Cursor before = cursor;
    if (unusual >= kUnusualRows || !take_usual_health_row(cursor, row)) {
      ++unusual;
      cursor = before;
      if (!take_health_row(cursor, row)) return false;
    }
    if (view.size() == view.nodes.capacity() && cursor.left() > kFewBytes) {
      const auto bytes = static_cast<std::size_t>(cursor.at() - before.at());
      reserve_rows(view, view.size() + 1 + cursor.left() / bytes * 17 / 16);
    }
    add_row(view, row);
    if (begins) begins->push_back(static_cast<std::uint32_t>(before.at() - answer.data()));
    return true;
  });
  cursor.skip_blanks();
  return whole && cursor.at_end();
}

absl::Status read_health_strictly(std::string_view answer, std::string_view document, FleetView& view) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(answer, document));
  CVG_ASSIGN_OR_RETURN(const auto rows, decode_document<std::vector<HealthRow>>(json, document));
  for (const HealthRow& row : rows) {
    add_row(view, row_of(row.instance, row.node.name, worst_status(row.checks, {})));
  }
  return absl::OkStatus();
}

bool scan_agent_services(std::string_view answer, std::string_view node, FleetView& view) {
  Cursor cursor(answer);
  cursor.skip_blanks();
  FleetRow row;
  const bool whole = take_members(cursor, [&](std::string_view) {
    row = FleetRow();
    row.node = node;
    if (!take_service(cursor, row)) return false;
    add_row(view, row);
    return true;
  });
  cursor.skip_blanks();
  return whole && cursor.at_end();
}

// In the order of the answer.
struct AgentServices {
  std::vector<ServiceInstance> instances;
};

static absl::Status decode(const Json& json, const Place& place, AgentServices& out) {
  const Json::Object* members = json.as_object();
  if (!members) return wrong_type(json, place, "an object");
  for (const Json::Member& member : *members) {
    CVG_RETURN_IF_ERROR(decode(member.value, place.member(member.name), out.instances.emplace_back()));
  }
  return absl::OkStatus();
}

absl::Status read_agent_services_strictly(std::string_view answer, std::string_view document, std::string_view node,
                                          FleetView& view) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(answer, document));
  CVG_ASSIGN_OR_RETURN(const AgentServices services, decode_document<AgentServices>(json, document));
  for (const ServiceInstance& instance : services.instances) {
    add_row(view, row_of(instance, node, CheckStatus::kPassing));
  }
  return absl::OkStatus();
}

namespace {

absl::Status check_room(const FleetView& view, std::string_view answer, std::string_view document) {
  if (answer.size() <= NameTable::kMostBytes - view.names.bytes()) return absl::OkStatus();
  return make_error(ErrorKind::kTooLarge,
                    fmt::format("{}: {} bytes after {} of names are too many for one fleet view; begin a new one",
                                document, answer.size(), view.names.bytes()));
}

// `scan` says whether it could read it all; if not, nothing of what it read is left for `strictly`.
template <typename Scan, typename Strictly>
absl::Status read(FleetView& view, Scan scan, Strictly strictly) {
  const std::size_t rows = view.size();
  const std::size_t names = view.names.size();
  if (scan()) return absl::OkStatus();
  resize_rows(view, rows);
  view.names.forget_after(names);
  return strictly();
}

}  // namespace

absl::Status read_health_noting(std::string_view answer, std::string_view document, FleetView& view,
                                std::vector<std::uint32_t>& begins) {
  CVG_RETURN_IF_ERROR(check_room(view, answer, document));
  return read(
      view, [&] { return scan_health(answer, view, &begins); },
      [&] {
        begins.clear();
        return read_health_strictly(answer, document, view);
      });
}

}  // namespace codec

absl::Status read_health(std::string_view answer, std::string_view document, FleetView& view) {
  CVG_RETURN_IF_ERROR(codec::check_room(view, answer, document));
  return codec::read(
      view, [&] { return codec::scan_health(answer, view); },
      [&] { return codec::read_health_strictly(answer, document, view); });
}

absl::Status read_agent_services(std::string_view answer, std::string_view document, std::string_view node,
                                 FleetView& view) {
  CVG_RETURN_IF_ERROR(codec::check_room(view, answer, document));
  return codec::read(
      view, [&] { return codec::scan_agent_services(answer, node, view); },
      [&] { return codec::read_agent_services_strictly(answer, document, node, view); });
}

}  // namespace convergence
