#include "convergence/fleet_diff.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/plan/placement.h"
#include "lib/plan/services.h"

namespace convergence {
namespace {

constexpr std::uint32_t kNone = FleetChange::kNone;
// Rows that are compared at once, without a branch for each.
constexpr std::size_t kBlock = 16;
// How far on the other side's row is looked for where the two sides part.
constexpr std::size_t kLookAhead = 8;
// After so many rows in vain the sides have no order in common.
constexpr std::size_t kMostInVain = 256;
// How many rows ahead, or at once, memory is asked for.
constexpr std::size_t kAhead = 32;

std::uint64_t hash_of(const InstanceRef& instance) {
  const std::uint64_t key = std::uint64_t{instance.node} << 32 | instance.id.bits;
  const std::uint64_t product = (key ^ key >> 29) * 0x9E3779B97F4A7C15;
  return product ^ product >> 32;
}

void prefetch(const void* memory) {
#if defined(__GNUC__)
  __builtin_prefetch(memory);
#else
  static_cast<void>(memory);
#endif
}

InstanceRef at(const WantedFleet& wanted, std::size_t i) { return {wanted.nodes[i], wanted.ids[i]}; }
InstanceRef at(const FleetView& view, std::size_t i) { return {view.nodes[i], view.ids[i]}; }

void prefetch_row(const FleetView& view, std::size_t i) {
  prefetch(&view.nodes[i]);
  prefetch(&view.ids[i]);
  prefetch(&view.versions[i]);
  prefetch(&view.marks[i]);
}

void prefetch_row(const WantedFleet& wanted, std::size_t i) {
  prefetch(&wanted.versions[i]);
  prefetch(&wanted.deployments[i]);
  prefetch(&wanted.from_agents[i]);
}

// What is to be said of a wanted instance and of the row that it has.
class Judge {
 public:
  Judge(const WantedFleet& wanted, const FleetView& view, const PlanOptions& options)
      : wanted_(wanted), view_(view), options_(options), owner_(view.names.find(options.owner).value_or(0)) {}

  void compare(std::size_t i, std::size_t j, FleetDiff& diff) const {
    const bool other_version = wanted_.versions[i] != view_.versions[j];
    const bool other_deployment = wanted_.deployments[i] != 0 && wanted_.deployments[i] != view_.deployments[j];
    const bool from_agent = wanted_.from_agents[i] != 0;
    if (!other_version && !other_deployment && (from_agent || is_ours(j))) {
      ++diff.same;
      return;
    }
    const Reason reason = from_agent                              ? Reason::kAgent
                          : !options_.take_foreign && !is_ours(j) ? Reason::kForeign
                          : other_version                         ? Reason::kVersion
                                                                  : Reason::kDefinition;
    diff.changes.push_back({number(i), number(j), reason});
  }

  void missing(std::size_t i, FleetDiff& diff) const {
    const Reason reason = wanted_.from_agents[i] != 0 ? Reason::kAgent : Reason::kMissing;
    diff.changes.push_back({number(i), kNone, reason});
  }

  void not_wanted(std::size_t j, FleetDiff& diff) const {
    const Reason reason = options_.prune ? Reason::kNotWanted : Reason::kNotPruned;
    if (is_ours(j)) diff.changes.push_back({kNone, number(j), reason});
  }

  // Whether all rows of a block are as wanted; an agent's may be without its being seen here.
  bool same_block(std::size_t i, std::size_t j) const {
    const NameId* const deployments = wanted_.deployments.data() + i;
    const std::uint32_t owner = OwnerAndStatus::make(owner_, CheckStatus::kPassing).bits;
    std::uint32_t different = owner_ == 0 ? 1 : 0;
    for (std::size_t k = 0; k < kBlock; ++k) {
      const std::uint32_t any = deployments[k] == 0 ? 0 : ~std::uint32_t{0};
      different |= (wanted_.nodes[i + k] ^ view_.nodes[j + k]) | (wanted_.ids[i + k].bits ^ view_.ids[j + k].bits) |
                   (wanted_.versions[i + k] ^ view_.versions[j + k]) |
                   ((deployments[k] ^ view_.deployments[j + k]) & any) | ((view_.marks[j + k].bits ^ owner) & ~3U);
    }
    return different == 0;
  }

