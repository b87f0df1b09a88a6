#ifndef CONVERGENCE_LIB_BASE_TAGS_H_
#define CONVERGENCE_LIB_BASE_TAGS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convergence {

// What stands behind `start` in the first tag that begins so: "version:" finds "1.2.3" in "version:1.2.3".
inline std::optional<std::string> tag_value(const std::vector<std::string>& tags, std::string_view start) {
  for (const std::string& tag : tags) {
    if (tag.starts_with(start)) return tag.substr(start.size());
  }
  return std::nullopt;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_TAGS_H_
