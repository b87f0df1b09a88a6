#include "lib/model/entry_parts.h"

#include <fmt/format.h>

namespace convergence {

std::string EntryPlace::text() const {
  if (above == nullptr) return std::string(member);
  std::string out = above->text();
  if (!out.empty()) out += '.';
  out += member;
  if (index >= 0) out += fmt::format("[{}]", index);
  if (index < 0 && key.data() != nullptr) out += fmt::format("[{}]", key);
  return out;
}

}  // namespace convergence