 private:
  static std::uint32_t number(std::size_t row) { return static_cast<std::uint32_t>(row); }
  bool is_ours(std::size_t j) const { return owner_ != 0 && view_.marks[j].owner() == owner_; }

  const WantedFleet& wanted_;
  const FleetView& view_;
  const PlanOptions& options_;
  NameId owner_;  // 0: nobody known here
};

// Rows of a view by instance; of several of one instance the last.
class RowTable {
 public:
  RowTable(const FleetView& view, const std::vector<std::uint32_t>& rows)
      : slots_(std::bit_ceil(std::max<std::size_t>(16, rows.size() * 2))) {
    for (std::size_t k = 0; k < rows.size(); ++k) {
      if (k + kAhead < rows.size()) ask_for(at(view, rows[k + kAhead]));
      const InstanceRef instance = at(view, rows[k]);
      slots_[slot_of(instance)] = {instance, rows[k], false};
    }
  }

  void ask_for(const InstanceRef& instance) const { prefetch(&slots_[hash_of(instance) & (slots_.size() - 1)]); }

  std::uint32_t take(const InstanceRef& instance) {
    Slot& slot = slots_[slot_of(instance)];
    slot.taken = true;
    return slot.row;
  }
  bool has(const InstanceRef& instance) const { return slots_[slot_of(instance)].row != kNone; }

  // Of the rows it was made of, ascending, those that stand here and were not taken.
  std::vector<std::uint32_t> left(const FleetView& view, const std::vector<std::uint32_t>& rows) const {
    std::vector<std::uint32_t> found;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      if (k + kAhead < rows.size()) ask_for(at(view, rows[k + kAhead]));
      const Slot& slot = slots_[slot_of(at(view, rows[k]))];
      if (!slot.taken && slot.row == rows[k]) found.push_back(rows[k]);
    }
    return found;
  }

 private:
  struct Slot {
    InstanceRef instance{};
    std::uint32_t row = kNone;
    bool taken = false;
  };

  std::size_t slot_of(const InstanceRef& instance) const {
    std::size_t slot = hash_of(instance) & (slots_.size() - 1);
    while (slots_[slot].row != kNone && slots_[slot].instance != instance) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  std::vector<Slot> slots_;
};

class Join {
 public:
  Join(const WantedFleet& wanted, const FleetView& view, const PlanOptions& options)
      : wanted_(wanted), view_(view), judge_(wanted, view, options) {}

  FleetDiff run() {
    walk_side_by_side();
    return join_rest() ? std::move(diff_) : by_instance();
  }

 private:
  void walk_side_by_side() {
    std::size_t in_vain = 0;
    while (i_ < wanted_.size() && j_ < view_.size() && in_vain < kMostInVain) {
      if (i_ + kBlock <= wanted_.size() && j_ + kBlock <= view_.size()) {
        if (judge_.same_block(i_, j_)) {
          diff_.same += kBlock;
          i_ += kBlock;
          j_ += kBlock;
          continue;
        }
      }
      for (std::size_t k = 0; k < kBlock && i_ < wanted_.size() && j_ < view_.size(); ++k) {
        if (at(wanted_, i_) == at(view_, j_)) {
          judge_.compare(i_++, j_++, diff_);
          in_vain = 0;
        } else if (!find_common_row()) {
          ++in_vain;
        }
      }
    }
    while (i_ < wanted_.size()) wanted_left_.push_back(static_cast<std::uint32_t>(i_++));
    while (j_ < view_.size()) view_left_.push_back(static_cast<std::uint32_t>(j_++));
  }

