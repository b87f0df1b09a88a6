#include <algorithm>

#include "convergence/node_state.h"

namespace convergence {
namespace {

constexpr std::string_view kInstead = "[secret]";
// So much of the beginning of a secret is not shown at the end of a text.
constexpr std::size_t kTelling = 4;

}  // namespace

Redactor::Redactor(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase(secrets_, "");
  std::sort(secrets_.begin(), secrets_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
}

std::string Redactor::add(std::string_view bytes) {
  held_.append(bytes);
  const std::string_view text = held_;
  std::string shown;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    const auto is_here = [&](const std::string& secret) { return rest.starts_with(secret); };
    // A longer one that may still come goes before a shorter one that is there.
    const auto may_come = [&](const std::string& secret) {
      return secret.size() > rest.size() && secret.starts_with(rest);
    };
    if (std::any_of(secrets_.begin(), secrets_.end(), may_come)) break;
    const auto found = std::find_if(secrets_.begin(), secrets_.end(), is_here);
    if (found == secrets_.end()) {
      shown.push_back(text[at++]);
    } else {
      shown.append(kInstead);
      at += found->size();
    }
  }
  held_.erase(0, at);
  return shown;
}

std::string Redactor::finish() {
  std::string shown;
  while (!held_.empty()) {
    // As add() leaves it, the rest is the beginning of a secret: the text was cut off within it perhaps.
    std::string_view rest = held_;
    const auto begins_so = [&](const std::string& secret) { return secret.starts_with(rest); };
    if (rest.size() >= kTelling && std::any_of(secrets_.begin(), secrets_.end(), begins_so)) {
      shown.append(kInstead);
      break;
    }
    const auto found = std::find_if(secrets_.begin(), secrets_.end(),
                                    [&](const std::string& secret) { return rest.starts_with(secret); });
    if (found == secrets_.end()) {
      shown.push_back(rest.front());
      held_.erase(0, 1);
    } else {
      shown.append(kInstead);
      held_.erase(0, found->size());
    }
  }
  held_.clear();
  return shown;
}

}  // namespace convergence
