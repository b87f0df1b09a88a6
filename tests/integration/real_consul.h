#ifndef CONVERGENCE_TESTS_INTEGRATION_REAL_CONSUL_H_
#define CONVERGENCE_TESTS_INTEGRATION_REAL_CONSUL_H_

#include <memory>
#include <optional>
#include <string>

#include "convergence/curl_transport.h"
#include "convergence/driver.h"
#include "tests/support/consul_server.h"

namespace convergence::test {

// A real Consul, alone for the program, and a client of it.
class RealConsul {
 public:
  RealConsul();

  template <typename T, typename Start>
  absl::StatusOr<T> wait(Start start) {
    return await<T>(*executor, start, std::chrono::minutes(2));
  }

  void add_node(const std::string& name, const std::string& role = "");
  void add_instance(const std::string& node, const std::string& service, const std::string& version);
  // Tells Consul that the check passes, as an agent beside the instance would.
  void pass(const HealthCheck& check);
  void put_entry(const std::string& json);
  void put_kv(const std::string& key, const std::string& value);
  CatalogState catalog();
  std::optional<ConfigEntry> entry(std::string_view kind, const std::string& name);

  std::unique_ptr<ConsulServer> server;
  std::unique_ptr<LoopExecutor> executor;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<ConsulClient> client;
};

RealConsul& real_consul();

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_INTEGRATION_REAL_CONSUL_H_
