// Ways to reach a Consul: curl, the host's own, decorators, the embedded one.
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/host_transport.h"
#include "capi/reader.h"
#include "convergence/curl_transport.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

constexpr Parameter kCurlOptions[] = {
    {"address", Shape::kText, false},          {"token", Shape::kText, false},
    {"basic_auth", Shape::kText, false},       {"verify_tls", Shape::kBool, false},
    {"ca_file", Shape::kText, false},          {"ca_path", Shape::kText, false},
    {"client_cert_file", Shape::kText, false}, {"client_key_file", Shape::kText, false},
    {"tls_server_name", Shape::kText, false},  {"connect_timeout", Shape::kDuration, false},
    {"timeout", Shape::kDuration, false},      {"max_connections", Shape::kInteger, false},
};

absl::StatusOr<CurlOptions> read_curl_options(const Json& json) {
  CVG_RETURN_IF_ERROR(check_members(json, kCurlOptions, "options"));
  CurlOptions options;
  if (json.find("address")) options.address = text_of(json, "address");
  options.token = text_of(json, "token");
  options.basic_auth = text_of(json, "basic_auth");
  options.verify_tls = flag_of(json, "verify_tls", options.verify_tls);
  options.ca_file = text_of(json, "ca_file");
  options.ca_path = text_of(json, "ca_path");
  options.client_cert_file = text_of(json, "client_cert_file");
  options.client_key_file = text_of(json, "client_key_file");
  options.tls_server_name = text_of(json, "tls_server_name");
  options.connect_timeout = duration_of(json, "connect_timeout").value_or(options.connect_timeout);
  options.default_timeout = duration_of(json, "timeout").value_or(options.default_timeout);
  if (auto connections = integer_of(json, "max_connections")) {
    if (*connections < 1 || *connections > 10000) {
      return make_error(ErrorKind::kUsage, "options: max_connections: is not within 1..10000");
    }
    options.max_connections = static_cast<std::int32_t>(*connections);
  }
  return options;
}

struct FaultRule {
  std::uint64_t from = 0;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
  std::string method;         // empty: any
  std::string target_prefix;  // empty: any
  Fault fault;
};

constexpr Parameter kFaultRule[] = {
    {"from", Shape::kInteger, false}, {"to", Shape::kInteger, false},     {"method", Shape::kText, false},
    {"target", Shape::kText, false},  {"kind", Shape::kText, true},       {"status", Shape::kInteger, false},
    {"body", Shape::kText, false},    {"delay", Shape::kDuration, false},
};

absl::StatusOr<Fault::Kind> fault_kind(const std::string& name, std::string_view document) {
  static const std::map<std::string, Fault::Kind> kinds = {{"none", Fault::Kind::kNone},
                                                           {"fail-before", Fault::Kind::kFailBefore},
                                                           {"fail-after", Fault::Kind::kFailAfter},
                                                           {"status", Fault::Kind::kStatus},
                                                           {"cut-body", Fault::Kind::kCutBody},
                                                           {"garbage", Fault::Kind::kGarbage},
                                                           {"delay", Fault::Kind::kDelay},
                                                           {"stall", Fault::Kind::kStall}};
  auto found = kinds.find(name);
  if (found == kinds.end()) {
    return make_error(ErrorKind::kUsage, std::string(document) + ": kind \"" + name +
                                             "\" is unknown; known are none, fail-before, fail-after, status, "
                                             "cut-body, garbage, delay, stall");
  }
  return found->second;
}

absl::StatusOr<std::vector<FaultRule>> read_faults(const Json& json) {
  if (!json.is_array()) return make_error(ErrorKind::kDecode, "faults: is no array; give a list of rules");
  std::vector<FaultRule> rules;
  for (std::size_t i = 0; i < json.as_array()->size(); ++i) {
    const Json& item = (*json.as_array())[i];
    const std::string document = "faults[" + std::to_string(i) + "]";
    CVG_RETURN_IF_ERROR(check_members(item, kFaultRule, document));
    FaultRule rule;
    CVG_ASSIGN_OR_RETURN(rule.fault.kind, fault_kind(text_of(item, "kind"), document));
    rule.from = static_cast<std::uint64_t>(integer_of(item, "from").value_or(0));
    if (auto to = integer_of(item, "to")) rule.to = static_cast<std::uint64_t>(*to);
    rule.method = text_of(item, "method");
    rule.target_prefix = text_of(item, "target");
    const std::int64_t status = integer_of(item, "status").value_or(500);
    if (status < 100 || status > 599) {
      return make_error(ErrorKind::kUsage, document + ": status: is not within 100..599");
    }
    rule.fault.status = static_cast<int>(status);
    rule.fault.body = text_of(item, "body");
    rule.fault.delay = duration_of(item, "delay").value_or(Duration{0});
    rules.push_back(std::move(rule));
  }
  return rules;
}

