#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "convergence/fleet_view.h"
#include "lib/base/status_macros.h"
#include "lib/codec/fleet_read.h"
#include "lib/codec/row_scan.h"

namespace convergence {
namespace codec {
namespace {

// How far on an instance is looked for where another one stands now.
constexpr std::size_t kLookAhead = 32;
// With more changes than this, and one row in four, reading it whole is as quick.
constexpr std::size_t kFewChanges = 64;
// Offsets have 32 bits.
constexpr std::size_t kMostKept = std::size_t{1} << 31;

// How many bytes are the same.
std::size_t same_bytes(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (std::size_t block = 16384; block >= 16; block /= 4) {
    while (most - at >= block && std::memcmp(a.data() + at, b.data() + at, block) == 0) at += block;
  }
  while (at < most && a[at] == b[at]) ++at;
  return at;
}

// Rows of before, and then perhaps one that is new.
struct Piece {
  std::size_t first = 0;
  std::size_t end = 0;
  std::size_t begin_of_first = 0;  // in the answer
  bool has_row = false;
  std::size_t begin_of_row = 0;
  FleetRow row{};
  std::optional<std::size_t> instead_of{};
};

// Finds out what an answer is made of: rows of the one before, and others. Changes nothing.
class Comparison {
 public:
  Comparison(const HealthReads& reads, std::string_view answer) : reads_(reads), answer_(answer) {}

  // Whether it is worth it, and nothing was met that only the strict reader knows.
  bool run() {
    const std::vector<std::uint32_t>& begins = reads_.begins;
    if (begins.empty() || answer_.substr(0, begins[0]) != old().substr(0, begins[0])) return false;
    std::size_t at = begins[0];
    for (;;) {
      if (next_ == begins.size()) return take_rows_to_end(at);
      const std::size_t first = next_;
      const std::size_t same = same_bytes(answer_.substr(at), old().substr(begins[first]));
      const std::size_t reached = begins[first] + same;
      if (reached == old().size() && at + same == answer_.size()) {
        pieces_.push_back({.first = first, .end = begins.size(), .begin_of_first = at});
        return true;
      }
      const auto after = std::upper_bound(begins.begin() + static_cast<std::ptrdiff_t>(first), begins.end(), reached);
      next_ = static_cast<std::size_t>(after - begins.begin()) - 1;
      pieces_.push_back({.first = first, .end = next_, .begin_of_first = at});
      at += begins[next_] - begins[first];
      const std::optional<std::size_t> row_end = take_row(at);
      if (!row_end) return false;
      Cursor cursor(answer_.substr(*row_end));
      cursor.skip_blanks();
      if (!cursor.take(',')) return take_end(cursor);
      cursor.skip_blanks();
      at = offset_of(cursor);
    }
  }

  const std::vector<Piece>& pieces() const { return pieces_; }
  const std::vector<std::size_t>& gone() const { return gone_; }

 private:
  std::string_view old() const { return reads_.answer; }
  std::size_t offset_of(const Cursor& cursor) const { return static_cast<std::size_t>(cursor.at() - answer_.data()); }

  // Behind all rows of before there is nothing to compare with any more.
  bool take_rows_to_end(std::size_t at) {
    for (;;) {
      pieces_.push_back({.first = next_, .end = next_, .begin_of_first = at});
      const std::optional<std::size_t> row_end = take_row(at);
      if (!row_end) return false;
      Cursor cursor(answer_.substr(*row_end));
      cursor.skip_blanks();
      if (!cursor.take(',')) return take_end(cursor);
      cursor.skip_blanks();
      at = offset_of(cursor);
    }
  }

  bool take_end(Cursor cursor) {
    if (!cursor.take(']')) return false;
    cursor.skip_blanks();
    while (next_ < reads_.begins.size()) gone_.push_back(next_++);
    return cursor.at_end() && is_worth_it();
  }

  std::optional<std::size_t> take_row(std::size_t at) {
    Piece& piece = pieces_.back();
    Cursor cursor(answer_.substr(at));
    if (!take_usual_health_row(cursor, piece.row)) {
      cursor = Cursor(answer_.substr(at));
      if (!take_health_row(cursor, piece.row)) return std::nullopt;
    }
    piece.has_row = true;
    piece.begin_of_row = at;
    match(piece);
    return is_worth_it() ? std::optional(offset_of(cursor)) : std::nullopt;
  }

  // Which row of before this one is. Answers have an order, so that what stands between is gone.
  void match(Piece& piece) {
    const FleetView& view = reads_.view;
    const std::optional<NameId> node = view.names.find(piece.row.node);
    if (!node) return;
    const std::optional<ServiceIdRef> id = find_service_id(view.names, *node, piece.row.service_id);
    if (!id) return;
    const std::size_t end = std::min(view.size(), next_ + kLookAhead);
    for (std::size_t i = next_; i < end; ++i) {
      if (view.nodes[i] != *node || view.ids[i] != *id) continue;
      while (next_ < i) gone_.push_back(next_++);
      piece.instead_of = next_++;
      return;
    }
  }

