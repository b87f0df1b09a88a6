#include "gate_asker.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "convergence/curl_transport.h"
#include "url.h"

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
  const std::optional<Url> url = split_url(gate.url);
  if (!url) return done(false, gate.url + " is no http:// or https:// address");
  std::unique_ptr<Transport>& transport = transports_[url->address];
  if (!transport) {
    CurlOptions options;
    options.address = url->address;
    absl::StatusOr<std::unique_ptr<Transport>> made = new_curl_transport(executor_, options);
    if (!made.ok()) return done(false, std::string(made.status().message()));
    transport = *std::move(made);
  }
  HttpRequest request;
  request.method = "POST";
  request.target = url->path.empty() ? "/" : url->path;
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
