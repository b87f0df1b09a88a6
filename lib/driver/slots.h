#ifndef CONVERGENCE_LIB_DRIVER_SLOTS_H_
#define CONVERGENCE_LIB_DRIVER_SLOTS_H_

#include <functional>
#include <memory>
#include <string>

#include "convergence/consul_client.h"
#include "convergence/desired.h"

namespace convergence {

// A service's budget as a semaphore of numbered slots in KV, each a lock of a session: P/slots/<role>/<service id>/<n>.
// Who holds one may take its running instance down. An agent that dies loses its slot with its session, but not before
// the lock delay, and what it took down is in maintenance by then: the budget counts what is down without a slot, too.
// So it holds without any process that watches over it, whoever dies when.
class Slots {
 public:
  // `lock_delay`: how long the slot of one who died stays taken after its session has ended.
  Slots(ConsulClient& client, std::string prefix, std::string node, Duration session_ttl, Duration lock_delay);
  ~Slots();  // gives the session back, and all slots with it
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // OK: we hold one. Kind "conflict": none can be had now, with who has them; try later.
  void acquire(const DesiredService& service, const std::string& service_id, const Strategy& strategy,
               ConsulClient::Done done);
  // Ends the sessions that an earlier process of this node has left, and so their slots.
  void end_predecessor(ConsulClient::Done done);
  void release(const std::string& service_id, ConsulClient::Done done);  // holding none: well

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_SLOTS_H_