  bool is_worth_it() const { return pieces_.size() + gone_.size() <= kFewChanges + reads_.begins.size() / 4; }

  const HealthReads& reads_;
  std::string_view answer_;
  std::size_t next_ = 0;  // row of before that has not been met yet
  std::vector<Piece> pieces_;
  std::vector<std::size_t> gone_;
};

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from, std::size_t first, std::size_t end) {
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(first),
            from.begin() + static_cast<std::ptrdiff_t>(end));
}

void append_rows(FleetView& to, const FleetView& from, std::size_t first, std::size_t end) {
  append(to.nodes, from.nodes, first, end);
  append(to.services, from.services, first, end);
  append(to.ids, from.ids, first, end);
  append(to.versions, from.versions, first, end);
  append(to.deployments, from.deployments, first, end);
  append(to.marks, from.marks, first, end);
  append(to.modify_indexes, from.modify_indexes, first, end);
}

std::vector<std::uint32_t> begins_of(const std::vector<Piece>& pieces, const std::vector<std::uint32_t>& before) {
  std::vector<std::uint32_t> begins;
  begins.reserve(before.size() + pieces.size());
  for (const Piece& piece : pieces) {
    for (std::size_t i = piece.first; i < piece.end; ++i) {
      begins.push_back(static_cast<std::uint32_t>(before[i] - before[piece.first] + piece.begin_of_first));
    }
    if (piece.has_row) begins.push_back(static_cast<std::uint32_t>(piece.begin_of_row));
  }
  return begins;
}

bool all_in_place(const Comparison& found) {
  return found.gone().empty() && std::ranges::all_of(found.pieces(), [](const Piece& piece) {
           return !piece.has_row || piece.instead_of.has_value();
         });
}

bool same_row(const FleetView& a, std::size_t i, const FleetView& b, std::size_t j) {
  return a.nodes[i] == b.nodes[j] && a.services[i] == b.services[j] && a.ids[i] == b.ids[j] &&
         a.versions[i] == b.versions[j] && a.deployments[i] == b.deployments[j] && a.marks[i] == b.marks[j] &&
         a.modify_indexes[i] == b.modify_indexes[j];
}

HealthChanges replace_rows(const Comparison& found, FleetView& view) {
  HealthChanges changes;
  FleetView before;
  for (const Piece& piece : found.pieces()) {
    if (!piece.has_row) continue;
    const std::size_t at = *piece.instead_of;
    resize_rows(before, 0);
    append_rows(before, view, at, at + 1);
    set_row(view, at, piece.row);
    if (!same_row(view, at, before, 0)) changes.rows.push_back(static_cast<std::uint32_t>(at));
  }
  return changes;
}

HealthChanges remake_rows(const Comparison& found, FleetView& view) {
  HealthChanges changes;
  for (std::size_t row : found.gone()) changes.gone.push_back({view.nodes[row], view.ids[row]});
  FleetView made;
  made.names = std::move(view.names);
  reserve_rows(made, view.size() + found.pieces().size());
  for (const Piece& piece : found.pieces()) {
    append_rows(made, view, piece.first, piece.end);
    if (!piece.has_row) continue;
    add_row(made, piece.row);
    const std::size_t at = made.size() - 1;
    if (piece.instead_of && same_row(made, at, view, *piece.instead_of)) continue;
    changes.rows.push_back(static_cast<std::uint32_t>(at));
  }
  view = std::move(made);
  return changes;
}

// Names of rows that are gone stay in the table; with as many of them as of others it is made anew.
bool has_stale_names(const HealthReads& reads) {
  constexpr std::size_t kFewNames = 1024;
  return reads.view.names.size() > 2 * reads.names_after_whole + kFewNames;
}

void keep(std::string& answer, std::size_t budget, HealthReads& reads) {
  if (answer.size() <= std::min(budget, kMostKept) && !reads.begins.empty()) {
    reads.answer.swap(answer);
  } else {
    reads.answer = std::string();
    reads.begins = std::vector<std::uint32_t>();
  }
}

}  // namespace
}  // namespace codec

absl::StatusOr<HealthChanges> read_next_health(std::string& answer, std::string_view document, std::size_t budget,
                                               HealthReads& reads) {
  if (!reads.begins.empty() && answer.size() <= codec::kMostKept && !codec::has_stale_names(reads)) {
    codec::Comparison found(reads, answer);
    if (found.run()) {
      std::vector<std::uint32_t> begins = codec::begins_of(found.pieces(), reads.begins);
      HealthChanges changes =
          codec::all_in_place(found) ? codec::replace_rows(found, reads.view) : codec::remake_rows(found, reads.view);
      reads.begins = std::move(begins);
      codec::keep(answer, budget, reads);
      return changes;
    }
  }
  HealthReads next;
  CVG_RETURN_IF_ERROR(codec::read_health_noting(answer, document, next.view, next.begins));
  next.names_after_whole = next.view.names.size();
  next.answer.swap(reads.answer);
  reads = std::move(next);
  codec::keep(answer, budget, reads);
  HealthChanges changes;
  changes.whole = true;
  return changes;
}

}  // namespace convergence
