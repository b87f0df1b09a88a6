#include "lib/node/archive_names.h"

#include <fmt/format.h>

#include <climits>
#include <vector>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel follows

// With control characters shown as what they are not.
std::string shown_name(std::string_view name) {
  std::string text = printable_utf8(name);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

std::string_view to_string(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return "file";
    case EntryType::kDirectory:
      return "directory";
    case EntryType::kLink:
      return "link";
  }
  return "unknown";
}

absl::Status ArchiveNames::refuse(std::string_view entry, std::string_view problem) const {
  const std::string shown = shown_name(entry);
  Json detail;
  detail.set("entry", shown);
  return make_error(ErrorKind::kValidate,
                    fmt::format("{}: \"{}\" {}; make the archive without that", archive_, shown, problem),
                    std::move(detail));
}

absl::Status ArchiveNames::too_large(std::string_view entry, std::string_view problem) const {
  const std::string shown = shown_name(entry);
  Json detail;
  detail.set("entry", shown);
  return make_error(ErrorKind::kTooLarge,
                    fmt::format("{}: \"{}\" {}; raise the limit if that is right", archive_, shown, problem),
                    std::move(detail));
}

absl::StatusOr<std::string> ArchiveNames::normal_name(std::string_view name) const {
  if (name.size() > limits_.path_length) {
    return too_large(name.substr(0, 60), fmt::format("... has a name of more than {} bytes", limits_.path_length));
  }
  if (invalid_utf8(name)) return refuse(name, "has a name that is no UTF-8");
  if (find_unprintable(name) != std::string_view::npos) return refuse(name, "has a control character in its name");
  if (name.empty()) return refuse(name, "has no name");
  if (name.front() == '/') return refuse(name, "is an absolute path");
  std::string_view rest = name;
  while (rest.substr(0, 2) == "./") rest.remove_prefix(2);
  if (rest == ".") rest = {};
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.empty()) return std::string();
  std::size_t depth = 0;
  for (std::string_view left = rest;;) {
    const std::size_t slash = left.find('/');
    const std::string_view part = left.substr(0, slash);
    if (part == "..") return refuse(name, "leads out by \"..\"");
    if (part.empty() || part == ".") return refuse(name, "has an empty part or a \".\" in its name");
    if (part.size() > NAME_MAX) return refuse(name, "has a part of more than 255 bytes in its name");
    ++depth;
    if (slash == std::string_view::npos) break;
    left.remove_prefix(slash + 1);
  }
  if (depth > limits_.depth) return too_large(name, fmt::format("lies more than {} folders deep", limits_.depth));
  return std::string(rest);
}

absl::Status ArchiveNames::add(ManifestEntry entry) {
  for (std::size_t slash = entry.path.find('/'); slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
    const std::string folder = entry.path.substr(0, slash);
    const auto [found, fresh] = entries_.try_emplace(folder);
    if (fresh) found->second = {{folder, EntryType::kDirectory, 0755, 0, ""}, true};
    const EntryType type = found->second.entry.type;
    if (type != EntryType::kDirectory) {
      return refuse(entry.path, fmt::format("lies below \"{}\", which is a {}", folder, to_string(type)));
    }
  }
  const auto found = entries_.find(entry.path);
  const std::string path = entry.path;
  if (found == entries_.end()) {
    entries_.emplace(path, Held{std::move(entry), false});
  } else if (found->second.implied && entry.type == EntryType::kDirectory) {
    found->second = {std::move(entry), false};
  } else {
    return refuse(path, "is there twice");
  }
  if (entries_.size() > limits_.entries) return too_large(path, fmt::format("is more than entry {}", limits_.entries));
  return absl::OkStatus();
}

absl::Status ArchiveNames::check_target(std::string_view link, std::string_view target) const {
  if (target.empty()) return refuse(link, "is a link to nothing");
  if (target.size() > limits_.path_length) return refuse(link, "is a link with too long a target");
  if (find_unprintable(target) != std::string_view::npos) {
    return refuse(link, "is a link whose target has a control character or is no UTF-8");
  }
  if (target.front() == '/') return refuse(link, fmt::format("is a link to the absolute path {}", target));
  return absl::OkStatus();
}

// Walks as the kernel would, so that a ".." behind another link counts from where that one leads.
absl::Status ArchiveNames::check_link(const std::string& link) const {
  std::vector<std::string> at = path_parts(parent_of(link));
  std::vector<std::string> todo = path_parts(entries_.at(link).entry.target);
  std::vector<std::string> stack(todo.rbegin(), todo.rend());
  int followed = 1;
  while (!stack.empty()) {
    const std::string part = std::move(stack.back());
    stack.pop_back();
    // By their letters: g++ 12, optimising, takes the comparison with a text for one of bytes that are not there.
    if (part.size() == 1 && part[0] == '.') continue;
    if (part.size() == 2 && part[0] == '.' && part[1] == '.') {
      if (at.empty())
        return refuse(link, fmt::format("is a link that leads out, to {}", entries_.at(link).entry.target));
      at.pop_back();
      continue;
    }
    at.push_back(part);
    std::string path;
    for (const std::string& piece : at) path = join_path(path, piece);
    const auto found = entries_.find(path);
    if (found == entries_.end() || found->second.entry.type != EntryType::kLink) continue;
    if (++followed > kMaxLinks) return refuse(link, "is a link that leads round in a circle");
    at.pop_back();
    const std::vector<std::string> more = path_parts(found->second.entry.target);
    stack.insert(stack.end(), more.rbegin(), more.rend());
  }
  return absl::OkStatus();
}

absl::Status ArchiveNames::check_links() const {
  for (const auto& [name, held] : entries_) {
    if (held.entry.type == EntryType::kLink) CVG_RETURN_IF_ERROR(check_link(name));
  }
  return absl::OkStatus();
}

const ManifestEntry* ArchiveNames::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.entry;
}

ManifestEntry* ArchiveNames::find(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.entry;
}

Manifest ArchiveNames::manifest() const {
  Manifest manifest;
  for (const auto& [name, held] : entries_) manifest.entries.push_back(held.entry);
  return manifest;
}

}  // namespace convergence
