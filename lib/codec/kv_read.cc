#include "lib/codec/kv_read.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/cursor.h"
#include "lib/codec/object_reader.h"

namespace convergence {
namespace codec {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 31;
constexpr std::uint32_t kNone = std::uint32_t{1} << 24;

// What each of the four letters of a group gives to its three bytes, the first of these lowest.
struct Base64Table {
  std::array<std::array<std::uint32_t, 256>, 4> of{};
};

constexpr Base64Table make_table() {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Base64Table table;
  for (auto& part : table.of) part.fill(kNone);
  for (std::uint32_t i = 0; i < 64; ++i) {
    const auto letter = static_cast<unsigned char>(kAlphabet[i]);
    table.of[0][letter] = i << 2;
    table.of[1][letter] = i >> 4 | (i & 15) << 12;
    table.of[2][letter] = (i >> 2) << 8 | (i & 3) << 22;
    table.of[3][letter] = i << 16;
  }
  return table;
}
constexpr Base64Table kBase64 = make_table();

std::uint32_t group_at(const char* text) {
  const auto letter = [text](std::size_t i) { return kBase64.of[i][static_cast<unsigned char>(text[i])]; };
  return letter(0) | letter(1) | letter(2) | letter(3);
}

// A byte more than the three is written, over what has been read.
void write_group(char* out, std::uint32_t group) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(out, &group, sizeof group);
  } else {
    for (int i = 0; i < 3; ++i) out[i] = static_cast<char>(group >> (8 * i) & 255);
  }
}

void encode_in_place(char* at, std::size_t decoded) {
  const std::string text = base64_encode({at, decoded});
  std::memcpy(at, text.data(), text.size());
}

// Decodes, in place, what stands from `text` to a quote, which has to come before `end`. Strict, as base64_decode(): so
// what was decoded can be encoded again and is what it was, which is done at once where a text turns out to be none.
// Returns the quote, or null.
char* decode_in_place(char* const text, const char* const end, std::size_t& decoded) {
  char* in = text;
  char* out = text;
  // A quote is no letter, so groups end where the text does.
  while (end - in > 8) {
    const std::uint32_t first = group_at(in);
    const std::uint32_t second = group_at(in + 4);
    if ((first | second) >= kNone) break;
    write_group(out, first);
    write_group(out + 3, second);
    in += 8;
    out += 6;
  }
  for (; end - in > 4; in += 4, out += 3) {
    const std::uint32_t group = group_at(in);
    if (group >= kNone) break;
    write_group(out, group);
  }
  decoded = static_cast<std::size_t>(out - text);
  if (in != end && *in == '"') return in;
  // Of a padded group the bits that no byte needs have to be 0.
  if (end - in > 4 && in[3] == '=' && in[4] == '"') {
    const std::ptrdiff_t bytes = in[2] != '=' ? 2 : 1;
    const char letters[] = {in[0], in[1], bytes == 2 ? in[2] : 'A', 'A'};
    const std::uint32_t group = group_at(letters);
    if (group < kNone && group >> (8 * bytes) == 0) {
      for (std::ptrdiff_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(group >> (8 * i) & 255);
      decoded += static_cast<std::size_t>(bytes);
      return in + 4;
    }
  }
  encode_in_place(text, decoded);
  return nullptr;
}

// A row while it is read; what it refers to lies in the answer. The value is decoded already.
struct Row {
  std::string_view key{};
  std::string_view value{};
  std::uint64_t modify_index = 0;
};

// Reads rows of `bytes` and decodes their values there.
class RowReader {
 public:
  explicit RowReader(std::string& bytes) : bytes_(bytes), cursor_(bytes) {}

  Cursor& cursor() { return cursor_; }

  // False leaves the row's bytes as they were.
  bool take(Row& row) {
    const Cursor before = cursor_;
    row = Row();
    if (take_usual(row)) return true;
    undo(row);
    cursor_ = before;
    row = Row();
    if (take_any(row)) return true;
    undo(row);
    return false;
  }

 private:
  bool take_usual(Row& row) {
    Cursor& c = cursor_;
    if (!(c.take("{\"LockIndex\":") && c.skip_number() &&  //
          c.take(",\"Key\":\"") && c.text(row.key) &&      //
          c.take(",\"Flags\":") && c.skip_number() &&      //
          c.take(",\"Value\":") && take_value(row))) {
      return false;
    }
    if (c.take(",\"Session\":\"") && !c.skip_text()) return false;
    return c.take(",\"CreateIndex\":") && c.skip_number() &&  //
           c.take(",\"ModifyIndex\":") && c.number(row.modify_index) && c.take('}');
  }

  bool take_any(Row& row) {
    Cursor& c = cursor_;
    bool has_key = false;
    return take_members(c,
                        [&](std::string_view key) {
                          if (key == "Key") return has_key = c.take('"') && c.text(row.key);
                          if (key == "Value") return take_value(row);
                          if (key == "ModifyIndex") return c.take("null") || c.number(row.modify_index);
                          if (key == "CreateIndex" || key == "LockIndex" || key == "Flags") {
                            return c.take("null") || c.skip_number();
                          }
                          if (key == "Session") return c.take("null") || (c.take('"') && c.skip_text());
                          return c.skip_value(2);
                        }) &&
           has_key;
  }

  bool take_value(Row& row) {
    if (!cursor_.take('"')) return cursor_.take("null");
    char* const text = bytes_.data() + (cursor_.at() - bytes_.data());
    const char* const end = cursor_.at() + cursor_.left();
    std::size_t size = 0;
    const char* const quote = decode_in_place(text, end, size);
    if (!quote) return false;
    row.value = {text, size};
    cursor_ = Cursor(quote + 1, end);
    return true;
  }

  void undo(const Row& row) {
    if (!row.value.empty()) encode_in_place(bytes_.data() + (row.value.data() - bytes_.data()), row.value.size());
  }

  std::string& bytes_;
  Cursor cursor_;
};

void add_entry(KvView& view, std::string_view key, std::string_view value, std::uint64_t modify_index) {
  const auto at = [&](std::string_view text) {
    return static_cast<std::uint32_t>(text.empty() ? 0 : text.data() - view.bytes.data());
  };
  view.entries.push_back({at(key), static_cast<std::uint32_t>(key.size()), at(value),
                          static_cast<std::uint32_t>(value.size()), modify_index});
}

}  // namespace

