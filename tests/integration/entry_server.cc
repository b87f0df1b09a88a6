#include "tests/integration/entry_server.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <utility>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence::test {

std::unique_ptr<ConsulServer> start_entry_server() {
  ConsulServerOptions options;
  options.extra_config =
      R"({"connect": {"enabled": true, "ca_config": {"cluster_id": "11111111-2222-3333-4444-555555555555"}}})";
  auto server = ConsulServer::start(options);
  REQUIRE_OK(server);
  return *std::move(server);
}

RawAnswer ask(const ConsulServer& consul, std::string_view method, std::string_view path, std::string_view body) {
  auto answer = consul.request(method, path, body);
  REQUIRE_OK(answer);
  return *std::move(answer);
}

Json ask_json(const ConsulServer& consul, std::string_view path) {
  const RawAnswer answer = ask(consul, "GET", path);
  CAPTURE(answer.body);
  REQUIRE(answer.status == 200);
  auto json = parse_json(answer.body, path);
  REQUIRE_OK(json);
  return *std::move(json);
}

RawAnswer delete_entry(const ConsulServer& consul, std::string_view kind, std::string_view name) {
  return ask(consul, "DELETE", fmt::format("/v1/config/{}/{}", kind, name));
}

namespace {

// False when some entries are still there.
bool delete_all(const ConsulServer& consul) {
  for (int round = 0; round < 10; ++round) {
    bool any = false;
    for (std::string_view kind : kEntryKinds) {
      const Json entries = ask_json(consul, fmt::format("/v1/config/{}", kind));
      for (const Json& entry : *entries.as_array()) {
        any = true;
        delete_entry(consul, kind, *entry.find("Name")->as_string());
      }
    }
    if (!any) return true;
  }
  return false;
}

}  // namespace

void clear(std::unique_ptr<ConsulServer>& consul) {
  if (!delete_all(*consul)) consul = start_entry_server();
}

std::string plain_text(const RawAnswer& answer) {
  if (answer.status != 200) return answer.body;
  const auto document = parse_json(answer.body, "answer");
  REQUIRE_OK(document);
  return to_text(*document);
}

std::string chain_text(const absl::StatusOr<DiscoveryChain>& chain) {
  if (!chain.ok()) return std::string(chain.status().message());
  return to_text(Json().set("Chain", to_json(*chain)));
}

}  // namespace convergence::test
