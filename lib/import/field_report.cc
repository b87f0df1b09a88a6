#include "lib/import/field_report.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "convergence/codec.h"
#include "lib/base/ascii.h"

namespace convergence::importing {

FieldReport::FieldReport(const Json& document, std::string base, const Lines& lines) : base_(std::move(base)) {
  add(document, base_, lines);
}

void FieldReport::add(const Json& json, const std::string& path, const Lines& lines) {
  const std::size_t first = leaves_.size();
  const Json::Object* members = json.as_object();
  const Json::Array* items = json.as_array();
  if (is_leaf(json)) {
    Leaf leaf;
    leaf.row.line = lines.line_of(json.offset);
    leaf.row.field = path;
    leaves_.push_back(std::move(leaf));
  } else if (members != nullptr) {
    for (const Json::Member& member : *members) {
      add(member.value, path.empty() ? member.name : fmt::format("{}.{}", path, member.name), lines);
    }
  } else {
    for (std::size_t i = 0; i < items->size(); ++i) add((*items)[i], fmt::format("{}[{}]", path, i), lines);
  }
  places_.emplace(path, std::pair(first, leaves_.size()));
}

void FieldReport::say(std::string_view path, ImportOutcome outcome, std::string_view why, std::string_view into) {
  const std::string whole =
      base_.empty() || path.empty() ? fmt::format("{}{}", base_, path) : fmt::format("{}.{}", base_, path);
  const auto place = places_.find(whole);
  if (place == places_.end()) return;
  for (std::size_t i = place->second.first; i < place->second.second; ++i) {
    Leaf& leaf = leaves_[i];
    leaf.said = true;
    leaf.row.outcome = outcome;
    leaf.row.why = std::string(why);
    leaf.into = std::string(into);
  }
}

void FieldReport::take_back(std::string_view into, std::string_view why) {
  for (Leaf& leaf : leaves_) {
    if (leaf.into != into) continue;
    leaf.row.outcome = ImportOutcome::kUnsupported;
    leaf.row.why = std::string(why);
  }
}

std::vector<ImportRow> FieldReport::rows(std::string_view rest) && {
  std::vector<ImportRow> out;
  out.reserve(leaves_.size());
  for (Leaf& leaf : leaves_) {
    if (!leaf.said) {
      leaf.row.outcome = ImportOutcome::kUnsupported;
      leaf.row.why = std::string(rest);
    }
    out.push_back(std::move(leaf.row));
  }
  return out;
}

At At::member(std::string_view name) const {
  At out;
  out.path = path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
  const Json* found = json == nullptr ? nullptr : json->find(name);
  if (found != nullptr && !found->is_null()) out.json = found;
  return out;
}

At At::loose(std::string_view name) const {
  const Json::Object* object = json == nullptr ? nullptr : json->as_object();
  for (std::size_t i = 0; object != nullptr && i < object->size(); ++i) {
    if (plain_name((*object)[i].name) == plain_name(name)) return member((*object)[i].name);
  }
  return member(name);
}

std::vector<At> At::items() const {
  std::vector<At> out;
  const Json::Array* list = json == nullptr ? nullptr : json->as_array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    At item;
    item.path = fmt::format("{}[{}]", path, i);
    item.json = &(*list)[i];
    out.push_back(std::move(item));
  }
  return out;
}

std::vector<std::pair<std::string, At>> At::members() const {
  std::vector<std::pair<std::string, At>> out;
  const Json::Object* object = json == nullptr ? nullptr : json->as_object();
  for (std::size_t i = 0; object != nullptr && i < object->size(); ++i) {
    out.emplace_back((*object)[i].name, member((*object)[i].name));
  }
  return out;
}

std::optional<std::string> text_at(const At& at) {
  if (!at) return std::nullopt;
  if (const std::string* text = at.json->as_string()) return *text;
  if (const Json::Number* number = at.json->as_number()) return number->text;
  if (const bool* truth = at.json->as_bool()) return *truth ? "true" : "false";
  return std::nullopt;
}

std::optional<double> number_at(const At& at) {
  if (!at) return std::nullopt;
  if (at.json->is_number()) return at.json->to_double();
  const std::string* text = at.json->as_string();
  if (text == nullptr || text->empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> bool_at(const At& at) {
  const std::optional<std::string> text = text_at(at);
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<Duration> duration_at(const At& at) {
  if (!at) return std::nullopt;
  if (const std::optional<double> seconds = number_at(at)) {
    constexpr double kMost = 3e8;  // ten years; nanoseconds of it fit
    if (*seconds < 0 || *seconds > kMost) return std::nullopt;
    return std::chrono::round<Duration>(std::chrono::duration<double>(*seconds));
  }
  const std::string* text = at.json->as_string();
  if (text == nullptr) return std::nullopt;
  const absl::StatusOr<Duration> duration = duration_from_text(*text);
  if (!duration.ok() || *duration < Duration(0)) return std::nullopt;
  return *duration;
}

}  // namespace convergence::importing
