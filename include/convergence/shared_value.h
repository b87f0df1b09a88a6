#ifndef CONVERGENCE_SHARED_VALUE_H_
#define CONVERGENCE_SHARED_VALUE_H_

#include <memory>
#include <utility>

namespace convergence {

// An immutable value that copies share: copying costs a pointer, comparing looks at the values (and not even at those
// when both share one). So a watch that brings one changed service makes a new state out of one new block. May be
// read from any thread.
template <typename T>
class Shared {
 public:
  Shared() : value_(empty()) {}
  Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}  // NOLINT: a block is its value

  // Made where it stays: fill(T&) gets a value as T makes itself.
  template <typename Fill>
  static Shared make(Fill fill) {
    const auto value = std::make_shared<T>();
    fill(*value);
    return Shared(std::shared_ptr<const T>(value));
  }

  // A part of another shared value, which lives as long as this one does: no copy.
  template <typename Whole>
  Shared(const Shared<Whole>& whole, const T& part) : value_(whole.value_, &part) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

  // True when both are one block, which a caller may use to skip work, never to decide.
  bool same_block(const Shared& other) const { return value_ == other.value_; }

  friend bool operator==(const Shared& a, const Shared& b) { return a.value_ == b.value_ || *a.value_ == *b.value_; }

 private:
  explicit Shared(std::shared_ptr<const T> value) : value_(std::move(value)) {}
  static const std::shared_ptr<const T>& empty() {
    static const std::shared_ptr<const T> value = std::make_shared<const T>();
    return value;
  }
  std::shared_ptr<const T> value_;
  template <typename>
  friend class Shared;
};

}  // namespace convergence

#endif  // CONVERGENCE_SHARED_VALUE_H_
