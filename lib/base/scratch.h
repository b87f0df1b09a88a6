#ifndef CONVERGENCE_LIB_BASE_SCRATCH_H_
#define CONVERGENCE_LIB_BASE_SCRATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace convergence {

// Memory for one computation: given out piece by piece, taken back all at once at the end. The first of it lies in the
// object itself, which belongs on the stack, so that a small computation asks the heap for nothing.
class Scratch {
 public:
  Scratch() : memory_(first_.data(), first_.size()) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::pmr::memory_resource* resource() { return &memory_; }

  // All parts as one text.
  std::string_view join(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (std::string_view part : parts) size += part.size();
    char* const begin = static_cast<char*>(memory_.allocate(size, 1));
    char* at = begin;
    for (std::string_view part : parts) {
      at = std::copy(part.begin(), part.end(), at);
    }
    return {begin, size};
  }

  // `size` values, each as T makes itself; nobody destroys them.
  template <typename T>
  std::span<T> array(std::size_t size) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* const begin = static_cast<T*>(memory_.allocate(size * sizeof(T), alignof(T)));
    std::uninitialized_value_construct_n(begin, size);
    return {begin, size};
  }

 private:
  std::array<std::byte, 4096> first_;
  std::pmr::monotonic_buffer_resource memory_;
};

// Numbers texts 0, 1, 2 ... in the order in which they come. The texts are referred to. A few are looked through, more
// are found by hash.
class TextIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  explicit TextIndex(Scratch& scratch) : texts_(scratch.resource()), slots_(scratch.resource()) {
    texts_.reserve(kFew);
  }

  std::uint32_t find(std::string_view text) const {
    if (!slots_.empty()) return slots_[slot_of(text)];
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (texts_[i] == text) return static_cast<std::uint32_t>(i);
    }
    return kNone;
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

  std::pmr::vector<std::string_view> texts_;
  std::pmr::vector<std::uint32_t> slots_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_SCRATCH_H_
