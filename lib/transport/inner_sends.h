#ifndef CONVERGENCE_LIB_TRANSPORT_INNER_SENDS_H_
#define CONVERGENCE_LIB_TRANSPORT_INNER_SENDS_H_

#include <map>
#include <memory>
#include <mutex>

#include "convergence/transport.h"

namespace convergence {

// Which send of the inner transport carries out which of a decorator's. Kept alive by the inner completions, which may
// outlast the decorator; the inner transport itself is not touched after end(). [any thread]
class InnerSends {
 public:
  explicit InnerSends(Transport& inner) : inner_(inner) {}

  // `completion` gets what the inner transport says.
  static void send(std::shared_ptr<InnerSends> self, Transport::SendId outer, HttpRequest request,
                   Transport::Completion completion);
  // Cancels the inner send if there is one still; its completion is called all the same.
  void cancel(Transport::SendId outer);
  // Cancels all of them; the last call of the decorator.
  void end();

 private:
  struct Entry {
    Transport::SendId inner = 0;  // 0: its send() has not returned yet
    bool cancelled = false;
  };

  Transport& inner_;
  std::mutex mutex_;
  std::map<Transport::SendId, Entry> entries_;
  bool ended_ = false;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_INNER_SENDS_H_
