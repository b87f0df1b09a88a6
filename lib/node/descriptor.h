#ifndef CONVERGENCE_LIB_NODE_DESCRIPTOR_H_
#define CONVERGENCE_LIB_NODE_DESCRIPTOR_H_

#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace convergence {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }
  void reset() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_ = -1;
};

std::string errno_text(int error);

// "<what>: <the system's text>", of the kind that fits the number.
absl::Status errno_error(std::string_view what, int error);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_DESCRIPTOR_H_
