#include "tests/support/entry_generator.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/ascii.h"

namespace convergence::test {
namespace {

const std::vector<std::string> kServices = {"a", "b", "c", "d", "e", "f"};

Json list_of(std::initializer_list<const char*> items) {
  Json::Array out;
  for (const char* item : items) out.emplace_back(item);
  return out;
}

// 3333 as 33.33
Json percent(std::int64_t hundredths) {
  const std::int64_t magnitude = hundredths < 0 ? -hundredths : hundredths;
  return Json::Number{fmt::format("{}{}.{:02}", hundredths < 0 ? "-" : "", magnitude / 100, magnitude % 100)};
}

}  // namespace

std::vector<std::string> EntryGenerator::services() {
  std::vector<std::string> out = kServices;
  for (const std::string& name : kServices) out.push_back(ascii_upper(name));
  out.emplace_back("nobody");
  return out;
}

std::uint64_t EntryGenerator::below(std::uint64_t limit) {
  if (choices_.empty()) return random_() % limit;
  const auto choice = static_cast<unsigned char>(choices_.front());
  choices_.remove_prefix(1);
  return choice % limit;
}

std::string EntryGenerator::own_name() {
  std::string name = pick(kServices);
  return chance(case_percent_) ? ascii_upper(name) : name;
}

std::string EntryGenerator::service() { return own_name(); }

std::string EntryGenerator::subset() { return pick({"v1", "v1", "v2", "v2", "v3"}); }

std::string EntryGenerator::duration() { return pick({"5s", "250ms", "1m30s", "2h", "7ns", "1.5s", "250us", "0s"}); }

std::string EntryGenerator::protocol() {
  return chance(88) ? usual_protocol_ : pick({"tcp", "http", "http2", "grpc", "HTTP", "", "odd"});
}

void EntryGenerator::maybe(Json& object, int percent, const char* name, Json value) {
  if (chance(percent)) object.set(name, std::move(value));
}

Json EntryGenerator::proxy_defaults() {
  Json out;
  out.set("Kind", "proxy-defaults").set("Name", chance(90) ? "global" : "mine");
  if (chance(80)) out.set("Config", Json().set(chance(90) ? "protocol" : "Protocol", protocol()));
  if (chance(40)) out.set("MeshGateway", Json().set("Mode", pick({"local", "remote", "none"})));
  return out;
}

Json EntryGenerator::service_defaults() {
  Json out;
  out.set("Kind", "service-defaults").set("Name", own_name());
  maybe(out, 92, "Protocol", protocol());
  if (chance(20)) out.set("MeshGateway", Json().set("Mode", pick({"local", "remote", "none"})));
  maybe(out, 5, "ExternalSNI", "sni.example.com");
  if (chance(10)) out.set("Meta", Json().set("owner", pick({"me", "you"})));
  return out;
}

Json EntryGenerator::http_match() {
  Json out = Json::Object{};
  const std::uint64_t path = below(4);
  if (path == 0) out.set("PathExact", pick({"/", "/a", "/a/b"}));
  if (path == 1) out.set("PathPrefix", pick({"/", "/a/", "/<b>&c"}));
  if (path == 2) out.set("PathRegex", pick({"/v[0-9]+", "("}));
  if (chance(30)) {
    Json header = Json().set("Name", pick({"x-a", "X-B"}));
    header.set(pick({"Exact", "Prefix", "Suffix", "Regex"}), "1");
    maybe(header, 30, "Invert", true);
    out.set("Header", Json::Array{std::move(header)});
  }
  if (chance(30)) out.set("QueryParam", Json::Array{Json().set("Name", "q").set("Present", true)});
  if (chance(30)) out.set("Methods", list_of({"get", "PUT"}));
  return out;
}

Json EntryGenerator::route() {
  Json out = Json::Object{};
  if (chance(80)) out.set("Match", chance(90) ? Json().set("HTTP", http_match()) : Json(Json::Object{}));
  if (!chance(85)) return out;
  Json destination = Json::Object{};
  maybe(destination, 75, "Service", service());
  maybe(destination, 15, "ServiceSubset", subset());
  maybe(destination, 4, "Namespace", pick({"default", "team"}));
  maybe(destination, 10, "RequestTimeout", duration());
  maybe(destination, 20, "NumRetries", static_cast<std::int64_t>(below(5)));
  maybe(destination, 10, "RetryOnConnectFailure", true);
  if (chance(20)) destination.set("RetryOnStatusCodes", Json::Array{Json(500), Json(503)});
  out.set("Destination", std::move(destination));
  return out;
}

Json EntryGenerator::router() {
  Json out;
  out.set("Kind", "service-router").set("Name", own_name());
  Json::Array routes;
  for (std::uint64_t left = below(4); left > 0; --left) routes.push_back(route());
  maybe(out, 90, "Routes", std::move(routes));
  return out;
}

std::vector<std::int64_t> EntryGenerator::weights(std::size_t count) {
  std::vector<std::int64_t> out;
  std::int64_t left = 10000;
  const bool odd = chance(60);
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const auto limit = static_cast<std::uint64_t>(left < 0 ? 0 : left);
    const auto weight = static_cast<std::int64_t>(odd ? below(limit + 1) : below(limit / 1000 + 1) * 1000);
    out.push_back(weight);
    left -= weight;
  }
  out.push_back(left);
  if (chance(3)) out[0] -= 500;
  if (chance(3)) out.back() += 500;
  return out;
}