bool scan_kv(KvView& view) {
  RowReader reader(view.bytes);
  Cursor& cursor = reader.cursor();
  cursor.skip_blanks();
  Row row;
  const bool whole = take_items(cursor, [&] {
    const char* const begin = cursor.at();
    if (!reader.take(row)) return false;
    if (view.entries.size() == view.entries.capacity()) {
      const auto bytes = static_cast<std::size_t>(cursor.at() - begin);
      view.entries.reserve(std::max(view.size() * 5 / 4, view.size() + 1 + cursor.left() / bytes * 17 / 16));
    }
    add_entry(view, row.key, row.value, row.modify_index);
    return true;
  });
  cursor.skip_blanks();
  if (whole && cursor.at_end()) return true;
  for (const KvView::Entry& entry : view.entries) {
    if (entry.value_size > 0) encode_in_place(view.bytes.data() + entry.value_at, entry.value_size);
  }
  view.entries.clear();
  return false;
}

absl::StatusOr<KvView> read_kv_strictly(std::string_view answer, std::string_view document) {
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(answer, document));
  CVG_ASSIGN_OR_RETURN(const auto pairs, decode_document<std::vector<KvPair>>(json, document));
  KvView view;
  std::size_t size = 0;
  for (const KvPair& pair : pairs) size += pair.key.size() + pair.value.size();
  view.bytes.reserve(size);
  view.entries.reserve(pairs.size());
  for (const KvPair& pair : pairs) {
    const std::size_t at = view.bytes.size();
    view.bytes += pair.key;
    view.bytes += pair.value;
    const std::string_view both = std::string_view(view.bytes).substr(at);
    add_entry(view, both.substr(0, pair.key.size()), both.substr(pair.key.size()), pair.modify_index);
  }
  return view;
}

}  // namespace codec

bool operator==(const KvView& a, const KvView& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.key(i) != b.key(i) || a.value(i) != b.value(i)) return false;
    if (a.entries[i].modify_index != b.entries[i].modify_index) return false;
  }
  return true;
}

absl::StatusOr<KvView> read_kv(std::string answer, std::string_view document) {
  if (answer.size() > codec::kMostBytes) {
    return make_error(
        ErrorKind::kTooLarge,
        fmt::format("{}: {} bytes are too many for one view of keys; read a longer prefix", document, answer.size()));
  }
  KvView view;
  view.bytes = std::move(answer);
  if (codec::scan_kv(view)) return view;
  return codec::read_kv_strictly(view.bytes, document);
}

}  // namespace convergence
