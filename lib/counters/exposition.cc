#include "lib/counters/exposition.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "convergence/error.h"
#include "fmt/format.h"

namespace convergence {
namespace {

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
}

std::string_view take_name(std::string_view& rest) {
  std::size_t length = 0;
  while (length < rest.size() && is_name_letter(rest[length])) ++length;
  const std::string_view name = rest.substr(0, length);
  rest.remove_prefix(length);
  return name;
}

bool take(std::string_view& rest, char wanted) {
  skip_blanks(rest);
  if (rest.empty() || rest.front() != wanted) return false;
  rest.remove_prefix(1);
  return true;
}

// Backslash, quote and line break are escaped; any other backslash stands for itself.
bool take_quoted(std::string_view& rest, std::string* out) {
  if (!take(rest, '"')) return false;
  while (!rest.empty() && rest.front() != '"') {
    char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\\' && !rest.empty() && (rest.front() == '\\' || rest.front() == '"' || rest.front() == 'n')) {
      c = rest.front() == 'n' ? '\n' : rest.front();
      rest.remove_prefix(1);
    }
    if (out) out->push_back(c);
  }
  return take(rest, '"');
}

bool take_labels(std::string_view& rest, Labels* out) {
  skip_blanks(rest);
  if (rest.empty() || rest.front() != '{') return true;
  rest.remove_prefix(1);
  while (!take(rest, '}')) {
    const std::string_view name = take_name(rest);
    std::string value;
    if (name.empty() || !take(rest, '=') || !take_quoted(rest, out ? &value : nullptr)) return false;
    if (out) out->emplace_back(std::string(name), std::move(value));
    skip_blanks(rest);
    if (!rest.empty() && rest.front() == '}') continue;
    if (!take(rest, ',')) return false;
    skip_blanks(rest);
  }
  return true;
}

std::string_view take_word(std::string_view& rest) {
  skip_blanks(rest);
  const std::size_t length = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, length);
  rest.remove_prefix(length);
  skip_blanks(rest);
  return word;
}

// Value, and behind it a time in milliseconds or an example of a request that was counted.
bool take_sample(std::string_view rest, CounterSample& out) {
  if (!number_from(take_word(rest), out.value)) return false;
  if (rest.empty() || rest.front() == '#') return true;
  const std::string_view word = take_word(rest);
  std::int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), milliseconds);
  if (error != std::errc() || end != word.data() + word.size()) return false;
  if (milliseconds < 0 || milliseconds > 9'000'000'000'000) return false;
  out.at = Time(std::chrono::milliseconds(milliseconds));
  return rest.empty() || rest.front() == '#';
}

}  // namespace

absl::StatusOr<std::vector<LabelledSeries>> read_exposition(std::string_view page, Time read_at,
                                                            const std::function<bool(std::string_view name)>& wanted) {
  std::vector<LabelledSeries> out;
  std::size_t number = 0;
  const auto refuse = [&](std::string_view problem) {
    return make_error(ErrorKind::kProtocol, fmt::format("page of metrics: line {}: {}", number, problem));
  };
  while (!page.empty()) {
    ++number;
    const std::size_t end = page.find('\n');
    if (end == std::string_view::npos) return refuse("the page ends within it");
    std::string_view line = page.substr(0, end);
    page.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    skip_blanks(line);
    if (line.empty() || line.front() == '#') continue;
    const std::string_view name = take_name(line);
    if (name.empty()) return refuse("no name of a metric");
    const bool kept = wanted(name);
    LabelledSeries series;
    CounterSample sample{read_at, 0};
    if (!take_labels(line, kept ? &series.labels : nullptr)) return refuse(fmt::format("{}: labels", name));
    if (!take_sample(line, sample)) return refuse(fmt::format("{}: no number, or something behind it", name));
    if (!kept) continue;
    series.name = std::string(name);
    series.samples = {sample};
    out.push_back(std::move(series));
  }
  return out;
}

}  // namespace convergence
