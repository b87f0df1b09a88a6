#ifndef CONVERGENCE_LIB_BASE_SCRATCH_H_
#define CONVERGENCE_LIB_BASE_SCRATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace convergence {

// Memory for one computation: given out piece by piece, taken back all at once at the end. The first of it lies in the
// object itself, which belongs on the stack, so that a small computation asks the heap for nothing. As
// std::pmr::monotonic_buffer_resource, of which each piece costs a virtual call: a tenth of a small compilation.
class Scratch {
 public:
  Scratch() : next_(first_), end_(first_ + sizeof first_) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* allocate(std::size_t size, std::size_t alignment) {
    const std::size_t gap = -reinterpret_cast<std::uintptr_t>(next_) & (alignment - 1);
    if (static_cast<std::size_t>(end_ - next_) < gap + size) return allocate_block(size);
    std::byte* const begin = next_ + gap;
    next_ = begin + size;
    return begin;
  }

  // All parts as one text.
  std::string_view join(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (std::string_view part : parts) size += part.size();
    char* const begin = static_cast<char*>(allocate(size, 1));
    char* at = begin;
    for (std::string_view part : parts) at = std::copy(part.begin(), part.end(), at);
    return {begin, size};
  }

  // `size` values, each as T makes itself; nobody destroys them.
  template <typename T>
  std::span<T> array(std::size_t size) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* const begin = static_cast<T*>(allocate(size * sizeof(T), alignof(T)));
    std::uninitialized_value_construct_n(begin, size);
    return {begin, size};
  }

 private:
  // A new block has the alignment of operator new, which is enough for all that is kept here.
  void* allocate_block(std::size_t size) {
    const std::size_t whole = std::max(size, block_size_);
    block_size_ *= 2;
    std::byte* const begin = blocks_.emplace_back(new std::byte[whole]).get();
    next_ = begin + size;
    end_ = begin + whole;
    return begin;
  }

  std::byte first_[4096];  // NOLINT: an array whose bytes nobody has to set
  std::byte* next_;
  std::byte* end_;
  std::size_t block_size_ = 16384;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

// Lets a standard container live in a Scratch.
template <typename T>
class ScratchAllocator {
 public:
  using value_type = T;
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

  ScratchAllocator(Scratch& scratch) : scratch_(&scratch) {}  // NOLINT: a container is made of the memory it lives in
  template <typename U>
  ScratchAllocator(const ScratchAllocator<U>& other) : scratch_(&other.scratch()) {}  // NOLINT: as the standard wants

  T* allocate(std::size_t count) { return static_cast<T*>(scratch_->allocate(count * sizeof(T), alignof(T))); }
  void deallocate(T*, std::size_t) {}

  Scratch& scratch() const { return *scratch_; }
  friend bool operator==(const ScratchAllocator&, const ScratchAllocator&) = default;

 private:
  Scratch* scratch_;
};

template <typename T>
using ScratchVector = std::vector<T, ScratchAllocator<T>>;

// Numbers texts 0, 1, 2 ... in the order in which they come. The texts are referred to. A few are looked through, more
// are found by hash.
class TextIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Numbered {
    std::uint32_t number = kNone;
    bool is_new = false;
  };

  explicit TextIndex(Scratch& scratch) : texts_(scratch), hashes_(scratch), slots_(scratch) { texts_.reserve(kFew); }

  std::uint32_t find(std::string_view text) const {
    return slots_.empty() ? find_of_few(text) : slots_[slot_of(text, hash_of(text))];
  }

  Numbered add(std::string_view text) {
    const auto next = static_cast<std::uint32_t>(texts_.size());
    if (slots_.empty()) {
      const std::uint32_t known = find_of_few(text);
      if (known != kNone) return {known, false};
      if (next == kFew) hash_all();
    }
    if (!slots_.empty()) {
      const std::size_t hash = hash_of(text);
      std::size_t slot = slot_of(text, hash);
      if (slots_[slot] != kNone) return {slots_[slot], false};
      if ((texts_.size() + 1) * 2 > slots_.size()) {
        spread(slots_.size() * 4);
        slot = slot_of(text, hash);
      }
      slots_[slot] = next;
      hashes_.push_back(hash);
    }
    texts_.push_back(text);
    return {next, true};
  }

  std::string_view text(std::uint32_t number) const { return texts_[number]; }

 private:
  static constexpr std::size_t kFew = 8;

  static std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

  std::uint32_t find_of_few(std::string_view text) const {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (texts_[i] == text) return static_cast<std::uint32_t>(i);
    }
    return kNone;
  }

  void hash_all() {
    for (std::string_view text : texts_) hashes_.push_back(hash_of(text));
    spread(64);
  }

  // `size` is a power of two.
  void spread(std::size_t size) {
    slots_.assign(size, kNone);
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      std::size_t slot = hashes_[i] & (size - 1);
      while (slots_[slot] != kNone) slot = (slot + 1) & (size - 1);
      slots_[slot] = static_cast<std::uint32_t>(i);
    }
  }

  // Where the text is, or would come.
  std::size_t slot_of(std::string_view text, std::size_t hash) const {
    std::size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot] != kNone && (hashes_[slots_[slot]] != hash || texts_[slots_[slot]] != text)) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }

  ScratchVector<std::string_view> texts_;
  ScratchVector<std::size_t> hashes_;  // of the texts, once there are more than a few
  ScratchVector<std::uint32_t> slots_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_SCRATCH_H_
