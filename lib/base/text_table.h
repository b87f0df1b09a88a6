#ifndef CONVERGENCE_LIB_BASE_TEXT_TABLE_H_
#define CONVERGENCE_LIB_BASE_TEXT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

namespace convergence {

// Texts that live as long as the arena, one allocation for many of them.
class TextArena {
 public:
  // All parts as one text.
  std::string_view join(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (std::string_view part : parts) size += part.size();
    if (left_ < size) grow(size);
    char* const begin = at_;
    for (std::string_view part : parts) {
      std::memcpy(at_, part.data(), part.size());
      at_ += part.size();
    }
    left_ -= size;
    return {begin, size};
  }

  // Takes the text back that was joined last.
  void forget(std::string_view last) {
    at_ -= last.size();
    left_ += last.size();
  }

 private:
  void grow(std::size_t size) {
    const std::size_t chunk = size > next_ ? size : next_;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    at_ = chunks_.back().get();
    left_ = chunk;
    next_ *= 2;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  std::size_t left_ = 0;
  std::size_t next_ = 512;
};

// Numbers texts 0, 1, 2 ... in the order in which they come. The texts are referred to. A few are looked through, more
// are found by hash.
class TextIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::uint32_t find(std::string_view text) const {
    if (slots_.empty()) {
      for (std::size_t i = 0; i < texts_.size(); ++i) {
        if (texts_[i] == text) return static_cast<std::uint32_t>(i);
      }
      return kNone;
    }
    return slots_[slot_of(text)];
  }

  // The text must not be there yet.
  std::uint32_t add(std::string_view text) {
    const auto number = static_cast<std::uint32_t>(texts_.size());
    texts_.push_back(text);
    if (texts_.size() > kFew && texts_.size() * 2 > slots_.size()) {
      slots_.assign(texts_.size() * 4, kNone);
      for (std::size_t i = 0; i < number; ++i) slots_[slot_of(texts_[i])] = static_cast<std::uint32_t>(i);
    }
    if (!slots_.empty()) slots_[slot_of(text)] = number;
    return number;
  }

  std::string_view text(std::uint32_t number) const { return texts_[number]; }

 private:
  static constexpr std::size_t kFew = 8;

  // Where the text is, or would come.
  std::size_t slot_of(std::string_view text) const {
    std::size_t slot = std::hash<std::string_view>()(text) % slots_.size();
    while (slots_[slot] != kNone && texts_[slots_[slot]] != text) slot = slot + 1 == slots_.size() ? 0 : slot + 1;
    return slot;
  }

  std::vector<std::string_view> texts_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_TEXT_TABLE_H_
