#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/report.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace codec {
namespace {

// UTC without a zone (environment-manager.md 1.6). Six digits always, where theirs leaves out a fraction of zero.
std::string time_text(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::microseconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

// Takes exactly `digits` digits and what stands behind them, and no more.
std::optional<int> take_number(std::string_view& text, std::size_t digits, std::string_view behind) {
  int value = 0;
  if (text.size() < digits || text[0] == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  if (!text.starts_with(behind)) return std::nullopt;
  text.remove_prefix(behind.size());
  return value;
}

// What stands behind the seconds: nothing, or a point and up to nine digits; and a zone of zero.
std::optional<Duration> take_fraction(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.empty()) return Duration::zero();
  if (text.size() < 2 || text.size() > 10 || text[0] != '.') return std::nullopt;
  std::string digits(text.substr(1));
  if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  digits.resize(9, '0');
  std::int64_t nanoseconds = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), nanoseconds);
  return Duration(nanoseconds);
}

std::optional<Time> time_from_text(std::string_view text) {
  const std::optional<int> year = take_number(text, 4, "-");
  const std::optional<int> month = year ? take_number(text, 2, "-") : std::nullopt;
  const std::optional<int> day = month ? take_number(text, 2, "T") : std::nullopt;
  const std::optional<int> hour = day ? take_number(text, 2, ":") : std::nullopt;
  const std::optional<int> minute = hour ? take_number(text, 2, ":") : std::nullopt;
  const std::optional<int> second = minute ? take_number(text, 2, "") : std::nullopt;
  const std::optional<Duration> fraction = second ? take_fraction(text) : std::nullopt;
  if (!fraction || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  if (!date.ok() || *year < 1678 || *year > 2261) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + *fraction;
}

absl::Status decode_time(const Json& json, const Place& place, Time& out) {
  const std::string* text = json.as_string();
  if (!text) return wrong_type(json, place, "a time like 2017-11-22T03:57:29.312077");
  const std::optional<Time> time = time_from_text(*text);
  if (!time) {
    return place.error(json, fmt::format("\"{}\" is no time like 2017-11-22T03:57:29.312077, in UTC", *text));
  }
  out = *time;
  return absl::OkStatus();
}

// "" is none.
absl::Status decode_time_or_none(const Json& json, const Place& place, std::optional<Time>& out) {
  out.reset();
  if (const std::string* text = json.as_string(); text && text->empty()) return absl::OkStatus();
  return decode_time(json, place, out.emplace());
}

}  // namespace

absl::Status decode(const Json& json, const Place& place, NodeReport& out) {
  return ObjectReader(json, place)
      .optional("Cause", out.cause)
      .required("StartTime", out.start, decode_time)
      .optional("EndTime", out.end, decode_time_or_none)
      .required("Status", out.status, decode_name<NodeStatus>)
      .optional("LastCompletedStage", out.last_completed_stage)
      .optional("NumberOfAttempts", out.attempts)
      .optional("Log", out.log)
      .optional("Service", out.service)
      .optional("Node", out.node)
      .optional("Version", out.version)
      .optional("Stage", out.stage)
      .optional("Percent", out.percent)
      .optional("Reason", out.reason)
      .optional("LogTail", out.log_tail)
      .optional("LogProblem", out.log_problem)
      .optional("LastGoodDeployment", out.last_good_deployment)
      .optional("UpdateTime", out.updated, decode_time_or_none)
      .finish(out.unknown);
}

}  // namespace codec

template <>
absl::StatusOr<NodeReport> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<NodeReport>(json, document);
}

Json to_json(const NodeReport& report) {
  codec::ObjectWriter writer;
  writer.put("Cause", report.cause)
      .put("StartTime", codec::time_text(report.start))
      .put("EndTime", report.end ? codec::time_text(*report.end) : "")
      .put("Status", to_string(report.status))
      .put("LastCompletedStage", report.last_completed_stage)
      .put("NumberOfAttempts", std::int64_t{report.attempts})
      .put("Log", report.log)
      .put_if("Service", report.service)
      .put_if("Node", report.node)
      .put_if("Version", report.version)
      .put_if("Stage", report.stage)
      .put_if("Percent", std::int64_t{report.percent})
      .put_if("Reason", report.reason)
      .put_if("LogTail", report.log_tail)
      .put_if("LogProblem", report.log_problem)
      .put_if("LastGoodDeployment", report.last_good_deployment);
  if (report.updated) writer.put("UpdateTime", codec::time_text(*report.updated));
  return writer.rest(report.unknown).take();
}

}  // namespace convergence