Fault first_fitting(const std::vector<FaultRule>& rules, std::uint64_t number, const HttpRequest& request) {
  for (const FaultRule& rule : rules) {
    if (number < rule.from || number > rule.to) continue;
    if (!rule.method.empty() && rule.method != request.method) continue;
    if (request.target.compare(0, rule.target_prefix.size(), rule.target_prefix) != 0) continue;
    return rule.fault;
  }
  return Fault{};
}

cvg_connection* owning(std::unique_ptr<Transport> transport) {
  auto connection = std::make_unique<cvg_connection>();
  connection->owned = std::move(transport);
  connection->transport = connection->owned.get();
  return connection.release();
}

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_connection_curl(cvg_loop* loop, cvg_slice options, cvg_connection** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    if (loop->simulated) {
      return make_error(ErrorKind::kUsage, "loop: is simulated; a network needs one on the machine's clock");
    }
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_ASSIGN_OR_RETURN(CurlOptions curl, read_curl_options(json));
    CVG_ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, new_curl_transport(*loop->executor, std::move(curl)));
    *out = owning(std::move(transport));
    return absl::OkStatus();
  });
}

cvg_code cvg_connection_host(cvg_loop* loop, const cvg_transport* transport, cvg_connection** out,
                             cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(transport, "transport"));
    HostCallbacks callbacks(*transport);  // from here on its destroy is called whatever happens
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_RETURN_IF_ERROR(callbacks.check());
    *out = owning(std::make_unique<HostTransport>(*loop->executor, std::move(callbacks)));
    return absl::OkStatus();
  });
}

cvg_code cvg_connection_complete(cvg_connection* connection, uint64_t id, int32_t status, cvg_slice headers,
                                 cvg_slice body, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_ASSIGN_OR_RETURN(HostTransport * host, host_transport(connection));
    CVG_ASSIGN_OR_RETURN(HeaderList list, read_headers(view(headers)));
    return host->complete(id, HttpResponse{status, std::move(list), std::string(view(body))});
  });
}

cvg_code cvg_connection_fail(cvg_connection* connection, uint64_t id, cvg_slice message, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_ASSIGN_OR_RETURN(HostTransport * host, host_transport(connection));
    return host->complete(id, make_error(ErrorKind::kUnreachable, view(message)));
  });
}

cvg_code cvg_connection_record(cvg_loop* loop, cvg_connection* inner, cvg_connection** out,
                               cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(inner, "inner"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    auto recorded = std::make_shared<std::vector<Exchange>>();
    cvg_connection* connection = owning(new_record_transport(
        *inner->transport, [recorded](const Exchange& exchange) { recorded->push_back(exchange); }));
    connection->recorded = std::move(recorded);
    *out = connection;
    return absl::OkStatus();
  });
}

cvg_code cvg_connection_recording(const cvg_connection* connection, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(connection, "connection"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    if (!connection->recorded) {
      return make_error(ErrorKind::kUsage, "connection: does not record; make it with cvg_connection_record");
    }
    return give(recording_to_json(*connection->recorded), out);
  });
}

cvg_code cvg_connection_replay(cvg_loop* loop, cvg_slice recording, cvg_connection** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, parse_json(view(recording), "recording"));
    CVG_ASSIGN_OR_RETURN(std::vector<Exchange> exchanges, recording_from_json(json, "recording"));
    *out = owning(new_replay_transport(*loop->executor, std::move(exchanges)));
    return absl::OkStatus();
  });
}

cvg_code cvg_connection_fault(cvg_loop* loop, cvg_connection* inner, cvg_slice faults, cvg_connection** out,
                              cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(inner, "inner"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, parse_json(view(faults), "faults"));
    CVG_ASSIGN_OR_RETURN(std::vector<FaultRule> rules, read_faults(json));
    *out = owning(new_fault_transport(
        *loop->executor, *inner->transport,
        [rules](std::uint64_t number, const HttpRequest& request) { return first_fitting(rules, number, request); }));
    return absl::OkStatus();
  });
}

void cvg_connection_free(cvg_connection* connection) noexcept { delete connection; }

}  // extern "C"
