#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "lib/codec/config_entry_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {
namespace {

// Header names mean the same in any case; route() has them in lower case.
absl::Status decode_headers(const Json& json, const Place& place, std::map<std::string, std::string>& out) {
  std::map<std::string, std::string> headers;
  CVG_RETURN_IF_ERROR(decode(json, place, headers));
  for (auto& [name, value] : headers) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!out.emplace(std::move(lower), std::move(value)).second) {
      return place.error(json, "the header \"" + name + "\" is there twice");
    }
  }
  return absl::OkStatus();
}

// Every target that a request may end at, each once, in the order of the legs.
std::vector<std::string> targets_of(const RouteResult& result) {
  std::vector<std::string> targets;
  const auto add = [&targets](const std::string& target) {
    if (std::ranges::find(targets, target) == targets.end()) targets.push_back(target);
  };
  for (const RouteLeg& leg : result.legs) {
    add(leg.target);
    for (const std::string& target : leg.failover_targets) add(target);
  }
  return targets;
}

}  // namespace

Json encode(const RetryPolicy& retry) {
  Json::Array codes;
  for (std::uint32_t code : retry.on_status_codes) codes.push_back(std::uint64_t{code});
  return ObjectWriter()
      .put("num_retries", std::uint64_t{retry.num_retries})
      .put("on_connect_failure", retry.on_connect_failure)
      .put("on_status_codes", std::move(codes))
      .put("on", encode(retry.on))
      .take();
}

Json encode(const TargetHealth& health) {
  return ObjectWriter()
      .put("known", health.known)
      .put("healthy", std::uint64_t{health.healthy})
      .put("total", std::uint64_t{health.total})
      .take();
}

Json encode(const RouteLeg& leg) {
  ObjectWriter out;
  out.put("weight", encode_percent(leg.weight))
      .put("proxy_weight", encode_percent(leg.proxy_weight))
      .put("target", leg.target)
      .put("failover_targets", encode(leg.failover_targets))
      .put("connect_timeout", duration_to_text(leg.connect_timeout))
      .put_if("request_timeout", leg.request_timeout);
  if (leg.load_balancer) out.put("load_balancer", encode(*leg.load_balancer));
  if (leg.request_headers) out.put("request_headers", encode(*leg.request_headers));
  if (leg.response_headers) out.put("response_headers", encode(*leg.response_headers));
  if (leg.health) out.put("serving", leg.serving).put("health", encode(*leg.health));
  return out.take();
}

absl::Status decode(const Json& json, const Place& place, HttpRequestShape& out) {
  return ObjectReader(json, place)
      .optional("path", out.path)
      .optional("method", out.method)
      .optional("headers", out.headers, decode_headers)
      .optional("query", out.query)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, RetryPolicy& out) {
  return ObjectReader(json, place)
      .optional("num_retries", out.num_retries)
      .optional("on_connect_failure", out.on_connect_failure)
      .optional("on_status_codes", out.on_status_codes)
      .optional("on", out.on)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, TargetHealth& out) {
  std::uint64_t healthy = 0;
  std::uint64_t total = 0;
  const absl::Status status = ObjectReader(json, place)
                                  .optional("known", out.known)
                                  .optional("healthy", healthy)
                                  .optional("total", total)
                                  .finish();
  out.healthy = healthy;
  out.total = total;
  return status;
}

absl::Status decode(const Json& json, const Place& place, RouteLeg& out) {
  return ObjectReader(json, place)
      .required("weight", out.weight, decode_percent)
      .required("target", out.target)
      .required("proxy_weight", out.proxy_weight, decode_percent)
      .optional("failover_targets", out.failover_targets)
      .optional("connect_timeout", out.connect_timeout)
      .optional("request_timeout", out.request_timeout)
      .optional("load_balancer", out.load_balancer)
      .optional("request_headers", out.request_headers)
      .optional("response_headers", out.response_headers)
      .optional("serving", out.serving)
      .optional("health", out.health)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, RouteResult& out) {
  return ObjectReader(json, place)
      .required("route", out.route)
      .optional("destination", out.destination)
      .optional("retry", out.retry)
      .optional("path", out.path)
      .optional("splits", out.legs)
      .skip("targets")  // follows from the splits
      .optional("why", out.why)
      .finish();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<HttpRequestShape> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<HttpRequestShape>(json, document);
}
template <>
absl::StatusOr<RouteResult> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<RouteResult>(json, document);
}

Json to_json(const RouteResult& result) {
  return codec::ObjectWriter()
      .put("route", result.route)
      .put("destination", result.destination ? codec::encode(*result.destination) : Json())
      .put("retry", codec::encode(result.retry))
      .put("path", result.path)
      .put("splits", codec::encode_list(result.legs, codec::encode))
      .put("targets", codec::encode(codec::targets_of(result)))
      .put("why", codec::encode(result.why))
      .take();
}

}  // namespace convergence
