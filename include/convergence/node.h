#ifndef CONVERGENCE_NODE_H_
#define CONVERGENCE_NODE_H_

#include <atomic>

namespace convergence {

// What touches the node that a program runs on: its processes, files and facts. This header has what all of that
// shares; node_process.h, node_state.h and node_facts.h have the parts. In a library of its own, convergence::node,
// which a host without an agent does not link.
//
// Functions here block their caller until they are done. Those that may take long have a StopSignal, after which they
// end soon with kind "cancelled".

// Tells blocking functions to end, from any thread, once and for good. Linux only.
class StopSignal {
 public:
  // Without a descriptor left in the process it is set from the beginning, so that nothing begins that could not be
  // stopped.
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void set();           // [any thread], and in a signal handler
  bool is_set() const;  // [any thread]
  // Readable once it is set, for poll(); nobody reads from it. Owned by the signal.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::atomic<bool> set_{false};
};

}  // namespace convergence

#endif  // CONVERGENCE_NODE_H_
