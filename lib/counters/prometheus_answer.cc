#include "lib/counters/prometheus_answer.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "convergence/error.h"
#include "convergence/json.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

constexpr std::size_t kLongestWords = 300;  // of Prometheus', in ours

absl::Status no_answer(std::string_view problem) {
  return make_error(ErrorKind::kProtocol, fmt::format("prometheus: {}", problem));
}

std::string_view text_of(const Json& json, std::string_view member) {
  const Json* found = json.find(member);
  const std::string* text = found ? found->as_string() : nullptr;
  return text ? std::string_view(*text).substr(0, kLongestWords) : std::string_view();
}

// Seconds with a fraction, exact to the millisecond that Prometheus has.
std::optional<Time> time_of(const Json& json) {
  const std::optional<double> seconds = json.to_double();
  if (!seconds || !(*seconds >= 0 && *seconds < 9e9)) return std::nullopt;
  return Time(std::chrono::milliseconds(std::llround(*seconds * 1000)));
}

absl::StatusOr<CounterSample> sample_from(const Json& json) {
  const Json::Array* pair = json.as_array();
  const std::string* text = pair && pair->size() == 2 ? (*pair)[1].as_string() : nullptr;
  const std::optional<Time> at = text ? time_of((*pair)[0]) : std::nullopt;
  CounterSample out;
  if (!at || !number_from(*text, out.value)) return no_answer("a sample is not [seconds, \"number\"]");
  out.at = *at;
  return out;
}

absl::StatusOr<LabelledSeries> series_from(const Json& json, std::string_view values) {
  const Json* metric = json.find("metric");
  const Json::Object* labels = metric ? metric->as_object() : nullptr;
  const Json* samples = json.find(values);
  if (!labels || !samples) return no_answer(fmt::format("a series has no \"metric\" or no \"{}\"", values));
  LabelledSeries out;
  for (const Json::Member& label : *labels) {
    const std::string* text = label.value.as_string();
    if (!text) return no_answer(fmt::format("label {} is no text", label.name));
    if (label.name == "__name__") {
      out.name = *text;
    } else {
      out.labels.emplace_back(label.name, *text);
    }
  }
  if (values == "value") {
    CVG_ASSIGN_OR_RETURN(out.samples.emplace_back(), sample_from(*samples));
    return out;
  }
  const Json::Array* list = samples->as_array();
  if (!list) return no_answer("\"values\" is no list");
  for (const Json& one : *list) {
    CVG_ASSIGN_OR_RETURN(out.samples.emplace_back(), sample_from(one));
  }
  return out;
}

// A result of which a part could not be read comes with status "success" and a word about it.
absl::Status check_warnings(const Json& json) {
  const Json* warnings = json.find("warnings");
  const Json::Array* list = warnings ? warnings->as_array() : nullptr;
  if (!list || list->empty()) return absl::OkStatus();
  const std::string* first = list->front().as_string();
  return no_answer(fmt::format("the answer is not complete: {}",
                               first ? std::string_view(*first).substr(0, kLongestWords) : "a warning without words"));
}

}  // namespace

bool number_from(std::string_view text, double& value) {
  if (text == "NaN" || text == "+Inf" || text == "-Inf" || text == "Inf") {
    value = std::numeric_limits<double>::infinity();
    if (text == "NaN") value = std::numeric_limits<double>::quiet_NaN();
    if (text == "-Inf") value = -value;
    return true;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  // Nothing but digits: from_chars would take "inf" and "nan" in any case.
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || ((digits[0] < '0' || digits[0] > '9') && digits[0] != '.')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view label_of(const LabelledSeries& series, std::string_view label) {
  for (const auto& [name, value] : series.labels) {
    if (name == label) return value;
  }
  return {};
}

absl::StatusOr<std::vector<LabelledSeries>> read_prometheus_answer(std::string_view body) {
  const absl::StatusOr<Json> json = parse_json(body, "prometheus");
  if (!json.ok()) return no_answer(fmt::format("no JSON: {}", std::string(json.status().message())));
  const std::string_view status = text_of(*json, "status");
  if (status == "error") {
    return no_answer(fmt::format("{}: {}", text_of(*json, "errorType"), text_of(*json, "error")));
  }
  const Json* data = json->find("data");
  if (status != "success" || !data) return no_answer("the answer has no status \"success\" with data");
  CVG_RETURN_IF_ERROR(check_warnings(*json));
  const std::string_view type = text_of(*data, "resultType");
  const Json* result = data->find("result");
  const Json::Array* list = result ? result->as_array() : nullptr;
  if ((type != "vector" && type != "matrix") || !list) {
    return no_answer(fmt::format("the result is a \"{}\"; a vector or a matrix is wanted", type));
  }
  std::vector<LabelledSeries> out;
  out.reserve(list->size());
  for (const Json& one : *list) {
    CVG_ASSIGN_OR_RETURN(LabelledSeries series, series_from(one, type == "vector" ? "value" : "values"));
    out.push_back(std::move(series));
  }
  return out;
}

}  // namespace convergence
