#ifndef CONVERGENCE_LIB_DRIVER_REGISTRAR_H_
#define CONVERGENCE_LIB_DRIVER_REGISTRAR_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convergence/consul_client.h"

namespace convergence {

// Where an agent registers the services of its node: with the Consul agent beside it, or, for a node that has none, in
// the catalog. On the client's executor; the calls under way end with the client.
class Registrar {
 public:
  using Local = std::map<std::string, InstanceState>;  // by service id

  virtual ~Registrar() = default;
  virtual void read(ConsulClient::Callback<Local> done) = 0;
  // `fresh`: its checks begin as critical, and a check for maintenance stays; else known checks keep their status.
  virtual void put(const ServiceInstance& instance, const std::vector<CheckDefinition>& checks, bool fresh,
                   ConsulClient::Done done) = 0;
  virtual void remove(const std::string& service_id, ConsulClient::Done done) = 0;  // gone already: well
  // In maintenance; nothing to do for what is not registered.
  virtual void quiet(const std::string& service_id, bool on, const std::string& why, ConsulClient::Done done) = 0;
};

std::unique_ptr<Registrar> agent_registrar(ConsulClient& client);
std::unique_ptr<Registrar> catalog_registrar(ConsulClient& client, Node node);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_REGISTRAR_H_
