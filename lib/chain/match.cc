#include "lib/chain/match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/ascii.h"
#include "lib/base/go_text.h"
#include "lib/base/regex.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

struct Condition {
  bool holds = false;
  std::string text;
};

const std::string* find_value(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? nullptr : &found->second;
}

// Letter case may be set aside for paths and their beginnings; regular expressions can say it themselves.
absl::StatusOr<Condition> path_condition(const HttpMatch& match, const std::string& path, const Regexes& regexes) {
  const std::string_view note = match.case_insensitive ? " in any letter case" : "";
  const auto same = [&](std::string_view a, std::string_view b) {
    return match.case_insensitive ? ascii_equal_fold(a, b) : a == b;
  };
  if (!match.path_exact.empty()) {
    return Condition{same(path, match.path_exact), fmt::format("path {}{}", go_quote(match.path_exact), note)};
  }
  if (!match.path_regex.empty()) {
    CVG_ASSIGN_OR_RETURN(const bool holds, regexes.full_match(match.path_regex, path));
    return Condition{holds, "path regex " + go_quote(match.path_regex)};
  }
  const std::string prefix = match.path_prefix.empty() ? "/" : match.path_prefix;
  const bool holds = path.size() >= prefix.size() && same(std::string_view(path).substr(0, prefix.size()), prefix);
  return Condition{holds, fmt::format("path prefix {}{}", go_quote(prefix), note)};
}

// What the value has to be; only the first of the forms that is there counts, as there may be only one.
template <typename Match>
std::string wanted_text(const Match& match) {
  if (!match.exact.empty()) return " = " + go_quote(match.exact);
  if (!match.regex.empty()) return " matches " + go_quote(match.regex);
  if constexpr (requires { match.prefix; }) {
    if (!match.prefix.empty()) return " begins with " + go_quote(match.prefix);
    if (!match.suffix.empty()) return " ends with " + go_quote(match.suffix);
  }
  return " is present";
}

template <typename Match>
absl::StatusOr<bool> value_matches(const Match& match, std::string_view value, const Regexes& regexes) {
  if (!match.exact.empty()) return value == match.exact;
  if (!match.regex.empty()) return regexes.full_match(match.regex, value);
  if constexpr (requires { match.prefix; }) {
    if (!match.prefix.empty()) return value.starts_with(match.prefix);
    if (!match.suffix.empty()) return value.ends_with(match.suffix);
  }
  return true;
}

absl::StatusOr<Condition> header_condition(const HeaderMatch& match, const HttpRequestShape& request,
                                           const Regexes& regexes) {
  const std::string name = ascii_lower(match.name);
  Condition out;
  out.text = fmt::format("header {}{}{}", name, match.invert ? " not" : "", wanted_text(match));
  const std::string* value = find_value(request.headers, name);
  if (value == nullptr) {
    // A missing header has no value: neither a condition on it nor the opposite holds. Only its absence can be asked
    // for.
    out.holds = match.present && match.invert;
    return out;
  }
  CVG_ASSIGN_OR_RETURN(const bool holds, value_matches(match, *value, regexes));
  out.holds = holds != match.invert;
  return out;
}

absl::StatusOr<Condition> query_condition(const QueryMatch& match, const HttpRequestShape& request,
                                          const Regexes& regexes) {
  Condition out;
  out.text = fmt::format("query parameter {}{}", match.name, wanted_text(match));
  const std::string* value = find_value(request.query, match.name);
  if (value == nullptr) return out;
  CVG_ASSIGN_OR_RETURN(out.holds, value_matches(match, *value, regexes));
  return out;
}

Condition method_condition(const std::vector<std::string>& methods, const std::string& method) {
  const bool holds = std::find(methods.begin(), methods.end(), method) != methods.end();
  return {holds, fmt::format("method {}", fmt::join(methods, " or "))};
}

}  // namespace

Regexes::Regexes(const DiscoveryChain& chain) {
  for (const ChainNode& node : chain.nodes) {
    const auto* router = std::get_if<RouterNode>(&node.body);
    for (std::size_t i = 0; router != nullptr && i < router->routes.size(); ++i) {
      const Route& route = *router->routes[i].definition;
      if (!route.match || !route.match->http) continue;
      add(route.match->http->path_regex);
      for (const HeaderMatch& header : route.match->http->header) add(header.regex);
      for (const QueryMatch& parameter : route.match->http->query_param) add(parameter.regex);
    }
  }
}

void Regexes::add(const std::string& pattern) {
  if (!pattern.empty() && !known_.contains(pattern)) known_.emplace(pattern, Regex::compile(pattern));
}

absl::StatusOr<bool> Regexes::full_match(const std::string& pattern, std::string_view text) const {
  const auto known = known_.find(pattern);
  const absl::StatusOr<Regex>& regex = known == known_.end() ? Regex::compile(pattern) : known->second;
  CVG_RETURN_IF_ERROR(regex.status());
  return regex->full_match(text);
}

absl::StatusOr<MatchResult> match_route(const Route& route, const HttpRequestShape& request, const Regexes& regexes) {
  static const HttpMatch kAll;
  const HttpMatch& match = route.match && route.match->http ? *route.match->http : kAll;
  std::vector<std::string> held;
  MatchResult out;
  // Takes the next condition; false ends the matching.
  const auto holds = [&](Condition condition) {
    out.matches = condition.holds;
    if (condition.holds) {
      held.push_back(std::move(condition.text));
    } else {
      out.why = std::move(condition.text);
    }
    return out.matches;
  };
  CVG_ASSIGN_OR_RETURN(Condition path, path_condition(match, request.path, regexes));
  if (!holds(std::move(path))) return out;
  for (const HeaderMatch& header : match.header) {
    CVG_ASSIGN_OR_RETURN(Condition condition, header_condition(header, request, regexes));
    if (!holds(std::move(condition))) return out;
  }
  for (const QueryMatch& parameter : match.query_param) {
    CVG_ASSIGN_OR_RETURN(Condition condition, query_condition(parameter, request, regexes));
    if (!holds(std::move(condition))) return out;
  }
  if (!match.methods.empty() && !holds(method_condition(match.methods, request.method))) return out;
  out.why = fmt::format("{}", fmt::join(held, ", "));
  return out;
}

}  // namespace convergence
