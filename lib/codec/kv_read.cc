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

// Strict, as base64_decode(): so that what was decoded can be encoded again and is what it was. That is done with the
// part of a text that was decoded before it turned out to be none.
bool decode_in_place(char* text, std::size_t size, std::size_t& decoded) {
  decoded = 0;
  if (size == 0) return true;
  if (size % 4 != 0) return false;
  const char* const last = text + size - 4;
  const char* in = text;
  char* out = text;
  const auto give_up = [&] {
    encode_in_place(text, static_cast<std::size_t>(out - text));
    return false;
  };
  for (; last - in >= 8; in += 8, out += 6) {
    const std::uint32_t first = group_at(in);
    const std::uint32_t second = group_at(in + 4);
    if ((first | second) >= kNone) return give_up();
    write_group(out, first);
    write_group(out + 3, second);
  }
  if (in != last) {
    const std::uint32_t group = group_at(in);
    if (group >= kNone) return give_up();
    write_group(out, group);
    in += 4;
    out += 3;
  }
  // Ones of the last group that no byte needs must be 0, and are among those that its padding would give.
  std::array<char, 4> letters{in[0], in[1], in[2], in[3]};
  const std::ptrdiff_t bytes = letters[3] != '=' ? 3 : letters[2] != '=' ? 2 : 1;
  for (std::size_t i = static_cast<std::size_t>(bytes) + 1; i < 4; ++i) letters[i] = 'A';
  const std::uint32_t group = group_at(letters.data());
  if (group >= kNone || group >> (8 * bytes) != 0) return give_up();
  for (std::ptrdiff_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(group >> (8 * i) & 255);
  decoded = static_cast<std::size_t>(out - text + bytes);
  return true;
}

// A row while it is read; what it refers to lies in the answer.
struct Row {
  std::string_view key{};
  std::string_view value{};
  std::uint64_t modify_index = 0;
};

bool take_usual_row(Cursor& c, Row& row) {
  row.value = {};
  if (!(c.take("{\"LockIndex\":") && c.skip_number() &&  //
        c.take(",\"Key\":\"") && c.text(row.key) &&      //
        c.take(",\"Flags\":") && c.skip_number() &&      //
        c.take(",\"Value\":") && (c.take('"') ? c.text(row.value) : c.take("null")))) {
    return false;
  }
  if (c.take(",\"Session\":\"") && !c.skip_text()) return false;
  return c.take(",\"CreateIndex\":") && c.skip_number() &&  //
         c.take(",\"ModifyIndex\":") && c.number(row.modify_index) && c.take('}');
}

bool take_row(Cursor& c, Row& row) {
  row = Row();
  bool has_key = false;
  return take_members(c,
                      [&](std::string_view key) {
                        if (key == "Key") return has_key = c.take('"') && c.text(row.key);
                        if (key == "Value") return c.take("null") || (c.take('"') && c.text(row.value));
                        if (key == "ModifyIndex") return c.take("null") || c.number(row.modify_index);
                        if (key == "CreateIndex" || key == "LockIndex" || key == "Flags") {
                          return c.take("null") || c.skip_number();
                        }
                        if (key == "Session") return c.take("null") || (c.take('"') && c.skip_text());
                        return c.skip_value(2);
                      }) &&
         has_key;
}

void add_entry(KvView& view, std::string_view key, std::string_view value, std::uint64_t modify_index) {
  const auto at = [&](std::string_view text) {
    return static_cast<std::uint32_t>(text.empty() ? 0 : text.data() - view.bytes.data());
  };
  view.entries.push_back({at(key), static_cast<std::uint32_t>(key.size()), at(value),
                          static_cast<std::uint32_t>(value.size()), modify_index});
}

}  // namespace

bool scan_kv(KvView& view) {
  Cursor cursor(view.bytes);
  cursor.skip_blanks();
  Row row;
  const bool whole = take_items(cursor, [&] {
    const Cursor before = cursor;
    if (!take_usual_row(cursor, row)) {
      cursor = before;
      if (!take_row(cursor, row)) return false;
    }
    char* const value = row.value.empty() ? nullptr : view.bytes.data() + (row.value.data() - view.bytes.data());
    std::size_t size = 0;
    if (!decode_in_place(value, row.value.size(), size)) return false;
    if (view.entries.size() == view.entries.capacity()) {
      const auto bytes = static_cast<std::size_t>(cursor.at() - before.at());
      view.entries.reserve(std::max(view.size() * 5 / 4, view.size() + 1 + cursor.left() / bytes * 17 / 16));
    }
    add_entry(view, row.key, {value, size}, row.modify_index);
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