Json EntryGenerator::splitter() {
  Json out;
  out.set("Kind", "service-splitter").set("Name", own_name());
  Json::Array splits;
  for (std::int64_t weight : weights(1 + below(3))) {
    Json leg = Json().set("Weight", percent(weight));
    maybe(leg, 75, "Service", service());
    maybe(leg, 15, "ServiceSubset", subset());
    maybe(leg, 2, "Namespace", "team");
    splits.push_back(std::move(leg));
  }
  out.set("Splits", std::move(splits));
  return out;
}

Json EntryGenerator::redirect() {
  Json out = Json::Object{};
  maybe(out, 85, "Service", service());
  maybe(out, 25, "Datacenter", datacenter());
  if (out.find("Service") == nullptr) return out.set("Datacenter", datacenter());
  maybe(out, 15, "ServiceSubset", subset());
  maybe(out, 3, "Namespace", "team");
  return out;
}

Json EntryGenerator::failover() {
  Json out = Json::Object{};
  maybe(out, 60, "Service", service());
  maybe(out, 10, "ServiceSubset", subset());
  maybe(out, 3, "Namespace", "team");
  if (!chance(50) && !out.as_object()->empty()) return out;
  Json::Array datacenters;
  for (std::uint64_t left = 1 + below(3); left > 0; --left) datacenters.emplace_back(datacenter());
  return out.set("Datacenters", std::move(datacenters));
}

Json EntryGenerator::resolver() {
  Json out;
  out.set("Kind", "service-resolver").set("Name", own_name());
  maybe(out, 40, "ConnectTimeout", duration());
  if (chance(60)) {
    Json subsets = Json::Object{};
    for (const char* name : {"v1", "v2", "v3"}) {
      if (!chance(90)) continue;
      Json subset_body = Json::Object{};
      maybe(subset_body, 70, "Filter", fmt::format("Service.Meta.version == {}", name));
      maybe(subset_body, 20, "OnlyPassing", true);
      subsets.set(name, std::move(subset_body));
    }
    out.set("Subsets", std::move(subsets));
    maybe(out, 30, "DefaultSubset", subset());
  }
  if (chance(35)) return out.set("Redirect", redirect());
  if (!chance(45)) return out;
  Json sections = Json::Object{};
  maybe(sections, 75, "*", failover());
  if (const Json* subsets = out.find("Subsets"); subsets != nullptr && subsets->find("v1") != nullptr) {
    maybe(sections, 50, "v1", failover());
  }
  return out.set("Failover", std::move(sections));
}

Json EntryGenerator::entry() {
  const std::uint64_t kind = below(100);
  if (kind < 5) return proxy_defaults();
  if (kind < 25) return service_defaults();
  if (kind < 40) return router();
  if (kind < 70) return splitter();
  return resolver();
}

// One thing put wrong, so that there is one right answer.
Json EntryGenerator::spoilt(Json entry) {
  switch (below(9)) {
    case 0:
      return entry.set("Name", "");
    case 1:
      return entry.set(pick({"Zed", "Namespace"}), "x");
    case 2:
      return entry.set("Kind", "nonsense");
    case 3:
      return entry.set("Splits", Json::Array{}).set("Kind", "service-splitter");
    case 4:
      return Json()
          .set("Kind", "service-router")
          .set("Name", own_name())
          .set("Routes", Json::Array{Json().set("Match", Json().set("HTTP", Json().set("PathExact", "a\"\x01")))});
    case 5:
      return Json().set("Kind", "service-resolver").set("Name", own_name()).set("ConnectTimeout", "-1ms");
    case 6:
      return Json().set("Kind", "service-resolver").set("Name", own_name()).set("Redirect", Json::Object{});
    case 7:
      return Json()
          .set("Kind", "service-resolver")
          .set("Name", own_name())
          .set("Failover", Json().set(subset(), failover()));
    default:
      return entry.set("Meta", Json().set(std::string(129, 'k'), "v"));
  }
}

std::vector<EntryWrite> EntryGenerator::writes() {
  usual_protocol_ = pick({"http", "http", "http", "grpc", "http2", "tcp"});
  case_percent_ = chance(30) ? 25 : 0;
  std::vector<EntryWrite> out;
  if (chance(70)) out.push_back({proxy_defaults(), "", ""});
  for (const std::string& name : kServices) {
    if (!chance(70)) continue;
    Json defaults = service_defaults();
    defaults.set("Name", name);
    out.push_back({std::move(defaults), "", ""});
  }
  for (std::uint64_t left = 4 + below(18); left > 0; --left) {
    if (chance(8)) {
      out.push_back(
          {{}, pick({"service-defaults", "service-router", "service-splitter", "service-resolver"}), own_name()});
    } else {
      Json made = entry();
      out.push_back({chance(6) ? spoilt(std::move(made)) : std::move(made), "", ""});
    }
  }
  // What the server sees only one step up, so that some chains end broken.
  for (std::uint64_t left = below(5); left > 0; --left) {
    Json late = Json().set("Kind", pick({"service-defaults", "service-resolver"})).set("Name", own_name());
    if (*late.find("Kind")->as_string() == "service-defaults") late.set("Protocol", pick({"tcp", "grpc", "http"}));
    out.push_back({std::move(late), "", ""});
  }
  return out;
}

Json EntryGenerator::overrides() {
  Json out = Json::Object{};
  maybe(out, 60, "OverrideProtocol", pick({"tcp", "http", "http2", "grpc", "HTTP", ""}));
  maybe(out, 50, "OverrideConnectTimeout", duration());
  if (chance(50)) out.set("OverrideMeshGateway", Json().set("Mode", pick({"none", "local", "remote", ""})));
  return out;
}

}  // namespace convergence::test
