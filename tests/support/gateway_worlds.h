#ifndef CONVERGENCE_TESTS_SUPPORT_GATEWAY_WORLDS_H_
#define CONVERGENCE_TESTS_SUPPORT_GATEWAY_WORLDS_H_

#include <string>
#include <vector>

namespace convergence::test {

// Entries among which an ingress gateway wants protocols of services, and what a plan makes of them.
struct GatewayWorld {
  const char* name;
  std::vector<std::string> actual;  // JSON, in an order that the server takes
  std::vector<std::string> desired;
  std::vector<std::string> steps;  // their ids, in order
  std::vector<std::string> held;   // why, whole
};

inline std::vector<GatewayWorld> gateway_worlds() {
  const std::string tcp = R"({"Kind":"service-defaults","Name":"web","Protocol":"tcp"})";
  const std::string http = R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})";
  const std::string grpc = R"({"Kind":"service-defaults","Name":"web","Protocol":"grpc"})";
  const std::string router = R"({"Kind":"service-router","Name":"web","Routes":[]})";
  const std::string all_http = R"({"Kind":"proxy-defaults","Name":"global","Config":{"protocol":"http"}})";
  const auto gateway = [](const std::string& listeners) {
    return R"({"Kind":"ingress-gateway","Name":"gate","Listeners":[)" + listeners + "]}";
  };
  const std::string to_http = R"({"Port":80,"Protocol":"http","Services":[{"Name":"web"}]})";
  const std::string to_tcp = R"({"Port":80,"Services":[{"Name":"web"}]})";
  const std::string to_other = R"({"Port":90,"Services":[{"Name":"other"}]})";
  const std::string put_web = "put-entry:service-defaults/web";
  const std::string put_gate = "put-entry:ingress-gateway/gate";
  return {
      {"a gateway comes after the protocol that it wants",
       {},
       {gateway(to_http), http, router},
       {put_web, "put-entry:service-router/web", put_gate},
       {}},
      {"a gateway comes after proxy-defaults",
       {},
       {gateway(to_http), all_http},
       {"put-entry:proxy-defaults/global", put_gate},
       {}},
      {"a gateway lets go of a service before its protocol changes",
       {tcp, gateway(to_tcp)},
       {http, gateway(to_other)},
       {put_gate, put_web},
       {}},
      {"a gateway goes before what it names",
       {http, gateway(to_http)},
       {},
       {"delete-entry:ingress-gateway/gate", "delete-entry:service-defaults/web"},
       {}},
      {"spelled as another would, it is the same",
       {http, gateway(to_http)},
       {http,
        R"({"kind":"ingress-gateway","name":"gate","listeners":[{"port":80,"protocol":"http","services":[{"name":"web","hosts":[]}]}],"tls":{"enabled":false}})"},
       {},
       {}},
      {"both cannot move at once",
       {http, gateway(to_http)},
       {tcp, gateway(to_tcp)},
       {},
       {R"(ingress-gateway/gate stands against service-defaults/web: service "web" has protocol "http", which does not match defined listener protocol "tcp")",
        R"(service-defaults/web stands against ingress-gateway/gate: service "web" has protocol "tcp", which does not match defined listener protocol "http")"}},
      {"a gateway that stays wants what it has",
       {http, gateway(to_http)},
       {grpc, gateway(to_http)},
       {},
       {R"(service-defaults/web stands against ingress-gateway/gate: service "web" has protocol "grpc", which does not match defined listener protocol "http")"}},
  };
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_GATEWAY_WORLDS_H_
