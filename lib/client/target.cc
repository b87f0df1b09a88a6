#include "lib/client/target.h"

#include <fmt/format.h>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/client/text.h"

namespace convergence {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void append_encoded(std::string& out, std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

// Whether the server's path cleaning would take `path` for another one. A slash at the end is kept.
bool would_be_cleaned(std::string_view path) {
  std::size_t begin = 0;
  while (true) {
    const std::size_t slash = path.find('/', begin);
    const std::string_view segment = path.substr(begin, slash == std::string_view::npos ? slash : slash - begin);
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    if (segment.empty()) return true;
    begin = slash + 1;
  }
}

}  // namespace

Target& Target::name(std::string_view name) {
  if (name.empty()) {
    refuse(name, "empty name; name the thing");
  } else if (name == "." || name == "..") {
    refuse(name, "no path can name this; use another name");
  }
  text_ += '/';
  append_encoded(text_, name, false);
  return *this;
}

Target& Target::key(std::string_view key) {
  if (key.empty()) refuse(key, "empty key; name the key");
  return prefix(key);
}

Target& Target::prefix(std::string_view prefix) {
  if (would_be_cleaned(prefix)) {
    refuse(prefix, "a path cannot have an empty, '.' or '..' segment; use a transaction for such a key");
  }
  text_ += '/';
  append_encoded(text_, prefix, true);
  return *this;
}

Target& Target::query(std::string_view name, std::string_view value) {
  text_ += has_query_ ? '&' : '?';
  has_query_ = true;
  text_ += name;
  text_ += '=';
  append_encoded(text_, value, true);
  return *this;
}

Target& Target::query(std::string_view name, std::uint64_t value) { return query(name, fmt::format("{}", value)); }

Target& Target::query_unless_empty(std::string_view name, std::string_view value) {
  return value.empty() ? *this : query(name, value);
}

Target& Target::options(const ReadOptions& options) {
  query_unless_empty("dc", options.datacenter);
  query_unless_empty("ns", options.namespace_name);
  if (options.consistency == Consistency::kStale) query("stale", "");
  if (options.consistency == Consistency::kConsistent) query("consistent", "");
  query_unless_empty("filter", options.filter);
  if (options.wait_index > 0) {
    query("index", options.wait_index);
    query("wait", duration_to_text(options.wait));
  }
  return *this;
}

Target& Target::options(const WriteOptions& options) {
  query_unless_empty("dc", options.datacenter);
  query_unless_empty("ns", options.namespace_name);
  return *this;
}

void Target::refuse(std::string_view name, std::string_view why) {
  if (!problem_.ok()) return;
  problem_ = make_error(ErrorKind::kUsage, fmt::format("{}: \"{}\": {}", text_, one_line(name, 200), why));
}

}  // namespace convergence
