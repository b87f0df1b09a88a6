#include "convergence/package.h"

#include <fmt/format.h>

namespace convergence {

std::string check_id(std::string_view service_id, const CheckDefinition& check) {
  return check.id.empty() ? fmt::format("{}:{}", service_id, check.name) : check.id;
}

CheckDefinition with_port(CheckDefinition check, std::int32_t port) {
  constexpr std::string_view kPort = "${PORT}";
  const std::string number = std::to_string(port);
  const auto replace = [&](std::string& text) {
    for (std::size_t at = text.find(kPort); at != std::string::npos; at = text.find(kPort, at + number.size())) {
      text.replace(at, kPort.size(), number);
    }
  };
  for (std::string* text : {&check.http, &check.tcp, &check.grpc}) replace(*text);
  for (std::string& argument : check.args) replace(argument);
  return check;
}

}  // namespace convergence
