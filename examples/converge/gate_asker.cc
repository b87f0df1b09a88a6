#include "gate_asker.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "convergence/curl_transport.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostSaid = 200;  // bytes of an answer that are worth telling

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find('\n'), kMostSaid)));
}

}  // namespace

void GateAsker::ask(const AskGate& gate, std::function<void(bool open, std::string said)> done) {
  const std::size_t scheme = gate.url.find("://");
  const std::size_t path = gate.url.find('/', scheme + 3);
  const std::string address = gate.url.substr(0, path);
  std::unique_ptr<Transport>& transport = transports_[address];
  if (!transport) {
    CurlOptions options;
    options.address = address;
    absl::StatusOr<std::unique_ptr<Transport>> made = new_curl_transport(executor_, options);
    if (!made.ok()) return done(false, std::string(made.status().message()));
    transport = *std::move(made);
  }
  HttpRequest request;
  request.method = "POST";
  request.target = path == std::string::npos ? "/" : gate.url.substr(path);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = to_text(Json()
                             .set("gate", gate.gate)
                             .set("service", service_)
                             .set("until", std::int64_t{gate.until.time_since_epoch().count()}));
  request.deadline = executor_.now() + kPatience;
  transport->send(std::move(request), [done = std::move(done)](absl::StatusOr<HttpResponse> answer) {
    if (!answer.ok()) return done(false, std::string(answer.status().message()));
    const bool open = answer->status >= 200 && answer->status < 300;
    done(open, open ? "" : fmt::format("HTTP {}: {}", answer->status, first_line(answer->body)));
  });
}

}  // namespace cli
