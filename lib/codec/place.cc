#include "lib/codec/place.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "convergence/error.h"

namespace convergence::codec {

void append_pointer_token(std::string& pointer, std::string_view token) {
  pointer += '/';
  for (char c : token) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

absl::Status decode_error(std::string_view document, std::string_view pointer, std::size_t offset,
                          std::string_view problem) {
  Json detail;
  detail.set("document", document).set("pointer", pointer).set("offset", static_cast<std::uint64_t>(offset));
  return make_error(
      ErrorKind::kDecode,
      fmt::format("{}: {}{}(offset {}): {}", document, pointer, pointer.empty() ? "" : " ", offset, problem),
      std::move(detail));
}

std::string Place::pointer() const {
  if (!parent_) return {};
  std::string pointer = parent_->pointer();
  if (is_item_) {
    pointer += fmt::format("/{}", index_);
  } else {
    append_pointer_token(pointer, token_);
  }
  return pointer;
}

}  // namespace convergence::codec
