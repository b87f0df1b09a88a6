#include "lib/codec/cursor.h"

#include "lib/base/utf8.h"

namespace convergence::codec {
namespace {

constexpr int kMostDepth = 32;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

// Halves of surrogate pairs are left to the strict reader.
bool Cursor::skip_escape() {
  if (left() < 2) return false;
  switch (at_[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      at_ += 2;
      return true;
    case 'u':
      if (left() < 6 || at_[2] == 'd' || at_[2] == 'D') return false;
      for (int i = 2; i < 6; ++i) {
        if (!is_hex(at_[i])) return false;
      }
      at_ += 6;
      return true;
    default:
      return false;
  }
}

bool Cursor::skip_unicode(bool may_escape) {
  do {
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"') return true;
    if (c == '\\') {
      if (!may_escape || !skip_escape()) return false;
    } else {
      const std::size_t length = c < 0x80 ? 0 : utf8_length({at_, left()});
      if (length == 0) return false;
      at_ += length;
    }
  } while (to_special());
  return false;
}

// Up to 18 characters: far from where a number becomes too large or too small.
bool Cursor::skip_fraction() {
  const char* const begin = at_;
  take('-');
  if (!skip_number()) return false;
  if (take('.')) {
    const char* const fraction = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    if (at_ == fraction) return false;
  }
  return at_ - begin <= 18 && !next_is('e') && !next_is('E') && !next_is('.');
}

bool Cursor::skip_list(int depth) {
  return take_items(*this, [&] { return skip_value(depth + 1); });
}

bool Cursor::skip_object(int depth) {
  return take_members(*this, [&](std::string_view) { return skip_value(depth + 1); });
}

bool Cursor::skip_value(int depth) {
  if (at_end() || depth > kMostDepth) return false;
  switch (*at_) {
    case '{':
      return skip_object(depth);
    case '[':
      return skip_list(depth);
    case '"':
      ++at_;
      return skip_text();
    case 't':
      return take("true");
    case 'f':
      return take("false");
    case 'n':
      return take("null");
    default:
      return skip_fraction();
  }
}

}  // namespace convergence::codec