  // The sides part: moves on to where they meet again, if that is near.
  bool find_common_row() {
    for (std::size_t ahead = 1; ahead <= kLookAhead; ++ahead) {
      if (j_ + ahead < view_.size() && at(wanted_, i_) == at(view_, j_ + ahead)) {
        for (; ahead > 0; --ahead) view_left_.push_back(static_cast<std::uint32_t>(j_++));
        return true;
      }
      if (i_ + ahead < wanted_.size() && at(wanted_, i_ + ahead) == at(view_, j_)) {
        for (; ahead > 0; --ahead) wanted_left_.push_back(static_cast<std::uint32_t>(i_++));
        return true;
      }
    }
    wanted_left_.push_back(static_cast<std::uint32_t>(i_++));
    view_left_.push_back(static_cast<std::uint32_t>(j_++));
    return false;
  }

  // Whether what was met side by side may stand: not if an instance has another row among those that are left.
  bool join_rest() {
    const std::size_t met = wanted_.size() - wanted_left_.size();
    RowTable table(view_, view_left_);
    FleetDiff rest;
    for (std::size_t k = 0; k < wanted_left_.size(); ++k) {
      if (k + kAhead < wanted_left_.size()) table.ask_for(at(wanted_, wanted_left_[k + kAhead]));
      const std::uint32_t row = table.take(at(wanted_, wanted_left_[k]));
      if (row == kNone) {
        judge_.missing(wanted_left_[k], rest);
      } else {
        judge_.compare(wanted_left_[k], row, rest);
      }
    }
    const std::vector<std::uint32_t> not_wanted = table.left(view_, view_left_);
    if (met > 0 && !not_wanted.empty() && is_any_wanted(RowTable(view_, not_wanted), not_wanted)) return false;
    std::vector<FleetChange> both(diff_.changes.size() + rest.changes.size());
    std::ranges::merge(diff_.changes, rest.changes, both.begin(), {}, &FleetChange::wanted, &FleetChange::wanted);
    diff_.changes = std::move(both);
    diff_.same += rest.same;
    for (std::uint32_t row : not_wanted) judge_.not_wanted(row, diff_);
    return true;
  }

  // A few bits for each row tell of most instances at once that they are not among them.
  bool is_any_wanted(const RowTable& table, const std::vector<std::uint32_t>& rows) const {
    std::vector<std::uint64_t> bits(std::bit_ceil(rows.size() + 64));
    const auto word_of = [&](std::uint64_t hash) { return hash >> 6 & (bits.size() - 1); };
    for (std::uint32_t row : rows) {
      const std::uint64_t hash = hash_of(at(view_, row));
      bits[word_of(hash)] |= std::uint64_t{1} << (hash & 63);
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const std::uint64_t hash = hash_of(at(wanted_, i));
      if ((bits[word_of(hash)] >> (hash & 63) & 1) != 0 && table.has(at(wanted_, i))) return true;
    }
    return false;
  }

  // Nothing is taken for granted.
  FleetDiff by_instance() {
    diff_ = FleetDiff();
    wanted_left_.clear();
    view_left_.clear();
    for (std::size_t i = 0; i < wanted_.size(); ++i) wanted_left_.push_back(static_cast<std::uint32_t>(i));
    for (std::size_t j = 0; j < view_.size(); ++j) view_left_.push_back(static_cast<std::uint32_t>(j));
    join_rest();
    return std::move(diff_);
  }

