// Which routes can never be taken. Only what is certain counts: a false alarm is worse than none.
#include <algorithm>
#include <string>
#include <string_view>

#include "lib/base/ascii.h"
#include "lib/lint/rules.h"

namespace convergence::lint_rules {
namespace {

const HttpMatch& match_of(const Route& route) {
  static const HttpMatch kAll;
  return route.match && route.match->http ? *route.match->http : kAll;
}

bool begins(std::string_view text, std::string_view prefix, bool any_case) {
  if (text.size() < prefix.size()) return false;
  return any_case ? ascii_equal_fold(text.substr(0, prefix.size()), prefix) : text.starts_with(prefix);
}

// A condition without regard to letter case takes more than the same with it.
bool path_covers(const HttpMatch& earlier, const HttpMatch& later) {
  if (!earlier.path_regex.empty()) {
    return earlier.path_regex == later.path_regex;  // the language inside an expression is not looked at
  }
  const bool narrower_case = earlier.case_insensitive || !later.case_insensitive;
  if (!earlier.path_exact.empty()) {
    return !later.path_exact.empty() && narrower_case && later.path_exact.size() == earlier.path_exact.size() &&
           begins(later.path_exact, earlier.path_exact, earlier.case_insensitive);
  }
  const std::string_view prefix = earlier.path_prefix.empty() ? "/" : std::string_view(earlier.path_prefix);
  if (prefix == "/") return true;  // every path begins so
  if (!later.path_regex.empty() || !narrower_case) return false;
  const std::string_view path = !later.path_exact.empty() ? later.path_exact : later.path_prefix;
  return begins(path, prefix, earlier.case_insensitive);
}

// The same condition, or one that `later` cannot hold without.
bool header_covers(const HeaderMatch& earlier, const HeaderMatch& later) {
  if (ascii_lower(earlier.name) != ascii_lower(later.name)) return false;
  HeaderMatch same = later;
  same.name = earlier.name;
  same.unknown = earlier.unknown;
  if (earlier == same) return true;
  if (earlier.invert || later.invert) return false;
  if (earlier.present) return true;  // whatever the value has to be, it has to be there
  if (!earlier.prefix.empty()) {
    return later.exact.starts_with(earlier.prefix) || later.prefix.starts_with(earlier.prefix);
  }
  if (!earlier.suffix.empty()) return later.exact.ends_with(earlier.suffix) || later.suffix.ends_with(earlier.suffix);
  return false;
}

bool query_covers(const QueryMatch& earlier, const QueryMatch& later) {
  if (earlier.name != later.name) return false;
  return earlier.present || (earlier.exact == later.exact && earlier.regex == later.regex && !later.present);
}

// Every condition of the earlier route follows from one of the later.
template <typename Condition, typename Covers>
bool all_follow(const std::vector<Condition>& earlier, const std::vector<Condition>& later, Covers covers) {
  return std::all_of(earlier.begin(), earlier.end(), [&](const Condition& wanted) {
    return std::any_of(later.begin(), later.end(), [&](const Condition& given) { return covers(wanted, given); });
  });
}

bool methods_cover(const std::vector<std::string>& earlier, const std::vector<std::string>& later) {
  if (earlier.empty()) return true;
  return !later.empty() && std::all_of(later.begin(), later.end(), [&](const std::string& method) {
    return std::find(earlier.begin(), earlier.end(), method) != earlier.end();
  });
}

}  // namespace

bool takes_all_of(const Route& earlier, const Route& later) {
  const HttpMatch& first = match_of(earlier);
  const HttpMatch& second = match_of(later);
  if (!first.unknown.empty()) return false;  // who knows what it asks for
  return path_covers(first, second) && all_follow(first.header, second.header, header_covers) &&
         all_follow(first.query_param, second.query_param, query_covers) &&
         methods_cover(first.methods, second.methods);
}

}  // namespace convergence::lint_rules
