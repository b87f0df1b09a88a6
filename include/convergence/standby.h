#ifndef CONVERGENCE_STANDBY_H_
#define CONVERGENCE_STANDBY_H_

#include <functional>
#include <memory>
#include <string>

#include "convergence/consul_client.h"
#include "convergence/driver.h"
#include "convergence/executor.h"

namespace convergence {

// Takes a node out of all traffic while a key in KV says why: kStandbyCheck of deployment.h, a check of the node
// itself, which every service on it shares. What runs there goes on, and is deployed to as before.

struct StandbyOptions {
  // Whose text says why the node gets no traffic: nodes/<instance>/cold-standby of Environment Manager
  // (cold_standby_key()). Empty: <prefix>/nodes/<node>/maintenance, of the node whose Consul agent is asked. White
  // space alone, no text and no key all say that the node is in service.
  std::string key{};
  std::string prefix = std::string(kDefaultPrefix);
  // How long the check stays as it is after the last word of this process. A process that is gone should not soon take
  // the node out of traffic with it; a Consul agent that has forgotten the check hears of it again after `refresh`.
  Duration ttl = std::chrono::hours(1);
  Duration refresh = std::chrono::seconds(15);  // well below ttl
  // Why the node is in standby; empty: it is in service. As soon as it is known, then whenever it changes.
  std::function<void(const std::string& reason)> on_change;
  // The key cannot be read, or the check not be kept: once, until it is otherwise. Both are tried again for ever.
  std::function<void(const absl::Status& problem)> on_problem;
};

// On the client's executor, and outlived by the client. While the key cannot be read the check stays as it was.
class Standby {
 public:
  Standby(ConsulClient& client, StandbyOptions options);
  // Ends without a word to Consul: the check stays as it is for its ttl, and is critical then.
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  void run();
  // Ends. A node in service is left without the check, one in standby with it. An error when the check could not be
  // taken away.
  void stop(ConsulClient::Done done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_STANDBY_H_