  const WantedFleet& wanted_;
  const FleetView& view_;
  Judge judge_;
  std::size_t i_ = 0;
  std::size_t j_ = 0;
  std::vector<std::uint32_t> wanted_left_;  // rows that were not met, ascending
  std::vector<std::uint32_t> view_left_;
  FleetDiff diff_;
};

}  // namespace

void add_wanted(WantedFleet& wanted, NameTable& names, const WantedRow& row) {
  const auto intern_like = [&](std::string_view text, const std::vector<NameId>& column) {
    return !column.empty() && names.text(column.back()) == text ? column.back() : names.intern(text);
  };
  wanted.nodes.push_back(intern_like(row.node, wanted.nodes));
  wanted.ids.push_back(intern_service_id(names, wanted.nodes.back(), row.service_id));
  wanted.versions.push_back(intern_like(row.version, wanted.versions));
  wanted.deployments.push_back(intern_like(row.deployment, wanted.deployments));
  wanted.services.push_back(row.service);
  wanted.from_agents.push_back(row.from_agent ? 1 : 0);
}

absl::StatusOr<WantedFleet> wanted_fleet(const DesiredState& desired,
                                         const std::map<std::string, Shared<NodeState>>& nodes, NameTable& names) {
  WantedFleet wanted;
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    const DesiredService& service = desired.services[i];
    CVG_ASSIGN_OR_RETURN(const plan::NodeSelector selector, plan::NodeSelector::make(service));
    const std::string id = service_id(service);
    WantedRow row;
    row.service_id = id;
    row.version = service.release.version;
    row.deployment = service.release.deployment;
    row.service = static_cast<std::uint32_t>(i);
    row.from_agent = plan::by_agents(service);
    for (const auto& [name, node] : nodes) {
      if (!selector.selects(node->node)) continue;
      row.node = name;
      add_wanted(wanted, names, row);
    }
  }
  return wanted;
}

FleetDiff diff_fleet(const WantedFleet& wanted, const FleetView& view, const PlanOptions& options) {
  return Join(wanted, view, options).run();
}

WantedIndex::WantedIndex(const WantedFleet& wanted)
    : slots_(std::bit_ceil(std::max<std::size_t>(16, wanted.size() * 2))) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const InstanceRef instance = at(wanted, i);
    slots_[slot_of(instance)] = {instance, static_cast<std::uint32_t>(i)};
  }
}

std::size_t WantedIndex::slot_of(const InstanceRef& instance) const {
  std::size_t slot = hash_of(instance) & (slots_.size() - 1);
  while (slots_[slot].row != kNone && slots_[slot].instance != instance) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void WantedIndex::prefetch(const InstanceRef& instance) const {
  convergence::prefetch(&slots_[hash_of(instance) & (slots_.size() - 1)]);
}

std::uint32_t WantedIndex::find(const InstanceRef& instance) const { return slots_[slot_of(instance)].row; }

FleetDiff diff_rows(const WantedFleet& wanted, const WantedIndex& index, const FleetView& view,
                    std::span<const std::uint32_t> rows, std::span<const InstanceRef> gone,
                    const PlanOptions& options) {
  const Judge judge(wanted, view, options);
  FleetDiff diff;
  std::vector<std::uint32_t> not_wanted;
  // In turns, so that what a turn looks at comes from memory while the one before is still at work.
  for (std::size_t begin = 0; begin < rows.size(); begin += kAhead) {
    const std::span<const std::uint32_t> some = rows.subspan(begin, std::min(kAhead, rows.size() - begin));
    std::array<std::uint32_t, kAhead> found;
    for (std::uint32_t row : some) prefetch_row(view, row);
    for (std::uint32_t row : some) index.prefetch(at(view, row));
    for (std::size_t k = 0; k < some.size(); ++k) {
      found[k] = index.find(at(view, some[k]));
      if (found[k] != kNone) prefetch_row(wanted, found[k]);
    }
    for (std::size_t k = 0; k < some.size(); ++k) {
      if (found[k] == kNone) {
        not_wanted.push_back(some[k]);
      } else {
        judge.compare(found[k], some[k], diff);
      }
    }
  }
  if (gone.empty()) rows = {};
  // What moved to another place is among the rows.
  const RowTable moved(view, {rows.begin(), rows.end()});
  for (const InstanceRef& instance : gone) {
    const std::uint32_t i = index.find(instance);
    if (i != kNone && !moved.has(instance)) judge.missing(i, diff);
  }
  std::ranges::sort(diff.changes, {}, &FleetChange::wanted);
  for (std::uint32_t row : not_wanted) judge.not_wanted(row, diff);
  return diff;
}

}  // namespace convergence
