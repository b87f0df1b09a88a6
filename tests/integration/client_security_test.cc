// TLS, unix sockets, tokens and default-deny ACLs on real Consuls that have them switched on.
#include <doctest/doctest.h>

#include <fstream>
#include <memory>
#include <string>

#include "convergence/curl_transport.h"
#include "tests/support/client_table.h"
#include "tests/support/consul_server.h"

namespace convergence::test {
namespace {

std::unique_ptr<ConsulServer> start(const ConsulServerOptions& options) {
  auto started = ConsulServer::start(options);
  REQUIRE_OK(started);
  return *std::move(started);
}

// Writes and reads one key through a connection of its own; the key's value tells which one it was.
absl::Status write_and_read(const CurlOptions& options, const std::string& value) {
  const auto executor = new_loop_executor();
  auto transport = new_curl_transport(*executor, options);
  if (!transport.ok()) return transport.status();
  ConsulClient client(*executor, **transport, {2, std::chrono::milliseconds(10), std::chrono::milliseconds(10)});
  const absl::StatusOr<bool> written = await<bool>(*executor, [&](auto done) {
    client.kv_put({"security/k", value, 0, {}, "", ""}, {}, done);
  });
  if (!written.ok()) return written.status();
  const auto read = await<OnePair>(*executor, [&](auto done) { client.kv_get("security/k", {}, done); });
  if (!read.ok()) return read.status();
  if (!read->value || read->value->value != value) return absl::InternalError("read back something else");
  return absl::OkStatus();
}

std::string stored(const ConsulServer& server) {
  const auto answer = server.request("GET", "/v1/kv/security/k?raw");
  REQUIRE_OK(answer);
  return answer->body;
}

TEST_CASE("TLS: the authority and the name must be right") {
  const auto server = start({.tls = true});
  const auto other = start({.tls = true});
  CurlOptions right;
  right.address = server->address();
  right.ca_file = server->ca_file();
  CHECK_OK(write_and_read(right, "right"));

  CurlOptions wrong_authority = right;
  wrong_authority.ca_file = other->ca_file();
  CHECK_ERROR(write_and_read(wrong_authority, "wrong"), ErrorKind::kUnreachable, "certificate");
  CurlOptions systems = right;
  systems.ca_file.clear();
  CHECK_ERROR(write_and_read(systems, "wrong"), ErrorKind::kUnreachable, "certificate");
  CurlOptions wrong_name = right;
  wrong_name.tls_server_name = "elsewhere.example";
  CHECK(error_kind(write_and_read(wrong_name, "wrong")) == ErrorKind::kUnreachable);
  CurlOptions plain = right;
  plain.address = "http://127.0.0.1:" + std::to_string(server->http_port());
  CHECK_FALSE(write_and_read(plain, "wrong").ok());
  CHECK(stored(*server) == "right");

  CurlOptions known_name = right;
  known_name.tls_server_name = "server.dc1.consul";
  CHECK_OK(write_and_read(known_name, "by name"));
  CurlOptions unverified = right;
  unverified.ca_file.clear();
  unverified.verify_tls = false;
  CHECK_OK(write_and_read(unverified, "unverified"));
}

TEST_CASE("TLS: a server that asks for client certificates") {
  const auto server = start({.tls = true, .verify_incoming = true});
  CurlOptions options;
  options.address = server->address();
  options.ca_file = server->ca_file();
  CHECK(error_kind(write_and_read(options, "without")) == ErrorKind::kUnreachable);
  options.client_cert_file = server->client_cert_file();
  options.client_key_file = server->client_key_file();
  CHECK_OK(write_and_read(options, "with"));
}

TEST_CASE("a unix socket") {
  const auto server = start({.unix_socket = true});
  CurlOptions options;
  options.address = server->address();
  CHECK_OK(write_and_read(options, "socket"));
  CHECK(stored(*server) == "socket");
  options.address += ".not";
  CHECK_ERROR(write_and_read(options, "nowhere"), ErrorKind::kUnreachable, "PUT /v1/kv/security/k");
}

TEST_CASE("default-deny ACLs") {
  const auto server = start({.acl = true});
  CurlOptions options;
  options.address = server->address();
  const absl::Status without = write_and_read(options, "without");
  CHECK_ERROR(without, ErrorKind::kDenied, "status 403: Permission denied; use a token");
  CHECK(*error_detail(without).find("body") == Json("Permission denied"));
  CHECK(*error_detail(without).find("status") == Json(403));

  options.token = "11111111-2222-3333-4444-555555555555";
  const absl::Status unknown = write_and_read(options, "unknown");
  CHECK_ERROR(unknown, ErrorKind::kDenied, "status 403: ACL not found");
  CHECK(unknown.ToString().find(options.token) == std::string::npos);
  CHECK(server->request("GET", "/v1/kv/security/k")->status == 404);

  options.token = server->token();
  CHECK_OK(write_and_read(options, "right"));
  CHECK(stored(*server) == "right");
}

TEST_CASE("a token that may do one thing, and what it is told about the others") {
  const auto server = start({.acl = true});
  REQUIRE_OK(server->request("PUT", "/v1/acl/policy",
                             R"({"Name":"one","Rules":"key_prefix \"mine/\" { policy = \"write\" }"})"));
  const auto made = server->request("PUT", "/v1/acl/token", R"({"Policies":[{"Name":"one"}]})");
  REQUIRE_OK(made);
  const Json token = json(made->body);
  REQUIRE(token.find("SecretID") != nullptr);
  CurlOptions options;
  options.address = server->address();
  options.token = *token.find("SecretID")->as_string();

  const auto executor = new_loop_executor();
  auto transport = new_curl_transport(*executor, options);
  REQUIRE_OK(transport);
  ConsulClient client(*executor, **transport);
  const Backend b{client, *executor, **transport, "mine"};
  CHECK(put(b, "mine/k", "v"));
  CHECK(get(b, "mine/k").value->value == "v");
  const auto denied = [&](const absl::Status& status) {
    CHECK_ERROR(status, ErrorKind::kDenied, "Permission denied");
    CHECK(status.ToString().find(options.token) == std::string::npos);
  };
  denied(call<bool>(b, [&](auto done) { client.kv_put({"other", "v", 0, {}, "", ""}, {}, done); }).status());
  denied(call<OnePair>(b, [&](auto done) { client.kv_get("other", {}, done); }).status());
  ConfigEntry entry;
  entry.kind = kServiceDefaults;
  entry.name = "web";
  entry.body = ServiceDefaults();
  denied(call<bool>(b, [&](auto done) { client.config_put(entry, {}, {}, done); }).status());
  denied(call<bool>(b, [&](auto done) { client.config_delete("service-defaults", "web", {}, {}, done); }).status());
  denied(call<std::string>(b, [&](auto done) { client.session_create({}, {}, done); }).status());
  ServiceInstance web;
  web.id = web.service = "web";
  denied(await_done(*executor, [&](auto done) { client.agent_service_register(web, {}, done); }));
  // A transaction tells of it as of any other reason why an operation cannot be done.
  const TxnResult refused = must<TxnResult>(
      b, [&](auto done) { client.txn({{json(R"({"KV":{"Verb":"set","Key":"other","Value":"eA=="}})")}}, {}, done); });
  CHECK(refused == TxnResult{{}, {{0, "Permission denied"}}});
  // Lists leave out what may not be seen.
  CHECK(recurse(b, "").value.size() == 1);
  CHECK(must<Answer<std::vector<Node>>>(b, [&](auto done) { client.catalog_nodes({}, done); }).value.empty());
}

}  // namespace
}  // namespace convergence::test
