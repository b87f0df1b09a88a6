#ifndef CONVERGENCE_LIB_CODEC_CURSOR_H_
#define CONVERGENCE_LIB_CODEC_CURSOR_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace convergence::codec {

// Reads JSON forward and gives up rather than complain: each function says whether it took what it is named for, and
// after a false the cursor stands anywhere. What it takes the strict reader takes too and reads alike; of what it does
// not take nothing is said. So whoever gives up asks the strict reader, which has the errors.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}
  Cursor(const char* begin, const char* end) : at_(begin), end_(end) {}

  const char* at() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool at_end() const { return at_ == end_; }
  bool next_is(char c) const { return at_ != end_ && *at_ == c; }

  template <std::size_t N>
  bool take(const char (&literal)[N]) {
    constexpr std::size_t kSize = N - 1;
    if (left() < kSize || !same<kSize>(literal)) return false;
    at_ += kSize;
    return true;
  }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  // Up to and with the quote that ends a string, whose first quote was taken. With escapes it is not taken, for then
  // `out` could not refer to it.
  bool text(std::string_view& out) {
    const char* const begin = at_;
    if (!to_special() || (*at_ != '"' && !skip_unicode(false))) return false;
    out = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
  }
  // The same of a text that nobody wants to know.
  bool skip_text() {
    if (!to_special() || (*at_ != '"' && !skip_unicode(true))) return false;
    ++at_;
    return true;
  }

  // A whole number from 0 on, without the sign, of up to 18 digits. What follows it the caller looks at: a point or an
  // exponent is nothing that may follow.
  bool number(std::uint64_t& out) {
    constexpr std::ptrdiff_t kMost = 18;
    const char* const begin = at_;
    std::uint64_t value = 0;
    for (; at_ != end_; ++at_) {
      const unsigned digit = static_cast<unsigned char>(*at_) - unsigned{'0'};
      if (digit > 9) break;
      value = value * 10 + digit;
      if (at_ - begin == kMost) return false;
    }
    out = value;
    return at_ != begin && (*begin != '0' || at_ - begin == 1);
  }
  bool skip_number() {
    std::uint64_t ignored = 0;
    return number(ignored);
  }

  // Any value; one that is a whole text is taken as far as it is likely to be met.
  bool skip_value(int depth = 0);

 private:
  template <typename Word>
  static Word load(const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }

  template <std::size_t kSize>
  bool same(const char* literal) const {
    if constexpr (kSize >= 8) {
      bool all = load<std::uint64_t>(at_ + kSize - 8) == load<std::uint64_t>(literal + kSize - 8);
      for (std::size_t i = 0; i + 8 < kSize; i += 8) {
        all &= load<std::uint64_t>(at_ + i) == load<std::uint64_t>(literal + i);
      }
      return all;
    } else if constexpr (kSize >= 4) {
      return load<std::uint32_t>(at_) == load<std::uint32_t>(literal) &&
             load<std::uint32_t>(at_ + kSize - 4) == load<std::uint32_t>(literal + kSize - 4);
    } else {
      return std::memcmp(at_, literal, kSize) == 0;
    }
  }

  // To the next quote, backslash, control character or byte beyond ASCII.
  bool to_special() {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(' ');
    for (; left() >= 16; at_ += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
      // Compared with their sign, bytes beyond ASCII are less than a blank too.
      const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)),
                                         _mm_cmplt_epi8(bytes, blank));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
      if (mask != 0) {
        at_ += std::countr_zero(mask);
        return true;
      }
    }
#endif
    for (; at_ != end_; ++at_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) return true;
    }
    return false;
  }

  // From what to_special() found, past characters beyond ASCII and escapes, to the quote.
  bool skip_unicode(bool may_escape);
  bool skip_escape();
  bool skip_list(int depth);
  bool skip_object(int depth);
  bool skip_fraction();

  const char* at_;
  const char* end_;
};

// The keys of one object: the same one twice is refused. The server writes maps in the order of their keys, which needs
// no memory; for others there is some.
class KeysSeen {
 public:
  // False for a key that came before, or when there are too many to know.
  bool add(std::string_view key) {
    if (!ascending_ && is_among(key)) return false;
    if (ascending_ && count_ > 0 && !(last_ < key)) {
      ascending_ = false;
      if (count_ > kMost || is_among(key)) return false;
    }
    if (count_ < kMost) keys_[count_] = {key.data(), key.size()};
    last_ = key;
    return ++count_ <= kMost || ascending_;
  }

 private:
  static constexpr std::size_t kMost = 32;

  bool is_among(std::string_view key) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (std::string_view(keys_[i].begin, keys_[i].size) == key) return true;
    }
    return false;
  }

  // Not a view, which would be set although only the first count_ of them are ever looked at.
  struct Key {
    const char* begin;
    std::size_t size;
  };
  Key keys_[kMost];  // NOLINT
  std::string_view last_{};
  std::size_t count_ = 0;
  bool ascending_ = true;
};

// The members of an object, in any order and with blanks between them. `take_value(key)` takes the value.
template <typename TakeValue>
bool take_members(Cursor& cursor, TakeValue take_value) {
  if (!cursor.take('{')) return false;
  cursor.skip_blanks();
  if (cursor.take('}')) return true;
  KeysSeen keys;
  for (;;) {
    std::string_view key;
    if (!cursor.take('"') || !cursor.text(key) || !keys.add(key)) return false;
    cursor.skip_blanks();
    if (!cursor.take(':')) return false;
    cursor.skip_blanks();
    if (!take_value(key)) return false;
    cursor.skip_blanks();
    if (cursor.take('}')) return true;
    if (!cursor.take(',')) return false;
    cursor.skip_blanks();
  }
}

template <typename TakeItem>
bool take_items(Cursor& cursor, TakeItem take_item) {
  if (!cursor.take('[')) return false;
  cursor.skip_blanks();
  if (cursor.take(']')) return true;
  for (;;) {
    if (!take_item()) return false;
    cursor.skip_blanks();
    if (cursor.take(']')) return true;
    if (!cursor.take(',')) return false;
    cursor.skip_blanks();
  }
}

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_CURSOR_H_
