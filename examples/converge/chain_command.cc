#include "chain_command.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <variant>

#include "convergence/codec.h"
#include "convergence/draw.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

absl::StatusOr<DiscoveryChain> chain_from_files(const std::string& service, const std::vector<std::string>& files,
                                                const Arguments& arguments) {
  absl::StatusOr<EntryMap> entries = entries_from_files(files, arguments);
  if (!entries.ok()) return entries.status();
  absl::StatusOr<ClusterIdentity> cluster = cluster_of(arguments);
  if (!cluster.ok()) return cluster.status();
  ChainRequest request;
  request.service = service;
  request.cluster = *std::move(cluster);
  request.evaluate_in_datacenter = arguments.get("compile-dc");
  return compile_chain(*entries, request);
}

// The instances of the services that the chain's targets of this datacenter name.
absl::StatusOr<CatalogState> instances_of(const DiscoveryChain& chain, Session& session) {
  std::vector<std::string> services;
  for (const auto& target : chain.targets) services.push_back(target.service);
  return await<CatalogState>(
      *session.executor, [&](auto done) { read_catalog(*session.client, services, session.read, std::move(done)); });
}

Json health_json(const std::map<std::string, TargetHealth>& health) {
  Json::Object object;
  for (const auto& [id, count] : health) {
    if (!count.known) continue;
    object.push_back(
        {id, Json().set("healthy", std::uint64_t{count.healthy}).set("total", std::uint64_t{count.total})});
  }
  return object;
}

absl::StatusOr<Drawing> drawing_of(const Arguments& arguments) {
  Drawing chosen = Drawing::kTree;
  int given = 0;
  for (Drawing drawing : {Drawing::kDot, Drawing::kMermaid, Drawing::kSvg}) {
    if (!arguments.has(to_string(drawing))) continue;
    chosen = drawing;
    ++given;
  }
  if (given > 1) return absl::InvalidArgumentError("chain: one of --dot, --mermaid and --svg at a time");
  return chosen;
}

// "name: value" or "name=value", as it is said on the command line.
absl::Status add_pair(const std::string& text, char separator, std::string_view flag,
                      std::map<std::string, std::string>& out) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos || at == 0) {
    return absl::InvalidArgumentError(fmt::format("--{}={}: write name{}value", flag, text, separator));
  }
  std::string name = text.substr(0, at);
  if (separator == ':') {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::size_t value = text.find_first_not_of(' ', at + 1);
  out[name] = value == std::string::npos ? "" : text.substr(value);
  return absl::OkStatus();
}

// The path may carry its query, as a URL does.
absl::StatusOr<HttpRequestShape> request_of(const std::string& path, const Arguments& arguments) {
  HttpRequestShape request;
  request.method = arguments.get("method", "GET");
  const std::size_t question = path.find('?');
  request.path = path.substr(0, question);
  std::vector<std::string> parameters = arguments.all("query");
  for (std::size_t at = question; at != std::string::npos;) {
    const std::size_t end = path.find('&', at + 1);
    parameters.push_back(path.substr(at + 1, end == std::string::npos ? end : end - at - 1));
    at = end;
  }
  for (const std::string& parameter : parameters) {
    const std::string pair = parameter.find('=') == std::string::npos ? parameter + "=" : parameter;
    if (absl::Status added = add_pair(pair, '=', "query", request.query); !added.ok()) return added;
  }
  for (const std::string& header : arguments.all("header")) {
    if (absl::Status added = add_pair(header, ':', "header", request.headers); !added.ok()) return added;
  }
  return request;
}

std::string lines(const std::vector<std::string>& why) {
  std::string text;
  for (const std::string& line : why) text += "\n  " + line;
  return text;
}

}  // namespace

absl::StatusOr<ChainAndInstances> read_chain(const std::string& service, const std::vector<std::string>& files,
                                             const Arguments& arguments) {
  ChainAndInstances out;
  if (!files.empty()) {
    absl::StatusOr<DiscoveryChain> compiled = chain_from_files(service, files, arguments);
    if (!compiled.ok()) return compiled.status();
    out.chain = *std::move(compiled);
    return out;
  }
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return session.status();
  auto read = await<Answer<DiscoveryChain>>(*session->executor, [&](auto done) {
    session->client->discovery_chain(service, session->read, std::move(done));
  });
  if (!read.ok()) return read.status();
  out.chain = std::move(read->value);
  absl::StatusOr<CatalogState> instances = instances_of(out.chain, *session);
  if (!instances.ok()) return instances.status();
  out.catalog = *std::move(instances);
  if (out.catalog->datacenter.empty()) out.catalog->datacenter = out.chain.datacenter;
  return out;
}

int run_chain(const Arguments& arguments, Output& output) {
  if (arguments.words.empty()) {
    return output.fail(absl::InvalidArgumentError("chain: name the service; see --help"), kBadInput);
  }
  const absl::StatusOr<Drawing> drawing = drawing_of(arguments);
  if (!drawing.ok()) return output.fail(drawing.status(), kBadInput);
  const std::vector<std::string> files(arguments.words.begin() + 1, arguments.words.end());
  absl::StatusOr<ChainAndInstances> read = read_chain(arguments.words[0], files, arguments);
  if (!read.ok()) return output.fail(read.status());
  std::map<std::string, TargetHealth> health;
  if (read->catalog) health = chain_health(read->chain, *read->catalog);
  Json document = Json().set("Chain", to_json(read->chain)).set("health", health_json(health));
  std::string text = draw(read->chain, *drawing, health);
  text.pop_back();  // say() ends the line
  if (arguments.has("path")) {
    absl::StatusOr<RouteResult> routed =
        route(read->chain, {.path = arguments.get("path")}, read->catalog ? &*read->catalog : nullptr);
    if (!routed.ok()) return output.fail(routed.status(), kFailed);
    document.set("route", to_json(*routed));
    text += fmt::format("\n\n{} goes:{}", arguments.get("path"), lines(routed->why));
  }
  output.json() ? output.document(document) : output.say(text);
  return kDone;
}

int run_route(const Arguments& arguments, Output& output) {
  if (arguments.words.size() < 2) {
    return output.fail(absl::InvalidArgumentError("route: name the service and the path; see --help"), kBadInput);
  }
  const absl::StatusOr<HttpRequestShape> request = request_of(arguments.words[1], arguments);
  if (!request.ok()) return output.fail(request.status(), kBadInput);
  const std::vector<std::string> files(arguments.words.begin() + 2, arguments.words.end());
  absl::StatusOr<ChainAndInstances> read = read_chain(arguments.words[0], files, arguments);
  if (!read.ok()) return output.fail(read.status());
  absl::StatusOr<RouteResult> routed = route(read->chain, *request, read->catalog ? &*read->catalog : nullptr);
  if (!routed.ok()) return output.fail(routed.status(), kFailed);
  if (output.json()) {
    output.document(to_json(*routed));
  } else {
    output.say(fmt::format("{} {} on {} goes:{}", request->method, request->path, read->chain.service_name,
                           lines(routed->why)));
  }
  return kDone;
}

}  // namespace cli
