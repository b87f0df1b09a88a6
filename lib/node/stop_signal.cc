#include <sys/eventfd.h>
#include <unistd.h>

#include "convergence/node.h"

namespace convergence {

StopSignal::StopSignal() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), set_(descriptor_ < 0) {}

StopSignal::~StopSignal() {
  if (descriptor_ >= 0) close(descriptor_);
}

void StopSignal::set() {
  set_.store(true);
  if (descriptor_ >= 0) eventfd_write(descriptor_, 1);
}

bool StopSignal::is_set() const { return set_.load(); }

}  // namespace convergence
