#ifndef CONVERGENCE_FLEET_VIEW_H_
#define CONVERGENCE_FLEET_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"

namespace convergence {

// What is there, small: the part of a CatalogState that a plan of services looks at, for fleets of a million instances.
// It is read straight from the bytes that Consul answers with. Whatever those bytes are, the result is the one of the
// strict reader (codec.h), its errors included; unusual ones only take longer.

// The number of a name. Names are numbered in the order in which they come; 0 is the empty one.
using NameId = std::uint32_t;

// Each name once. Names are never taken out, except by forgetting the last ones.
class NameTable {
 public:
  // So many bytes at most, by which ids have at most 30 bits too.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 31;

  NameTable();

  NameId intern(std::string_view text);
  std::optional<NameId> find(std::string_view text) const;
  std::string_view text(NameId id) const {  // good until the next intern()
    const std::size_t begin = id == 0 ? 0 : ends_[id - 1];
    return {bytes_.data() + begin, ends_[id] - begin};
  }

  std::size_t size() const { return ends_.size(); }
  std::size_t bytes() const { return bytes_.size(); }  // of all names together
  std::size_t bytes_held() const;                      // memory, with what it takes to find them
  void forget_after(std::size_t size);                 // names that came later than the first `size`
  void shrink_to_fit();

  friend bool operator==(const NameTable& a, const NameTable& b) { return a.ends_ == b.ends_ && a.bytes_ == b.bytes_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    NameId id = 0;  // 0: free, for the empty name is not looked up
  };

  void spread(std::size_t slots);

  std::string bytes_;
  std::vector<std::uint32_t> ends_;
  std::vector<Slot> slots_;  // a power of two, at most three quarters of them taken
};

// A service id on its node. Ids that end with the node's name are common and would be as many names as there are
// instances: of such a one only what stands before the node's name is kept. So equal ids of a node are equal here, and
// only those.
struct ServiceIdRef {
  std::uint32_t bits = 0;

  static ServiceIdRef make(NameId name, bool node_follows) { return {name << 1 | (node_follows ? 1U : 0U)}; }
  NameId name() const { return bits >> 1; }
  bool node_follows() const { return (bits & 1) != 0; }
  friend bool operator==(const ServiceIdRef&, const ServiceIdRef&) = default;
};

// Who manages an instance (Meta managed-by; empty: nobody says) and the worst of the checks in its row.
struct OwnerAndStatus {
  std::uint32_t bits = 0;

  static OwnerAndStatus make(NameId owner, CheckStatus status) { return {owner << 2 | static_cast<unsigned>(status)}; }
  NameId owner() const { return bits >> 2; }
  CheckStatus status() const { return static_cast<CheckStatus>(bits & 3); }
  friend bool operator==(const OwnerAndStatus&, const OwnerAndStatus&) = default;
};

// A row with its names spelled out.
struct FleetRow {
  std::string_view node{};
  std::string_view service{};
  std::string_view service_id{};
  std::string_view version{};     // Meta.version
  std::string_view deployment{};  // Meta.deployment
  std::string_view owner{};       // Meta.managed-by
  CheckStatus status = CheckStatus::kPassing;
  std::uint64_t modify_index = 0;
  friend bool operator==(const FleetRow&, const FleetRow&) = default;
};

// Instances by column, 32 bytes each beside the names; in the order of the answers.
struct FleetView {
  NameTable names{};
  std::vector<NameId> nodes{};
  std::vector<NameId> services{};
  std::vector<ServiceIdRef> ids{};
  std::vector<NameId> versions{};
  std::vector<NameId> deployments{};
  std::vector<OwnerAndStatus> marks{};
  std::vector<std::uint64_t> modify_indexes{};

  std::size_t size() const { return nodes.size(); }
};

// The same rows, whatever their names are numbered.
bool operator==(const FleetView& a, const FleetView& b);

void add_row(FleetView& view, const FleetRow& row);
void set_row(FleetView& view, std::size_t index, const FleetRow& row);
void resize_rows(FleetView& view, std::size_t size);
void reserve_rows(FleetView& view, std::size_t size);

ServiceIdRef intern_service_id(NameTable& names, NameId node, std::string_view service_id);
std::optional<ServiceIdRef> find_service_id(const NameTable& names, NameId node, std::string_view service_id);
std::string service_id(const FleetView& view, std::size_t index);

// The row; its service id is put into `id_text`, which it refers to.
FleetRow row_at(const FleetView& view, std::size_t index, std::string& id_text);

// Of the rich value: services by name, instances by (node, id).
FleetView fleet_view(const CatalogState& catalog);

// Rows of /v1/health/service/<name>, put behind those of `view`. After an error `view` is as it was. An answer that
// would bring more than 2 GiB of names is refused with kind "too-large".
absl::Status read_health(std::string_view answer, std::string_view document, FleetView& view);

// The instances of /v1/agent/services, which does not say on which node it is asked, nor what the checks say: they
// pass.
absl::Status read_agent_services(std::string_view answer, std::string_view document, std::string_view node,
                                 FleetView& view);

// ---- one answer after the other, as a watch gives them

// An instance by its names in a view.
struct InstanceRef {
  NameId node = 0;
  ServiceIdRef id{};
  friend bool operator==(const InstanceRef&, const InstanceRef&) = default;
};

// The last answer of a watch of health: its rows, and its bytes if they are to be kept.
struct HealthReads {
  FleetView view{};
  std::string answer{};
  std::vector<std::uint32_t> begins{};  // of the rows in the answer
  std::size_t names_after_whole = 0;    // names in the view when it was last read whole
};

// What the next answer changed. Only the fields of FleetRow count.
struct HealthChanges {
  bool whole = false;                 // everything was read anew: all names have other numbers
  std::vector<std::uint32_t> rows{};  // new or other than before, ascending
  std::vector<InstanceRef> gone{};    // rows taken away; one may be among `rows` again, at another place
  friend bool operator==(const HealthChanges&, const HealthChanges&) = default;
};

// Makes `reads` those of `answer`. With the bytes of the answer before, only rows that differ are decoded: the result
// is still the one of reading it whole. An answer of more than `budget` bytes is not kept for the next time; one that
// is changes places with the one before, whose memory the next one may be received in. After an error all is as it was.
absl::StatusOr<HealthChanges> read_next_health(std::string& answer, std::string_view document, std::size_t budget,
                                               HealthReads& reads);

}  // namespace convergence

#endif  // CONVERGENCE_FLEET_VIEW_H_
